//! Finds where a small file lies on a FAT file system, so that it can be overwritten in place without a mount: no
//! driver is needed, nothing marks the file system dirty, and exactly one sector changes.
//!
//! Names are compared in any case, as FAT's short ones and as long ones of one piece, which is 13 letters: whoever made
//! the file may have called it `COUNT~1`, and `count` beside it. Everything read is checked before it is used as a place.

mod make;

pub use make::make;

use std::io;

use super::medium::{Medium, SECTOR};

/// Why a file is not found, or cannot be written in place.
#[derive(Debug, thiserror::Error)]
pub enum FatError {
    #[error("cannot read {what} of the file system")]
    Read {
        what: &'static str,
        #[source]
        cause: io::Error,
    },
    #[error("cannot write {what} of the file system")]
    Write {
        what: &'static str,
        #[source]
        cause: io::Error,
    },
    #[error("there is no FAT file system")]
    NoFat,
    #[error("its {0} cannot be")]
    Unlawful(&'static str),
    #[error("there is no {0:?}")]
    NotFound(String),
    #[error("it has {found} bytes, not {wanted}")]
    Size { found: u64, wanted: u64 },
    #[error("its blocks do not lie together")]
    Scattered,
    #[error("it has no room for one more file")]
    Full,
}

/// The kinds differ in how long an entry of the table is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Width {
    Bits12,
    Bits16,
    Bits32,
}

impl Width {
    /// Where the entry of a cluster begins in the table, and how many bytes have something of it.
    fn place(self, cluster: u32) -> (u64, usize) {
        let number = u64::from(cluster);
        match self {
            Self::Bits12 => (number + number / 2, 2),
            Self::Bits16 => (number * 2, 2),
            Self::Bits32 => (number * 4, 4),
        }
    }

    /// The entry out of those bytes.
    fn entry(self, cluster: u32, bytes: &[u8]) -> u32 {
        let mut word = [0; 4];
        word[..bytes.len()].copy_from_slice(bytes);
        let word = u32::from_le_bytes(word);
        match self {
            Self::Bits12 if cluster.is_multiple_of(2) => word & 0xfff,
            Self::Bits12 => word >> 4,
            Self::Bits16 => word,
            Self::Bits32 => word & 0x0fff_ffff,
        }
    }
}

#[derive(Debug)]
struct Fat<M> {
    medium: M,
    width: Width,
    cluster: u64,
    table: u64,
    /// How many copies of the table there are, and how many bytes each has.
    tables: u64,
    table_length: u64,
    data: u64,
    clusters: u32,
    root: Root,
}

#[derive(Clone, Copy, Debug)]
enum Root {
    /// FAT12 and FAT16: a place of its own.
    Fixed {
        at: u64,
        length: u64,
    },
    Cluster(u32),
}

/// Longer directories and files are not ours.
const MOST_CLUSTERS: usize = 256;
const ENTRY: usize = 32;
const DIRECTORY: u8 = 0x10;

/// Where the file of that path and size begins on the medium.
pub fn locate(medium: impl Medium, path: &str, size: u64) -> Result<u64, FatError> {
    let fat = Fat::open(medium)?;
    let mut directory = fat.root;
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        let entry = fat.find(directory, part)?.ok_or_else(|| FatError::NotFound(path.to_owned()))?;
        let is_directory = entry[11] & DIRECTORY != 0;
        let first = first_cluster(&entry);
        if parts.peek().is_none() {
            let found = u64::from(u32::from_le_bytes([entry[28], entry[29], entry[30], entry[31]]));
            if is_directory || found != size {
                return Err(FatError::Size { found, wanted: size });
            }
            return fat.contiguous(first, size);
        }
        if !is_directory {
            return Err(FatError::NotFound(path.to_owned()));
        }
        directory = Root::Cluster(first);
    }
    Err(FatError::NotFound(path.to_owned()))
}

