//! Decides whether the slot on trial is kept: pure; time is an argument and counts from the start of the kernel.

use std::time::Duration;

use crate::service::ota::trial::{HealthSettings, Need};
use crate::wire::state::Link;

/// What must hold, cheapest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Level {
    /// Root, data and the writable layer, as `gg-init` says.
    Mounts,
    /// The daemon serves.
    Daemon,
    /// The cloud is reached.
    Network,
    /// Every component runs or has finished, and stays so.
    Components,
    /// The programs in `health.d/required`.
    Checks,
}

impl Level {
    pub(super) const ALL: [Self; 5] = [Self::Mounts, Self::Daemon, Self::Network, Self::Components, Self::Checks];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mounts => "mounts",
            Self::Daemon => "daemon",
            Self::Network => "network",
            Self::Components => "components",
            Self::Checks => "checks",
        }
    }
}

/// Something that was found out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// What the boot report says of the mounts; with a fault they never hold.
    Mounts(Result<(), String>),
    /// All doors are open.
    Serving,
    Link(Link),
    Components(Components),
    Checked(Checked),
    /// Somebody who knows gives the version up: a deployment that failed on it.
    GivenUp(String),
    Time,
}

/// How the components stand, all together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Components {
    Well,
    /// One is not there yet, or not any more: which.
    NotYet(String),
    /// One will not come up any more: which, and why.
    Broken(String),
}

/// How a round of the checks ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Checked {
    Passed,
    /// A required one asks to be asked again.
    NotYet(String),
    Failed(String),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    RunChecks,
    Commit,
    RollBack(String),
}

/// Where a level stands.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Standing {
    Waits(String),
    Holds,
    Failed(String),
}

/// Where the checks stand.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Round {
    Due(Duration),
    Running,
    Over,
}

/// One trial.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Trial {
    needs: [(Need, Duration); 5],
    standings: [Standing; 5],
    stable: Duration,
    /// Since when all components are well.
    well_since: Option<Duration>,
    round: Round,
    is_over: bool,
}

/// Between two rounds of checks that are not ready yet.
const PAUSE: Duration = Duration::from_secs(10);

impl Trial {
    /// `network` is what the policy came to on this device.
    pub(super) fn new(settings: &HealthSettings, network: Need) -> Self {
        let all = settings.deadline;
        let waits = || Standing::Waits("it has not been looked at yet".to_owned());
        Self {
            needs: [
                (settings.mounts, all),
                (Need::Required, all.min(settings.daemon_deadline)),
                (network, all.min(settings.network_deadline)),
                (settings.components, all.min(settings.components_deadline)),
                (Need::Required, all),
            ],
            standings: [waits(), waits(), waits(), waits(), waits()],
            stable: settings.stable,
            well_since: None,
            round: Round::Due(Duration::ZERO),
            is_over: false,
        }
    }

    /// Takes one event in; what follows is done in this order. After `Commit` and `RollBack` nothing follows any more.
    pub(super) fn on(&mut self, event: Event, now: Duration) -> Vec<Effect> {
        if self.is_over {
            return Vec::new();
        }
        match event {
            Event::Mounts(found) => self.set(Level::Mounts, found.map_or_else(Standing::Failed, |()| Standing::Holds)),
            Event::Serving => self.set(Level::Daemon, Standing::Holds),
            Event::Link(link) => self.set(Level::Network, of_link(link)),
            Event::Components(components) => self.components(components, now),
            Event::Checked(checked) => self.checked(checked, now),
            Event::GivenUp(why) => return self.over(Effect::RollBack(why)),
            Event::Time => {}
        }
        self.stand(now)
    }

    /// When to look again although nothing happened.
    pub(super) fn alarm(&self, now: Duration) -> Option<Duration> {
        if self.is_over {
            return None;
        }
        let deadlines = Level::ALL.into_iter().filter(|level| !self.holds(*level)).map(|level| self.need(level).1);
        let stable = self.well_since.map(|since| since + self.stable);
        let round = match self.round {
            Round::Due(at) => Some(at),
            Round::Running | Round::Over => None,
        };
        deadlines.chain(stable).chain(round).filter(|at| *at > now).min()
    }

    /// Each level with what it waits for, for a person.
    pub(super) fn describe(&self) -> String {
        let words = Level::ALL.into_iter().map(|level| {
            let standing = match &self.standings[level as usize] {
                Standing::Holds => "holds",
                Standing::Waits(why) | Standing::Failed(why) => why,
            };
            format!("{}: {standing}", level.name())
        });
        words.collect::<Vec<_>>().join("; ")
    }

    fn components(&mut self, components: Components, now: Duration) {
        let standing = match components {
            Components::Well => {
                self.well_since.get_or_insert(now);
                return;
            }
            Components::NotYet(why) => Standing::Waits(why),
            Components::Broken(why) => Standing::Failed(why),
        };
        self.well_since = None;
        self.set(Level::Components, standing);
    }

