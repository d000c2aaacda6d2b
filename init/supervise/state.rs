//! Decides what the supervisor does next: pure; time is an argument. Table in `mod.rs`.

use std::time::Duration;

use gg_sys::power::End;
use gg_sys::process::Ended;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Between two lives of the daemon.
    Waiting {
        until: Duration,
        failures: u32,
    },
    Running {
        pid: i32,
        since: Duration,
        failures: u32,
    },
    Stopping {
        pid: i32,
        how: End,
        deadline: Duration,
    },
    /// The daemon has stopped, and the machine ends.
    Over(End),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    Time,
    Started(i32),
    NotStarted,
    /// Some child: the daemon, or an orphan that came to us.
    Ended(i32, Ended),
    Asked(End),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    Start,
    Terminate(i32),
    Kill(i32),
    Tell(String),
}

/// The longest pause before a new start.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A daemon that ran so long was well: the pauses begin anew.
const WELL: Duration = Duration::from_secs(60);
/// Between two kills of a daemon that the kernel does not let go.
const KILL_AGAIN: Duration = Duration::from_secs(10);
/// Exit codes of the daemon.
const RESTART: i32 = 100;
const REBOOT: i32 = 101;

impl State {
    pub(super) fn new(now: Duration) -> Self {
        Self::Waiting { until: now, failures: 0 }
    }

    /// How long nothing is to be done; `None` is no time at all.
    pub(super) fn sleep(&self, now: Duration) -> Option<Duration> {
        const LONG: Duration = Duration::from_secs(24 * 60 * 60);
        let until = match self {
            Self::Waiting { until, .. } => *until,
            Self::Stopping { deadline, .. } => *deadline,
            Self::Running { .. } => return Some(LONG),
            Self::Over(_) => return None,
        };
        until.checked_sub(now).filter(|left| !left.is_zero())
    }

    pub(super) fn on(self, event: Event, now: Duration, grace: u64) -> (Self, Option<Effect>) {
        match (self, event) {
            (Self::Waiting { until, failures }, Event::Time) if now >= until => {
                (Self::Waiting { until, failures }, Some(Effect::Start))
            }
            (Self::Waiting { failures, .. }, Event::Started(pid)) => {
                (Self::Running { pid, since: now, failures }, None)
            }
            (Self::Waiting { failures, .. }, Event::NotStarted) => (waiting(now, failures + 1), None),
            (Self::Waiting { .. }, Event::Asked(how)) => (Self::Over(how), None),
            (Self::Running { pid, since, failures }, Event::Ended(ended, end)) if ended == pid => {
                after_end(end, now, since, failures)
            }
            (Self::Running { pid, .. }, Event::Asked(how)) => {
                let deadline = now + Duration::from_secs(grace);
                (Self::Stopping { pid, how, deadline }, Some(Effect::Terminate(pid)))
            }
            (Self::Stopping { pid, how, .. }, Event::Ended(ended, _)) if ended == pid => (Self::Over(how), None),
            (Self::Stopping { pid, how, deadline }, Event::Time) if now >= deadline => {
                (Self::Stopping { pid, how, deadline: now + KILL_AGAIN }, Some(Effect::Kill(pid)))
            }
            (state, _) => (state, None),
        }
    }
}

fn after_end(end: Ended, now: Duration, since: Duration, failures: u32) -> (State, Option<Effect>) {
    match end {
        Ended::Code(RESTART) => (State::Waiting { until: now, failures: 0 }, None),
        Ended::Code(REBOOT) => (State::Over(End::Reboot), None),
        end => {
            let failures = if now.saturating_sub(since) >= WELL { 1 } else { failures + 1 };
            let next = waiting(now, failures);
            let what = match end {
                Ended::Code(code) => format!("with code {code}"),
                Ended::Signal(number) => format!("by signal {number}"),
            };
            let pause = next.sleep(now).unwrap_or_default().as_secs();
            (next, Some(Effect::Tell(format!("the daemon ended {what}; it starts again in {pause} s"))))
        }
    }
}

/// 1, 2, 4, ... seconds.
fn waiting(now: Duration, failures: u32) -> State {
    let doubled = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
    State::Waiting { until: now + Duration::from_secs(doubled).min(LONGEST_PAUSE), failures }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: u64 = 30;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn running(failures: u32) -> State {
        State::Running { pid: 7, since: at(10), failures }
    }

    fn pause_after(state: State, end: Ended, now: u64) -> Option<Duration> {
        state.on(Event::Ended(7, end), at(now), GRACE).0.sleep(at(now))
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_begin_anew_after_a_good_run() {
        for (failures, seconds) in [(0, 1), (1, 2), (2, 4), (5, 32), (6, 60), (63, 60), (64, 60), (100_000, 60)] {
            assert_eq!(pause_after(running(failures), Ended::Code(1), 11), Some(at(seconds)), "{failures}");
        }
        assert_eq!(pause_after(running(6), Ended::Signal(9), 70), Some(at(1)));
    }

    #[test]
    fn exit_codes_restart_and_reboot() {
        assert_eq!(pause_after(running(3), Ended::Code(100), 11), None);
        let over = running(0).on(Event::Ended(7, Ended::Code(101)), at(11), GRACE);
        assert_eq!(over, (State::Over(End::Reboot), None));
    }

    #[test]
    fn orphans_change_nothing() {
        for state in [running(0), State::new(at(99)), State::Stopping { pid: 7, how: End::Halt, deadline: at(99) }] {
            assert_eq!(state.clone().on(Event::Ended(8, Ended::Code(101)), at(11), GRACE), (state, None));
        }
    }

    #[test]
    fn end_terminates_then_kills_until_it_is_gone() {
        let (state, effect) = running(0).on(Event::Asked(End::PowerOff), at(20), GRACE);
        assert_eq!(effect, Some(Effect::Terminate(7)));
        let (state, effect) = state.on(Event::Asked(End::Reboot), at(21), GRACE);
        assert_eq!(effect, None);
        let (state, effect) = state.on(Event::Time, at(50), GRACE);
        assert_eq!(effect, Some(Effect::Kill(7)));
        assert_eq!(state.on(Event::Ended(7, Ended::Signal(9)), at(51), GRACE).0, State::Over(End::PowerOff));
    }

    #[test]
    fn program_that_does_not_start_is_waited_for() {
        let (state, effect) = State::new(at(1)).on(Event::Time, at(1), GRACE);
        assert_eq!(effect, Some(Effect::Start));
        let (state, _) = state.on(Event::NotStarted, at(1), GRACE);
        assert_eq!(state.sleep(at(1)), Some(at(1)));
        assert_eq!(state.on(Event::Asked(End::Halt), at(1), GRACE).0, State::Over(End::Halt));
    }
}
