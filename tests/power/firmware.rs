//! The disk of `make image` with its firmware and GRUB, whose power goes while GRUB counts a try.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use greengrass::boot::slot::Slot;
use greengrass::boot::state::backend::Trial;
use greengrass::boot::state::machine::Verdict;
use greengrass::boot::state::medium::SECTOR;
use greengrass::boot::state::slots::Moment;

use crate::disk::{Disk, candidate};
use crate::log::{self, Operation};
use crate::machine::{Machine, PATIENCE, copy, tail};
use crate::matrix::Row;
use crate::replay::{Effort, replay};

/// X11: every prefix and every torn write of GRUB's `save_env`, and of what comes after it in that boot; and the tear in the
/// middle of GRUB's block booted.
pub fn cut_while_grub_counts(image: &Path, seed: u64) {
    let mut row = Row::new("X11", "cut at each write of GRUB's save_env, and of that boot", seed);
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (disk, log) = (scratch.path().join("disk.img"), scratch.path().join("writes.log"));
    copy(&image.join("disk.img"), &disk);
    be_patient(&disk, scratch.path());
    let place = arm(&disk);
    let console = power_on(&disk, Some(&log)).unwrap();
    assert!(console.contains("grub: trial, tries left after this one: 1"), "{}", tail(&console));
    let (base, operations) = (PathBuf::from(format!("{}.base", log.display())), log::read(&log).unwrap());
    let counted = operations.iter().find_map(|operation| match operation {
        Operation::Write(at, bytes) if (place..place + 1024).contains(at) => Some((*at, bytes.clone())),
        _ => None,
    });
    let (at, bytes) = counted.expect("GRUB wrote its block");
    println!("X11: GRUB wrote {} bytes at {}", bytes.len(), at - place);
    let effort = Effort { fsck_every: 1, slot_every: 1, boot_every: u64::MAX, seed };
    let report = replay(&base, &operations, scratch.path(), &[], effort);
    row.cases(report.states, report.violations);
    // Only the first of its sectors arrived.
    copy(&base, &disk);
    File::options().write(true).open(&disk).unwrap().write_all_at(&bytes[..SECTOR], at).unwrap();
    row.case(power_on(&disk, None).and_then(|console| is_tried(&disk, &console)));
    row.end();
}

/// The slot is tried again with one try less, and what was good is kept as soon as its daemon says so.
fn is_tried(path: &Path, console: &str) -> Result<(), String> {
    let disk = Rc::new(Disk::open(path));
    let view = disk.environment();
    let verdict = disk.slots(Slot::B).settle(Moment::at(1)).map(|(verdict, _)| verdict);
    let is_counted = console.contains("grub: trial, tries left after this one: 0") && console.contains("grub: slot b");
    match (view.ok, view.trial, &verdict) {
        (Some(Slot::A), Some(Trial { slot: Slot::B, left: 0 }), Ok(Verdict::Trial(Slot::B, _))) if is_counted => Ok(()),
        (Some(Slot::B), None, Ok(Verdict::Ordinary | Verdict::Committed(Slot::B))) if is_counted => Ok(()),
        _ => Err(format!("O2: {view:?}, {verdict:?}: {}", tail(console))),
    }
}

/// The other slot, which holds the same, is on trial with two tries. Returns where GRUB's block is.
fn arm(path: &Path) -> u64 {
    let disk = Rc::new(Disk::open(path));
    let slots = disk.slots(Slot::A);
    let _ = slots.settle(Moment::at(1)).unwrap();
    slots.plan_install(candidate(), 3).unwrap();
    slots.mark_written(4).unwrap();
    slots.arm(2, [0; 36], 5).unwrap();
    disk.keep();
    disk.environment_place()
}

/// An emulated processor on a busy machine stands still for longer than the kernel of a slot on trial forgives a real one.
fn be_patient(disk: &Path, scratch: &Path) {
    let esp = format!("{}@@{}", disk.display(), Disk::open(disk).place("gg-esp").0);
    let board = scratch.join("board.cfg");
    let mtools = |arguments: &[&str]| {
        assert!(Command::new("mcopy").args(["-n", "-o", "-i", &esp]).args(arguments).status().unwrap().success());
    };
    mtools(&["::gg/board.cfg", board.to_str().unwrap()]);
    let text = fs::read_to_string(&board).unwrap();
    fs::write(&board, text.replace(" quiet", " quiet watchdog_thresh=60 no_timer_check")).unwrap();
    mtools(&[board.to_str().unwrap(), "::gg/board.cfg"]);
}

/// Until the shell asks; what the console showed.
fn power_on(disk: &Path, log: Option<&Path>) -> Result<String, String> {
    let console = disk.with_extension("console");
    let mut command = Command::new("init/image/boot.sh");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env("DISK", disk).envs([("KEEP", "1"), ("ARCH", "x86_64")]);
    if let Some(log) = log {
        command.env("LOG", log);
    }
    let into = File::create(&console).unwrap();
    command.stdin(Stdio::piped()).stderr(into.try_clone().unwrap()).stdout(into);
    let mut machine = Machine(command.spawn().unwrap());
    let start = Instant::now();
    loop {
        let text = String::from_utf8_lossy(&fs::read(&console).unwrap()).into_owned();
        if text.contains("greengrass# ") {
            return Ok(text);
        }
        if start.elapsed() > PATIENCE || machine.0.try_wait().unwrap().is_some() {
            return Err(format!("no shell asks: {}", tail(&text)));
        }
        sleep(Duration::from_millis(100));
    }
}
