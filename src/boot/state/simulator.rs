//! Power cuts in process: a device of a few sectors lives through an update, and is cut after every write and flush,
//! with every part of what was not flushed lost or there; then it must come up, as the oracles say, and update again.
//!
//! The disk keeps 512-byte sectors whole and nothing else: what was not flushed may arrive in any order, or not. The
//! boot loaders are models of their scripts; the slot state is the product's own code.

mod device;
mod disk;
mod life;
mod loader;

pub use life::{Destiny, Outcome};
pub use loader::Loader;

use std::fmt;
use std::num::NonZero;
use std::thread;

use device::Device;
use disk::{Disk, Failure};
use life::{Plan, live};

use crate::state::record::ImageState;

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Of every so many first cuts, one is followed by a second cut at every place; 1 does all.
    pub second_cut_every: usize,
    pub seed: u64,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Crash states that were brought up.
    pub states: u64,
    /// One line for each oracle that did not hold.
    pub violations: Vec<String>,
    pub writes: Vec<Writes>,
}

/// Sectors of record and environment that were written, by the boot loader, too.
#[derive(Clone, Copy, Debug)]
pub struct Writes {
    pub loader: Loader,
    pub of_update: usize,
    /// One on which nothing is on trial.
    pub of_boot: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "states={} violations={}", self.states, self.violations.len())?;
        for Writes { loader, of_update, of_boot } in &self.writes {
            write!(f, " {loader:?}={of_update}+{of_boot}")?;
        }
        Ok(())
    }
}

/// Every boot loader, every way an update can go; each is somebody's work, and there is a thread for each processor.
pub fn run(effort: Effort) -> Report {
    let all = Loader::ALL.into_iter().flat_map(|loader| Destiny::ALL.map(|destiny| (loader, destiny)));
    let all: Vec<_> = all.collect();
    let mut report = in_threads(all.len(), |index, report| {
        let (loader, destiny) = all[index];
        run_one(loader, destiny, effort, report);
    });
    report.writes.sort_by_key(|writes| Loader::ALL.iter().position(|loader| *loader == writes.loader));
    report
}

/// Does so many things on all processors.
fn in_threads(count: usize, one: impl Fn(usize, &mut Report) + Sync) -> Report {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let work = |first: usize| {
        let mut report = Report::default();
        (first..count).step_by(threads).for_each(|index| one(index, &mut report));
        report
    };
    let mut report = Report::default();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || work(first))).collect();
        for worker in workers {
            match worker.join() {
                Ok(part) => report.add(part),
                Err(_) => report.violations.push("a thread panicked".to_owned()),
            }
        }
    });
    report
}

impl Report {
    fn add(&mut self, part: Self) {
        self.states += part.states;
        self.violations.extend(part.violations);
        self.writes.extend(part.writes);
    }
}

