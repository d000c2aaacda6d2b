//! A device from the first boot of an update to the last, and the oracles O1 to O6 over what is then on its disk.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use greengrass::boot::slot::Slot;
use greengrass::boot::state::machine::Phase;
use greengrass::boot::state::record::ImageState;

use crate::disk::candidate;
use crate::machine::{Boot, Device, Ground, Until, pace, tail};

/// When the power of a life goes.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// So long after its begin.
    After(Duration),
    /// Behind this share of a part of it.
    In(Part, f64),
}

/// A part of an update's life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    Install,
    /// From the new boot's first instruction until the slot's own programs run.
    Reboot,
    Trial,
    /// From the first of the writes that confirm the slot.
    Commit,
}

impl Part {
    pub const ALL: [Self; 4] = [Self::Install, Self::Commit, Self::Trial, Self::Reboot];

    fn boot(self) -> u32 {
        if self == Self::Install { 1 } else { 2 }
    }
}

/// How an update may end.
#[derive(Clone, Copy, Debug)]
pub enum End<'a> {
    New,
    /// With this version running, and the other given up for this reason, if it is said.
    Former(u32, &'a str),
}

#[derive(Debug)]
pub struct Life {
    pub device: Device,
    /// The version that shall run, and the slot image that it is.
    want: u32,
    image: PathBuf,
    fault: String,
    boots: u32,
    /// The power was cut, or the machine hung and was reset.
    cuts: u32,
    rest: Option<(Slot, u32)>,
    /// How long its first boot took to be up.
    up: Duration,
    /// A supervisor that had become itself was seen.
    is_supervised: bool,
}

/// The installation, each try, and what follows the last.
const BOOTS: u32 = 1 + 2 + 4;

impl Life {
    pub fn new(ground: &Ground, device: Device, want: u32, fault: &str) -> Self {
        let image = ground.file(&format!("slot-{fault}"));
        Self {
            device,
            want,
            image,
            fault: fault.to_owned(),
            boots: 0,
            cuts: 0,
            rest: None,
            up: Duration::ZERO,
            is_supervised: false,
        }
    }

    /// One boot.
    pub fn step(&mut self, until: &Until) -> Result<Boot, String> {
        self.boots += 1;
        let hangs =
            self.fault == "hangs-early" && self.device.open().environment().trial.is_some_and(|trial| trial.left > 0);
        let boot = self.device.boot(self.want, if hangs { &Until::Hung } else { until })?;
        self.cuts += u32::from(boot.was_cut);
        if boot.words.contains("install FAILED") {
            return Err(format!("O5: {}", tail(&boot.console)));
        }
        if let Some(words) = boot.said("supervisor ") {
            // It has become itself, and the deadline is passed on.
            let passed: Vec<&str> = words.split(' ').collect();
            self.is_supervised = true;
            if !matches!(passed[..], [_, "--supervise", "10", left, ..] if left.parse::<u32>().is_ok_and(|left| left <= 10))
            {
                return Err(format!("PID 1 is {words}"));
            }
        }
        self.up = boot.up().unwrap_or(self.up);
        if let (Some(version), Some(slot)) = (boot.said("rest "), boot.slot) {
            self.rest = Some((slot, version.parse().map_err(|_| boot.words.clone())?));
        }
        Ok(boot)
    }

    /// Until it is at rest. The power goes once, if it is said when.
    pub fn live(&mut self, cut: Option<Cut>) -> Result<(), String> {
        let start = Instant::now();
        let mut cut = cut;
        while self.rest.is_none() {
            let until = cut.map_or(Until::End, |cut| self.until(cut, start));
            let boot = self.step(&until)?;
            if boot.was_cut {
                cut = None;
            }
            // O4.
            if self.boots > BOOTS + self.cuts {
                return Err(format!("O4: {} boots: {}\n{}", self.boots, boot.words, tail(&boot.console)));
            }
        }
        Ok(())
    }

    /// What the next boot is told of the cut.
    fn until(&self, cut: Cut, start: Instant) -> Until {
        let pace = pace();
        match cut {
            Cut::After(time) => Until::After(time.saturating_sub(start.elapsed())),
            Cut::In(part, _) if part.boot() != self.boots + 1 => Until::End,
            Cut::In(Part::Install, share) => Until::Within("install", pace.install * share),
            Cut::In(Part::Reboot, share) => Until::After(self.up.mul_f64(share)),
            Cut::In(Part::Trial, share) => Until::Within("up", pace.trial * share),
            // What the commit writes takes some milliseconds, and is there step by step.
            Cut::In(Part::Commit, share) => Until::Confirmed(Duration::from_millis(100).mul_f64(share)),
        }
    }

