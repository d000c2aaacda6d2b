//! The trial of a slot as its system lives it: what this boot is, and the three ends of a trial, written down.
//!
//! Whoever decides is elsewhere (`service/health`); whoever waits for the end, too (`service/deploy`). Both ask here, and
//! hear of each other by [`Handle`] and [`Seat`].

mod channel;
mod fate;
mod health;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use channel::{Handle, Hold, Seat, Standing, channel};
pub use fate::{Fate, deployment_key};
pub use health::{HealthSettings, Need, NetworkPolicy};

use super::change::{Change, ChangeError, change};
use super::device::{Device, DeviceError};
use super::events;
use super::installed::Installed;
use super::settings::{PLACES, Settings, SettingsError, StatePlace};
use super::status::Overview;
use crate::base::clock::Timestamp;
use crate::base::report::Report as ErrorReport;
use crate::boot::places::{self, label};
use crate::boot::report::{Outcome, Report};
use crate::boot::slot::Slot;
use crate::boot::state::device::Kind;
use crate::boot::state::machine::Phase;
use crate::boot::state::record::Reason;
use crate::boot::state::slots::{Moment, SlotsError, Status, Then};
use crate::store::file::{self, Backup, FileError};
use crate::store::update_lock::{Busy, UpdateLock, UpdateLockError};
use crate::sys::block;

/// Asks about and ends trials; cheap to clone. Every call blocks, and opens the state anew: another process may have
/// changed it.
#[derive(Clone, Debug)]
pub struct Trials {
    conf: Option<PathBuf>,
}

/// What this boot is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    NoTrial,
    /// The slot that runs must be confirmed in time.
    Trial(Box<OnTrial>),
    /// The slot that runs was given up already, and the reboot is all that is missing.
    GivenUp,
}

/// The trial that this boot is a part of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OnTrial {
    pub slot: Slot,
    pub version: String,
    /// The settings, as the bundle's profile has them.
    pub health: HealthSettings,
    /// What the policy for the cloud comes to.
    pub network: Need,
    /// What the boot report says of the mounts.
    pub mounts: Result<(), String>,
    /// Components that did not run on the former system either, by their names: they say nothing about the new one.
    pub hopeless: Vec<String>,
    /// How many times the daemon has started in this boot, this time included.
    pub starts: u32,
}

impl Trials {
    /// `None` where no settings tell that this is a device with slots. They are read when there is something to ask.
    pub fn of_device(conf: Option<&Path>) -> Option<Self> {
        let is_there = conf.is_some() || PLACES.iter().any(|place| Path::new(place).exists());
        is_there.then(|| Self { conf: conf.map(Path::to_owned) })
    }

    /// The file of settings, where it is not the usual one.
    pub fn conf(&self) -> Option<&Path> {
        self.conf.as_deref()
    }

    /// What this boot is. Where PID 1 settles the state of the slots its report tells, and on an ordinary boot nothing
    /// else is read; elsewhere the first call after a boot settles it, on a device that was ever updated by us.
    pub fn look(&self) -> Result<Found, TrialError> {
        let report = report()?;
        let said = match report.as_ref().and_then(|report| report.fact("slot-state")) {
            Some(said) => said.to_owned(),
            None => match self.settle()? {
                Settled::Nothing => return Ok(Found::NoTrial),
                Settled::Verdict(said) => said,
                Settled::Reboot => return Ok(Found::GivenUp),
            },
        };
        self.tell_boot(&said);
        if !said.starts_with("trial ") {
            return Ok(Found::NoTrial);
        }
        let settings = self.settings()?;
        let device = Device::open(&settings)?;
        let status = device.slots().status()?;
        let slot = match standing(&status) {
            None => return Ok(Found::NoTrial),
            Some(Kept::GivenUp) => return Ok(Found::GivenUp),
            Some(Kept::Trial(slot)) => slot,
        };
        publish(&device, &settings);
        let installed = Installed::load(device.data(), slot)?.unwrap_or_default();
        let mut health = settings.health_of(installed.health_profile.as_deref());
        if let Some(limit) = report.as_ref().and_then(|report| report.fact("trial-deadline")?.parse().ok()) {
            // PID 1 ends the trial without a word; a reason is worth more.
            health.deadline = health.deadline.min(Duration::from_secs(limit) * 9 / 10);
        }
        let reached = cloud_reached(device.data())?;
        Ok(Found::Trial(Box::new(OnTrial {
            slot,
            version: status.record.image(slot).version(),
            network: health.network.need(reached, installed.installed_at),
            health,
            mounts: report.as_ref().map_or(Ok(()), |report| mounts(report, slot)),
            hopeless: hopeless(device.data()),
            starts: count(&settings, STARTS)?,
        })))
    }

