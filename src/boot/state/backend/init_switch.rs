//! A boot loader that knows no slots: one fixed kernel with `gg-init` in it, which counts and chooses by the record.

use crate::slot::Slot;
use crate::state::medium::Medium;
use crate::state::record::{Reason, Record};
use crate::state::store::{Store, StoreError};

use super::{Backend, BackendError, CommitPoint, Trial, View, checked};

/// The record as its own boot loader.
#[derive(Debug)]
pub struct InitSwitch<M>(Store<M>);

impl<M: Medium> InitSwitch<M> {
    pub fn new(store: Store<M>) -> Self {
        Self(store)
    }

    fn change(&self, change: impl FnOnce(&mut Record)) -> Result<(), BackendError> {
        let old = self.0.load().record.ok_or(BackendError::NoRecord)?;
        let mut new = old.clone();
        change(&mut new);
        if new != old {
            self.0.write(&new).map_err(BackendError::Record)?;
        }
        Ok(())
    }
}

impl<M: Medium> Backend for InitSwitch<M> {
    fn name(&self) -> &'static str {
        "init-switch"
    }

    fn read(&self) -> Result<View, BackendError> {
        let Some(record) = self.0.load().record else { return Ok(View::LOST) };
        let trial = record.trial.map(|slot| Trial { slot, left: record.left });
        Ok(View { ok: Some(record.ok), trial, failed: None, spent: false })
    }

    fn set_trial(&self, slot: Slot, tries: u8) -> Result<(), BackendError> {
        let tries = checked(tries)?;
        self.change(|record| (record.ok, record.trial, record.left) = (slot.other(), Some(slot), tries))
    }

    /// Nothing: the record that says so is written right after, and one write is one commit point.
    fn set_confirmed(&self, _slot: Slot) -> Result<(), BackendError> {
        Ok(())
    }

    fn commit_point(&self) -> CommitPoint {
        CommitPoint::Record
    }
}

/// What `gg-init` boots, counted before it begins, as a boot loader would; at no tries left the trial is over.
pub fn choose<M: Medium>(store: &Store<M>) -> Result<Option<Slot>, StoreError> {
    let Some(record) = store.load().record else { return Ok(None) };
    match record.trial {
        Some(slot) if record.left > 0 && record.last_reason != Reason::Cancelled => {
            store.write(&Record { left: record.left - 1, ..record })?;
            Ok(Some(slot))
        }
        _ => Ok(Some(record.ok)),
    }
}
