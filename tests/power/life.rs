//! A device from the first boot of an update to the last, and the oracles O1 to O6 over what is then on its disk.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use greengrass::boot::slot::Slot;
use greengrass::boot::state::machine::{Candidate, Phase};
use greengrass::boot::state::record::ImageState;

use crate::machine::{Boot, Device, Ground, Until, tail};

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
}

/// The installation, each try, and what follows the last.
const BOOTS: u32 = 1 + 2 + 4;

impl Life {
    pub fn new(ground: &Ground, device: Device, want: u32, fault: &str) -> Self {
        let image = ground.file(&format!("slot-{fault}"));
        Self { device, want, image, fault: fault.to_owned(), boots: 0, cuts: 0, rest: None }
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
        if let (Some(version), Some(slot)) = (boot.said("rest "), boot.slot) {
            self.rest = Some((slot, version.parse().map_err(|_| boot.words.clone())?));
        }
        Ok(boot)
    }

    /// Until it is at rest. The power goes after so long, if it is said.
    pub fn live(&mut self, cut: Option<Duration>) -> Result<(), String> {
        let start = Instant::now();
        let mut cut = cut;
        while self.rest.is_none() {
            let until = cut.map_or(Until::End, |cut| Until::After(cut.saturating_sub(start.elapsed())));
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
                let told = record.image(running.other()).state == ImageState::Bad && record.rollbacks == 1;
                if !told || !reason.is_empty() && record.last_reason.name() != reason {
                    return Err(format!("O6: {record:?}"));
                }
            }
        }
        let candidate = Candidate {
            version: "another".to_owned(),
            manifest: [9; 32],
            transaction: 99,
            level: 0,
            floor: 0,
            key_epoch: u32::MAX,
        };
        let again = slots
            .plan_install(candidate, 3)
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
            "status=none".to_owned(),
            format!("skip={}", at >> 20),
            format!("count={}", length >> 20),
            format!("if={}", self.device.disk.display()),
            format!("of={}", data.display()),
        ];
        let copied = Command::new("dd").args(words).status().unwrap();
        if copied.success() { Ok(data) } else { Err("dd failed".to_owned()) }
    }
}

fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
    command.stderr(std::process::Stdio::null());
    command
}
