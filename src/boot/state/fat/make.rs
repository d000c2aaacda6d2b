//! Makes a small file anew where it is lost: for the one file that a boot loader cannot do without.
//!
//! The blocks come first, then the tables, then the directory, whose one sector makes it a file: a cut before that
//! leaves blocks that nobody uses and a file system that is otherwise as it was. The file system must not be mounted.

use super::{
    DIRECTORY, ENTRY, Fat, FatError, MOST_CLUSTERS, Root, SECTOR, Search, Wanted, Width, first_cluster, short_name,
};
use crate::state::medium::{Medium, write_through};

/// Makes the file of that path, of whole sectors; one of that name is replaced. The directory must be there.
/// Returns where it begins.
pub fn make(medium: impl Medium, path: &str, content: &[u8]) -> Result<u64, FatError> {
    let fat = Fat::open(medium)?;
    let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut directory = fat.root;
    for part in directories.split('/').filter(|part| !part.is_empty()) {
        let found = fat.find(directory, part)?.filter(|entry| entry[11] & DIRECTORY != 0);
        let entry = found.ok_or_else(|| FatError::NotFound(directories.to_owned()))?;
        directory = Root::Cluster(first_cluster(&entry));
    }
    let place = fat.place_for(directory, name)?;
    let count = (content.len() as u64).div_ceil(fat.cluster) as u32;
    let first = fat.free_run(count)?;
    let at = fat.place(first)?;
    fat.write("the file", at, content)?;
    for cluster in first..first + count {
        let next = if cluster + 1 == first + count { END } else { cluster + 1 };
        fat.set_next(cluster, next)?;
    }
    fat.write_entry(place, name, first, content.len() as u32)?;
    Ok(at)
}

const ARCHIVE: u8 = 0x20;
/// How others spell a short name that is not in capitals.
const LOWER_CASE: u8 = 0x18;
/// The first day there is.
const DAY: u16 = 1 << 5 | 1;
/// The end of a chain, cut to the width of the table.
const END: u32 = 0x0fff_ffff;

impl<M: Medium> Fat<M> {
    /// Where the entry of that name is, else where one could be.
    fn place_for(&self, directory: Root, name: &str) -> Result<u64, FatError> {
        let mut wanted = Wanted::new(name);
        let mut free = None;
        let mut cluster = match directory {
            Root::Fixed { at, length } => {
                self.place_in(at, length, &mut wanted, &mut free)?;
                return free.ok_or(FatError::Full);
            }
            Root::Cluster(cluster) => cluster,
        };
        for _ in 0..MOST_CLUSTERS {
            let search = self.place_in(self.place(cluster)?, self.cluster, &mut wanted, &mut free)?;
            match self.next(cluster)? {
                Some(next) if matches!(search, Search::NotHere) => cluster = next,
                _ => return free.ok_or(FatError::Full),
            }
        }
        Err(FatError::Unlawful("directory"))
    }

    /// The first free place is kept in `free`, unless the name is found: then that is it.
    fn place_in(&self, at: u64, length: u64, wanted: &mut Wanted, free: &mut Option<u64>) -> Result<Search, FatError> {
        const ERASED: u8 = 0xe5;
        let mut sector = [0; SECTOR];
        for offset in (0..length).step_by(SECTOR) {
            self.read("a directory", at + offset, &mut sector)?;
            for (index, entry) in sector.as_chunks::<ENTRY>().0.iter().enumerate() {
                let here = at + offset + (index * ENTRY) as u64;
                if wanted.is(entry) {
                    *free = Some(here);
                    return Ok(Search::Found(*entry));
                }
                if matches!(entry[0], 0 | ERASED) {
                    free.get_or_insert(here);
                }
                if entry[0] == 0 {
                    return Ok(Search::Ended);
                }
            }
        }
        Ok(Search::NotHere)
    }

    /// So many free clusters that follow one another.
    fn free_run(&self, count: u32) -> Result<u32, FatError> {
        // As many bytes as hold whole entries, whatever their width.
        const CHUNK: usize = 3 * SECTOR;
        let mut chunk = [0; CHUNK];
        let mut run = 0;
        for cluster in 0..self.clusters + 2 {
            let (offset, length) = self.width.place(cluster);
            let within = (offset % CHUNK as u64) as usize;
            if within == 0 {
                // The end of a short table is not the end of the file system.
                self.read("the table", self.table + offset, &mut chunk)?;
            }
            let is_free = cluster >= 2 && self.width.entry(cluster, &chunk[within..within + length]) == 0;
            run = if is_free { run + 1 } else { 0 };
            if run == count {
                return Ok(cluster + 1 - count);
            }
        }
        Err(FatError::Full)
    }

    /// In each table, the first one last: that is the one that is read.
    fn set_next(&self, cluster: u32, next: u32) -> Result<(), FatError> {
        let (offset, length) = self.width.place(cluster);
        let next = match self.width {
            Width::Bits12 => next & 0xfff,
            Width::Bits16 => next & 0xffff,
            Width::Bits32 => next,
        };
        for table in (0..self.tables).rev() {
            let at = self.table + table * self.table_length + offset;
            // An entry of 12 bits may lie across two sectors.
            let mut sectors = [0; 2 * SECTOR];
            let from = at / SECTOR as u64 * SECTOR as u64;
            let within = (at - from) as usize;
            let sectors = &mut sectors[..(within + length).next_multiple_of(SECTOR)];
            self.read("the table", from, sectors)?;
            let mut word = [0; 4];
            word[..length].copy_from_slice(&sectors[within..within + length]);
            let old = u32::from_le_bytes(word);
            let new = match self.width {
                Width::Bits12 if cluster.is_multiple_of(2) => old & !0xfff | next,
                Width::Bits12 => old & !0xfff0 | next << 4,
                Width::Bits16 => next,
                Width::Bits32 => old & !END | next,
            };
            sectors[within..within + length].copy_from_slice(&new.to_le_bytes()[..length]);
            self.write("the table", from, sectors)?;
        }
        Ok(())
    }

    fn write_entry(&self, place: u64, name: &str, first: u32, size: u32) -> Result<(), FatError> {
        let mut entry = [0; ENTRY];
        entry[..11].copy_from_slice(&short_name(name));
        entry[..11].make_ascii_uppercase();
        (entry[11], entry[12]) = (ARCHIVE, LOWER_CASE);
        for at in [16, 18, 24] {
            entry[at..at + 2].copy_from_slice(&DAY.to_le_bytes());
        }
        let [low, lower, high, higher] = first.to_le_bytes();
        (entry[26], entry[27], entry[20], entry[21]) = (low, lower, high, higher);
        entry[28..].copy_from_slice(&size.to_le_bytes());
        let from = place / SECTOR as u64 * SECTOR as u64;
        let within = (place - from) as usize;
        let mut sector = [0; SECTOR];
        self.read("a directory", from, &mut sector)?;
        sector[within..within + ENTRY].copy_from_slice(&entry);
        self.write("a directory", from, &sector)
    }

    fn write(&self, what: &'static str, at: u64, sectors: &[u8]) -> Result<(), FatError> {
        write_through(&self.medium, at, sectors).map_err(|cause| FatError::Write { what, cause })
    }
}
