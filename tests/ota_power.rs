//! Whole devices whose power goes: rows X2, X3, X10, X11 and X13 of the fault matrix, with the real programs in a virtual
//! machine. Needs what `make dist` makes; without it there is nothing to boot, and this says so.
//!
//! `FAULTS=300` asks for so many cuts, and every way to fail; `SEED=5` for others; `ONLY="X3 X10"` and
//! `TRIALS="panics hangs"` for some.

#![cfg(feature = "ota")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "power/disk.rs"]
mod disk;
#[path = "power/life.rs"]
mod life;
#[path = "power/log.rs"]
mod log;
#[path = "power/machine.rs"]
mod machine;
#[path = "ota/matrix.rs"]
mod matrix;
#[path = "power/replay.rs"]
mod replay;

use std::path::Path;
use std::time::{Duration, Instant};

use greengrass::boot::slot::Slot;
use life::{End, Life};
use machine::{Ground, Until, copy};
use matrix::{Random, Row};
use replay::{Effort, replay};

/// In one test, because there is one processor to emulate with.
#[test]
fn device_survives_whatever_happens_to_its_power() {
    let is_long = matrix::wanted().is_some();
    let count = if is_long || std::env::var_os("TRIALS").is_some() { TRIALS.len() } else { SAMPLE };
    let trials: Vec<_> = TRIALS.iter().filter(|trial| picked("TRIALS", trial.0)).take(count).collect();
    let faults: Vec<&str> = ["good", "migrates"].into_iter().chain(trials.iter().map(|trial| trial.0)).collect();
    let Some(ground) = Ground::new(&faults) else { return };
    if picked("ONLY", "X2") {
        writes_of_an_update(&ground);
    }
    if picked("ONLY", "X3") {
        cuts_at_any_time(&ground);
    }
    if picked("ONLY", "X10") {
        trials_that_fail(&ground, &trials, is_long);
    }
    if picked("ONLY", "X13") {
        migrations_cut_at_each_step(&ground);
    }
    if is_long && picked("ONLY", "X11") {
        cuts_during_failing_trials(&ground, &trials);
    }
    if is_long && picked("ONLY", "X13") {
        many_updates(&ground);
    }
    matrix::verdict();
}

/// Whether the variable names it, or is not set.
fn picked(variable: &str, name: &str) -> bool {
    std::env::var(variable).map_or(true, |names| names.split(' ').any(|picked| picked == name))
}

/// How a version can fail on trial, and what the console or the state then says. Those of the change's own sample come
/// first.
const TRIALS: [(&str, &str); 11] = [
    ("init-crashes", "tries-spent"),
    ("unhealthy", "health"),
    ("init-exits", "tries-spent"),
    ("panics", "tries-spent"),
    ("hangs", "tries-spent"),
    ("hangs-early", "tries-spent"),
    ("crash-loop", "health"),
    ("no-network", "health"),
    ("unready", "health"),
    ("broken", "health"),
    ("obstructed", ""),
];
const SAMPLE: usize = 2;

/// X2.
fn writes_of_an_update(ground: &Ground) {
    let seed = matrix::seed();
    let mut row = Row::new("X2", "cut at each write of an update in a machine, torn and out of order", seed);
    let mut device = ground.device("writes");
    device.update = ground.file("update-good");
    let base = device.folder.join("base.img");
    let log = device.folder.join("writes.log");
    let (mut record, mut environment, mut ring) = (0, 0, 0);
    for name in ["install", "trial", "ordinary"] {
        copy(&device.disk, &base);
        device.log = Some(log.clone());
        let boot = device.boot(2, &Until::End).unwrap();
        let marks: Vec<(String, String)> =
            (1..=device.told).map(|mark| (format!("/mark-{mark}"), mark.to_string())).collect();
        let synced: Vec<(&str, &str)> = if name == "install" {
            marks.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect()
        } else {
            Vec::new()
        };
        let operations = log::read(&log).unwrap();
        let report = replay(&base, &operations, &device.folder, &synced, effort(seed));
        println!(
            "X2 {name}: {} states, {} read by GRUB, {} mended by e2fsck; writes: record {}, environment {}, ring {}",
            report.states, report.by_grub, report.by_fsck, report.record, report.environment, report.ring
        );
        assert!(boot.said("rest 2").is_some() || name == "install", "{name}: {}", boot.words);
        row.cases(report.states, report.violations);
        if name == "ordinary" {
            let written = (report.record, report.environment, report.ring);
            row.case(if written == (0, 0, 0) { Ok(()) } else { Err(format!("an ordinary boot wrote {written:?}")) });
        } else {
            (record, environment, ring) =
                (record + report.record, environment + report.environment, ring + report.ring);
        }
    }
    // One of the boot loader, which is not in the log, comes to it.
    println!("boot-state writes of an update: record {record}, environment {environment} + 1, ring {ring}");
    // The first boot of all makes the record.
    row.case(match (record, environment) {
        (5, 2) => Ok(()),
        other => Err(format!("an update wrote {other:?} and not 1 + 4 records and 2 environments")),
    });
    row.end();
}

fn effort(seed: u64) -> Effort {
    let (fsck_every, slot_every) = if matrix::wanted().is_some() { (1, 1) } else { (4, 4) };
    Effort { fsck_every, slot_every, seed }
}