    /// Once a boot: to the log of the fleet what it is, and to those who may not open the disk what there is.
    fn tell_boot(&self, said: &str) {
        let Ok(settings) = self.settings() else { return };
        if !count(&settings, TOLD).is_ok_and(|count| count == 1) {
            return;
        }
        let Ok(device) = Device::open(&settings) else { return };
        publish(&device, &settings);
        events::tell_boot(said, |slot| {
            device.record().ok().flatten().map_or_else(String::new, |record| record.image(slot).version())
        });
    }

    /// Keeps the slot that runs. Fine if somebody else did so meanwhile.
    pub fn commit(&self) -> Result<(), TrialError> {
        let settings = self.settings()?;
        let _lock = lock(&settings, "health commit")?;
        let device = Device::open(&settings)?;
        change(device.slots(), device.data(), Change::Commit, now())?;
        publish(&device, &settings);
        Ok(())
    }

    /// Gives the slot that runs up; the caller reboots. Why is kept for who comes after. `false` when somebody confirmed
    /// it meanwhile.
    pub fn roll_back(&self, why: &str) -> Result<bool, TrialError> {
        let settings = self.settings()?;
        let _lock = lock(&settings, "health rollback")?;
        let device = Device::open(&settings)?;
        let status = device.slots().status()?;
        if standing(&status).is_none() {
            return Ok(false);
        }
        // A reason that cannot be written must not keep a bad version.
        if let Err(fault) = fate::write_why(device.data(), &status.record, why) {
            tracing::warn!(cause = %ErrorReport(&fault), "Why the update is given up cannot be kept.");
        }
        if let Phase::Trial(..) = status.phase {
            change(device.slots(), device.data(), Change::Rollback(Reason::Health), now())?;
        }
        Ok(true)
    }

    /// An ordinary boot went well. Of this a boot loader that counts each one must hear, or it leaves the slot after a few.
    pub fn tell_good_boot(&self) -> Result<(), TrialError> {
        let settings = self.settings()?;
        if !Device::boot_loader(&settings).is_ok_and(Kind::counts_each_boot) || !has_state(&settings)? {
            return Ok(());
        }
        let _lock = lock(&settings, "good boot")?;
        let device = Device::open(&settings)?;
        match device.slots().status() {
            Ok(Status { phase: Phase::Idle | Phase::Writing(_) | Phase::Valid(_), booted, record, view })
                if view.spent && booted == record.ok =>
            {
                Ok(device.slots().confirm(now())?)
            }
            Ok(_) | Err(SlotsError::NoRecord) => Ok(()),
            Err(cause) => Err(cause.into()),
        }
    }

    /// What became of the update that this deployment brought.
    pub fn fate(&self, deployment: &str) -> Result<Fate, TrialError> {
        let settings = self.settings()?;
        if !has_state(&settings)? {
            return Ok(Fate::Unknown);
        }
        let device = Device::open(&settings)?;
        match device.slots().status() {
            Ok(status) => Ok(fate::of(&status, deployment, device.data())),
            Err(SlotsError::NoRecord) => Ok(Fate::Unknown),
            Err(cause) => Err(cause.into()),
        }
    }

