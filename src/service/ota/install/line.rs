//! The hash of an image while its pieces are written, and a sum of each to know them by when they are read back.
//!
//! SHA-256 goes from the beginning to the end: each piece waits for its turn. It is computed beside the hashes of the blocks
//! that its thread verifies next, two at once, so that it costs a third less, and reading back waits for the slot alone.
//!
//! Nothing less is proved than by SHA-256 over what is read back. That hash says that the pieces are those of the signed
//! image, before the first of them is written, without which nobody starts the slot. The sums say that the slot returned
//! each piece, at its place, after a flush: their key is made for one installation and stays in its memory, so that not even
//! a medium that wants to can return something else, see [`KeyedSum`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use ring::rand::{SecureRandom, SystemRandom};

use crate::service::ota::bundle::MAX_CHUNK;
use crate::sys::sha256::{Hash, Running};
use crate::wire::keyed_sum::{KEY, KeyedSum};

#[derive(Debug)]
pub(super) struct Line {
    key: KeyedSum,
    /// Of each piece.
    sums: Vec<AtomicU64>,
    turn: Mutex<Turn>,
    changed: Condvar,
}

#[derive(Debug)]
struct Turn {
    /// None while it is somebody's.
    running: Option<Running>,
    /// What is hashed.
    until: u64,
    /// The end of the image, which is less than a block.
    rest: Vec<u8>,
    is_over: bool,
}

impl Line {
    /// None where it gains nothing, see [`Running::new`], or nothing is random.
    pub(super) fn new(size: u64) -> Option<Self> {
        let running = Some(Running::new()?);
        let mut random = [0; KEY];
        SystemRandom::new().fill(&mut random).ok()?;
        let pieces = usize::try_from(size.div_ceil(MAX_CHUNK as u64)).ok()?;
        Some(Self {
            key: KeyedSum::new(&random),
            sums: (0..pieces).map(|_| AtomicU64::new(0)).collect(),
            turn: Mutex::new(Turn { running, until: 0, rest: Vec::new(), is_over: false }),
            changed: Condvar::new(),
        })
    }

    /// Notes what will be written.
    pub(super) fn note(&self, at: u64, bytes: &[u8]) {
        if let Some(sum) = self.sum(at) {
            sum.store(self.key.of(bytes), Ordering::Relaxed);
        }
    }

    /// Whether this was read back as it was noted.
    pub(super) fn is_same(&self, at: u64, bytes: &[u8]) -> bool {
        self.sum(at).is_some_and(|sum| sum.load(Ordering::Relaxed) == self.key.of(bytes))
    }

    fn sum(&self, at: u64) -> Option<&AtomicU64> {
        self.sums.get(usize::try_from(at / MAX_CHUNK as u64).ok()?)
    }

    /// Waits until all before `at` is hashed. None when the installation is over.
    pub(super) fn turn(&self, at: u64) -> Option<Running> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |turn: &mut Turn| !turn.is_over && (turn.until != at || turn.running.is_none());
        let mut turn = self.changed.wait_while(turn, waits).unwrap_or_else(PoisonError::into_inner);
        if turn.is_over { None } else { turn.running.take() }
    }

    /// The next one's turn: all before `until` is hashed, but for these last bytes.
    pub(super) fn pass(&self, running: Running, until: u64, rest: &[u8]) {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        (turn.running, turn.until) = (Some(running), until);
        turn.rest.extend_from_slice(rest);
        self.changed.notify_all();
    }

    /// Of all that was hashed.
    pub(super) fn digest(&self) -> Option<Hash> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        Some(turn.running.clone()?.finish(&turn.rest))
    }
}

/// Ends it for everybody who waits, when a thread leaves with its work undone.
#[derive(Debug)]
pub(super) struct Leaving<'l>(pub Option<&'l Line>);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if let Some(line) = self.0 {
            line.turn.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
            line.changed.notify_all();
        }
    }
}
