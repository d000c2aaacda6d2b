//! Any U-Boot: a table says which variables mean what, for the scripts of vendors and of OpenWrt's dual-firmware boards.
//!
//! ```text
//! trial.a     = boot_part=1 upgrade_available=1 bootlimit=@tries@ bootcount:=0
//! trial.b     = boot_part=2 upgrade_available=1 bootlimit=@tries@ bootcount:=0
//! confirmed.a = boot_part=1 upgrade_available=0 bootcount:=0
//! confirmed.b = boot_part=2 upgrade_available=0 bootcount:=0
//! left        = bootlimit bootcount
//! ```
//!
//! `=` is set, and looked at to see which row holds; `:=` is only set, for what the boot loader counts; `@tries@` is set,
//! and looked at never. `left` names the limit and the count, where there are such. Double quotes hold a value with spaces
//! together: `bootcmd="run altnandboot"`.

use crate::slot::Slot;
use crate::state::medium::Medium;
use crate::state::variables::Variables;

use super::uboot::UbootEnvironment;
use super::{Backend, BackendError, Trial, View, checked};

/// The table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Map {
    /// Of slot a, slot b.
    trial: [Vec<Assignment>; 2],
    confirmed: [Vec<Assignment>; 2],
    left: Option<(String, String)>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Assignment {
    name: String,
    value: String,
    compared: bool,
}

const TRIES: &str = "@tries@";

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MapError {
    #[error("line {0} is not: name = assignments")]
    Line(usize),
    #[error("line {0}: {1:?} is not name=value or name:=value")]
    Assignment(usize, String),
    #[error("there is no {0}")]
    Missing(&'static str),
    #[error("{0} and {1} cannot be told apart")]
    Alike(&'static str, &'static str),
}

const ROWS: [&str; 4] = ["trial.a", "trial.b", "confirmed.a", "confirmed.b"];

impl Map {
    pub fn parse(text: &str) -> Result<Self, MapError> {
        let mut map = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = MapError::Line(index + 1);
            let (name, rest) = line.split_once('=').ok_or(wrong.clone())?;
            let words = words(rest).ok_or(wrong.clone())?;
            let row = match name.trim() {
                "trial.a" => &mut map.trial[0],
                "trial.b" => &mut map.trial[1],
                "confirmed.a" => &mut map.confirmed[0],
                "confirmed.b" => &mut map.confirmed[1],
                "left" => {
                    let [limit, count] = &words[..] else { return Err(wrong) };
                    map.left = Some((limit.clone(), count.clone()));
                    continue;
                }
                _ => return Err(wrong),
            };
            for word in words {
                let assignment = Assignment::parse(&word);
                row.push(assignment.ok_or(MapError::Assignment(index + 1, word))?);
            }
        }
        map.checked()
    }

    /// Every row must be there, and no two hold at once.
    fn checked(self) -> Result<Self, MapError> {
        let rows = [&self.trial[0], &self.trial[1], &self.confirmed[0], &self.confirmed[1]];
        if let Some(index) = rows.iter().position(|row| !row.iter().any(|assignment| assignment.compared)) {
            return Err(MapError::Missing(ROWS[index]));
        }
        for (index, row) in rows.iter().enumerate() {
            for (other, later) in rows.iter().enumerate().skip(index + 1) {
                let differ = |one: &Assignment| {
                    let other = |two: &Assignment| two.compared && two.name == one.name && two.value != one.value;
                    one.compared && later.iter().any(other)
                };
                if !row.iter().any(differ) {
                    return Err(MapError::Alike(ROWS[index], ROWS[other]));
                }
            }
        }
        Ok(self)
    }

    fn view(&self, variables: &Variables) -> View {
        let holds = |row: &[Assignment]| {
            let is = |one: &Assignment| variables.text(&one.name).unwrap_or_default() == one.value;
            row.iter().filter(|one| one.compared).all(is)
        };
        let number = |name: &String| variables.text(name).and_then(|text| text.parse::<u8>().ok());
        let left = match &self.left {
            Some((limit, count)) => number(limit).unwrap_or(0).saturating_sub(number(count).unwrap_or(0)),
            // Nobody tells, so it is not over until the other slot boots.
            None => 1,
        };
        let failed = variables.text("gg_failed").and_then(Slot::parse);
        for slot in [Slot::A, Slot::B] {
            if holds(&self.confirmed[slot.index()]) {
                return View { ok: Some(slot), trial: None, failed, spent: false };
            }
            if holds(&self.trial[slot.index()]) {
                let trial = Some(Trial { slot, left });
                return View { ok: Some(slot.other()), trial, failed, spent: false };
            }
        }
        View::LOST
    }
}