/// Lives cut at random, up to four times in a row, each with the next update behind it.
pub fn run_random(lives: usize, seed: u64) -> Report {
    in_threads(lives.div_ceil(HUNDRED), |part, report| {
        let seed = seed ^ (part as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        run_hundred(part * HUNDRED, seed, report);
    })
}

const HUNDRED: usize = 100;

fn run_hundred(first: usize, seed: u64, report: &mut Report) {
    let mut random = Random(seed | 1);
    for life in first..first + HUNDRED {
        let loader = Loader::ALL[random.below(Loader::ALL.len())];
        let destiny = Destiny::ALL[random.below(Destiny::ALL.len())];
        let plan = Plan { loader, destiny, wanted: 2 };
        let mut disk = Disk::from(Device::new(loader).image().clone());
        let mut outcome = live(&disk, plan);
        let cuts = 1 + random.below(4) as u32;
        for _ in 0..cuts {
            let mut crashes = disk.crashes(&mut random);
            let (_, image) = crashes.swap_remove(random.below(crashes.len()));
            disk = Disk::from(image);
            outcome = live(&disk, plan);
            report.states += 1;
        }
        let name = format_args!("life {life}: {loader:?} {destiny:?} cut {cuts} times");
        judge(&outcome, plan, cuts, name, report);
        update_again(&disk, plan, name, report);
    }
}

/// X14: a device of each boot loader is updated so often, to and fro between its slots. Three updates in ten are cut, and
/// every write of the state counts: of an update that is not cut, and of the ordinary boot behind each.
pub fn run_soak(updates: u32, seed: u64) -> Report {
    let mut report = Report::default();
    let mut random = Random(seed | 1);
    for loader in Loader::ALL {
        let mut image = Device::new(loader).image().clone();
        let mut most = Writes { loader, of_update: 0, of_boot: 0 };
        for number in 0..updates {
            // Neither slot holds it.
            let plan = Plan { loader, destiny: Destiny::Good, wanted: 2 + (number % 3) as u8 };
            let mut disk = Disk::from(image);
            let mut outcome = live(&disk, plan);
            let is_cut = random.below(10) < 3;
            if is_cut {
                let mut crashes = disk.crashes(&mut random);
                let (_, after) = crashes.swap_remove(random.below(crashes.len()));
                disk = Disk::from(after);
                outcome = live(&disk, plan);
            } else {
                most.of_update = most.of_update.max(disk.state_writes());
            }
            report.states += 1;
            let name = format_args!("{loader:?}, update {number}");
            judge_one_of_many(&outcome, plan, is_cut, name, &mut report);
            let quiet = Disk::from(disk.image());
            let _ = live(&quiet, plan);
            most.of_boot = most.of_boot.max(quiet.state_writes());
            image = quiet.image();
        }
        if most.of_update > loader.most_writes() || most.of_boot > 0 && !loader.counts_each_boot() {
            report.violations.push(format!("wear: {most:?}"));
        }
        report.writes.push(most);
    }
    report
}

fn judge_one_of_many(outcome: &Outcome, plan: Plan, is_cut: bool, name: fmt::Arguments<'_>, report: &mut Report) {
    // A cut during the only try spends it.
    let may_fail = is_cut && plan.loader.counts_to() == 1;
    let is_there = outcome.version == Some(plan.wanted) || may_fail && outcome.version.is_some();
    let is_settled = outcome.record.as_ref().is_some_and(|record| {
        record.trial.is_none()
            && Some(record.ok) == outcome.running
            && (may_fail || record.image(record.ok).state == ImageState::Good)
    });
    let is_soon = outcome.boots <= u32::from(plan.loader.counts_to()) + 4;
    let is_kept = outcome.incomplete.is_none() && outcome.error.is_none() && outcome.data_is_whole;
    if !(is_there && is_settled && is_soon && is_kept) {
        report.violations.push(format!("{name}: {outcome}"));
    }
}

fn run_one(loader: Loader, destiny: Destiny, effort: Effort, report: &mut Report) {
    let plan = Plan { loader, destiny, wanted: 2 };
    let mut random = Random(effort.seed ^ 0x9e37_79b9_7f4a_7c15);
    let start = Device::new(loader);
    let whole = Disk::from(start.image().clone());
    let outcome = live(&whole, plan);
    judge(&outcome, plan, 0, format_args!("{loader:?} {destiny:?} uncut"), report);
    if destiny == Destiny::Good {
        report.writes.push(count_writes(loader));
    }
    for (count, (first, image)) in whole.crashes(&mut random).into_iter().enumerate() {
        let second = Disk::from(image);
        let outcome = live(&second, plan);
        report.states += 1;
        let name = format_args!("{loader:?} {destiny:?} cut at {first}");
        judge(&outcome, plan, 1, name, report);
        update_again(&second, plan, name, report);
        if count % effort.second_cut_every != 0 {
            continue;
        }
        for (place, image) in second.crashes(&mut random) {
            let third = Disk::from(image);
            let outcome = live(&third, plan);
            report.states += 1;
            let name = format_args!("{loader:?} {destiny:?} cut at {first} and at {place}");
            judge(&outcome, plan, 2, name, report);
            if report.states.is_multiple_of(16) {
                update_again(&third, plan, name, report);
            }
        }
    }
}

/// O5: whatever happened, the next update succeeds.
fn update_again(disk: &Disk, plan: Plan, name: fmt::Arguments<'_>, report: &mut Report) {
    let next = Plan { destiny: Destiny::Good, wanted: 3, ..plan };
    let outcome = live(&Disk::from(disk.image()), next);
    if outcome.version != Some(3) {
        report.violations.push(format!("{name}: O5: the next update ended with {outcome}"));
    }
}

fn judge(outcome: &Outcome, plan: Plan, cuts: u32, name: fmt::Arguments<'_>, report: &mut Report) {
    let mut violate = |text: String| report.violations.push(format!("{name}: {text}: {outcome}"));
    if let Some(incomplete) = outcome.incomplete {
        violate(format!("O1: slot {incomplete:?} was booted, and is not complete"));
    }
    let lawful: &[u8] = match plan.destiny {
        // A cut during a try spends it.
        Destiny::Good if cuts >= u32::from(plan.loader.counts_to()) => &[1, 2],
        Destiny::Good => &[2],
        Destiny::Hangs | Destiny::Unhealthy | Destiny::Garbage | Destiny::Cancelled | Destiny::Visited => &[1],
    };
    if !outcome.version.is_some_and(|version| lawful.contains(&version)) {
        violate("O2: not the version of the table".to_owned());
    }
    if !outcome.data_is_whole {
        violate("O3: data was changed".to_owned());
    }
    if outcome.boots > u32::from(plan.loader.counts_to()) + 4 {
        violate("O4: too many boots".to_owned());
    }
    if !outcome.is_told_right(plan, cuts) {
        violate("O6: the status is not what happened".to_owned());
    }
}

/// X12: the halves of the state destroyed, or in contradiction, in every combination.
pub fn run_destroyed(seed: u64) -> Report {
    let mut report = Report::default();
    for loader in Loader::ALL.into_iter().filter(|loader| *loader != Loader::InitSwitch) {
        for case in device::contradictions() {
            let device = Device::contradicting(loader, case, &mut Random(seed | 1));
            let disk = Disk::from(device.image().clone());
            let plan = Plan { loader, destiny: Destiny::Good, wanted: 1 };
            let outcome = life::settle(&disk, plan, case.booted);
            report.states += 1;
            let name = format_args!("{loader:?} {case:?}");
            if outcome.incomplete.is_some() || outcome.version.is_none() {
                report.violations.push(format!("{name}: O1: {outcome}"));
            }
            if outcome.boots > u32::from(loader.counts_to()) + 4 {
                report.violations.push(format!("{name}: O4: {outcome}"));
            }
            // A record that knows which slot is confirmed is believed, whatever the environment says.
            if let Some(confirmed) = case.confirmed_by_record() {
                let wrong = outcome.running != Some(confirmed)
                    && !(case.is_trial_of_other(loader) && outcome.running.is_some());
                if wrong {
                    report.violations.push(format!("{name}: O2: {outcome}"));
                }
            }
            update_again(&disk, Plan { wanted: 3, ..plan }, name, &mut report);
        }
    }
    report
}

/// X8: each call of the medium fails in turn, done or not; whoever called gives up, and the machine starts again.
pub fn run_failing() -> Report {
    let mut report = Report::default();
    for loader in Loader::ALL {
        for destiny in Destiny::ALL {
            let plan = Plan { loader, destiny, wanted: 2 };
            let start = Device::new(loader);
            let whole = Disk::from(start.image().clone());
            let _ = live(&whole, plan);
            for call in 0..whole.calls() {
                for how in [Failure::Nothing, Failure::Everything] {
                    let disk = Disk::from(start.image().clone());
                    disk.fail(call, how);
                    let _ = live(&disk, plan);
                    let after = Disk::from(disk.image());
                    let outcome = live(&after, plan);
                    report.states += 1;
                    let name = format_args!("{loader:?} {destiny:?}, call {call} does {how:?} and fails");
                    // Nobody but `gg-init` counts there, and a try that it cannot count is not made.
                    let is_uncounted = loader == Loader::InitSwitch && destiny == Destiny::Good;
                    if !(is_uncounted && outcome.version == Some(1) && outcome.is_told_right(plan, 1)) {
                        judge(&outcome, plan, 1, name, &mut report);
                    }
                    update_again(&after, plan, name, &mut report);
                }
            }
        }
    }
    report
}

/// What one boot loader's state is written, by an update and by an ordinary boot.
pub fn count_writes(loader: Loader) -> Writes {
    let plan = Plan { loader, destiny: Destiny::Good, wanted: 2 };
    let disk = Disk::from(Device::new(loader).image().clone());
    let _ = live(&disk, plan);
    let quiet = Disk::from(disk.image());
    let _ = live(&quiet, plan);
    Writes { loader, of_update: disk.state_writes(), of_boot: quiet.state_writes() }
}

/// Enough chance for sampling, and the same each time: xorshift.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Says the line of the report of the fault matrix, too.
    fn assert_kept(id: &str, what: &str, report: &Report, start: Instant) {
        let (violations, seconds) = (report.violations.len(), start.elapsed().as_secs());
        println!("slots-simulator, {what}: {report}");
        println!("fault-matrix | {id} | {what}, in process | {} | {violations} | {seconds} | 7 |", report.states);
        for violation in report.violations.iter().take(20) {
            println!("{violation}");
        }
        assert_eq!(report.violations.len(), 0);
    }

    #[test]
    fn update_survives_every_power_cut() {
        let start = Instant::now();
        let report = run(Effort { second_cut_every: 12, seed: 7 });
        assert_kept("X1", "cut at every write, and again while recovering", &report, start);
        assert!(report.states >= 100_000, "{report}");
        assert!(report.writes.iter().all(|writes| writes.loader.counts_each_boot() || writes.of_boot == 0), "{report}");
    }

    #[test]
    fn update_survives_power_cuts_at_random() {
        let faults: Option<usize> = std::env::var("FAULTS").ok().and_then(|text| text.parse().ok());
        let lives = faults.map_or(1_000, |faults| 1_000 + 150 * faults);
        let start = Instant::now();
        assert_kept("X1", "cut up to four times in a row, at random", &run_random(lives, 7), start);
    }

    #[test]
    fn updates_in_a_row_write_as_little_as_one() {
        let updates = if std::env::var_os("FAULTS").is_some() { 500 } else { 100 };
        let start = Instant::now();
        let what = format!("{updates} updates in a row for each boot loader, three in ten cut");
        assert_kept("X14", &what, &run_soak(updates, 7), start);
    }

    #[test]
    fn update_survives_each_failure_of_the_medium() {
        let start = Instant::now();
        assert_kept("X8", "each call of the medium of the state fails", &run_failing(), start);
    }

    #[test]
    fn destroyed_state_is_settled() {
        let start = Instant::now();
        assert_kept("X12", "record and environment destroyed or in contradiction", &run_destroyed(7), start);
    }
}