    /// An update that is armed, by whomever, becomes this deployment's; whether there is one.
    pub fn claim(&self, deployment: &str) -> Result<bool, TrialError> {
        let settings = self.settings()?;
        if !has_state(&settings)? {
            return Ok(false);
        }
        let _lock = lock(&settings, "deployment")?;
        let device = Device::open(&settings)?;
        let status = match device.slots().status() {
            Err(SlotsError::NoRecord) => return Ok(false),
            status => status?,
        };
        match status.phase {
            Phase::Armed(..) | Phase::Prepared(_) => {
                device.slots().arm(status.record.max, deployment_key(deployment), now())?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The lock on the slots, beside which an installation tells how far it is.
    pub fn lock(&self) -> Result<PathBuf, TrialError> {
        Ok(self.settings()?.greengrass.lock)
    }

    /// Whether to start the machine again for an update that is armed: a machine that does not is asked a few times only.
    pub fn ask_for_reboot(&self) -> Result<bool, TrialError> {
        Ok(count(&self.settings()?, REBOOTS)? <= MOST_REBOOTS)
    }

    /// Calls a trial off that has not begun.
    pub fn cancel(&self) -> Result<(), TrialError> {
        let settings = self.settings()?;
        let _lock = lock(&settings, "deployment")?;
        let device = Device::open(&settings)?;
        change(device.slots(), device.data(), Change::Cancel, now())?;
        Ok(())
    }

    /// At the end of a confirmed system: which components it leaves BROKEN, for the one that may come. Nothing is written
    /// when that is as it was.
    pub fn note_hopeless(&self, names: &[String]) -> Result<(), TrialError> {
        let directory = &self.settings()?.greengrass.data_directory;
        if hopeless(directory) == names {
            return Ok(());
        }
        file::make_directory(directory, 0o755)?;
        Ok(file::write(&directory.join(HOPELESS), 0o644, Backup::Drop, names.join("\n").as_bytes())?)
    }

    /// The cloud is reached now. Nothing is written when that was less than `pause` ago, also before a restart.
    pub fn note_cloud_reached(&self, pause: Duration) -> Result<(), TrialError> {
        let directory = &self.settings()?.greengrass.data_directory;
        let now = now();
        // A time that is still to come is of a clock that was wrong.
        let is_fresh = |reached| (now.saturating_sub(pause.as_secs()) + 1..=now).contains(&reached);
        if cloud_reached(directory)?.is_some_and(is_fresh) {
            return Ok(());
        }
        file::make_directory(directory, 0o755)?;
        Ok(file::write(&directory.join(CLOUD_REACHED), 0o644, Backup::Drop, format!("{now}\n").as_bytes())?)
    }

    fn settings(&self) -> Result<Settings, SettingsError> {
        Settings::load(self.conf())
    }

    /// Does once a boot what nobody has done, and remembers what it was.
    fn settle(&self) -> Result<Settled, TrialError> {
        let settings = self.settings()?;
        if !has_state(&settings)? {
            return Ok(Settled::Nothing);
        }
        let path = settings.greengrass.lock.with_file_name(SETTLED);
        if let Some(said) = file::read(&path, 256)? {
            return Ok(Settled::Verdict(String::from_utf8_lossy(&said).into_owned()));
        }
        let _lock = lock(&settings, "settling the boot")?;
        let device = Device::open(&settings)?;
        match device.slots().status() {
            Err(SlotsError::NoRecord) => return Ok(Settled::Nothing),
            // Armed in this very boot, and not tried yet: to settle that would call it off.
            Ok(status) if matches!(status.phase, Phase::Armed(_, left) if left == status.record.max) => {
                return Ok(Settled::Nothing);
            }
            _ => {}
        }
        let (verdict, then) = device.slots().settle(Moment::at(now()))?;
        if then == Then::Reboot {
            return Ok(Settled::Reboot);
        }
        let said = verdict.describe();
        file::write(&path, 0o644, Backup::Drop, said.as_bytes())?;
        Ok(Settled::Verdict(said))
    }
}

/// What settling a boot came to.
enum Settled {
    /// No update of ours was ever begun here: what keeps the slots is somebody else's business.
    Nothing,
    Verdict(String),
    /// The machine has to start again.
    Reboot,
}

/// Whether there may be a record; to open the device would make one where it lies in files.
fn has_state(settings: &Settings) -> Result<bool, TrialError> {
    let in_files = || settings.greengrass.data_directory.join("state").exists();
    Ok(match settings.greengrass.state {
        StatePlace::Partition => true,
        StatePlace::Files => in_files(),
        StatePlace::Auto => in_files() || block::by_label(label::STATE).map_err(TrialError::Find)?.is_some(),
    })
}

fn lock(settings: &Settings, what: &str) -> Result<UpdateLock, UpdateLockError> {
    UpdateLock::take(&settings.greengrass.lock, what, Busy::Wait)
}

/// For those who may not open the disk. What was done counts without it.
fn publish(device: &Device, settings: &Settings) {
    if let Ok(overview) = Overview::of(device) {
        let _ = overview.publish(settings);
    }
}

/// Counts in memory, and so for this boot.
fn count(settings: &Settings, name: &str) -> Result<u32, TrialError> {
    let path = settings.greengrass.lock.with_file_name(name);
    let before = file::read(&path, 64)?.and_then(|text| String::from_utf8(text).ok()?.trim().parse().ok());
    let count = before.unwrap_or(0_u32).saturating_add(1);
    file::write(&path, 0o644, Backup::Drop, count.to_string().as_bytes())?;
    Ok(count)
}

/// What is no number is as if it were not there.
fn cloud_reached(data: &Path) -> Result<Option<u64>, FileError> {
    let text = file::read(&data.join(CLOUD_REACHED), 64)?;
    Ok(text.and_then(|text| String::from_utf8(text).ok()?.trim().parse().ok()))
}

fn hopeless(data: &Path) -> Vec<String> {
    let text = file::read(&data.join(HOPELESS), 1 << 20).ok().flatten();
    let text = text.and_then(|text| String::from_utf8(text).ok()).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Below the data directory: components that did not run when the daemon was last stopped, a name a line.
const HOPELESS: &str = "broken";
/// Beside the lock, in memory: what the boot was found to be.
const SETTLED: &str = "slot-state";
/// Beside the lock, in memory: starts of the daemon in this boot.
const STARTS: &str = "trial-starts";
/// Beside the lock, in memory: how often this boot was looked at.
const TOLD: &str = "boot-looked-at";
/// Beside the lock, in memory: how often the machine was asked to start again.
const REBOOTS: &str = "reboots-asked";
/// More are in vain.
const MOST_REBOOTS: u32 = 3;
/// Below the data directory: when the cloud was last reached, in seconds since 1970.
const CLOUD_REACHED: &str = "cloud-reached";

/// What the slot that runs is to the record.
enum Kept {
    Trial(Slot),
    GivenUp,
}

fn standing(status: &Status) -> Option<Kept> {
    match status.phase {
        Phase::Trial(slot, _) if status.view.trial.is_some_and(|trial| trial.slot == slot) => Some(Kept::Trial(slot)),
        // Somebody committed it.
        _ if status.booted == status.record.ok => None,
        _ => Some(Kept::GivenUp),
    }
}

/// Whether this boot has the root, the data and the writable layer that it should have.
fn mounts(report: &Report, slot: Slot) -> Result<(), String> {
    let fact = |name| report.fact(name).unwrap_or("not known");
    if fact("slot") != slot.name() {
        return Err(format!("the root is of slot {}", fact("slot")));
    }
    if fact("data") != "kept" {
        return Err(format!("the data partition is {}", fact("data")));
    }
    let failed = report.steps.iter().find(|step| step.name == "root" && step.outcome == Outcome::Failed);
    failed.map_or(Ok(()), |step| Err(step.what.clone()))
}

fn report() -> Result<Option<Report>, TrialError> {
    match fs::read_to_string(places::REPORT) {
        Ok(text) => Ok(Report::parse(&text).ok()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(TrialError::Report(cause)),
    }
}

/// In seconds since 1970.
fn now() -> u64 {
    Timestamp::now().0 / 1000
}

#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    #[error("cannot read {}", places::REPORT)]
    Report(#[source] io::Error),
    #[error("cannot look for the partition {}", label::STATE)]
    Find(#[source] io::Error),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("cannot read or change the state of the slots")]
    Slots(#[from] SlotsError),
    #[error("cannot end the trial")]
    Change(#[from] ChangeError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Lock(#[from] UpdateLockError),
}

#[cfg(test)]
mod tests;
