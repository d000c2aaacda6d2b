//! A disk that remembers each write, so that it can be cut anywhere.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;

use crate::state::medium::{Medium, SECTOR};

use super::Random;
use super::device::STATE;

/// All sectors of the device.
pub(crate) type Image = Vec<[u8; SECTOR]>;

#[derive(Clone, Debug)]
enum Operation {
    Write(usize, Box<[u8; SECTOR]>),
    Flush,
}

/// Where the power went: behind which operation, and which of the unflushed writes arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    operation: usize,
    arrived: u64,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:x}", self.operation, self.arrived)
    }
}

/// The sectors, and what was done to them since the start.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Rc<Inside>);

#[derive(Debug)]
struct Inside {
    start: Image,
    now: RefCell<Image>,
    log: RefCell<Vec<Operation>>,
    state_writes: Cell<usize>,
    /// Calls of the product until now, and the one that fails.
    calls: Cell<usize>,
    failure: Cell<Option<(usize, Failure)>>,
}

/// What a call does that comes back with an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    Nothing,
    /// All that was asked of it: the error came later.
    Everything,
}

impl From<Image> for Disk {
    fn from(image: Image) -> Self {
        let now = RefCell::new(image.clone());
        Self(Rc::new(Inside {
            start: image,
            now,
            log: RefCell::default(),
            state_writes: Cell::default(),
            calls: Cell::default(),
            failure: Cell::default(),
        }))
    }
}

/// More unflushed sectors than this are sampled.
const EXHAUSTIVE: usize = 8;
const SAMPLES: u64 = 256;

impl Disk {
    pub(crate) fn image(&self) -> Image {
        self.0.now.borrow().clone()
    }

    pub(crate) fn sector(&self, index: usize) -> [u8; SECTOR] {
        self.0.now.borrow()[index]
    }

    pub(crate) fn write_sector(&self, index: usize, bytes: [u8; SECTOR]) {
        if STATE.contains(&index) {
            self.0.state_writes.set(self.0.state_writes.get() + 1);
        }
        self.0.now.borrow_mut()[index] = bytes;
        self.0.log.borrow_mut().push(Operation::Write(index, Box::new(bytes)));
    }

    pub(crate) fn flush(&self) {
        self.0.log.borrow_mut().push(Operation::Flush);
    }

    /// The call with this number fails, once.
    pub(crate) fn fail(&self, call: usize, how: Failure) {
        self.0.failure.set(Some((call, how)));
    }

    /// How many calls there were of the product's.
    pub(crate) fn calls(&self) -> usize {
        self.0.calls.get()
    }

    /// Counts a call; `Some` where it fails.
    fn call(&self) -> Option<Failure> {
        let number = self.0.calls.get();
        self.0.calls.set(number + 1);
        self.0.failure.get().filter(|(call, _)| *call == number).map(|(_, how)| how)
    }

    /// How many sectors of record and environment were written.
    pub(crate) fn state_writes(&self) -> usize {
        self.0.state_writes.get()
    }

    /// A part of the disk that is a medium of its own.
    pub(crate) fn region(&self, first: usize) -> Region {
        Region { disk: self.clone(), first }
    }

    /// What may be on the disk after a cut behind each operation.
    pub(crate) fn crashes(&self, random: &mut Random) -> Vec<(Cut, Image)> {
        let mut safe = self.0.start.clone();
        let mut open: Vec<(usize, [u8; SECTOR])> = Vec::new();
        let mut states = vec![(Cut { operation: 0, arrived: 0 }, safe.clone())];
        for (number, done) in self.0.log.borrow().iter().enumerate() {
            match done {
                Operation::Flush => {
                    for (index, bytes) in open.drain(..) {
                        safe[index] = bytes;
                    }
                    continue;
                }
                Operation::Write(index, bytes) => open.push((*index, **bytes)),
            }
            let mut cut = |arrived: u64| {
                let mut image = safe.clone();
                for (bit, (index, bytes)) in open.iter().enumerate() {
                    if arrived >> bit & 1 == 1 {
                        image[*index] = *bytes;
                    }
                }
                states.push((Cut { operation: number, arrived }, image));
            };
            // Those without the newest were seen one write earlier.
            let newest = 1 << (open.len() - 1);
            if open.len() <= EXHAUSTIVE {
                (0..newest).for_each(|others| cut(newest | others));
            } else {
                (0..SAMPLES).for_each(|_| cut(newest | random.next() & (newest - 1)));
                cut(newest | (newest - 1));
            }
        }
        states
    }
}

/// Some sectors of a disk.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    disk: Disk,
    first: usize,
}

impl Medium for Region {
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        if self.disk.call().is_some() {
            return Err(broken());
        }
        let now = self.disk.0.now.borrow();
        let bytes = now[self.first..].as_flattened();
        let at = at as usize;
        into.copy_from_slice(bytes.get(at..at + into.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, at: u64, sectors: &[u8]) -> io::Result<()> {
        let failure = self.disk.call();
        if failure == Some(Failure::Nothing) {
            return Err(broken());
        }
        for (index, bytes) in sectors.as_chunks::<SECTOR>().0.iter().enumerate() {
            self.disk.write_sector(self.first + at as usize / SECTOR + index, *bytes);
        }
        if failure.is_some() { Err(broken()) } else { Ok(()) }
    }

    fn flush(&self) -> io::Result<()> {
        let failure = self.disk.call();
        if failure != Some(Failure::Nothing) {
            self.disk.flush();
        }
        if failure.is_some() { Err(broken()) } else { Ok(()) }
    }
}

fn broken() -> io::Error {
    io::Error::other("the medium fails")
}
