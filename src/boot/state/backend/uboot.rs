//! U-Boot as RAUC's scripts and its own `bootmeth rauc` have it: `BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT`.
//!
//! A write goes to the copy that is not in use and takes effect with its flag and checksum; where there is one copy
//! alone, a cut during the write loses it, and U-Boot starts with its built-in one. RAUC's script takes one from
//! `LEFT` before each boot, of a confirmed slot, too; ours does not. Which one is confirmed stands beside it in variables
//! of ours.
//!
//! An environment is everything U-Boot knows, its commands too: one that was never saved is not begun here with a few
//! variables, because U-Boot would take it for all there is, and stand still.

use std::fs::File;
use std::path::{Path, PathBuf};

use gg_sys::lock;

use crate::slot::Slot;
use crate::state::medium::{Medium, SECTOR, write_through};
use crate::state::uboot::{Copy, Form, UbootError, decode, encode, newer};
use crate::state::variables::Variables;

use super::{Backend, BackendError, Trial, View, checked};

/// The environment, one copy or two.
#[derive(Debug)]
pub struct UbootEnvironment<M> {
    places: Vec<(M, u64)>,
    size: usize,
    /// Held while it is read and written, as `fw_setenv` holds it.
    lock: Option<PathBuf>,
    /// What U-Boot has when no copy is whole.
    initial: Option<Variables>,
}

/// What `fw_printenv` and `fw_setenv` lock.
pub const LOCK: &str = "/var/lock/fw_printenv.lock";

impl<M: Medium> UbootEnvironment<M> {
    /// Each place is a medium and an offset on it.
    pub fn new(places: Vec<(M, u64)>, size: usize) -> Self {
        Self { places, size, lock: None, initial: None }
    }

    /// With the lock of U-Boot's own tools.
    pub fn locked(self, lock: &Path) -> Self {
        Self { lock: Some(lock.to_owned()), ..self }
    }

    /// With what to begin one that is not there.
    pub fn beginning_as(self, initial: Variables) -> Self {
        Self { initial: Some(initial), ..self }
    }

    fn form(&self) -> Form {
        if self.places.len() > 1 { Form::Redundant } else { Form::Single }
    }

    fn hold(&self) -> Result<Option<File>, BackendError> {
        let failure = |cause| BackendError::Write("U-Boot", cause);
        let Some(path) = &self.lock else { return Ok(None) };
        // Without the directory there is nobody else either: it is as early as in an initramfs.
        if !path.parent().is_some_and(Path::is_dir) {
            return Ok(None);
        }
        lock::wait_exclusive(path).map(Some).map_err(failure)
    }

    fn load(&self) -> Result<[Option<Copy>; 2], BackendError> {
        let mut copies = [None, None];
        for ((medium, at), copy) in self.places.iter().zip(&mut copies) {
            let mut bytes = vec![0; self.size];
            medium.read(*at, &mut bytes).map_err(|cause| BackendError::Read("U-Boot", cause))?;
            *copy = decode(&bytes, self.form()).ok();
        }
        Ok(copies)
    }

    pub(super) fn read(&self) -> Result<Option<Variables>, BackendError> {
        let _held = self.hold()?;
        let [first, second] = self.load()?;
        let flag = |copy: &Option<Copy>| copy.as_ref().map(|copy| copy.flag);
        let newest = match newer(flag(&first), flag(&second)) {
            Some(0) => first,
            _ => second,
        };
        Ok(newest.map(|copy| copy.variables))
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Variables)) -> Result<(), BackendError> {
        let _held = self.hold()?;
        let [first, second] = self.load()?;
        let flag = |copy: &Option<Copy>| copy.as_ref().map(|copy| copy.flag);
        let newest = newer(flag(&first), flag(&second));
        let (old, target) = match newest {
            Some(0) => (first, 1),
            Some(_) => (second, 0),
            None => (None, 0),
        };
        let found = old.as_ref().map(|copy| &copy.variables).or(self.initial.as_ref());
        let mut variables = found.ok_or(BackendError::NoEnvironment)?.clone();
        change(&mut variables);
        if old.as_ref().is_some_and(|old| same(&old.variables, &variables)) {
            return Ok(());
        }
        let copy = Copy { flag: old.map_or(1, |old| old.flag.wrapping_add(1)), variables };
        let bytes = encode(&copy, self.size, self.form()).map_err(BackendError::Uboot)?;
        let (medium, at) = &self.places[target % self.places.len()];
        write_unaligned(medium, *at, &bytes).map_err(|cause| BackendError::Write("U-Boot", cause))
    }
}

