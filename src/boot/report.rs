//! The boot report: what each step of the boot did, how long it took and how it ended; written by PID 1, read by
//! `greengrass check --boot`.
//!
//! Lines of fields with a tab between, so that a shell reads them too:
//!
//! ```text
//! greengrass-boot 1
//! step <name> <start> <duration> <ok|degraded|failed> <what> <fallback>
//! fact <name> <value>
//! end <time>
//! ```
//!
//! Times are microseconds; starts and ends count from the start of the kernel. A reader skips lines that begin with a
//! word it does not know, so that later versions may add some.

use std::fmt::Write as _;

/// How a step ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Ok,
    /// Something will not work, and the boot went on by the fallback.
    Degraded,
    /// The step gave nothing; the fallback is what the device does instead of it.
    Failed,
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Ok, Self::Degraded, Self::Failed].into_iter().find(|outcome| outcome.name() == text)
    }
}

/// One step of the boot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    pub name: String,
    /// Microseconds since the kernel started.
    pub start: u64,
    /// Microseconds.
    pub duration: u64,
    pub outcome: Outcome,
    /// What was done, or why it could not be.
    pub what: String,
    /// What was done instead; empty for `Ok`.
    pub fallback: String,
}

/// Something else worth knowing: which slot, which kind of root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    pub name: String,
    pub value: String,
}

/// A report that was read back.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    pub steps: Vec<Step>,
    pub facts: Vec<Fact>,
    /// When PID 1 handed over; `None` if the report was cut before.
    pub end: Option<u64>,
}

/// Why a text is no boot report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("the first line is not \"{MAGIC}\"")]
    NoReport,
    #[error("line {line}: not a {word} line: {text:?}")]
    BadLine { line: usize, word: &'static str, text: String },
}

const MAGIC: &str = "greengrass-boot 1";

impl Report {
    /// Reads what [`Writer`] wrote.
    pub fn parse(text: &str) -> Result<Self, ReportError> {
        let mut lines = text.lines().enumerate();
        if lines.next().map(|(_, line)| line) != Some(MAGIC) {
            return Err(ReportError::NoReport);
        }
        let mut report = Self::default();
        for (index, line) in lines {
            let bad = |word| ReportError::BadLine { line: index + 1, word, text: line.to_owned() };
            let (word, rest) = line.split_once('\t').unwrap_or((line, ""));
            match word {
                "step" => report.steps.push(step(rest).ok_or_else(|| bad("step"))?),
                "fact" => report.facts.push(fact(rest).ok_or_else(|| bad("fact"))?),
                "end" => report.end = Some(rest.parse().map_err(|_| bad("end"))?),
                _ => {}
            }
        }
        Ok(report)
    }

    /// The first fact of that name.
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.as_str())
    }

    /// How long PID 1 took until it handed over: from the start of its first step. Microseconds.
    pub fn own_time(&self) -> Option<u64> {
        Some(self.end?.saturating_sub(self.steps.first()?.start))
    }
}

fn step(rest: &str) -> Option<Step> {
    let mut fields = rest.split('\t');
    let step = Step {
        name: fields.next().filter(|name| !name.is_empty())?.to_owned(),
        start: fields.next()?.parse().ok()?,
        duration: fields.next()?.parse().ok()?,
        outcome: Outcome::parse(fields.next()?)?,
        what: fields.next()?.to_owned(),
        fallback: fields.next()?.to_owned(),
    };
    fields.next().is_none().then_some(step)
}

fn fact(rest: &str) -> Option<Fact> {
    let (name, value) = rest.split_once('\t')?;
    (!name.is_empty() && !value.contains('\t')).then(|| Fact { name: name.to_owned(), value: value.to_owned() })
}

/// Collects the report in one piece of memory that is taken at the start and never grows: what does not fit is left
/// out, and the report says so.
#[derive(Debug)]
pub struct Writer {
    text: String,
    left_out: usize,
}

impl Default for Writer {
    fn default() -> Self {
        let mut text = String::with_capacity(ROOM);
        let _ = writeln!(text, "{MAGIC}");
        Self { text, left_out: 0 }
    }
}

