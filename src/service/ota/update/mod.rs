//! A whole update, from a verified bundle to a slot that the next boot tries.
//!
//! ```text
//! judge policy -> ask everything -> record: writing -> children, then the system -> slot-x.json -> record: valid -> arm
//! ```
//!
//! Nothing is written before everything is asked: who the bundle is for, what is in it, whether each slot is there, is
//! nobody's, does not run and is large enough. From the first byte on the slot is recorded as unusable, until all of it
//! is there. Called again with the same bundle it does what is left to do: it goes on where it was cut, or just arms.

mod event;
mod hooks;
mod prepare;
mod write;

pub use event::{Event, Failure, Outcome};
pub use hooks::{HookError, Hooks};
pub use prepare::{Allowed, Job, PrepareError, Target, jobs};
pub use write::Write;

use std::path::PathBuf;

use ring::digest;

use super::adaptive::Seeds;
use super::bundle::{Bundle, Source};
use super::device::{Device, DeviceError, node};
use super::install::{Existing, InstallError};
use super::installed::{BundleFacts, Installed, InstalledImage};
use super::settings::{Settings, StatePlace};
use crate::boot::slot::Slot;
use crate::boot::state::machine::{Candidate, Phase as SlotPhase};
use crate::boot::state::slots::{Moment, Progress, SlotsError, Status, Then};
use crate::store::file::FileError;
use crate::store::update_lock::UpdateLock;
use crate::wire::bundle::manifest::hex;
use crate::wire::bundle::policy::PolicyError;
use crate::wire::bundle::version;

/// What shall be installed, and what then.
pub struct Update<'a> {
    pub bundle: &'a Bundle,
    pub source: &'a dyn Source,
    /// Where the bundle came from, for people.
    pub origin: &'a str,
    pub settings: &'a Settings,
    /// What this device is.
    pub compatible: &'a str,
    pub variant: Option<&'a str>,
    /// Whom to tell how it ended; zeros behind it, or alone.
    pub deployment: [u8; 36],
    /// Boots the trial gets, whatever the bundle says.
    pub tries: Option<u8>,
    pub after: After,
    pub same: Same,
    /// In seconds since 1970, as the clock has it.
    pub now: u64,
    /// Called from any thread.
    pub tell: &'a (dyn Fn(&Event) + Sync),
}

/// What to do once all is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum After {
    /// The next boot tries it.
    Arm,
    /// Somebody arms it later.
    Keep,
}

/// What to do where this very bundle runs already, confirmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Same {
    Skip,
    /// Into the other slot, too.
    Install,
}