/// An empty value and none are the same to U-Boot.
fn same(old: &Variables, new: &Variables) -> bool {
    let filled = |variables: &Variables| {
        let entries = variables.iter().filter(|(_, value)| !value.is_empty());
        entries.map(|(name, value)| (name.to_vec(), value.to_vec())).collect::<Vec<_>>()
    };
    filled(old) == filled(new)
}

/// An environment may begin and end within a sector; what is around it is written back as it is.
fn write_unaligned(medium: &impl Medium, at: u64, bytes: &[u8]) -> std::io::Result<()> {
    let sector = SECTOR as u64;
    let start = at / sector * sector;
    let end = (at + bytes.len() as u64).next_multiple_of(sector);
    let mut sectors = vec![0; (end - start) as usize];
    let skip = (at - start) as usize;
    if skip != 0 || sectors.len() != bytes.len() {
        medium.read(start, &mut sectors)?;
    }
    sectors[skip..skip + bytes.len()].copy_from_slice(bytes);
    write_through(medium, start, &sectors)
}

impl From<UbootError> for BackendError {
    fn from(cause: UbootError) -> Self {
        Self::Uboot(cause)
    }
}

/// The backend.
#[derive(Debug)]
pub struct Uboot<M>(UbootEnvironment<M>);

impl<M: Medium> Uboot<M> {
    pub fn new(environment: UbootEnvironment<M>) -> Self {
        Self(environment)
    }
}

/// What a confirmed slot has at the beginning of each boot; RAUC's default, too.
const CONFIRMED_TRIES: u8 = 3;

impl<M: Medium> Backend for Uboot<M> {
    fn name(&self) -> &'static str {
        "uboot"
    }

    fn read(&self) -> Result<View, BackendError> {
        Ok(self.0.read()?.map_or(View::LOST, |variables| view(&variables)))
    }

    fn set_trial(&self, slot: Slot, tries: u8) -> Result<(), BackendError> {
        let tries = checked(tries)?;
        self.0.change(|variables| {
            variables.set("BOOT_ORDER", order(slot));
            variables.set(left(slot), &tries.to_string());
            variables.set(left(slot.other()), &CONFIRMED_TRIES.to_string());
            variables.set("gg_ok", slot.other().name());
            variables.set("gg_try", slot.name());
            variables.set("gg_failed", "");
        })
    }

    fn set_confirmed(&self, slot: Slot) -> Result<(), BackendError> {
        self.0.change(|variables| {
            let trial = variables.text("gg_try").and_then(Slot::parse).filter(|trial| *trial != slot);
            variables.set("BOOT_ORDER", order(slot));
            variables.set(left(slot), &CONFIRMED_TRIES.to_string());
            if let Some(failed) = trial {
                variables.set(left(failed), "0");
            }
            let failed = trial.or_else(|| variables.text("gg_failed").and_then(Slot::parse));
            variables.set("gg_ok", slot.name());
            variables.set("gg_try", "");
            variables.set("gg_failed", failed.filter(|failed| *failed != slot).map_or("", Slot::name));
        })
    }

    fn disable(&self, slot: Slot) -> Result<(), BackendError> {
        self.0.change(|variables| variables.set(left(slot), "0"))
    }

    fn forget_failed(&self) -> Result<(), BackendError> {
        self.0.change(|variables| variables.set("gg_failed", ""))
    }
}

fn order(first: Slot) -> &'static str {
    match first {
        Slot::A => "A B",
        Slot::B => "B A",
    }
}

fn left(slot: Slot) -> &'static str {
    match slot {
        Slot::A => "BOOT_A_LEFT",
        Slot::B => "BOOT_B_LEFT",
    }
}

fn view(variables: &Variables) -> View {
    let first = match variables.text("BOOT_ORDER").and_then(|order| order.split(' ').next()) {
        Some("A") => Some(Slot::A),
        Some("B") => Some(Slot::B),
        _ => None,
    };
    let ours = |name| variables.text(name).and_then(Slot::parse);
    let count = |slot| variables.text(left(slot)).and_then(|text| text.parse::<u8>().ok()).unwrap_or(0);
    let Some(ok) = ours("gg_ok").or(first) else { return View::LOST };
    let trial = ours("gg_try").filter(|trial| *trial != ok).map(|slot| Trial { slot, left: count(slot) });
    View { ok: Some(ok), trial, failed: ours("gg_failed"), spent: count(ok) < CONFIRMED_TRIES }
}
