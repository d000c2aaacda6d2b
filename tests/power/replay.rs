//! Row X2 of the fault matrix: what the real program wrote is written again, write for write, and cut behind each: with
//! all that was not flushed there, torn, or lost in part. Each state is read by GRUB's own drivers and by our code.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;

use greengrass::boot::slot::Slot;
use greengrass::boot::state::machine::{Phase, Verdict};
use greengrass::boot::state::medium::SECTOR;
use greengrass::boot::state::slots::{Moment, Then};

use crate::disk::{Disk, candidate};
use crate::log::Operation;
use crate::machine;
use crate::matrix::Random;

/// What was seen.
#[derive(Debug, Default)]
pub struct Report {
    pub states: u64,
    /// Of them, those that GRUB's drivers read.
    pub by_grub: u64,
    /// Of them, those whose data were mended by `e2fsck` and looked into.
    pub by_fsck: u64,
    pub violations: Vec<String>,
    /// Of them, disks to be booted.
    pub disks: Vec<PathBuf>,
    /// Writes of the record, of the environment and of the ring.
    pub record: u64,
    pub environment: u64,
    pub ring: u64,
}

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Of so many states whose data changed, one is looked into with the tools of ext4.
    pub fsck_every: u64,
    /// Of so many writes of a slot, one is cut behind and torn.
    pub slot_every: usize,
    /// Of so many states, the disk of one is kept, to be booted.
    pub boot_every: u64,
    pub seed: u64,
}

/// Cuts one log, which began with the disk at `base`; what is needed for it lies in `scratch`. What is synced before an
/// installation begins is `synced`, files of the data partition.
pub fn replay(base: &Path, log: &[Operation], scratch: &Path, synced: &[(&str, &str)], effort: Effort) -> Report {
    let copy = |name: &str| {
        let path = scratch.join(name);
        machine::copy(base, &path);
        path
    };
    let (before, after) = (File::open(base).unwrap(), copy("after"));
    let end = File::options().read(true).write(true).open(&after).unwrap();
    for operation in log {
        if let Operation::Write(at, bytes) = operation {
            end.write_all_at(bytes, *at).unwrap();
        }
    }
    let disk = Rc::new(Disk::open(&copy("now")));
    let mut replay = Replay {
        environment_at: disk.environment_place(),
        grub: copy("grub"),
        data: scratch.join("data"),
        disk,
        before,
        end,
        open: Vec::new(),
        other: HashMap::new(),
        grub_has: HashSet::new(),
        report: Report::default(),
        random: Random(effort.seed | 1),
        synced,
        effort,
    };
    replay.expect(log);
    replay.run(log);
    for name in ["after", "now", "grub", "data"] {
        let _ = fs::remove_file(scratch.join(name));
    }
    replay.report
}

/// How many sectors of a slot are not as they were at the beginning, and as they are at the end.
#[derive(Clone, Copy, Debug, Default)]
struct Other {
    than_before: i64,
    than_end: i64,
}

/// Sectors that are laid over what was flushed.
type Over = HashMap<u64, [u8; SECTOR]>;

struct Replay<'a> {
    /// All that was flushed.
    disk: Rc<Disk>,
    before: File,
    end: File,
    /// What was not, in order.
    open: Vec<(u64, Vec<u8>)>,
    /// Of what was flushed, by the slot's partition.
    other: HashMap<&'static str, Other>,
    environment_at: u64,
    /// A disk for GRUB's drivers, and the sectors in which it differs from the beginning.
    grub: PathBuf,
    grub_has: HashSet<u64>,
    data: PathBuf,
    report: Report,
    random: Random,
    synced: &'a [(&'a str, &'a str)],
    effort: Effort,
}

const SLOTS: [(Slot, &str); 2] = [(Slot::A, "gg-a"), (Slot::B, "gg-b")];
/// More writes that were not flushed than this are sampled.
const EXHAUSTIVE: usize = 6;
const SAMPLES: u64 = 64;