impl std::fmt::Debug for Update<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Update").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Update<'_> {
    /// Installs it. The lock is for the caller to hold, until this returns.
    pub fn run(&self, device: &Device, _held: &UpdateLock) -> Result<Outcome, UpdateError> {
        let manifest = manifest_hash(self.bundle);
        let status = status(device, self.now)?;
        let is_this = |slot| status.record.image(slot).manifest == manifest;
        match status.phase {
            SlotPhase::Trial(slot, _) if is_this(slot) => return Ok(Outcome::OnTrial(slot)),
            SlotPhase::Prepared(slot) | SlotPhase::Armed(slot, _) if is_this(slot) => return self.arm(device, slot),
            _ if status.booted == status.record.ok && is_this(status.booted) && self.same == Same::Skip => {
                return Ok(Outcome::Runs(status.booted));
            }
            _ => {}
        }
        let committed = device.committed(self.compatible)?;
        let policy = &self.bundle.manifest.policy;
        policy.judge(&self.bundle.manifest.compatible, &committed)?;
        let target = status.record.ok.other();
        let (mut jobs, hooks) = self.ask(device, target)?;
        let candidate = Candidate {
            version: self.bundle.manifest.version.clone().unwrap_or_default(),
            manifest,
            transaction: transaction(),
            level: policy.floor,
            floor: policy.floor,
            key_epoch: policy.key_epoch,
        };
        let plan = device.slots().plan_install(candidate, self.now)?;
        (self.tell)(&Event::Planned { slot: plan.target, progress: plan.progress });
        if plan.progress != Progress::Complete {
            // An image of this very manifest may be there for the greater part, however it was left.
            let existing = if is_this(plan.target) { Existing::Compare } else { Existing::Overwrite };
            let rate_limit = self.settings.greengrass.rate_limit;
            Write {
                bundle: self.bundle,
                source: self.source,
                existing,
                rate_limit,
                hooks: hooks.as_ref(),
                tell: self.tell,
            }
            .run(&mut jobs)?;
            self.facts(&jobs, &manifest).write(device.data(), plan.target)?;
            device.slots().mark_written(self.now)?;
        }
        (self.tell)(&Event::Installed { slot: plan.target });
        match self.after {
            After::Keep => Ok(Outcome::Installed(plan.target)),
            After::Arm => self.arm(device, plan.target),
        }
    }

    fn arm(&self, device: &Device, slot: Slot) -> Result<Outcome, UpdateError> {
        if self.after == After::Keep {
            return Ok(Outcome::Armed(slot));
        }
        let tries = self.tries();
        device.slots().arm(tries, self.deployment, self.now)?;
        (self.tell)(&Event::Armed { slot, tries });
        Ok(Outcome::Armed(slot))
    }

    fn tries(&self) -> u8 {
        self.tries.unwrap_or(self.bundle.manifest.policy.tries)
    }

    /// Where each image goes, whether it can, and whether the bundle wants to.
    fn ask<'b>(&'b self, device: &Device, target: Slot) -> Result<(Vec<Job<'b>>, Option<Hooks>), UpdateError> {
        let mut targets = Vec::new();
        for place in device.layout().places(target) {
            let (name, path) = (place.name.clone(), node(place)?);
            if place.read_only {
                return Err(PrepareError::ReadOnly { slot: name }.into());
            }
            let (bootname, parent) = (place.bootname.clone(), place.parent.clone());
            let (class, kind, mkfs_options) = (place.class.clone(), place.kind.clone(), place.mkfs_options.clone());
            targets.push(Target { class, name, path, kind, bootname, parent, mkfs_options });
        }
        let running: Vec<PathBuf> =
            device.layout().places(target.other()).iter().filter_map(|place| node(place).ok()).collect();
        if let Some(limit) = self.settings.max_bundle_size
            && self.bundle.size > limit
        {
            return Err(PrepareError::TooLarge { size: self.bundle.size, limit }.into());
        }
        if let Some(least) = &self.settings.min_bundle_version {
            let version = self.bundle.manifest.version.clone().unwrap_or_default();
            if version::reaches(&version, least) != Some(true) {
                return Err(PrepareError::TooOld { version, least: least.clone() }.into());
            }
        }
        let allowed = self.settings.allowed(self.variant);
        let mut jobs = jobs(self.bundle, self.source, &targets, &running, allowed)?;
        for job in &mut jobs {
            let class = &job.image.slot_class;
            let path = |slot| Seeds::path(device.data(), slot, class);
            let runs = device.layout().place(target.other(), class).and_then(|place| node(place).ok());
            job.seeds = Seeds { index: Some(path(target)), running: runs.map(|device| (device, path(target.other()))) };
        }
        let system = targets.last().map(|target| target.class.clone()).unwrap_or_default();
        if !jobs.iter().any(|job| job.image.slot_class == system) {
            return Err(PrepareError::NoSystem { class: system }.into());
        }
        let hooks = Hooks::take(self.bundle, self.source, device.data(), allowed, self.compatible);
        let hooks = hooks.map_err(PrepareError::from)?;
        if let Some(hooks) = &hooks {
            hooks.check().map_err(PrepareError::from)?;
        }
        Ok((jobs, hooks))
    }

    fn facts(&self, jobs: &[Job<'_>], manifest: &[u8; 32]) -> Installed {
        let own = &self.bundle.manifest;
        let deployment = String::from_utf8_lossy(&self.deployment).trim_end_matches('\0').to_owned();
        let image = |job: &Job<'_>| InstalledImage {
            slot: job.target.name.clone(),
            class: job.image.slot_class.clone(),
            device: job.target.path.display().to_string(),
            kind: job.image.type_name().to_owned(),
            sha256: job.image.sha256.map(|digest| hex(&digest)).unwrap_or_default(),
            size: job.image.size,
        };
        Installed {
            bundle: BundleFacts {
                compatible: own.compatible.clone(),
                version: own.version.clone(),
                description: own.description.clone(),
                build: own.build.clone(),
                hash: hex(manifest),
            },
            source: self.origin.to_owned(),
            deployment: Some(deployment).filter(|text| !text.is_empty()),
            installed_at: self.now,
            data_min_reader: own.policy.data_min_reader,
            tries: self.tries(),
            health_profile: own.policy.health_profile.clone(),
            images: jobs.iter().map(image).collect(),
        }
    }
}

/// SHA-256 of the manifest, by which a bundle is known: RAUC's hash of it.
pub fn manifest_hash(bundle: &Bundle) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, &bundle.signed).as_ref());
    hash
}

/// The state of the slots. Where it lies in files, nobody but us makes the first record.
pub fn status(device: &Device, now: u64) -> Result<Status, SlotsError> {
    match device.slots().status() {
        Err(SlotsError::NoRecord) if device.state_place() == StatePlace::Files => {
            let (_, then) = device.slots().settle(Moment::at(now))?;
            debug_assert_eq!(then, Then::GoOn, "a first record repairs nothing");
            device.slots().status()
        }
        status => status,
    }
}

/// Of this installation: no two are alike.
fn transaction() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

/// Why a bundle was not installed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    #[error("the bundle is well signed, but not for this device")]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("nothing was written")]
    Prepare(#[from] PrepareError),
    #[error("the state of the slots does not allow it")]
    Slots(#[from] SlotsError),
    #[error("slot {slot} ({}) holds no image now and is not booted; install again", path.display())]
    Write {
        slot: String,
        path: PathBuf,
        #[source]
        cause: Box<InstallError>,
    },
    #[error("slot {slot} ({}) was left by a hook, and is not booted; install again", path.display())]
    Hook {
        slot: String,
        path: PathBuf,
        #[source]
        cause: Box<HookError>,
    },
    #[error("what was installed cannot be noted; make room and install again")]
    Note(#[from] FileError),
}

impl UpdateError {
    /// What the caller can make of it.
    pub fn failure(&self) -> Failure {
        use crate::boot::state::machine::Refusal;
        match self {
            // Who runs on trial is an update on its way as well.
            Self::Slots(SlotsError::Refused(Refusal::Busy(_) | Refusal::Unsettled | Refusal::NotConfirmed)) => {
                Failure::Busy
            }
            Self::Prepare(cause) if cause.is_of_source() => Failure::Source,
            Self::Policy(_) | Self::Prepare(_) | Self::Slots(SlotsError::Refused(_)) => Failure::Refused,
            Self::Device(_) | Self::Slots(_) => Failure::Device,
            Self::Write { .. } | Self::Hook { .. } | Self::Note(_) => Failure::Unusable,
        }
    }
}