impl<M: Medium> Fat<M> {
    fn open(medium: M) -> Result<Self, FatError> {
        let mut head = [0; SECTOR];
        medium.read(0, &mut head).map_err(|cause| FatError::Read { what: "the first sector", cause })?;
        if head[510..] != [0x55, 0xaa] {
            return Err(FatError::NoFat);
        }
        let sector = u64::from(half(&head, 11));
        let per_cluster = u64::from(head[13]);
        if !matches!(sector, 512 | 1024 | 2048 | 4096) || !per_cluster.is_power_of_two() {
            return Err(FatError::NoFat);
        }
        let reserved = u64::from(half(&head, 14));
        let tables = u64::from(head[16]);
        let root_entries = u64::from(half(&head, 17));
        let word = |at: usize| u64::from(u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
        let either = |short: usize, long: usize| {
            if half(&head, short) == 0 { word(long) } else { u64::from(half(&head, short)) }
        };
        let (all, per_table) = (either(19, 32), either(22, 36));
        if reserved == 0 || !(1..=2).contains(&tables) || per_table == 0 {
            return Err(FatError::NoFat);
        }
        let root_length = root_entries * ENTRY as u64;
        let root_at = reserved + tables * per_table;
        let data = root_at + root_length.div_ceil(sector);
        let clusters = all.checked_sub(data).ok_or(FatError::Unlawful("size"))? / per_cluster;
        let width = match clusters {
            ..4085 => Width::Bits12,
            4085..65525 => Width::Bits16,
            65525..0x0fff_fff5 => Width::Bits32,
            _ => return Err(FatError::Unlawful("size")),
        };
        let root = match width {
            Width::Bits32 => Root::Cluster(word(44) as u32),
            _ => Root::Fixed { at: root_at * sector, length: root_length },
        };
        let (cluster, table, data) = (per_cluster * sector, reserved * sector, data * sector);
        let table_length = per_table * sector;
        let clusters = clusters as u32;
        // A table that is too short would have us take what is behind it for a part of it.
        let (last, length) = width.place(clusters + 1);
        if last + length as u64 > table_length {
            return Err(FatError::Unlawful("table"));
        }
        Ok(Self { medium, width, cluster, table, tables, table_length, data, clusters, root })
    }

    fn place(&self, cluster: u32) -> Result<u64, FatError> {
        let index =
            cluster.checked_sub(2).filter(|index| *index < self.clusters).ok_or(FatError::Unlawful("cluster"))?;
        Ok(self.data + u64::from(index) * self.cluster)
    }

    /// The cluster that follows; `None` at the end of the chain.
    fn next(&self, cluster: u32) -> Result<Option<u32>, FatError> {
        let (at, length) = self.width.place(cluster);
        let mut bytes = [0; 4];
        self.read("the table", self.table + at, &mut bytes[..length])?;
        let next = self.width.entry(cluster, &bytes[..length]);
        let end = match self.width {
            Width::Bits12 => 0xff8,
            Width::Bits16 => 0xfff8,
            Width::Bits32 => 0x0fff_fff8,
        };
        Ok((next < end).then_some(next))
    }

    fn read(&self, what: &'static str, at: u64, into: &mut [u8]) -> Result<(), FatError> {
        self.medium.read(at, into).map_err(|cause| FatError::Read { what, cause })
    }

    fn find(&self, directory: Root, name: &str) -> Result<Option<[u8; ENTRY]>, FatError> {
        let mut wanted = Wanted::new(name);
        let mut cluster = match directory {
            Root::Fixed { at, length } => return Ok(self.find_in(at, length, &mut wanted)?.entry()),
            Root::Cluster(cluster) => cluster,
        };
        for _ in 0..MOST_CLUSTERS {
            match self.find_in(self.place(cluster)?, self.cluster, &mut wanted)? {
                Search::NotHere => {}
                ended => return Ok(ended.entry()),
            }
            match self.next(cluster)? {
                Some(next) => cluster = next,
                None => return Ok(None),
            }
        }
        Err(FatError::Unlawful("directory"))
    }

    fn find_in(&self, at: u64, length: u64, wanted: &mut Wanted) -> Result<Search, FatError> {
        let mut sector = [0; SECTOR];
        for offset in (0..length).step_by(SECTOR) {
            self.read("a directory", at + offset, &mut sector)?;
            for entry in sector.as_chunks::<ENTRY>().0 {
                if entry[0] == 0 {
                    return Ok(Search::Ended);
                }
                if wanted.is(entry) {
                    return Ok(Search::Found(*entry));
                }
            }
        }
        Ok(Search::NotHere)
    }

    /// Where a file begins whose clusters follow one another.
    fn contiguous(&self, first: u32, size: u64) -> Result<u64, FatError> {
        let at = self.place(first)?;
        let mut cluster = first;
        for _ in 1..size.div_ceil(self.cluster) {
            match self.next(cluster)? {
                Some(next) if next == cluster + 1 => cluster = next,
                _ => return Err(FatError::Scattered),
            }
        }
        self.place(cluster)?;
        Ok(at)
    }
}

enum Search {
    Found([u8; ENTRY]),
    /// Nothing comes behind.
    Ended,
    NotHere,
}

impl Search {
    fn entry(self) -> Option<[u8; ENTRY]> {
        match self {
            Self::Found(entry) => Some(entry),
            Self::Ended | Self::NotHere => None,
        }
    }
}

/// `grubenv` as `GRUBENV    `. A name that is no short one matches nothing.
fn short_name(name: &str) -> [u8; 11] {
    let (base, extension) = name.split_once('.').unwrap_or((name, ""));
    let mut short = [b' '; 11];
    if base.len() > 8 || extension.len() > 3 {
        return [0; 11];
    }
    short[..base.len()].copy_from_slice(base.as_bytes());
    short[8..8 + extension.len()].copy_from_slice(extension.as_bytes());
    short
}

/// The name that is looked for, entry by entry.
struct Wanted {
    short: [u8; 11],
    /// As a piece has it: ended by a zero, and filled up.
    long: Option<[u16; LETTERS]>,
    /// The entry before: it may be a piece of the long name.
    before: [u8; ENTRY],
}

/// How many a piece of a long name has.
const LETTERS: usize = 13;

impl Wanted {
    fn new(name: &str) -> Self {
        let mut long = [0xffff; LETTERS];
        let mut letters = name.encode_utf16().chain([0]);
        long.iter_mut().zip(letters.by_ref()).for_each(|(into, letter)| *into = letter);
        // The zero has no place where the piece is full.
        let is_short_enough = letters.all(|left| left == 0);
        Self { short: short_name(name), long: is_short_enough.then_some(long), before: [0; ENTRY] }
    }

