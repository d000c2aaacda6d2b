//! Decides when to connect and how long to wait: pure; time is an argument.

use std::time::Duration;

use crate::wire::state::Link;

/// Pauses between attempts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BackOff {
    /// After the first failure; each further one doubles it.
    pub(super) shortest: Duration,
    pub(super) longest: Duration,
    /// A link that has held so long begins with the shortest again.
    pub(super) forgiven: Duration,
}

/// What the settings ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    /// They say nothing of a cloud.
    Nothing,
    /// They cannot be.
    Impossible,
    Link(BackOff),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// At the beginning, and when they change.
    Settings(Wish),
    Opened,
    Failed,
    Lost,
    Rested,
}

/// What to do until the next event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Idle,
    Open,
    Hold,
    Rest(Duration),
}

/// The link, from the first start to the last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Course {
    wish: Wish,
    /// Attempts in a row that came to nothing.
    failures: u32,
    /// While it is up: since when.
    up_since: Option<Duration>,
}

impl Course {
    pub(super) fn new() -> Self {
        Self { wish: Wish::Nothing, failures: 0, up_since: None }
    }

    /// Takes one event in. What was done before ends with it.
    pub(super) fn on(&mut self, event: Event, now: Duration) -> Step {
        let up_since = self.up_since.take();
        if let Event::Settings(wish) = event {
            *self = Self { wish, ..Self::new() };
        }
        let Wish::Link(back_off) = self.wish else { return Step::Idle };
        match event {
            Event::Settings(_) | Event::Rested => Step::Open,
            Event::Opened => {
                self.up_since = Some(now);
                Step::Hold
            }
            Event::Failed | Event::Lost => {
                if up_since.is_some_and(|since| now.saturating_sub(since) >= back_off.forgiven) {
                    self.failures = 0;
                }
                let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
                self.failures = self.failures.saturating_add(1);
                Step::Rest(back_off.shortest.saturating_mul(factor).min(back_off.longest))
            }
        }
    }

    pub(super) fn link(&self) -> Link {
        match (self.wish, self.up_since) {
            (Wish::Nothing, _) => Link::NotConfigured,
            (_, Some(_)) => Link::Up,
            (_, None) => Link::Down,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACK_OFF: BackOff = BackOff { shortest: at(1), longest: at(120), forgiven: at(30) };

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn begun() -> Course {
        let mut course = Course::new();
        assert_eq!(course.on(Event::Settings(Wish::Link(BACK_OFF)), at(0)), Step::Open);
        assert_eq!(course.link(), Link::Down);
        course
    }

    #[test]
    fn link_is_not_configured_or_down_without_settings_that_can_be() {
        let mut course = Course::new();
        assert_eq!(course.link(), Link::NotConfigured);
        assert_eq!(course.on(Event::Settings(Wish::Nothing), at(0)), Step::Idle);
        assert_eq!(course.link(), Link::NotConfigured);
        assert_eq!(course.on(Event::Settings(Wish::Impossible), at(1)), Step::Idle);
        assert_eq!(course.link(), Link::Down);
        assert_eq!(course.on(Event::Settings(Wish::Link(BACK_OFF)), at(2)), Step::Open);
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_never_end() {
        let mut course = begun();
        for seconds in [1, 2, 4, 8, 16, 32, 64, 120, 120] {
            assert_eq!(course.on(Event::Failed, at(0)), Step::Rest(at(seconds)));
            assert_eq!(course.link(), Link::Down);
            assert_eq!(course.on(Event::Rested, at(0)), Step::Open);
        }
        for _ in 0..100 {
            assert_eq!(course.on(Event::Failed, at(0)), Step::Rest(at(120)));
        }
    }

    #[test]
    fn link_that_held_is_forgiven_and_one_that_flaps_is_not() {
        let mut course = begun();
        course.on(Event::Failed, at(0));
        course.on(Event::Failed, at(0));
        assert_eq!(course.on(Event::Opened, at(10)), Step::Hold);
        assert_eq!(course.link(), Link::Up);
        assert_eq!(course.on(Event::Lost, at(39)), Step::Rest(at(4)));
        assert_eq!(course.link(), Link::Down);
        course.on(Event::Opened, at(50));
        assert_eq!(course.on(Event::Lost, at(80)), Step::Rest(at(1)));
    }

    #[test]
    fn other_settings_end_what_was_and_begin_anew() {
        let mut course = begun();
        course.on(Event::Failed, at(0));
        course.on(Event::Opened, at(10));
        assert_eq!(course.on(Event::Settings(Wish::Link(BACK_OFF)), at(20)), Step::Open);
        assert_eq!(course.link(), Link::Down);
        assert_eq!(course.on(Event::Failed, at(21)), Step::Rest(at(1)));
        assert_eq!(course.on(Event::Settings(Wish::Nothing), at(22)), Step::Idle);
        assert_eq!(course.on(Event::Rested, at(23)), Step::Idle);
    }
}