    fn checked(&mut self, checked: Checked, now: Duration) {
        let (round, standing) = match checked {
            Checked::Passed => (Round::Over, Standing::Holds),
            Checked::NotYet(why) => (Round::Due(now + PAUSE), Standing::Waits(why)),
            Checked::Failed(why) => (Round::Over, Standing::Failed(why)),
        };
        self.round = round;
        self.set(Level::Checks, standing);
    }

    fn stand(&mut self, now: Duration) -> Vec<Effect> {
        if let Some(since) = self.well_since {
            let holds = now.saturating_sub(since) >= self.stable;
            let waits = || Standing::Waits(format!("they are not stable for {} s yet", self.stable.as_secs()));
            let standing = if holds { Standing::Holds } else { waits() };
            self.set(Level::Components, standing);
        }
        for level in Level::ALL {
            let (need, deadline) = self.need(level);
            let why = match &self.standings[level as usize] {
                Standing::Failed(why) => why.clone(),
                Standing::Waits(why) if now >= deadline => format!("not within {} s: {why}", deadline.as_secs()),
                _ => continue,
            };
            if need == Need::Required {
                return self.over(Effect::RollBack(format!("{}: {why}", level.name())));
            }
        }
        let is_missing = |level: &Level| self.need(*level).0 == Need::Required && !self.holds(*level);
        match Level::ALL.into_iter().find(is_missing) {
            None => self.over(Effect::Commit),
            // The others hold: what the checks see is the device as it would stay.
            Some(Level::Checks) if matches!(self.round, Round::Due(at) if now >= at) => {
                self.round = Round::Running;
                self.set(Level::Checks, Standing::Waits("they run".to_owned()));
                vec![Effect::RunChecks]
            }
            Some(_) => Vec::new(),
        }
    }

    fn over(&mut self, effect: Effect) -> Vec<Effect> {
        self.is_over = true;
        vec![effect]
    }

    fn need(&self, level: Level) -> (Need, Duration) {
        self.needs[level as usize]
    }

    fn holds(&self, level: Level) -> bool {
        self.standings[level as usize] == Standing::Holds
    }

    fn set(&mut self, level: Level, standing: Standing) {
        self.standings[level as usize] = standing;
    }
}

