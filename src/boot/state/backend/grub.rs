//! GRUB with our script (`init/image/grub.cfg`): `gg_ok gg_try gg_left gg_failed` in `gg/grubenv` on `gg-esp`.
//!
//! One sector is overwritten in place. Never `grub-editenv` and never write-beside-and-rename: after these the
//! boot loader may find a file that is empty, or the old one.

use std::io;

use crate::slot::Slot;
use crate::state::fat::{locate, make};
use crate::state::grubenv::{self, SIZE};
use crate::state::medium::{Medium, SECTOR, write_through};
use crate::state::variables::Variables;

use super::{Backend, BackendError, Trial, View, checked};

/// An environment block of GRUB's, wherever it lies.
#[derive(Debug)]
pub struct GrubEnvironment<M> {
    medium: M,
    at: u64,
    name: &'static str,
}

/// Where the file lies below the first partition.
const PATH: &str = "gg/grubenv";

impl<M: Medium> GrubEnvironment<M> {
    /// In the file on an unmounted FAT partition.
    pub fn on_esp(medium: M) -> Result<Self, BackendError> {
        let at = locate(&medium, PATH, SIZE as u64).map_err(BackendError::Locate)?;
        Ok(Self { medium, at, name: "GRUB" })
    }

    /// The same where the file is lost: an empty one is made, for a boot to fill. Nobody may have the partition
    /// mounted, and no boot loader may have put the file elsewhere.
    pub fn made_on_esp(medium: M) -> Result<Self, BackendError> {
        let empty = grubenv::encode(&Variables::default()).map_err(|cause| BackendError::Grubenv("GRUB", cause))?;
        let at = make(&medium, PATH, &empty).map_err(BackendError::Make)?;
        Ok(Self { medium, at, name: "GRUB" })
    }

    /// At a place that is known: 0 where the medium is the file.
    pub fn at(medium: M, at: u64) -> Self {
        Self { medium, at, name: "GRUB" }
    }

    /// Where its first byte lies on the medium.
    pub fn place(&self) -> u64 {
        self.at
    }

    fn block(&self) -> Result<[u8; SIZE], BackendError> {
        let mut block = [0; SIZE];
        self.medium.read(self.at, &mut block).map_err(|cause| BackendError::Read(self.name, cause))?;
        Ok(block)
    }

    /// `None` where it is lost.
    pub(super) fn read(&self) -> Result<Option<Variables>, BackendError> {
        Ok(grubenv::decode(&self.block()?).ok())
    }

    /// Changes some variables; a lost environment is made anew with these alone.
    pub(super) fn change(&self, change: impl FnOnce(&mut Variables)) -> Result<(), BackendError> {
        let failure = |cause: io::Error| BackendError::Write(self.name, cause);
        let old = self.block()?;
        let mut variables = grubenv::decode(&old).unwrap_or_default();
        change(&mut variables);
        let new = grubenv::encode(&variables).map_err(|cause| BackendError::Grubenv(self.name, cause))?;
        // Nothing but a lost environment has anything there; the first sector, which makes it whole, comes last.
        if old[SECTOR..] != new[SECTOR..] {
            write_through(&self.medium, self.at + SECTOR as u64, &new[SECTOR..]).map_err(failure)?;
        }
        if old[..SECTOR] != new[..SECTOR] {
            write_through(&self.medium, self.at, &new[..SECTOR]).map_err(failure)?;
        }
        Ok(())
    }
}

/// The backend.
#[derive(Debug)]
pub struct Grub<M>(GrubEnvironment<M>);

impl<M: Medium> Grub<M> {
    pub fn new(environment: GrubEnvironment<M>) -> Self {
        Self(environment)
    }
}

impl<M: Medium> Backend for Grub<M> {
    fn name(&self) -> &'static str {
        "grub"
    }

    fn read(&self) -> Result<View, BackendError> {
        Ok(self.0.read()?.map_or(View::LOST, |variables| view(&variables)))
    }

    fn set_trial(&self, slot: Slot, tries: u8) -> Result<(), BackendError> {
        let tries = checked(tries)?;
        self.0.change(|variables| {
            set(variables, slot.other(), Some(Trial { slot, left: tries }), None);
        })
    }

    fn set_confirmed(&self, slot: Slot) -> Result<(), BackendError> {
        self.0.change(|variables| {
            let before = view(variables);
            let failed = before.trial.map(|trial| trial.slot).filter(|on_trial| *on_trial != slot).or(before.failed);
            set(variables, slot, None, failed.filter(|failed| *failed != slot));
        })
    }

    fn forget_failed(&self) -> Result<(), BackendError> {
        self.0.change(|variables| variables.set("gg_failed", ""))
    }
}

/// Known values only, as the script does it.
fn view(variables: &Variables) -> View {
    let slot = |name| variables.text(name).and_then(Slot::parse);
    let ok = slot("gg_ok");
    let left = variables.text("gg_left").and_then(|text| text.parse().ok()).unwrap_or(0);
    let trial = slot("gg_try").filter(|trial| Some(*trial) != ok).map(|slot| Trial { slot, left });
    View { ok, trial, failed: slot("gg_failed"), spent: false }
}

fn set(variables: &mut Variables, ok: Slot, trial: Option<Trial>, failed: Option<Slot>) {
    variables.set("gg_ok", ok.name());
    variables.set("gg_try", trial.map_or("", |trial| trial.slot.name()));
    variables.set("gg_left", &trial.map(|trial| trial.left.to_string()).unwrap_or_default());
    variables.set("gg_failed", failed.map_or("", Slot::name));
}
