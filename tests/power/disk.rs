//! A disk of two slots in a file: its partitions, and its state read by the product's own code.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;

use greengrass::boot::slot::Slot;
use greengrass::boot::state::backend::{Backend, Grub, GrubEnvironment, View};
use greengrass::boot::state::machine::Candidate;
use greengrass::boot::state::medium::{Medium, SECTOR};
use greengrass::boot::state::ring::Ring;
use greengrass::boot::state::slots::Slots;
use greengrass::boot::state::store::Store;

/// A file of sectors, and other sectors laid over it. Only the file's own writer changes the file.
#[derive(Debug)]
pub struct Disk {
    file: File,
    over: RefCell<HashMap<u64, [u8; SECTOR]>>,
    partitions: Vec<(String, u64, u64)>,
}

impl Disk {
    pub fn open(path: &Path) -> Self {
        let file = File::options().read(true).write(true).open(path).unwrap();
        let mut table = vec![0; 128 * 128];
        file.read_exact_at(&mut table, 2 * SECTOR as u64).unwrap();
        let number = |entry: &[u8], at: usize| u64::from_le_bytes(entry[at..at + 8].try_into().unwrap());
        let partition = |entry: &[u8]| {
            let name = entry[56..128].iter().step_by(2).take_while(|byte| **byte != 0).map(|byte| char::from(*byte));
            let (first, last) = (number(entry, 32), number(entry, 40));
            (name.collect(), first * SECTOR as u64, (last + 1 - first) * SECTOR as u64)
        };
        let partitions = table.chunks(128).filter(|entry| entry[..16] != [0; 16]).map(partition).collect();
        Self { file, over: RefCell::default(), partitions }
    }

    /// Where a partition begins, and how long it is.
    pub fn place(&self, label: &str) -> (u64, u64) {
        let (_, at, length) = self.partitions.iter().find(|(name, ..)| name == label).unwrap();
        (*at, *length)
    }

    /// The partition that a byte lies in; none for the tables.
    pub fn partition(&self, at: u64) -> Option<&str> {
        let found = self.partitions.iter().find(|(_, first, length)| (*first..first + length).contains(&at));
        found.map(|(name, ..)| name.as_str())
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Writes what is laid over the file into it.
    pub fn keep(&self) {
        for (sector, bytes) in self.over.take() {
            self.file.write_all_at(&bytes, sector * SECTOR as u64).unwrap();
        }
    }

    /// Replaces what is laid over the file.
    pub fn lay(&self, over: HashMap<u64, [u8; SECTOR]>) {
        self.over.replace(over);
    }

    pub fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(into, at)?;
        let over = self.over.borrow();
        if over.is_empty() {
            return Ok(());
        }
        for (index, bytes) in into.chunks_mut(SECTOR).enumerate() {
            let start = at + (index * SECTOR) as u64;
            // What does not begin with a sector is a field of a structure in one.
            let within = (start % SECTOR as u64) as usize;
            if let Some(sector) = over.get(&(start / SECTOR as u64)) {
                let length = bytes.len().min(SECTOR - within);
                bytes[..length].copy_from_slice(&sector[within..within + length]);
            }
        }
        Ok(())
    }

    pub fn bytes(&self, at: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.read(at, &mut bytes).unwrap();
        bytes
    }

    /// The state of the slots as `booted` sees it. What it writes is laid over the file.
    pub fn slots(self: &Rc<Self>, booted: Slot) -> Slots<'static, Part> {
        let state = self.part("gg-state");
        let environment = GrubEnvironment::on_esp(self.part("gg-esp")).unwrap();
        let backend = Box::new(Grub::new(environment));
        Slots::new(Store::on_partition(state.clone()), backend, Some(Ring::on_partition(state)), booted)
    }

    pub fn environment(self: &Rc<Self>) -> View {
        Grub::new(GrubEnvironment::on_esp(self.part("gg-esp")).unwrap()).read().unwrap()
    }

    /// Where on the disk GRUB's block lies.
    pub fn environment_place(self: &Rc<Self>) -> u64 {
        self.place("gg-esp").0 + GrubEnvironment::on_esp(self.part("gg-esp")).unwrap().place()
    }

    pub fn part(self: &Rc<Self>, label: &str) -> Part {
        Part { disk: self.clone(), at: self.place(label).0 }
    }
}

/// An update that nobody else means.
pub fn candidate() -> Candidate {
    let version = "another".to_owned();
    Candidate { version, manifest: [9; 32], transaction: 99, level: 0, floor: 0, key_epoch: u32::MAX }
}

/// A partition.
#[derive(Clone, Debug)]
pub struct Part {
    disk: Rc<Disk>,
    at: u64,
}

impl Medium for Part {
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.disk.read(self.at + at, into)
    }

    fn write(&self, at: u64, sectors: &[u8]) -> io::Result<()> {
        let first = (self.at + at) / SECTOR as u64;
        let mut over = self.disk.over.borrow_mut();
        over.extend((first..).zip(sectors.as_chunks::<SECTOR>().0.iter().copied()));
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
