//! The slot-state record: what is meant with each slot, and why. 512 bytes, so that one sector is all of it.
//!
//! ```text
//! 0    "GGSS"            8    seq u64            24   floor u64        52   slot a [73]
//! 4    crc32(8..512)     16   layout u16         32   key epoch u32    125  slot b [73]
//!                        18   ok, try, left,     36   trusted time u64 198  deployment id [36]
//!                             max, reason,       44   installs u32     234  floor, key epoch of the
//!                             flags: u8 each    48   rollbacks u32         version on trial; levels u64 of a, b
//! slot: state u8, version [24], SHA-256 of the manifest [32], transaction u64, installed at u64
//! ```
//!
//! Numbers are little endian; slots are 0 none, 1 a, 2 b. A later layout keeps these fields where they are; what is
//! behind them is written back as it was read.

use crate::slot::Slot;

use super::crc::crc32;
use super::medium::SECTOR;

/// All of it; equal records mean the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Which of two copies is newer. The store counts it up.
    pub seq: u64,
    /// The slot that is to boot when nothing is on trial.
    pub ok: Slot,
    /// The slot that is to be tried, or is.
    pub trial: Option<Slot>,
    /// Tries that are left to it; the boot loader's own count is the one that counts, where it has one.
    pub left: u8,
    /// How many it had.
    pub max: u8,
    /// Why the last trial ended badly, or is about to.
    pub last_reason: Reason,
    /// The boot loader's environment was repaired, and the repaired one has not booted yet.
    pub repaired: bool,
    pub visit: Visit,
    /// No version below this is installed: raised by commits alone.
    pub floor: u64,
    /// The generation of signing keys that was last committed.
    pub key_epoch: u32,
    /// The latest time that somebody trustworthy told, in seconds since 1970.
    pub trusted_time: u64,
    /// Counts commits and rollbacks, for who looks after a fleet.
    pub installs: u32,
    pub rollbacks: u32,
    /// Slot a, slot b.
    pub slots: [Image; 2],
    /// Whom to tell how it ended; zeros: nobody.
    pub deployment: [u8; 36],
    /// What `floor` and `key_epoch` become when the version on trial is committed.
    pub next_floor: u64,
    pub next_key_epoch: u32,
    /// The level of what lies in each slot, to compare with the floor.
    pub levels: [u64; 2],
    /// What a later layout keeps behind all this.
    pub rest: Rest,
}

/// Bytes that mean nothing to this version, and are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rest([u8; REST]);

/// What lies in a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Image {
    pub state: ImageState,
    /// UTF-8, cut to fit, zeros behind it.
    pub version: [u8; 24],
    /// Of the manifest it was installed by.
    pub manifest: [u8; 32],
    /// Of the installation, so that one that was cut is known again.
    pub transaction: u64,
    /// In seconds since 1970.
    pub installed_at: u64,
}

/// How far a slot may be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ImageState {
    Empty,
    /// An installation has begun, and not ended.
    Writing,
    /// Completely written and read back; never booted.
    Valid,
    /// Was committed once.
    Good,
    /// Failed its trial, or could not be read.
    Bad,
    /// It was there before the record.
    #[default]
    Unknown,
}

/// One boot of the slot that is not confirmed, because somebody asked for it: no trial, and nothing comes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Visit {
    #[default]
    None,
    /// The next boot should be it.
    Meant,
    /// The slot came up, so far as to say so.
    Made,
}

/// Why a trial ended, or a repair was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reason {
    #[default]
    None,
    /// The tries were spent: it hung, panicked or was reset each time.
    TriesSpent,
    /// The boot loader could not read it, or its root could not be mounted.
    Unreadable,
    /// The health checks failed, or their time was up.
    Health,
    /// Somebody asked for it.
    Asked,
    /// Not a failure: the trial was called off before it began.
    Cancelled,
    /// The boot loader's environment was lost during the trial.
    EnvironmentLost,
    /// The boot loader never began it.
    NotStarted,
}

/// Why 512 bytes are no record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordError {
    #[error("nothing was ever written there")]
    Blank,
    #[error("it does not begin like a record")]
    Foreign,
    #[error("the checksum does not fit")]
    Torn,
    #[error("byte {0} has a value that means nothing")]
    Unlawful(usize),
}

const MAGIC: &[u8; 4] = b"GGSS";
const LAYOUT: u16 = 1;
const IMAGE: usize = 73;
const SLOTS: usize = 52;
const USED: usize = 262;
const REST: usize = SECTOR - USED;
const REPAIRED: u8 = 1;
const VISIT: u8 = 2;
const VISIT_MADE: u8 = 4;