impl Assignment {
    fn parse(word: &str) -> Option<Self> {
        let (name, value) = word.split_once('=')?;
        let (name, compared) = name.strip_suffix(':').map_or((name, true), |name| (name, false));
        let compared = compared && !value.contains(TRIES);
        (!name.is_empty()).then(|| Self { name: name.to_owned(), value: value.to_owned(), compared })
    }
}

/// None where a quote is not closed.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            _ if letter.is_whitespace() && !is_quoted => words.push(String::new()),
            _ => words.last_mut()?.push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    (!is_quoted).then_some(words)
}

/// The backend.
#[derive(Debug)]
pub struct UbootMap<M> {
    environment: UbootEnvironment<M>,
    map: Map,
}

impl<M: Medium> UbootMap<M> {
    pub fn new(environment: UbootEnvironment<M>, map: Map) -> Self {
        Self { environment, map }
    }
}

impl<M: Medium> Backend for UbootMap<M> {
    fn name(&self) -> &'static str {
        "uboot-map"
    }

    fn read(&self) -> Result<View, BackendError> {
        Ok(self.environment.read()?.map_or(View::LOST, |variables| self.map.view(&variables)))
    }

    fn set_trial(&self, slot: Slot, tries: u8) -> Result<(), BackendError> {
        let tries = checked(tries)?.to_string();
        self.environment.change(|variables| {
            for one in &self.map.trial[slot.index()] {
                variables.set(&one.name, &one.value.replace(TRIES, &tries));
            }
            variables.set("gg_failed", "");
        })
    }

    fn set_confirmed(&self, slot: Slot) -> Result<(), BackendError> {
        self.environment.change(|variables| {
            let before = self.map.view(variables);
            for one in &self.map.confirmed[slot.index()] {
                variables.set(&one.name, &one.value);
            }
            let failed = before.trial.map(|trial| trial.slot).or(before.failed).filter(|failed| *failed != slot);
            variables.set("gg_failed", failed.map_or("", Slot::name));
        })
    }

    fn forget_failed(&self) -> Result<(), BackendError> {
        self.environment.change(|variables| variables.set("gg_failed", ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "trial.a = boot_part=1 upgrade_available=1 bootlimit=@tries@ bootcount:=0\n\
        trial.b = boot_part=2 upgrade_available=1 bootlimit=@tries@ bootcount:=0\n# comment\n\
        confirmed.a = boot_part=1 upgrade_available=0 bootcount:=0\n\
        confirmed.b = boot_part=2 upgrade_available=0 bootcount:=0\nleft = bootlimit bootcount\n";

    #[test]
    fn rows_are_told_apart_by_what_is_compared() {
        let map = Map::parse(TEXT).unwrap();
        let mut variables = Variables::default();
        assert_eq!(map.view(&variables), View::LOST);
        for (name, value) in [("boot_part", "2"), ("upgrade_available", "1"), ("bootlimit", "3"), ("bootcount", "1")] {
            variables.set(name, value);
        }
        let trial = Some(Trial { slot: Slot::B, left: 2 });
        assert_eq!(map.view(&variables), View { ok: Some(Slot::A), trial, failed: None, spent: false });
        variables.set("upgrade_available", "0");
        assert_eq!(map.view(&variables).ok, Some(Slot::B));
    }

    #[test]
    fn value_in_quotes_has_spaces() {
        assert_eq!(words(" a=1\tb=\"run it\"  c:= ").unwrap(), ["a=1", "b=run it", "c:="]);
    }

    #[test]
    fn table_that_means_nothing_is_refused() {
        assert_eq!(Map::parse("x = y=1"), Err(MapError::Line(1)));
        assert_eq!(Map::parse("trial.a = y"), Err(MapError::Assignment(1, "y".to_owned())));
        assert_eq!(Map::parse("trial.a = y=1"), Err(MapError::Missing("trial.b")));
        assert_eq!(Map::parse("left = one"), Err(MapError::Line(1)));
        assert_eq!(Map::parse("trial.a = y=\"1 2"), Err(MapError::Line(1)));
        let alike = "trial.a = p=1\ntrial.b = p=2\nconfirmed.a = p=1 q:=1\nconfirmed.b = p=2\n";
        assert_eq!(Map::parse(alike), Err(MapError::Alike("trial.a", "confirmed.a")));
    }
}
