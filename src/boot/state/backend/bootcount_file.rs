//! U-Boot that counts boots in a small file (`CONFIG_BOOTCOUNT_FS`), and cannot keep its variables: which slot boots
//! stands in the partition table.
//!
//! The file has four bytes: 0xbd, 1, the count, and whether U-Boot shall count. It counts before `bootcmd`, and runs
//! `altbootcmd` instead when the count is above `bootlimit`, which must be 9 here. Both are in
//! `init/image/bootcount-file.env`.
//!
//! The count is written before the trial begins and after it ends: it means nothing to a slot that is confirmed.

use std::io;

use crate::slot::Slot;
use crate::state::fat::locate;
use crate::state::medium::{Medium, SECTOR, write_through};

use super::{Backend, BackendError, Gpt, MOST_TRIES, Trial, View, checked};

/// The file, wherever it lies.
#[derive(Debug)]
pub struct CountFile<M> {
    medium: M,
    at: u64,
}

/// Where the file lies below the first partition: `CONFIG_SYS_BOOTCOUNT_FS_NAME`.
const PATH: &str = "gg/count";
const SIZE: usize = 4;
const MAGIC: [u8; 2] = [0xbd, 1];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Count {
    boots: u8,
    counts: bool,
}

impl Count {
    const OFF: Self = Self { boots: 0, counts: false };
    /// What U-Boot takes for granted where the file is lost.
    const LOST: Self = Self { boots: 0, counts: true };

    /// U-Boot gives the slot up when there are none.
    fn left(self) -> u8 {
        MOST_TRIES.saturating_sub(self.boots)
    }
}

impl<M: Medium> CountFile<M> {
    /// In the file on an unmounted FAT partition.
    pub fn on_esp(medium: M) -> Result<Self, BackendError> {
        let at = locate(&medium, PATH, SIZE as u64).map_err(BackendError::Locate)?;
        Ok(Self { medium, at })
    }

    /// At a place that is known: 0 where the medium is the file.
    pub fn at(medium: M, at: u64) -> Self {
        Self { medium, at }
    }

    fn sector(&self) -> Result<[u8; SECTOR], BackendError> {
        let mut sector = [0; SECTOR];
        self.medium.read(self.at, &mut sector).map_err(|cause| BackendError::Read(NAME, cause))?;
        Ok(sector)
    }

    fn read(&self) -> Result<Count, BackendError> {
        let sector = self.sector()?;
        let is_whole = sector.starts_with(&MAGIC);
        Ok(if is_whole { Count { boots: sector[2], counts: sector[3] != 0 } } else { Count::LOST })
    }

    fn write(&self, count: Count) -> Result<(), BackendError> {
        let mut sector = self.sector()?;
        let new = [MAGIC[0], MAGIC[1], count.boots, u8::from(count.counts)];
        if sector[..SIZE] == new {
            return Ok(());
        }
        // The file is a cluster's first bytes; what lies behind it stays.
        sector[..SIZE].copy_from_slice(&new);
        let failure = |cause: io::Error| BackendError::Write(NAME, cause);
        write_through(&self.medium, self.at, &sector).map_err(failure)
    }
}

const NAME: &str = "U-Boot's boot count";

/// The backend.
#[derive(Debug)]
pub struct BootcountFile<M> {
    table: Gpt<M>,
    file: CountFile<M>,
}

impl<M: Medium> BootcountFile<M> {
    pub fn new(table: Gpt<M>, file: CountFile<M>) -> Self {
        Self { table, file }
    }
}

impl<M: Medium> Backend for BootcountFile<M> {
    fn name(&self) -> &'static str {
        "bootcount-file"
    }

    fn read(&self) -> Result<View, BackendError> {
        let (mut view, count) = (self.table.read()?, self.file.read()?);
        view.trial = view.trial.map(|trial| Trial { left: count.left(), ..trial });
        view.spent = view.ok.is_some() && view.trial.is_none() && count.counts;
        Ok(view)
    }

    fn set_trial(&self, slot: Slot, tries: u8) -> Result<(), BackendError> {
        let tries = checked(tries)?;
        self.file.write(Count { boots: MOST_TRIES - tries, counts: true })?;
        self.table.set_trial(slot, tries)
    }

    fn set_confirmed(&self, slot: Slot) -> Result<(), BackendError> {
        self.table.set_confirmed(slot)?;
        self.file.write(Count::OFF)
    }

    /// The script falls back to the other slot whatever the table says of it, so nothing is written.
    fn disable(&self, _slot: Slot) -> Result<(), BackendError> {
        Ok(())
    }

    fn forget_failed(&self) -> Result<(), BackendError> {
        self.table.forget_failed()
    }
}