impl Record {
    /// Of a device that has none: this slot boots, and nothing more is known.
    pub fn fresh(ok: Slot) -> Self {
        Self {
            seq: 0,
            ok,
            trial: None,
            left: 0,
            max: 0,
            last_reason: Reason::None,
            repaired: false,
            visit: Visit::None,
            floor: 0,
            key_epoch: 0,
            trusted_time: 0,
            installs: 0,
            rollbacks: 0,
            slots: [Image::default(); 2],
            deployment: [0; 36],
            next_floor: 0,
            next_key_epoch: 0,
            levels: [0; 2],
            rest: Rest([0; REST]),
        }
    }

    pub fn image(&self, slot: Slot) -> &Image {
        &self.slots[slot.index()]
    }

    pub fn image_mut(&mut self, slot: Slot) -> &mut Image {
        &mut self.slots[slot.index()]
    }

    pub fn encode(&self) -> [u8; SECTOR] {
        let mut bytes = [0; SECTOR];
        let mut at = 8;
        let mut put = |field: &[u8]| {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        };
        put(&self.seq.to_le_bytes());
        put(&LAYOUT.to_le_bytes());
        let trial = self.trial.map_or(0, number);
        let visit = match self.visit {
            Visit::None => 0,
            Visit::Meant => VISIT,
            Visit::Made => VISIT | VISIT_MADE,
        };
        let flags = if self.repaired { REPAIRED } else { 0 } | visit;
        put(&[number(self.ok), trial, self.left, self.max, self.last_reason as u8, flags]);
        put(&self.floor.to_le_bytes());
        put(&self.key_epoch.to_le_bytes());
        put(&self.trusted_time.to_le_bytes());
        put(&self.installs.to_le_bytes());
        put(&self.rollbacks.to_le_bytes());
        for image in &self.slots {
            put(&[image.state as u8]);
            put(&image.version);
            put(&image.manifest);
            put(&image.transaction.to_le_bytes());
            put(&image.installed_at.to_le_bytes());
        }
        put(&self.deployment);
        put(&self.next_floor.to_le_bytes());
        put(&self.next_key_epoch.to_le_bytes());
        put(&self.levels[0].to_le_bytes());
        put(&self.levels[1].to_le_bytes());
        put(&self.rest.0);
        bytes[..4].copy_from_slice(MAGIC);
        let crc = crc32(&bytes[8..]).to_le_bytes();
        bytes[4..8].copy_from_slice(&crc);
        bytes
    }

    pub fn decode(bytes: &[u8; SECTOR]) -> Result<Self, RecordError> {
        if bytes[..4] != *MAGIC {
            let blank = bytes.iter().all(|byte| *byte == bytes[0]) && matches!(bytes[0], 0 | 0xff);
            return Err(if blank { RecordError::Blank } else { RecordError::Foreign });
        }
        if u32_at(bytes, 4) != crc32(&bytes[8..]) {
            return Err(RecordError::Torn);
        }
        let unlawful = RecordError::Unlawful;
        let mut record = Self {
            seq: u64_at(bytes, 8),
            ok: slot(bytes[18]).ok_or(unlawful(18))?,
            trial: if bytes[19] == 0 { None } else { Some(slot(bytes[19]).ok_or(unlawful(19))?) },
            left: bytes[20],
            max: bytes[21],
            last_reason: Reason::from_number(bytes[22]),
            repaired: bytes[23] & REPAIRED != 0,
            visit: match (bytes[23] & VISIT != 0, bytes[23] & VISIT_MADE != 0) {
                (false, _) => Visit::None,
                (true, false) => Visit::Meant,
                (true, true) => Visit::Made,
            },
            floor: u64_at(bytes, 24),
            key_epoch: u32_at(bytes, 32),
            trusted_time: u64_at(bytes, 36),
            installs: u32_at(bytes, 44),
            rollbacks: u32_at(bytes, 48),
            slots: [image(bytes, SLOTS)?, image(bytes, SLOTS + IMAGE)?],
            deployment: array(bytes, SLOTS + 2 * IMAGE),
            next_floor: u64_at(bytes, 234),
            next_key_epoch: u32_at(bytes, 242),
            levels: [u64_at(bytes, 246), u64_at(bytes, 254)],
            rest: Rest(array(bytes, USED)),
        };
        // A slot that is confirmed cannot be on trial; the confirmed one is what boots.
        record.trial = record.trial.filter(|slot| *slot != record.ok);
        Ok(record)
    }
}

