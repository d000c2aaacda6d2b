//! Whole devices whose power goes: rows X2, X3, X10, X11 and X13 of the fault matrix, with the real programs in a virtual
//! machine. Needs what `make dist` makes; without it there is nothing to boot, and this says so.
//!
//! `FAULTS=300` asks for so many cuts, and every way to fail; `SEED=5` for others; `ONLY="X3 X10"` and
//! `TRIALS="panics hangs"` for some; `JOBS=1` for one machine at a time.

#![cfg(feature = "ota")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "power/disk.rs"]
mod disk;
#[path = "power/firmware.rs"]
mod firmware;
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

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use greengrass::boot::slot::Slot;
use life::{Cut, End, Life, Part};
use machine::{Ground, Until, copy};
use matrix::{Random, Row};
use replay::{Effort, replay};

/// In one test, which knows how many machines this one can emulate.
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
    let mut lengths = Lengths::new();
    if picked("ONLY", "X10") {
        lengths = trials_that_fail(&ground, &trials, is_long);
    }
    if picked("ONLY", "X13") {
        migrations_cut_at_each_step(&ground);
    }
    if is_long && picked("ONLY", "X11") {
        cuts_during_failing_trials(&ground, &trials, &lengths);
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
const TRIALS: [(&str, &str); 12] = [
    ("init-crashes", "tries-spent"),
    ("unhealthy", "health"),
    ("init-exits", "tries-spent"),
    ("panics", "tries-spent"),
    ("hangs", "tries-spent"),
    ("hangs-supervised", "tries-spent"),
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
    let mut boots = Vec::new();
    for name in ["install", "trial", "ordinary"] {
        let scratch = device.folder.join(name);
        fs::create_dir_all(&scratch).unwrap();
        copy(&device.disk, &scratch.join("base.img"));
        device.log = Some(scratch.join("writes.log"));
        let boot = device.boot(2, &Until::End).unwrap();
        assert!(boot.said("rest 2").is_some() || name == "install", "{name}: {}", boot.words);
        boots.push((name, scratch));
    }
    let marks: Vec<(String, String)> =
        (1..=device.told).map(|mark| (format!("/mark-{mark}"), mark.to_string())).collect();
    let reports = matrix::at_once(boots.len() as u64, matrix::jobs(), |number| {
        let (name, scratch) = &boots[number as usize];
        // The first boot synced the first of them before it began to install.
        let synced: Vec<_> = marks.iter().take(1).filter(|_| *name == "install").collect();
        let synced: Vec<_> = synced.into_iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
        let operations = log::read(&scratch.join("writes.log")).unwrap();
        replay(&scratch.join("base.img"), &operations, scratch, &synced, effort(seed))
    });
    let (mut record, mut environment, mut ring) = (0, 0, 0);
    let mut disks = Vec::new();
    for ((name, _), report) in boots.iter().zip(reports) {
        println!(
            "X2 {name}: {} states, {} read by GRUB, {} mended by e2fsck; writes: record {}, environment {}, ring {}",
            report.states, report.by_grub, report.by_fsck, report.record, report.environment, report.ring
        );
        row.cases(report.states, report.violations);
        disks.extend(report.disks);
        if *name == "ordinary" {
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
    states_that_boot(ground, &disks, seed);
}

/// X2: of those states some, with the real programs, until the update is there.
fn states_that_boot(ground: &Ground, disks: &[PathBuf], seed: u64) {
    let mut row = Row::new("X2", "disks as a cut left them, booted", seed);
    let count = disks.len().min(matrix::wanted().map_or(2, |faults| faults as usize / 12).max(2));
    row.run(count as u64, matrix::jobs(), |case| {
        let disk = &disks[case as usize * disks.len() / count];
        let outcome = ground.case(&format!("state-{case}"), |mut device| {
            device.update = ground.file("update-good");
            device.take_disk(disk);
            let mut life = Life::new(ground, device, 2, "good");
            life.live(None)?;
            life.judge(End::New)
        });
        outcome.map_err(|why| format!("{}: {why}", disk.display()))
    });
    row.end();
}

/// X11 with the real boot loader. Takes some minutes, so that it is asked for.
#[test]
fn device_survives_a_cut_while_grub_counts() {
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/image/x86_64");
    if matrix::wanted().is_none() || !picked("ONLY", "X11") {
        return;
    }
    if !image.join("disk.img").exists() {
        eprintln!("skipped: {} is not there (make image)", image.join("disk.img").display());
        return;
    }
    firmware::cut_while_grub_counts(&image, matrix::seed());
    matrix::verdict();
}

fn effort(seed: u64) -> Effort {
    match matrix::wanted() {
        Some(_) => Effort { fsck_every: 1, slot_every: 1, boot_every: 50, seed },
        None => Effort { fsck_every: 4, slot_every: 4, boot_every: 60, seed },
    }
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

/// X3: each part of a life as often as the others, and each stretch of it.
fn cuts_at_any_time(ground: &Ground) {
    let seed = matrix::seed();
    let mut row = Row::new("X3", "the machine cut at any time of install, reboot, trial and commit", seed);
    let mut random = Random::new(seed);
    let count = matrix::wanted().unwrap_or(2);
    let rounds = count.div_ceil(Part::ALL.len() as u64);
    let cuts: Vec<(Part, f64)> = (0..count)
        .map(|case| {
            let (round, part) = (case / Part::ALL.len() as u64, case as usize % Part::ALL.len());
            (Part::ALL[part], (round as f64 + random.share()) / rounds as f64)
        })
        .collect();
    let lives = matrix::at_once(count, matrix::jobs(), |case| {
        let (part, share) = cuts[case as usize];
        let (mut was_cut, mut outcome) = (false, Ok(()));
        // One that was over sooner than the others says how long such a part takes, and it is done again.
        for _ in 0..3 {
            outcome = ground.case(&format!("cut-{case}"), |mut device| {
                device.update = ground.file("update-good");
                device.cache = if case / 4 % 2 == 0 { "writeback" } else { "none" };
                let mut life = Life::new(ground, device, 2, "good");
                life.live(Some(Cut::In(part, share)))?;
                was_cut = life.was_cut();
                life.judge(End::New)
            });
            if was_cut || outcome.is_err() {
                break;
            }
        }
        (outcome.map_err(|why| format!("{part:?} {share:.3}: {why}")), was_cut)
    });
    for part in Part::ALL {
        let (cut, all) = lives
            .iter()
            .zip(&cuts)
            .filter(|(_, (of, _))| *of == part)
            .fold((0, 0), |(cut, all), (life, _)| (cut + u32::from(life.1), all + 1));
        println!("X3: {cut} of {all} were cut in {part:?}; the others were sooner at its end");
    }
    for (outcome, _) in lives {
        row.case(outcome);
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
    row.run(steps.len() as u64, matrix::jobs(), |case| {
        let step = steps[case as usize];
        let outcome = ground.case(&format!("migration-{case}"), |mut device| {
            device.update = ground.file("update-migrates");
            let mut life = Life::new(ground, device, 2, "migrates");
            life.step(&Until::End)?;
            let boot = life.step(&Until::Console(step.to_owned(), Duration::ZERO))?;
            if !boot.was_cut {
                return Err(format!("it is not said: {}", boot.words));
            }
            life.live(None)?;
            life.judge(End::New)?;
            life.layers()
        });
        outcome.map_err(|why| format!("{step}: {why}"))
    });
    row.end();
}

/// How long the lives of updates took that fail so.
type Lengths<'a> = HashMap<&'a str, Duration>;

/// X10: into slot b, and into slot a.
fn trials_that_fail<'a>(ground: &Ground, trials: &[&(&'a str, &str)], both: bool) -> Lengths<'a> {
    let slots = if both { &[Slot::B, Slot::A][..] } else { &[Slot::B] };
    let count = slots.len() * trials.len();
    let mut lives = matrix::at_once(count as u64, matrix::jobs(), |case| {
        let (fault, reason) = trials[case as usize / slots.len()];
        let start = Instant::now();
        let outcome = fail_on_trial(ground, case, (fault, reason), slots[case as usize % slots.len()], None);
        (outcome, start.elapsed())
    });
    let mut lengths = Lengths::new();
    for (fault, _) in trials {
        let rest = lives.split_off(slots.len());
        lengths.insert(fault, lives[0].1);
        Row::of("X10", format!("on trial: {fault}"), 0, lives).end();
        lives = rest;
    }
    lengths
}

fn fail_on_trial(
    ground: &Ground,
    case: u64,
    (fault, reason): (&str, &str),
    into: Slot,
    cut: Option<Duration>,
) -> Result<(), String> {
    ground.case(&format!("trial-{case}"), |mut device| {
        let mut former = 1;
        if into == Slot::A {
            device.update = ground.file("update-next");
            let mut life = Life::new(ground, device, 3, "next");
            life.live(None)?;
            device = life.device;
            former = 3;
        }
        device.update = ground.file(&format!("update-{fault}"));
        if fault.starts_with("hangs") {
            device.arguments = "gg.trial-deadline=10".to_owned();
            device.watchdog = 10;
        } else {
            device.arguments = fault.to_owned();
        }
        let mut life = Life::new(ground, device, 2, fault);
        life.live(cut.map(Cut::After))?;
        life.judge(End::Former(former, if cut.is_some() { "" } else { reason }))
    })
}

/// X11: at any time of the lives that were seen without a cut.
fn cuts_during_failing_trials(ground: &Ground, trials: &[&(&str, &str)], lengths: &Lengths<'_>) {
    let seed = matrix::seed();
    let mut random = Random::new(seed ^ 11);
    let mut row = Row::new("X11", "cut during the boots of a trial that fails", seed);
    let count = matrix::wanted().unwrap_or(3) * 2 / 3;
    let shares: Vec<f64> = (0..count).map(|_| random.share()).collect();
    row.run(count, matrix::jobs(), |case| {
        let (fault, reason) = trials[case as usize % trials.len()];
        let length = lengths.get(fault).copied().unwrap_or(Duration::from_secs(40));
        let instant = length.mul_f64(shares[case as usize]);
        fail_on_trial(ground, case, (fault, reason), Slot::B, Some(instant))
            .map_err(|why| format!("{fault}, {instant:?}: {why}"))
    });
    row.end();
}

/// X13: to and fro, on as many devices as run at once.
fn many_updates(ground: &Ground) {
    let mut row = Row::new("X13", "alternating updates, data byte for byte", 0);
    let count = matrix::wanted().unwrap_or(6) / 3;
    let devices = matrix::jobs() as u64;
    let all = matrix::at_once(devices, matrix::jobs(), |first| {
        let mut device = ground.device(&format!("many-{first}"));
        let mut outcomes = Vec::new();
        for number in 0..(count + first) / devices {
            let (want, fault) = if number % 2 == 0 { (2, "good") } else { (3, "next") };
            device.update = ground.file(&format!("update-{fault}"));
            let mut life = Life::new(ground, device, want, fault);
            outcomes.push(life.live(None).and_then(|()| life.judge(End::New)));
            device = life.device;
        }
        outcomes
    });
    for outcome in all.into_iter().flatten() {
        row.case(outcome);
    }
    row.end();
}