    fn is(&mut self, entry: &[u8; ENTRY]) -> bool {
        const VOLUME_OR_LONG_NAME: u8 = 0x08;
        let before = std::mem::replace(&mut self.before, *entry);
        let is_file = entry[11] & VOLUME_OR_LONG_NAME == 0;
        is_file && (entry[..11].eq_ignore_ascii_case(&self.short) || self.is_long_name(&before, entry))
    }

    /// Whether the piece is all of this entry's long name, and that is it.
    fn is_long_name(&self, piece: &[u8; ENTRY], entry: &[u8; ENTRY]) -> bool {
        const LAST_AND_FIRST: u8 = 0x41;
        const LONG_NAME: u8 = 0x0f;
        let Some(long) = &self.long else { return false };
        let sum = entry[..11].iter().fold(0_u8, |sum, letter| sum.rotate_right(1).wrapping_add(*letter));
        let is_piece = piece[0] == LAST_AND_FIRST && piece[11] == LONG_NAME && piece[13] == sum;
        let lower = |letter: u16| u8::try_from(letter).map_or(letter, |letter| letter.to_ascii_lowercase().into());
        let letters = (1..11).chain(14..26).chain(28..32).step_by(2).map(|at| half(piece, at));
        is_piece && letters.map(lower).eq(long.iter().copied().map(lower))
    }
}

fn first_cluster(entry: &[u8; ENTRY]) -> u32 {
    u32::from(half(entry, 20)) << 16 | u32::from(half(entry, 26))
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(short: &[u8; 11]) -> [u8; ENTRY] {
        let mut entry = [0; ENTRY];
        entry[..11].copy_from_slice(short);
        entry
    }

    /// As U-Boot writes it in front of `COUNT~1`, with that one's sum.
    fn piece(name: &str, sum: u8) -> [u8; ENTRY] {
        let mut piece = [0xff; ENTRY];
        (piece[0], piece[11], piece[12], piece[13], piece[26], piece[27]) = (0x41, 0x0f, 0, sum, 0, 0);
        let places = (1..11).chain(14..26).chain(28..32).step_by(2);
        for (at, letter) in places.zip(name.encode_utf16().chain([0])) {
            piece[at..at + 2].copy_from_slice(&letter.to_le_bytes());
        }
        piece
    }

    #[test]
    fn file_is_found_by_its_short_name_and_by_its_long_one() {
        let is = |name: &str, entries: &[[u8; ENTRY]]| {
            let mut wanted = Wanted::new(name);
            entries.iter().map(|entry| wanted.is(entry)).collect::<Vec<_>>()
        };
        let (short, alias) = (file(b"COUNT      "), file(b"COUNT~1    "));
        assert_eq!(is("count", &[file(b"OTHER      "), short]), [false, true]);
        assert_eq!(is("count", &[alias]), [false]);
        // Another's piece, one of a longer name, and one that lost its file.
        let sum = 0xec;
        assert_eq!(is("count", &[piece("count", sum), alias]), [false, true]);
        assert_eq!(is("Count", &[piece("cOUNT", sum), alias]), [false, true]);
        assert_eq!(is("count", &[piece("count", sum + 1), alias]), [false, false]);
        assert_eq!(is("count", &[piece("counts", sum), alias]), [false, false]);
        assert_eq!(is("count", &[piece("count", sum), file(b"OTHER      "), alias]), [false; 3]);
        let full = "thirteen.name";
        assert_eq!(is(full, &[piece(full, sum), alias]), [false, true]);
        assert_eq!(is("fourteen.names", &[piece("fourteen.name", sum), alias]), [false, false]);
    }
}