/// X2 once more, with the writes of firmware and GRUB: an update that was kept and one that was given up, as
/// `tests/image/run.sh` had them.
#[test]
fn demonstration_survives_a_cut_at_each_of_its_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/image/x86_64");
    let (log, base) = (folder.join("updates.log"), folder.join("updates.log.base"));
    if !log.exists() {
        eprintln!("skipped: {} is not there (ONLY=update tests/image/run.sh)", log.display());
        return;
    }
    let seed = matrix::seed();
    let mut row = Row::new("X2", "cut at each write of two updates, firmware and GRUB among the writers", seed);
    let operations = log::read(&log).unwrap();
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let report = replay(&base, &operations, scratch.path(), &[], effort(seed));
    println!("X2 demonstration: {report:?}");
    row.cases(report.states, report.violations);
    row.end();
    matrix::verdict();
}

/// X3.
fn cuts_at_any_time(ground: &Ground) {
    let seed = matrix::seed();
    let mut device = ground.device("cut");
    device.update = ground.file("update-good");
    let start = Instant::now();
    Life::new(ground, device, 2, "good").live(None).unwrap();
    let uncut = start.elapsed();
    let mut row = Row::new("X3", "the machine cut at any time of install, reboot, trial and commit", seed);
    let mut random = Random::new(seed);
    for case in 0..matrix::wanted().unwrap_or(2) {
        let mut device = ground.device("cut");
        device.update = ground.file("update-good");
        device.cache = if case % 2 == 0 { "writeback" } else { "none" };
        let instant = uncut.mul_f64(random.share());
        let mut life = Life::new(ground, device, 2, "good");
        row.case(
            life.live(Some(instant)).and_then(|()| life.judge(End::New)).map_err(|why| format!("{instant:?}: {why}")),
        );
    }
    row.end();
}

/// X13: the power goes while a migration runs, at each of them; the copy is made anew or gone on with, and the former
/// layer is as it was.
fn migrations_cut_at_each_step(ground: &Ground) {
    let mut row = Row::new("X13", "cut during each migration of the new version", 0);
    let steps: &[&str] = if matrix::wanted().is_some() {
        &["migration 10 begins", "migration 10 ends", "migration 20 begins", "migration 30 begins", "migration 30 ends"]
    } else {
        &["migration 20 begins"]
    };
    for step in steps {
        let mut device = ground.device("migration");
        device.update = ground.file("update-migrates");
        let mut life = Life::new(ground, device, 2, "migrates");
        let outcome = life
            .step(&Until::End)
            .and_then(|_| life.step(&Until::Console((*step).to_owned(), Duration::ZERO)))
            .and_then(|boot| if boot.was_cut { Ok(()) } else { Err(format!("no {step}: {}", boot.words)) })
            .and_then(|()| life.live(None))
            .and_then(|()| life.judge(End::New))
            .and_then(|()| life.layers());
        row.case(outcome.map_err(|why| format!("{step}: {why}")));
    }
    row.end();
}

/// X10: into slot b, and into slot a.
fn trials_that_fail(ground: &Ground, trials: &[&(&str, &str)], both: bool) {
    for (fault, reason) in trials {
        let mut row = Row::new("X10", format!("on trial: {fault}"), 0);
        for slot in [Slot::B, Slot::A] {
            if slot == Slot::A && !both {
                continue;
            }
            row.case(fail_on_trial(ground, fault, reason, slot, None));
        }
        row.end();
    }
}

fn fail_on_trial(ground: &Ground, fault: &str, reason: &str, into: Slot, cut: Option<Duration>) -> Result<(), String> {
    let mut device = ground.device("trial");
    let mut former = 1;
    if into == Slot::A {
        device.update = ground.file("update-next");
        let mut life = Life::new(ground, device, 3, "next");
        life.live(None)?;
        device = life.device;
        former = 3;
    }
    device.update = ground.file(&format!("update-{fault}"));
    device.arguments = match fault {
        "hangs" => "gg.trial-deadline=10".to_owned(),
        other => other.to_owned(),
    };
    let mut life = Life::new(ground, device, 2, fault);
    life.live(cut)?;
    life.judge(End::Former(former, if cut.is_some() { "" } else { reason }))
}

/// X11.
fn cuts_during_failing_trials(ground: &Ground, trials: &[&(&str, &str)]) {
    let seed = matrix::seed();
    let mut random = Random::new(seed ^ 11);
    let mut row = Row::new("X11", "cut during the boots of a trial that fails", seed);
    for case in 0..matrix::wanted().unwrap_or(3) * 2 / 3 {
        let (fault, _) = trials[case as usize % trials.len()];
        let instant = Duration::from_secs_f64(60.0 * random.share());
        row.case(
            fail_on_trial(ground, fault, "", Slot::B, Some(instant))
                .map_err(|why| format!("{fault}, {instant:?}: {why}")),
        );
    }
    row.end();
}

/// X13: to and fro.
fn many_updates(ground: &Ground) {
    let mut row = Row::new("X13", "alternating updates, data byte for byte", 0);
    let mut device = ground.device("many");
    for number in 0..matrix::wanted().unwrap_or(6) / 3 {
        let (want, fault) = if number % 2 == 0 { (2, "good") } else { (3, "next") };
        device.update = ground.file(&format!("update-{fault}"));
        let mut life = Life::new(ground, device, want, fault);
        row.case(life.live(None).and_then(|()| life.judge(End::New)));
        device = life.device;
    }
    row.end();
}
