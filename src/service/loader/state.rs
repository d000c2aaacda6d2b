//! Decides what is started: pure.
//!
//! | links | what runs is then |
//! |---|---|
//! | `new` | entered: `old` := what runs, `current` := `new` |
//! | `old` and `broken` | gone back to: `current` := `old` |
//! | `old`, and `current` is damaged, was tried often enough, or hung | given up: `broken` := `current`, and back |
//! | `old` otherwise | `current`, a try more |
//! | no `old`, `current` | `current` |
//! | none, or `current` was made over another image | the executable of the image |

use crate::store::alts::{IMAGE, Launch, Links, Tries};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Enter {
        old: String,
    },
    GoBack,
    GiveUp {
        name: String,
        why: String,
    },
    /// On trial: write it down, then start.
    Try {
        name: String,
        tries: Tries,
    },
    Start(String),
    Image,
}

/// The present, in seconds since the start of the kernel, and which start that was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Now {
    pub(super) at: u64,
    pub(super) boot: String,
    /// What a version on trial has to come up.
    pub(super) deadline: u64,
}

/// A new version is started so often at most before it has proved itself.
const TRIES: u32 = 3;

pub(super) fn decide(links: &Links, launch: Option<&Launch>, image: &str, tries: &Tries, now: &Now) -> Step {
    let current = links.current.as_deref().filter(|name| *name != IMAGE);
    let is_of_image = launch.is_some_and(|launch| launch.image == image);
    if links.new.is_some() {
        let runs = current.filter(|_| is_of_image).unwrap_or(IMAGE);
        return Step::Enter { old: runs.to_owned() };
    }
    if links.old.is_some() && links.broken.is_some() {
        return Step::GoBack;
    }
    let Some(name) = current.map(str::to_owned) else {
        // Nothing is on trial: its link is a remnant.
        return Step::Image;
    };
    let is_on_trial = links.old.is_some();
    match launch {
        None if is_on_trial => Step::GiveUp { name, why: "its launch directory is damaged".to_owned() },
        None => Step::Image,
        Some(_) if !is_of_image => Step::Image,
        Some(_) if !is_on_trial => Step::Start(name),
        Some(_) => match spent(tries, now) {
            Some(why) => Step::GiveUp { name, why },
            None => {
                let tries = Tries { count: tries.count + 1, at: now.at, boot: now.boot.clone(), came_up: false };
                Step::Try { name, tries }
            }
        },
    }
}

/// Why there is no further try.
fn spent(tries: &Tries, now: &Now) -> Option<String> {
    let lasted = now.at.checked_sub(tries.at).filter(|_| tries.boot == now.boot);
    if !tries.came_up && lasted.is_some_and(|lasted| lasted >= now.deadline) {
        return Some(format!("it was not up within {} s", now.deadline));
    }
    let then = if tries.came_up { "was up, but ended before its deployment did" } else { "ended before it was up" };
    (tries.count >= TRIES).then(|| format!("it was started {} times; the last time it {then}", tries.count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::name::ComponentVersion;

    const OWN: &str = "0.1.0";

    /// `current=a old=init`
    fn links(text: &str) -> Links {
        let of = |link: &str| {
            let found = text.split_whitespace().find_map(|word| word.strip_prefix(link)?.strip_prefix('='));
            found.map(str::to_owned)
        };
        Links { current: of("current"), old: of("old"), new: of("new"), broken: of("broken") }
    }

    fn step(text: &str, image: Option<&str>, tries: &Tries) -> Step {
        let version = ComponentVersion::parse("2.19.0").unwrap();
        let launch = image.map(|image| Launch { version, image: image.to_owned() });
        let now = Now { at: 1000, boot: "b".to_owned(), deadline: 300 };
        decide(&links(text), launch.as_ref(), OWN, tries, &now)
    }

    fn tries(count: u32, at: u64, came_up: bool) -> Tries {
        Tries { count, at, boot: "b".to_owned(), came_up }
    }

    #[test]
    fn decide_starts_what_the_links_say() {
        let fresh = Tries::default();
        let enter = |old: &str| Step::Enter { old: old.to_owned() };
        for (text, image, expected) in [
            ("", None, Step::Image),
            ("current=init", None, Step::Image),
            ("current=a", Some(OWN), Step::Start("a".to_owned())),
            ("current=a", Some("0.2.0"), Step::Image),
            ("current=a", None, Step::Image),
            ("new=a", None, enter("init")),
            ("new=b current=a", Some(OWN), enter("a")),
            ("new=b current=a old=a", Some(OWN), enter("a")),
            ("new=b current=a", Some("0.2.0"), enter("init")),
            ("current=a old=init broken=a", Some(OWN), Step::GoBack),
            ("current=init broken=a", None, Step::Image),
            ("current=a old=init", Some("0.2.0"), Step::Image),
            ("old=init", None, Step::Image),
        ] {
            assert_eq!(step(text, image, &fresh), expected, "{text} {image:?}");
        }
        let damaged = step("current=a old=init", None, &fresh);
        assert!(matches!(damaged, Step::GiveUp { why, .. } if why.contains("damaged")));
    }

    #[test]
    fn trial_ends_after_three_tries_or_one_that_took_all_the_time() {
        let then = |tries| match step("current=a old=init", Some(OWN), &tries) {
            Step::Try { tries, .. } => Ok(tries),
            Step::GiveUp { why, .. } => Err(why),
            other => panic!("{other:?}"),
        };
        assert_eq!(then(Tries::default()), Ok(tries(1, 1000, false)));
        assert_eq!(then(tries(2, 999, false)), Ok(tries(3, 1000, false)));
        assert_eq!(then(tries(2, 1, true)), Ok(tries(3, 1000, false)), "it was up; what is older is no hang");
        assert!(then(tries(3, 999, false)).unwrap_err().contains("before it was up"));
        assert!(then(tries(3, 1, true)).unwrap_err().contains("before its deployment"));
        assert!(then(tries(1, 700, false)).unwrap_err().contains("within 300 s"));
        let other_boot = Tries { boot: "a".to_owned(), ..tries(1, 1, false) };
        assert_eq!(then(other_boot).map(|tries| tries.count), Ok(2));
        assert_eq!(then(tries(1, 2000, false)).map(|tries| tries.count), Ok(2));
    }
}