fn of_link(link: Link) -> Standing {
    match link {
        Link::Up => Standing::Holds,
        Link::Down => Standing::Waits("the cloud is not reached".to_owned()),
        Link::NotConfigured => Standing::Waits("no link to the cloud is configured".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn settings() -> HealthSettings {
        HealthSettings::default()
    }

    /// Mounted and serving at 20 s.
    fn up(settings: &HealthSettings, network: Need) -> Trial {
        let mut trial = Trial::new(settings, network);
        assert_eq!(trial.on(Event::Mounts(Ok(())), at(20)), []);
        assert_eq!(trial.on(Event::Serving, at(20)), []);
        trial
    }

    #[test]
    fn trial_commits_when_every_required_level_holds() {
        let mut trial = up(&settings(), Need::Wanted);
        assert_eq!(trial.on(Event::Components(Components::Well), at(30)), []);
        assert_eq!(trial.alarm(at(30)), Some(at(90)));
        assert_eq!(trial.on(Event::Time, at(89)), []);
        assert_eq!(trial.on(Event::Time, at(90)), [Effect::RunChecks]);
        assert_eq!(trial.on(Event::Time, at(91)), [], "one round at a time");
        assert_eq!(trial.on(Event::Checked(Checked::Passed), at(95)), [Effect::Commit]);
        assert_eq!(trial.on(Event::GivenUp("late".into()), at(96)), [], "over is over");
        assert_eq!(trial.alarm(at(96)), None);
    }

    #[test]
    fn components_are_stable_only_after_a_quiet_time() {
        let mut trial = up(&settings(), Need::Wanted);
        trial.on(Event::Components(Components::Well), at(30));
        trial.on(Event::Components(Components::NotYet("a is ERRORED".into())), at(80));
        assert_eq!(trial.on(Event::Components(Components::Well), at(85)), []);
        assert_eq!(trial.on(Event::Time, at(144)), []);
        assert_eq!(trial.on(Event::Time, at(145)), [Effect::RunChecks]);
        // What falls over while the checks run is not kept.
        trial.on(Event::Components(Components::NotYet("a is ERRORED".into())), at(146));
        assert_eq!(trial.on(Event::Checked(Checked::Passed), at(147)), []);
        assert_eq!(trial.on(Event::Components(Components::Well), at(150)), []);
        assert_eq!(trial.on(Event::Time, at(210)), [Effect::Commit], "the checks have passed already");
    }

    #[test]
    fn required_failure_rolls_back_at_once() {
        let broken = Event::Components(Components::Broken("a is BROKEN: it died".into()));
        let mut trial = up(&settings(), Need::Wanted);
        assert_eq!(trial.on(broken.clone(), at(40)), [Effect::RollBack("components: a is BROKEN: it died".into())]);
        let mut trial = Trial::new(&settings(), Need::Wanted);
        assert_eq!(
            trial.on(Event::Mounts(Err("data is in memory".into())), at(5)),
            [Effect::RollBack("mounts: data is in memory".into())]
        );
        let mut trial = up(&settings(), Need::Wanted);
        assert_eq!(trial.on(Event::GivenUp("deployment x failed".into()), at(40)).len(), 1);
        // Who only wants the components goes on without them.
        let wanted = HealthSettings { components: Need::Wanted, ..settings() };
        let mut trial = Trial::new(&wanted, Need::Wanted);
        trial.on(Event::Mounts(Ok(())), at(20));
        assert_eq!(trial.on(broken, at(20)), []);
        assert_eq!(trial.on(Event::Serving, at(20)), [Effect::RunChecks]);
        assert_eq!(trial.on(Event::Checked(Checked::Passed), at(41)), [Effect::Commit]);
    }

    #[test]
    fn failed_check_rolls_back_and_one_that_is_not_ready_is_asked_again() {
        let quick = HealthSettings { stable: at(0), ..settings() };
        let mut trial = up(&quick, Need::Wanted);
        assert_eq!(trial.on(Event::Components(Components::Well), at(30)), [Effect::RunChecks]);
        assert_eq!(trial.on(Event::Checked(Checked::NotYet("10-dns".into())), at(31)), []);
        assert_eq!(trial.alarm(at(31)), Some(at(41)));
        assert_eq!(trial.on(Event::Time, at(41)), [Effect::RunChecks]);
        let failed = trial.on(Event::Checked(Checked::Failed("10-dns: exit code 1".into())), at(42));
        assert_eq!(failed, [Effect::RollBack("checks: 10-dns: exit code 1".into())]);
    }

    #[test]
    fn each_level_has_its_deadline() {
        let short = HealthSettings {
            components_deadline: at(100),
            network_deadline: at(50),
            daemon_deadline: at(25),
            ..settings()
        };
        let mut trial = Trial::new(&short, Need::Required);
        trial.on(Event::Mounts(Ok(())), at(20));
        assert_eq!(trial.alarm(at(20)), Some(at(25)));
        let [Effect::RollBack(why)] = &trial.on(Event::Time, at(25))[..] else { panic!("no rollback") };
        assert!(why.starts_with("daemon: not within 25 s"), "{why}");

        let mut trial = up(&short, Need::Required);
        trial.on(Event::Link(Link::Down), at(21));
        assert_eq!(trial.on(Event::Time, at(49)), []);
        let [Effect::RollBack(why)] = &trial.on(Event::Time, at(50))[..] else { panic!("no rollback") };
        assert_eq!(why, "network: not within 50 s: the cloud is not reached");

        let mut trial = up(&short, Need::Wanted);
        assert_eq!(trial.on(Event::Time, at(99)), [], "a network that is only wanted has no deadline");
        trial.on(Event::Components(Components::NotYet("a is STARTING".into())), at(99));
        let [Effect::RollBack(why)] = &trial.on(Event::Time, at(100))[..] else { panic!("no rollback") };
        assert_eq!(why, "components: not within 100 s: a is STARTING");
    }

    #[test]
    fn deadline_of_all_counts_over_those_of_levels() {
        let short = HealthSettings { deadline: at(60), ..settings() };
        let mut trial = up(&short, Need::Wanted);
        trial.on(Event::Components(Components::Well), at(30));
        let [Effect::RollBack(why)] = &trial.on(Event::Time, at(60))[..] else { panic!("no rollback") };
        assert!(why.starts_with("components: not within 60 s: they are not stable"), "{why}");
    }

    #[test]
    fn required_network_waits_for_the_link() {
        let quick = HealthSettings { stable: at(0), ..settings() };
        let mut trial = up(&quick, Need::Required);
        assert_eq!(trial.on(Event::Components(Components::Well), at(30)), []);
        assert_eq!(trial.on(Event::Link(Link::NotConfigured), at(31)), []);
        assert_eq!(trial.on(Event::Link(Link::Up), at(40)), [Effect::RunChecks]);
        assert_eq!(trial.on(Event::Link(Link::Down), at(41)), []);
        assert_eq!(trial.on(Event::Checked(Checked::Passed), at(42)), [], "it must be up when it counts");
        assert_eq!(trial.on(Event::Link(Link::Up), at(43)), [Effect::Commit]);
        assert!(trial.describe().contains("network: holds"), "{}", trial.describe());
    }
}