/// Room for the steps: some 25 of them take 3 KiB.
const ROOM: usize = 16 * 1024;
/// Room for the last two lines.
const RESERVE: usize = 128;
/// The most of one text; an error with its cause has less.
const LONGEST_TEXT: usize = 400;

impl Writer {
    pub fn step(&mut self, name: &str, start: u64, duration: u64, outcome: Outcome, what: &str, fallback: &str) {
        let before = self.text.len();
        let _ = write!(self.text, "step\t{name}\t{start}\t{duration}\t{}\t", outcome.name());
        self.field(what);
        self.text.push('\t');
        self.field(fallback);
        self.finish(before);
    }

    pub fn fact(&mut self, name: &str, value: &str) {
        let before = self.text.len();
        let _ = write!(self.text, "fact\t{name}\t");
        self.field(value);
        self.finish(before);
    }

    /// The whole text, with this moment as the end.
    pub fn end(&self, now: u64) -> String {
        let mut text = String::with_capacity(self.text.len() + RESERVE);
        text.push_str(&self.text);
        if self.left_out > 0 {
            let _ = writeln!(text, "fact\tleft-out\t{} lines for want of room", self.left_out);
        }
        let _ = writeln!(text, "end\t{now}");
        text
    }

    /// A tab or a line end in a text would be one of ours.
    fn field(&mut self, text: &str) {
        let room = (ROOM.saturating_sub(self.text.len())).min(LONGEST_TEXT);
        let mut used = 0;
        for letter in text.chars() {
            used += letter.len_utf8();
            if used > room {
                break;
            }
            self.text.push(if letter.is_control() { ' ' } else { letter });
        }
    }

    fn finish(&mut self, before: usize) {
        if self.text.len() + 1 > ROOM {
            self.text.truncate(before);
            self.left_out += 1;
        } else {
            self.text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_is_read_as_it_was_written() {
        let mut writer = Writer::default();
        writer.step("watchdog", 1200, 30, Outcome::Degraded, "cannot open\t/dev/watchdog:\nno such file", "none");
        writer.step("slot", 1300, 4000, Outcome::Ok, "gg-a, squashfs", "");
        writer.fact("slot", "a");
        let report = Report::parse(&writer.end(9200)).unwrap();
        assert_eq!(report.steps.len(), 2);
        assert_eq!(report.steps[0].what, "cannot open /dev/watchdog: no such file");
        assert_eq!(report.steps[0].outcome, Outcome::Degraded);
        assert_eq!((report.fact("slot"), report.own_time()), (Some("a"), Some(8000)));
    }

    #[test]
    fn writer_keeps_to_its_room_and_says_what_it_left_out() {
        let mut writer = Writer::default();
        let text = "ä".repeat(5000);
        for _ in 0..1000 {
            writer.step("flood", u64::MAX, u64::MAX, Outcome::Failed, &text, &text);
        }
        let capacity = writer.text.capacity();
        let report = Report::parse(&writer.end(u64::MAX)).unwrap();
        assert!(report.fact("left-out").is_some_and(|text| text.ends_with("for want of room")));
        assert!(report.steps.len() > 10);
        assert_eq!((writer.text.capacity(), report.end), (capacity, Some(u64::MAX)));
    }

    #[test]
    fn parse_names_the_line_it_cannot_read() {
        assert!(matches!(Report::parse(""), Err(ReportError::NoReport)));
        for line in [
            "step\tx",
            "step\tx\t1\t-2\tok\t\t",
            "step\tx\t1\t2\tfine\t\t",
            "step\tx\t1\t2\tok\t\t\t",
            "end\tx",
            "fact\tx",
        ] {
            let text = format!("{MAGIC}\nfuture\tline\n{line}\n");
            assert!(matches!(Report::parse(&text), Err(ReportError::BadLine { line: 3, .. })), "{line:?}");
        }
        let cut = format!("{MAGIC}\nstep\tx\t1\t2\tok\t\t\n");
        assert_eq!(Report::parse(&cut).unwrap().own_time(), None);
    }
}