impl Image {
    /// The version as text.
    pub fn version(&self) -> String {
        let length = self.version.iter().position(|byte| *byte == 0).unwrap_or(self.version.len());
        String::from_utf8_lossy(&self.version[..length]).into_owned()
    }

    /// A version as it is stored: what does not fit is cut, never within a letter.
    pub fn stored_version(text: &str) -> [u8; 24] {
        let mut stored = [0; 24];
        let end = (0..=text.len().min(24)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        stored[..end].copy_from_slice(&text.as_bytes()[..end]);
        stored
    }
}

impl Reason {
    const ALL: [Self; 8] = [
        Self::None,
        Self::TriesSpent,
        Self::Unreadable,
        Self::Health,
        Self::Asked,
        Self::Cancelled,
        Self::EnvironmentLost,
        Self::NotStarted,
    ];

    /// One that a later version invented is none that we know.
    pub(crate) fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or_default()
    }

    /// As it stands in reports and statuses.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::TriesSpent => "tries-spent",
            Self::Unreadable => "unreadable",
            Self::Health => "health",
            Self::Asked => "asked",
            Self::Cancelled => "cancelled",
            Self::EnvironmentLost => "environment-lost",
            Self::NotStarted => "not-started",
        }
    }
}

impl ImageState {
    const ALL: [Self; 6] = [Self::Empty, Self::Writing, Self::Valid, Self::Good, Self::Bad, Self::Unknown];

    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Writing => "writing",
            Self::Valid => "valid",
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }
}

fn image(bytes: &[u8; SECTOR], at: usize) -> Result<Image, RecordError> {
    let state = ImageState::ALL.get(usize::from(bytes[at])).ok_or(RecordError::Unlawful(at))?;
    Ok(Image {
        state: *state,
        version: array(bytes, at + 1),
        manifest: array(bytes, at + 25),
        transaction: u64_at(bytes, at + 57),
        installed_at: u64_at(bytes, at + 65),
    })
}

pub(crate) fn number(slot: Slot) -> u8 {
    match slot {
        Slot::A => 1,
        Slot::B => 2,
    }
}

pub(crate) fn slot(number: u8) -> Option<Slot> {
    match number {
        1 => Some(Slot::A),
        2 => Some(Slot::B),
        _ => None,
    }
}

pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Record {
        let image = Image {
            state: ImageState::Good,
            version: Image::stored_version("2.4.0"),
            manifest: [0xab; 32],
            transaction: 0x0102_0304_0506_0708,
            installed_at: 1_700_000_000,
        };
        Record {
            seq: 7,
            trial: Some(Slot::A),
            left: 2,
            max: 3,
            last_reason: Reason::NotStarted,
            repaired: true,
            floor: 9,
            key_epoch: 4,
            trusted_time: 1_800_000_000,
            installs: 11,
            rollbacks: 12,
            slots: [Image { state: ImageState::Unknown, ..image }, image],
            deployment: [b'd'; 36],
            next_floor: 10,
            next_key_epoch: 5,
            levels: [6, 7],
            rest: Rest([0x77; REST]),
            ..Record::fresh(Slot::B)
        }
    }

    #[test]
    fn record_survives_its_encoding() {
        for record in [full(), Record::fresh(Slot::A)] {
            assert_eq!(Record::decode(&record.encode()), Ok(record));
        }
    }

    #[test]
    fn layout_is_the_written_one() {
        let bytes = full().encode();
        assert_eq!(&bytes[..4], b"GGSS");
        assert_eq!(&bytes[8..24], [7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 1, 2, 3, 7, 1]);
        assert_eq!(bytes[52 + 73], ImageState::Good as u8);
        assert_eq!(&bytes[52 + 73 + 1..52 + 73 + 7], b"2.4.0\0");
        assert_eq!(&bytes[198..234], [b'd'; 36]);
    }

    #[test]
    fn each_flipped_bit_is_noticed() {
        let bytes = full().encode();
        for bit in 0..SECTOR * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Record::decode(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn blank_is_told_from_foreign() {
        assert_eq!(Record::decode(&[0; SECTOR]), Err(RecordError::Blank));
        assert_eq!(Record::decode(&[0xff; SECTOR]), Err(RecordError::Blank));
        assert_eq!(Record::decode(&[1; SECTOR]), Err(RecordError::Foreign));
    }

    #[test]
    fn long_version_is_cut_between_letters() {
        let image =
            Image { version: Image::stored_version("1.0.0-äöüäöüäöüäöüäöü"), ..Image::default() };
        assert_eq!(image.version(), "1.0.0-äöüäöüäöü");
    }
}
