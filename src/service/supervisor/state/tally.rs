//! The three-errors rule: a component that fails three times in one state, each soon after the last, is BROKEN.

use std::time::{Duration, Instant};

/// The state an error came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// Installing.
    New,
    Starting,
    Running,
    /// Errors while stopping are never counted: there is nothing to retry.
    Stopping,
}

/// What the rule says after one more error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Judgement {
    Retry,
    Broken,
}

/// How often, and when last, a component failed in each state that counts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    new: Streak,
    starting: Streak,
    running: Streak,
}

#[derive(Debug, Default)]
struct Streak {
    errors: u8,
    last: Option<Instant>,
}

impl Tally {
    /// Errors in one state that make a component BROKEN.
    pub(super) const LIMIT: u8 = 3;
    /// Two errors this far apart do not add up, unless the recipe says otherwise.
    pub(super) const RESET: Duration = Duration::from_secs(3600);

    /// With no gap at all, a step that fails at once would be retried for ever, without a pause.
    const SHORTEST_RESET: Duration = Duration::from_secs(1);

    /// The gap is measured from the error before, not from the first of the streak.
    pub(super) fn add(&mut self, origin: Origin, now: Instant, reset: Option<Duration>) -> Judgement {
        let Some(streak) = self.streak(origin) else { return Judgement::Retry };
        let reset = reset.unwrap_or(Self::RESET).max(Self::SHORTEST_RESET);
        let forgiven = streak.last.is_some_and(|last| now.duration_since(last) >= reset);
        streak.errors = if forgiven { 1 } else { streak.errors.saturating_add(1) };
        streak.last = Some(now);
        if streak.errors >= Self::LIMIT { Judgement::Broken } else { Judgement::Retry }
    }

    /// The component left a state without an error.
    pub(super) fn clear(&mut self, origin: Origin) {
        if let Some(streak) = self.streak(origin) {
            *streak = Streak::default();
        }
    }

    fn streak(&mut self, origin: Origin) -> Option<&mut Streak> {
        match origin {
            Origin::New => Some(&mut self.new),
            Origin::Starting => Some(&mut self.starting),
            Origin::Running => Some(&mut self.running),
            Origin::Stopping => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tally_breaks_at_the_third_error_of_one_state() {
        let (mut tally, now) = (Tally::default(), Instant::now());
        for origin in [Origin::New, Origin::Starting, Origin::Running] {
            assert_eq!(tally.add(origin, now, None), Judgement::Retry);
            assert_eq!(tally.add(origin, now, None), Judgement::Retry);
        }
        for origin in [Origin::New, Origin::Starting, Origin::Running] {
            assert_eq!(tally.add(origin, now, None), Judgement::Broken);
        }
        assert_eq!(tally.add(Origin::Stopping, now, None), Judgement::Retry);
    }

    #[test]
    fn tally_measures_the_gap_between_consecutive_errors() {
        let (mut tally, start) = (Tally::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(tally.add(Origin::Running, after(0), None), Judgement::Retry);
        assert_eq!(tally.add(Origin::Running, after(3599), None), Judgement::Retry);
        assert_eq!(tally.add(Origin::Running, after(7198), None), Judgement::Broken, "7198 s from the first");
        assert_eq!(tally.add(Origin::Running, after(7198 + 3600), None), Judgement::Retry, "the streak ended");
    }

    #[test]
    fn tally_takes_the_gap_of_the_recipe() {
        let (mut tally, start) = (Tally::default(), Instant::now());
        let gap = Some(Duration::from_secs(1));
        for second in 0..10 {
            assert_eq!(tally.add(Origin::New, start + Duration::from_secs(second), gap), Judgement::Retry);
        }
        for wanted in [Judgement::Retry, Judgement::Retry, Judgement::Broken] {
            assert_eq!(tally.add(Origin::Starting, start, Some(Duration::ZERO)), wanted);
        }
        tally.add(Origin::Running, start, None);
        tally.add(Origin::Running, start, None);
        tally.clear(Origin::Running);
        assert_eq!(tally.add(Origin::Running, start, None), Judgement::Retry);
    }
}
