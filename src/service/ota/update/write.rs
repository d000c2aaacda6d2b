//! Writes what was asked for, one image after the other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::super::bundle::{Bundle, MAX_CHUNK, Source};
use super::super::install::{self, Existing, InstallError, Pace, Paced, Pay, Phase, Progress, archive};
use super::hooks::{Hooks, Moment};
use super::{Event, Job, UpdateError};
use crate::store::slot_device::{SlotDevice, Target};

/// How it is written.
pub struct Write<'a> {
    pub bundle: &'a Bundle,
    pub source: &'a dyn Source,
    pub existing: Existing,
    /// Bytes a second that are moved to and from the slots.
    pub rate_limit: Option<u64>,
    pub hooks: Option<&'a Hooks>,
    /// Called from any thread.
    pub tell: &'a (dyn Fn(&Event) + Sync),
}

impl std::fmt::Debug for Write<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Write").field("existing", &self.existing).finish_non_exhaustive()
    }
}

impl Write<'_> {
    /// Writes all images, in this order. The slots stay nobody else's until the jobs are dropped.
    pub fn run(&self, jobs: &mut [Job<'_>]) -> Result<(), UpdateError> {
        // Each byte is written, and read back.
        let total_all: u64 = jobs.iter().map(|job| job.image.size.saturating_mul(2)).fold(0, u64::saturating_add);
        let mut before = 0;
        for job in jobs {
            let begin = Instant::now();
            let (class, size) = (&job.image.slot_class, job.image.size);
            let (kept, reused) = (AtomicU64::new(0), AtomicU64::new(0));
            let percent = AtomicU64::new(u64::MAX);
            let report = |progress: Progress| {
                let earlier = if progress.phase == Phase::ReadBack { before + size } else { before };
                let done_all = earlier.saturating_add(progress.done);
                let now = u64::try_from(u128::from(done_all) * 100 / u128::from(total_all.max(1))).unwrap_or(100);
                // Another thread may tell the same; one that is told less matters to nobody.
                if percent.swap(now, Ordering::Relaxed) != now {
                    let Progress { phase, done, .. } = progress;
                    (self.tell)(&Event::Progress { class, phase, done, total: size, percent: now });
                }
                kept.store(progress.kept, Ordering::Relaxed);
                reused.store(progress.reused, Ordering::Relaxed);
            };
            self.image(job, &report)?;
            before += size.saturating_mul(2);
            let (path, kept, reused) = (&job.target.path, kept.into_inner(), reused.into_inner());
            (self.tell)(&Event::Image { class, path, size, kept, reused, elapsed: begin.elapsed() });
        }
        Ok(())
    }

    fn image(&self, job: &mut Job<'_>, report: &(dyn Fn(Progress) + Sync)) -> Result<(), UpdateError> {
        self.hook(Moment::Before, job)?;
        if Moment::Instead.is_in(job.image) {
            self.hook(Moment::Instead, job)?;
        } else {
            let (slot, path) = (job.target.name.clone(), job.target.path.clone());
            self.write(job, report).map_err(|cause| UpdateError::Write { slot, path, cause: Box::new(cause) })?;
        }
        self.hook(Moment::After, job)
    }

    fn write(&self, job: &mut Job<'_>, report: &(dyn Fn(Progress) + Sync)) -> Result<(), InstallError> {
        let path = &job.target.path;
        let again = |cause| archive::ArchiveError::Again { path: path.clone(), cause };
        let device = match job.device.take() {
            Some(device) => device,
            None => Target::open(path).map_err(again)?,
        };
        let pace = self.rate_limit.map(Pace::new);
        let pay = pace.as_ref().map(|pace| |bytes| pace.pay(bytes));
        let pay = pay.as_ref().map(|pay| pay as Pay<'_>);
        let device = match &job.file_system {
            Some(made) => archive::install(self.bundle, self.source, job.image, (path, device), made, pay, report)?,
            None => {
                let paced = pay.map(|pay| Paced::new(&device, pay));
                let slot: &dyn SlotDevice = paced.as_ref().map_or(&device, |paced| paced);
                install::install(self.bundle, self.source, job.image, slot, self.existing, &job.seeds, report)?;
                device
            }
        };
        job.device = Some(device);
        Ok(())
    }

    /// Calls a hook of the image, if it has this one. The slot is the hook's meanwhile, and on the disk afterwards.
    fn hook(&self, moment: Moment, job: &mut Job<'_>) -> Result<(), UpdateError> {
        let Some(hooks) = self.hooks.filter(|_| moment.is_in(job.image)) else { return Ok(()) };
        let (slot, path) = (job.target.name.clone(), job.target.path.clone());
        let again = |cause| archive::ArchiveError::Again { path: path.clone(), cause };
        job.device = None;
        let called = hooks.slot(moment, self.bundle, self.source, job);
        let opened = Target::open(&path).map_err(again);
        if let Err(cause) = called {
            // Whatever it did: nobody shall boot it.
            if let Ok(device) = &opened {
                let _ = install::wipe(device, MAX_CHUNK as u64);
            }
            return Err(UpdateError::Hook { slot, path, cause: Box::new(cause) });
        }
        let fault = |cause| {
            let (slot, path) = (slot.clone(), path.clone());
            UpdateError::Write { slot, path, cause: Box::new(cause) }
        };
        let device = opened.map_err(|cause| fault(cause.into()))?;
        device.sync().map_err(|cause| fault(InstallError::Sync(cause)))?;
        job.device = Some(device);
        Ok(())
    }
}