impl Replay<'_> {
    /// Nothing is written yet: all is as it was, and what will be written is not there.
    fn expect(&mut self, log: &[Operation]) {
        let mut seen = HashSet::new();
        for operation in log {
            let Operation::Write(at, bytes) = operation else { continue };
            let Some(label) = self.slot_at(*at) else { continue };
            for (sector, _) in sectors(*at, bytes) {
                if seen.insert(sector) && sector_of(&self.before, sector) != sector_of(&self.end, sector) {
                    self.other.entry(label).or_default().than_end += 1;
                }
            }
        }
    }

    fn slot_at(&self, at: u64) -> Option<&'static str> {
        let label = self.disk.partition(at)?;
        SLOTS.iter().map(|(_, slot)| *slot).find(|slot| *slot == label)
    }

    /// What a sector adds to the count when it comes to hold these bytes.
    fn change(&self, sector: u64, new: &[u8; SECTOR], old: &[u8; SECTOR]) -> Other {
        let (before, end) = (sector_of(&self.before, sector), sector_of(&self.end, sector));
        let differs = |good: &[u8; SECTOR]| i64::from(new != good) - i64::from(old != good);
        Other { than_before: differs(&before), than_end: differs(&end) }
    }

    fn run(&mut self, log: &[Operation]) {
        for (number, operation) in log.iter().enumerate() {
            match operation {
                Operation::Flush => self.settle_open(),
                Operation::Write(at, bytes) => {
                    let kind = self.disk.partition(*at).unwrap_or("tables").to_owned();
                    self.count(&kind, *at, bytes);
                    let is_control = !is_slot(&kind) && kind != "gg-data";
                    if is_control {
                        self.cut_around(number, *at, bytes);
                    } else if bytes.len() > SECTOR && self.random.below(self.effort.slot_every) == 0 {
                        let torn = SECTOR * (1 + self.random.below(bytes.len() / SECTOR - 1));
                        self.cut(&format!("{number} alone, torn at {torn}"), &[], Some((*at, &bytes[..torn])));
                        let some: Vec<usize> = (0..self.open.len()).filter(|_| self.random.below(2) == 0).collect();
                        self.cut(&format!("{number} without some before it"), &some, Some((*at, bytes)));
                    }
                    self.open.push((*at, bytes.clone()));
                    // Of the bytes of a slot only some: nobody looks at them until a write that decides.
                    if !is_slot(&kind) || self.random.below(self.effort.slot_every) == 0 {
                        let all: Vec<usize> = (0..self.open.len()).collect();
                        self.cut(&format!("{number} {kind}"), &all, None);
                    }
                }
            }
        }
        self.settle_open();
        let state = self.cut("at the end", &[], None);
        if let Some(Phase::Writing(_) | Phase::Prepared(_)) = state {
            self.report.violations.push(format!("at the end it is {state:?}"));
        }
    }

    fn count(&mut self, kind: &str, at: u64, bytes: &[u8]) {
        let count = (bytes.len() / SECTOR) as u64;
        if kind == "gg-state" {
            let within = at - self.disk.place("gg-state").0;
            let counter = if matches!(within, 0 | 0x8_0000) { &mut self.report.record } else { &mut self.report.ring };
            *counter += count;
        }
        if (self.environment_at..self.environment_at + 1024).contains(&at) {
            self.report.environment += count;
        }
    }

    fn settle_open(&mut self) {
        for (at, bytes) in std::mem::take(&mut self.open) {
            if let Some(label) = self.slot_at(at) {
                for (sector, bytes) in sectors(at, &bytes) {
                    let change = self.change(sector, bytes, &sector_of(self.disk.file(), sector));
                    let other = self.other.entry(label).or_default();
                    other.than_before += change.than_before;
                    other.than_end += change.than_end;
                }
            }
            self.disk.file().write_all_at(&bytes, at).unwrap();
        }
    }

    /// A write that decides: torn at each sector, and in front of each part of what was not flushed before it.
    fn cut_around(&mut self, number: usize, at: u64, bytes: &[u8]) {
        let all: Vec<usize> = (0..self.open.len()).collect();
        for torn in (SECTOR..bytes.len()).step_by(SECTOR) {
            self.cut(&format!("{number} torn at {torn}"), &all, Some((at, &bytes[..torn])));
        }
        let chosen = |mask: u64| (0..all.len()).filter(move |bit| mask >> (bit % 64) & 1 == 1).collect::<Vec<_>>();
        if all.len() <= EXHAUSTIVE {
            for mask in 0..1 << all.len() {
                self.cut(&format!("{number} overtook {mask:b}"), &chosen(mask), Some((at, bytes)));
            }
        } else {
            for _ in 0..SAMPLES {
                let mask = self.random.next();
                self.cut(&format!("{number} overtook {mask:x}"), &chosen(mask), Some((at, bytes)));
            }
        }
    }

    /// One state: all that was flushed, these of what was not, and one more write. Returns the phase it is in.
    fn cut(&mut self, name: &str, arrived: &[usize], more: Option<(u64, &[u8])>) -> Option<Phase> {
        let mut over = HashMap::new();
        for index in arrived {
            let (at, bytes) = &self.open[*index];
            over.extend(sectors(*at, bytes).map(|(sector, bytes)| (sector, *bytes)));
        }
        if let Some((at, bytes)) = more {
            over.extend(sectors(at, bytes).map(|(sector, bytes)| (sector, *bytes)));
        }
        self.report.states += 1;
        let verdict = self.judge(&over);
        self.disk.lay(HashMap::new());
        match verdict {
            Ok(phase) => {
                if self.report.states.is_multiple_of(self.effort.boot_every) {
                    self.keep(&over);
                }
                Some(phase)
            }
            Err(why) => {
                self.report.violations.push(format!("write {name}: {why}"));
                None
            }
        }
    }

    fn keep(&mut self, over: &Over) {
        let path = self.data.with_file_name(format!("state-{}.img", self.report.states));
        machine::copy(&self.grub.with_file_name("now"), &path);
        let file = File::options().write(true).open(&path).unwrap();
        for (sector, bytes) in over {
            file.write_all_at(bytes, sector * SECTOR as u64).unwrap();
        }
        self.report.disks.push(path);
    }

    fn judge(&mut self, over: &Over) -> Result<Phase, String> {
        self.disk.lay(over.clone());
        let view = self.disk.environment();
        self.ask_grub(over, &view)?;
        // The rules of the script.
        let ok = view.ok.unwrap_or(Slot::A);
        let trial = view.trial.filter(|trial| trial.left > 0 && trial.slot != ok);
        let booted = trial.map_or(ok, |trial| trial.slot);
        // O1.
        if !self.is_whole(booted, over) {
            return Err(format!("O1: slot {booted:?} boots, and is not complete"));
        }
        let slots = self.disk.slots(booted);
        let (verdict, then) = slots.settle(Moment::at(1)).map_err(|cause| format!("settle: {cause}"))?;
        // O2: what is on trial is what was installed; whoever does not know a state has none.
        let lawful = match (&verdict, trial) {
            (Verdict::Trial(slot, _), Some(trial)) => *slot == trial.slot && then == Then::GoOn,
            (Verdict::Trial(..), None) | (_, Some(_)) => false,
            (Verdict::Ordinary | Verdict::Committed(_) | Verdict::Prepared(_) | Verdict::RolledBack(..), None) => true,
            // Of the first boot of all.
            (Verdict::Fresh, None) => booted == Slot::A,
            _ => false,
        };
        if !lawful {
            return Err(format!("O2: {verdict:?} with {view:?}"));
        }
        let status = slots.status().map_err(|cause| format!("status: {cause}"))?;
        self.look_into_data(over, &status.phase)?;
        if let Verdict::Trial(slot, _) = verdict {
            slots.confirm(2).map_err(|cause| format!("O2: confirm: {cause}"))?;
            if self.disk.environment().ok != Some(slot) {
                return Err("O2: it is confirmed, and would not boot".to_owned());
            }
        }
        // O5: another update can be installed.
        let update = || {
            if matches!(slots.status()?.phase, Phase::Prepared(_) | Phase::Armed(..)) {
                slots.cancel(3)?;
            }
            slots.plan_install(candidate(), 3)?;
            slots.mark_written(4)?;
            slots.arm(3, [0; 36], 5)
        };
        update().map_err(|cause| format!("O5: {cause}"))?;
        match slots.status().map(|status| status.phase) {
            Ok(Phase::Armed(..)) => Ok(status.phase),
            other => Err(format!("O5: armed, it is {other:?}")),
        }
    }

    /// Whether a slot holds all of what it held in the beginning, or all that it holds in the end.
    fn is_whole(&self, slot: Slot, over: &Over) -> bool {
        let label = SLOTS.into_iter().find(|(known, _)| *known == slot).map_or("gg-a", |(_, label)| label);
        let (at, length) = self.disk.place(label);
        let within = at / SECTOR as u64..(at + length) / SECTOR as u64;
        let mut all = self.other.get(label).copied().unwrap_or_default();
        for (sector, bytes) in over.iter().filter(|(sector, _)| within.contains(sector)) {
            let change = self.change(*sector, bytes, &sector_of(self.disk.file(), *sector));
            all.than_before += change.than_before;
            all.than_end += change.than_end;
        }
        all.than_before == 0 || all.than_end == 0
    }

    /// GRUB's own drivers find the file and what we find in it.
    fn ask_grub(&mut self, over: &Over, view: &greengrass::boot::state::backend::View) -> Result<(), String> {
        let (at, length) = self.disk.place("gg-esp");
        let within = at / SECTOR as u64..(at + length) / SECTOR as u64;
        let touched: HashSet<u64> = over.keys().copied().filter(|sector| within.contains(sector)).collect();
        if touched.is_empty() && self.grub_has.is_empty() {
            return Ok(());
        }
        let file = File::options().write(true).open(&self.grub).unwrap();
        for sector in self.grub_has.union(&touched) {
            let mut bytes = [0; SECTOR];
            self.disk.read(sector * SECTOR as u64, &mut bytes).unwrap();
            file.write_all_at(&bytes, sector * SECTOR as u64).unwrap();
        }
        self.grub_has = touched;
        self.report.by_grub += 1;
        let image = self.grub.to_str().unwrap();
        let output = Command::new("grub-fstest").args([image, "cat", "(loop0,gpt1)/gg/grubenv"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
        let name = |slot: Option<Slot>| slot.map_or("", Slot::name).to_owned();
        let left = view.trial.map_or(String::new(), |trial| trial.left.to_string());
        let ours = [name(view.ok), name(view.trial.map(|trial| trial.slot)), left];
        let theirs = ["gg_ok=", "gg_try=", "gg_left="].map(value);
        if ours == theirs && text.len() == 1024 {
            return Ok(());
        }
        Err(format!("GRUB reads {theirs:?}, we read {ours:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// O3: once an installation has begun, what was synced before it is there, whatever the journal has to replay.
    fn look_into_data(&mut self, over: &Over, phase: &Phase) -> Result<(), String> {
        let begun = !matches!(phase, Phase::Idle);
        if !begun || self.synced.is_empty() || !self.report.states.is_multiple_of(self.effort.fsck_every) {
            return Ok(());
        }
        let (at, length) = self.disk.place("gg-data");
        // Straight from the file: the length of it is holes.
        let copied = Command::new("dd")
            .args([
                "conv=sparse",
                "bs=1M",
                "status=none",
                &format!("skip={}", at >> 20),
                &format!("count={}", length >> 20),
            ])
            .arg(format!("if={}", self.grub.with_file_name("now").display()))
            .arg(format!("of={}", self.data.display()))
            .status()
            .unwrap();
        assert!(copied.success() && at % (1 << 20) == 0);
        let file = File::options().write(true).open(&self.data).unwrap();
        file.set_len(length).unwrap();
        for (sector, bytes) in over {
            let place = sector * SECTOR as u64;
            if (at..at + length).contains(&place) {
                file.write_all_at(bytes, place - at).unwrap();
            }
        }
        self.report.by_fsck += 1;
        let tool = |name: &str| {
            let mut command = Command::new(name);
            command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
            command.stderr(Stdio::null());
            command
        };
        let mended = tool("e2fsck").args(["-fy"]).arg(&self.data).output().unwrap();
        // 1: the journal was replayed.
        if !matches!(mended.status.code(), Some(0 | 1)) {
            return Err(format!("O3: e2fsck: {}", String::from_utf8_lossy(&mended.stdout)));
        }
        for (path, content) in self.synced {
            let read = tool("debugfs").args(["-R", &format!("cat {path}")]).arg(&self.data).output().unwrap();
            if !String::from_utf8_lossy(&read.stdout).starts_with(content) {
                return Err(format!("O3: {path} was synced, and is lost"));
            }
        }
        Ok(())
    }
}

fn is_slot(label: &str) -> bool {
    SLOTS.iter().any(|(_, slot)| *slot == label)
}

fn sectors(at: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8; SECTOR])> {
    (at / SECTOR as u64..).zip(bytes.as_chunks::<SECTOR>().0)
}

fn sector_of(file: &File, sector: u64) -> [u8; SECTOR] {
    let mut bytes = [0; SECTOR];
    file.read_exact_at(&mut bytes, sector * SECTOR as u64).unwrap();
    bytes
}
