//! What a boot loader keeps of the slots, and the two things that are ever told it. Its environment is the commit
//! point of an update: what stands there is what boots.

mod bootcount_file;
mod gpt;
mod grub;
mod grub_rauc;
mod init_switch;
mod uboot;
mod uboot_map;

pub use bootcount_file::{BootcountFile, CountFile};
pub use gpt::Gpt;
pub use grub::{Grub, GrubEnvironment};
pub use grub_rauc::GrubRauc;
pub use init_switch::{InitSwitch, choose};
pub use uboot::{LOCK, Uboot, UbootEnvironment};
pub use uboot_map::{Map, MapError, UbootMap};

use std::io;

use crate::slot::Slot;

use super::fat::FatError;
use super::gpt::GptError;
use super::grubenv::GrubenvError;
use super::store::StoreError;
use super::uboot::UbootError;

/// What a boot loader goes by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct View {
    /// The slot that boots when nothing is on trial; `None` where the environment is lost, or does not say.
    pub ok: Option<Slot>,
    /// What boots instead, and how often still.
    pub trial: Option<Trial>,
    /// The slot whose trial the boot loader ended.
    pub failed: Option<Slot>,
    /// The confirmed slot's own tries are being spent: some boot loaders count those, too, until they are told that
    /// the boot went well. [`Backend::set_confirmed`] tells them.
    pub spent: bool,
}

/// A slot on trial.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trial {
    pub slot: Slot,
    /// 0: the next boot is the other slot.
    pub left: u8,
}

impl View {
    /// Nothing can be read there, or it means nothing.
    pub const LOST: Self = Self { ok: None, trial: None, failed: None, spent: false };
}

/// Where an update is committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitPoint {
    /// In an environment of the boot loader's.
    Environment,
    /// In the record itself: there is no other state.
    Record,
}

/// A boot loader. Both writes are durable when they return, leave the old or the new state at any cut, and change
/// nothing when it is as wanted already.
pub trait Backend {
    fn name(&self) -> &'static str;

    /// A lost environment is [`View::LOST`]; an error is a disk that cannot be read.
    fn read(&self) -> Result<View, BackendError>;

    /// This slot boots from now on, at most `tries` times; the confirmed one stays what it is.
    fn set_trial(&self, slot: Slot, tries: u8) -> Result<(), BackendError>;

    /// This slot boots from now on, and nothing is on trial. Another that was on trial is noted as failed.
    fn set_confirmed(&self, slot: Slot) -> Result<(), BackendError>;

    /// Never falls back to this slot until it is set on trial. For boot loaders that would try one whatever is in it.
    fn disable(&self, _slot: Slot) -> Result<(), BackendError> {
        Ok(())
    }

    /// Forgets which trial failed, once that is in the record.
    fn forget_failed(&self) -> Result<(), BackendError> {
        Ok(())
    }

    fn commit_point(&self) -> CommitPoint {
        CommitPoint::Environment
    }
}

#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    #[error("cannot read the environment of {0}")]
    Read(&'static str, #[source] io::Error),
    #[error("cannot write the environment of {0}")]
    Write(&'static str, #[source] io::Error),
    #[error("cannot find the boot loader's file on gg-esp")]
    Locate(#[source] FatError),
    #[error("cannot make gg/grubenv anew on gg-esp")]
    Make(#[source] FatError),
    #[error("cannot use the partition table")]
    Table(#[source] GptError),
    #[error("the environment of {0} cannot hold it")]
    Grubenv(&'static str, #[source] GrubenvError),
    #[error("the environment of U-Boot cannot hold it")]
    Uboot(#[source] UbootError),
    #[error("no copy of U-Boot's environment is whole; `saveenv` there, or its defaults in /etc/u-boot-initial-env")]
    NoEnvironment,
    #[error("{0} is not a file that can be overwritten in place")]
    Moves(&'static str),
    #[error("cannot keep it in the record")]
    Record(#[source] StoreError),
    #[error("there is no record to keep it in")]
    NoRecord,
    #[error("{tries} tries are not 1 to {MOST_TRIES}")]
    Tries { tries: u8 },
}

/// The most tries that every boot loader can count.
pub const MOST_TRIES: u8 = 9;

fn checked(tries: u8) -> Result<u8, BackendError> {
    if (1..=MOST_TRIES).contains(&tries) { Ok(tries) } else { Err(BackendError::Tries { tries }) }
}
