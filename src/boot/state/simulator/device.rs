//! What lies where on the device, and the images of its slots.

use std::ops::Range;

use crate::slot::Slot;
use crate::state::grubenv;
use crate::state::medium::SECTOR;
use crate::state::record::{ImageState, Record};
use crate::state::variables::Variables;

use super::Random;
use super::disk::{Disk, Image};
use super::loader::Loader;

/// The two copies of the record.
pub(crate) const RECORD: [usize; 2] = [0, 1];
/// The environment of the boot loader: two sectors of GRUB's, two copies of U-Boot's, or a partition table of four.
pub(crate) const ENVIRONMENT: usize = 2;
/// The file that U-Boot counts in.
pub(crate) const COUNT: usize = ENVIRONMENT + 4;
/// What an ordinary boot must not write.
pub(crate) const STATE: Range<usize> = 0..COUNT + 1;
pub(crate) const RING: usize = STATE.end;
pub(crate) const RING_SECTORS: usize = 4;
/// What the product writes on the data partition.
pub(crate) const DATA: usize = RING + RING_SECTORS;
/// Sectors of a slot: the first is its superblock, the second its kernel.
pub(crate) const SLOT_SECTORS: usize = 9;
const SLOTS: [usize; 2] = [DATA + 1, DATA + 1 + SLOT_SECTORS];
const SECTORS: usize = SLOTS[1] + SLOT_SECTORS;

/// The first sector of a slot.
pub(crate) fn place(slot: Slot) -> usize {
    SLOTS[slot.index()]
}

/// What an image of this version has in a sector.
pub(crate) fn content(version: u8, sector: usize) -> [u8; SECTOR] {
    let mut bytes = [version; SECTOR];
    bytes[0] = sector as u8;
    bytes
}

/// Of a complete image.
pub(crate) fn version(disk: &Disk, slot: Slot) -> Option<u8> {
    let version = disk.sector(place(slot))[1];
    let whole = (0..SLOT_SECTORS).all(|sector| disk.sector(place(slot) + sector) == content(version, sector));
    (whole && version != 0).then_some(version)
}

/// The version whose kernel a boot loader can read, whatever the rest is.
pub(crate) fn loadable(disk: &Disk, slot: Slot) -> Option<u8> {
    let version = disk.sector(place(slot))[1];
    let read = (0..2).all(|sector| disk.sector(place(slot) + sector) == content(version, sector));
    (read && version != 0).then_some(version)
}

/// As it leaves the factory, some boots later: version 1 runs in slot a, nothing is in slot b.
pub(crate) struct Device(Image);

impl Device {
    pub(crate) fn new(loader: Loader) -> Self {
        let mut image = vec![[0; SECTOR]; SECTORS];
        for sector in 0..SLOT_SECTORS {
            image[place(Slot::A) + sector] = content(1, sector);
        }
        let mut record = Record::fresh(Slot::A);
        record.seq = 6;
        image[RECORD[0]] = record.encode();
        for (index, bytes) in loader.first_environment().into_iter().enumerate() {
            image[ENVIRONMENT + index] = bytes;
        }
        Self(image)
    }

    pub(crate) fn image(&self) -> &Image {
        &self.0
    }

    /// Both slots are complete, and the halves of the state say what the case wants.
    pub(crate) fn contradicting(loader: Loader, case: Case, random: &mut Random) -> Self {
        let mut device = Self::new(loader);
        for sector in 0..SLOT_SECTORS {
            device.0[place(Slot::B) + sector] = content(1, sector);
        }
        let mut noise = || {
            let mut bytes = [0; SECTOR];
            bytes.fill_with(|| random.next() as u8);
            bytes
        };
        let mut record = Record::fresh(case.record_ok);
        record.slots.iter_mut().for_each(|image| image.state = ImageState::Good);
        record.trial = case.record_try.then_some(case.record_ok.other());
        (record.left, record.max) = (3, 3);
        record.seq = 7;
        let older = Record { seq: 6, trial: None, ..record.clone() };
        let (newer, older) = (record.encode(), older.encode());
        let copies = match case.record {
            Copies::Both => [older, newer],
            Copies::OneTorn => [noise(), newer],
            Copies::BothZero => [[0; SECTOR]; 2],
            Copies::BothNoise => [noise(), noise()],
        };
        device.0[RECORD[0]] = copies[0];
        device.0[RECORD[1]] = copies[1];
        let environment = match case.environment {
            Environment::Says { ok, trial } => loader.environment(ok, trial),
            Environment::Zero => loader.destroyed([0; SECTOR]),
            Environment::Noise => loader.destroyed(noise()),
        };
        device.0[ENVIRONMENT..ENVIRONMENT + environment.len()].copy_from_slice(&environment);
        device
    }
}

/// A state that should not be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) record: Copies,
    pub(crate) record_ok: Slot,
    pub(crate) record_try: bool,
    pub(crate) environment: Environment,
    /// The slot that the boot loader starts at first, whatever it should.
    pub(crate) booted: Option<Slot>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Copies {
    Both,
    OneTorn,
    BothZero,
    BothNoise,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Environment {
    Says { ok: Option<Slot>, trial: Option<Slot> },
    Zero,
    Noise,
}

impl Case {
    /// Where nothing is on trial and the boot loader does as it should, the record has the last word.
    pub(crate) fn confirmed_by_record(&self) -> Option<Slot> {
        let whole = matches!(self.record, Copies::Both | Copies::OneTorn);
        (whole && !self.record_try && self.booted.is_none()).then_some(self.record_ok)
    }

    /// The environment has a good slot on trial that the record knows nothing of: to go on with it is right, too.
    pub(crate) fn is_trial_of_other(&self, _loader: Loader) -> bool {
        matches!(self.environment, Environment::Says { trial: Some(trial), .. } if trial != self.record_ok)
    }
}

/// All 27 of what the environment says and what boots, with each way the record can be, and the destroyed ones.
pub(crate) fn contradictions() -> Vec<Case> {
    let slots = [None, Some(Slot::A), Some(Slot::B)];
    let mut environments = vec![Environment::Zero, Environment::Noise];
    for ok in slots {
        environments.extend(slots.map(|trial| Environment::Says { ok, trial }));
    }
    let mut cases = Vec::new();
    for record in [Copies::Both, Copies::OneTorn, Copies::BothZero, Copies::BothNoise] {
        for record_ok in [Slot::A, Slot::B] {
            for record_try in [false, true] {
                for environment in &environments {
                    let environment = *environment;
                    cases.extend(slots.map(|booted| Case { record, record_ok, record_try, environment, booted }));
                }
            }
        }
    }
    cases
}

/// GRUB's block as two sectors.
pub(crate) fn block(variables: &Variables) -> [[u8; SECTOR]; 2] {
    let block = grubenv::encode(variables).unwrap_or([0; grubenv::SIZE]);
    let (sectors, _) = block.as_chunks::<SECTOR>();
    [sectors[0], sectors[1]]
}