    /// Whether the power went, as it was to.
    pub fn was_cut(&self) -> bool {
        self.cuts > 0
    }

    /// O1, O2, O5 and O6.
    pub fn judge(&self, end: End<'_>) -> Result<(), String> {
        let (running, version) = self.rest.ok_or("it is not at rest")?;
        let disk = self.device.open();
        let slots = disk.slots(running);
        let status = slots.status().map_err(|cause| cause.to_string())?;
        let (record, view) = (&status.record, &status.view);
        if record.trial.is_some() || record.ok != running || view.trial.is_some() || view.ok != Some(running) {
            return Err(format!("O2: at rest in {running:?}: {record:?} {view:?}"));
        }
        match end {
            End::New if version != self.want => return Err(format!("O2: version {version} runs")),
            End::New => {
                let image = fs::read(&self.image).unwrap();
                let (at, _) = disk.place(if running == Slot::A { "gg-a" } else { "gg-b" });
                if disk.bytes(at, image.len()) != image {
                    return Err("O1: the slot that runs is not what was installed".to_owned());
                }
                if record.image(running).state != ImageState::Good || record.rollbacks > 0 {
                    return Err(format!("O6: {record:?}"));
                }
            }
            End::Former(former, _) if version != former => return Err(format!("O2: version {version} runs")),
            End::Former(_, reason) => {
                if self.fault == "hangs-supervised" && !self.is_supervised {
                    return Err("no supervisor was seen".to_owned());
                }
                let told = record.image(running.other()).state == ImageState::Bad && record.rollbacks == 1;
                if !told || !reason.is_empty() && record.last_reason.name() != reason {
                    return Err(format!("O6: {record:?}"));
                }
            }
        }
        let again = slots
            .plan_install(candidate(), 3)
            .and_then(|_| slots.mark_written(4))
            .and_then(|()| slots.arm(3, [0; 36], 5));
        again.map_err(|cause| format!("O5: {cause}"))?;
        match slots.status().map(|status| status.phase) {
            Ok(Phase::Armed(..)) => self.data(),
            other => Err(format!("O5: armed, it is {other:?}")),
        }
    }

    /// The data partition is whole, with every mark, in order and without a journal to replay.
    fn data(&self) -> Result<(), String> {
        let data = self.extract()?;
        let output = tool("e2fsck").arg("-fn").arg(&data).output().unwrap();
        if output.status.success() {
            Ok(())
        } else {
            Err(format!("O3: e2fsck: {}", String::from_utf8_lossy(&output.stdout)))
        }
    }

    /// The migrations have run on the copy, whatever was cut, and the former layer knows nothing of them.
    pub fn layers(&self) -> Result<(), String> {
        let data = self.extract()?;
        let read = |path: &str| {
            let output = tool("debugfs").args(["-R", &format!("cat {path}")]).arg(&data).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let migrated = read("/overlay/b/upper/etc/greengrass/migrated");
        let mut steps: Vec<&str> = migrated.lines().collect();
        steps.dedup();
        if !migrated.lines().any(|line| line == "30") || !read("/overlay/a/upper/etc/greengrass/migrated").is_empty() {
            return Err(format!("the migrations that have run are {steps:?}"));
        }
        Ok(())
    }

    fn extract(&self) -> Result<PathBuf, String> {
        let (at, length) = self.device.open().place("gg-data");
        let data = self.device.folder.join("data");
        let words = [
            "bs=1M".to_owned(),
            "conv=sparse".to_owned(),
            "status=none".to_owned(),
            format!("skip={}", at >> 20),
            format!("count={}", length >> 20),
            format!("if={}", self.device.disk.display()),
            format!("of={}", data.display()),
        ];
        let _ = fs::remove_file(&data);
        let copied = Command::new("dd").args(words).status().unwrap();
        File::options().write(true).open(&data).and_then(|file| file.set_len(length)).unwrap();
        if copied.success() { Ok(data) } else { Err("dd failed".to_owned()) }
    }
}

fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
    command.stderr(std::process::Stdio::null());
    command
}
