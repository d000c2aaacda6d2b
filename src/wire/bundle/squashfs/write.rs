//! The tables of a squashfs with some files at its top and nothing else.
//!
//! Whoever writes an image puts the files' blocks behind room for the superblock, notes what became of each, and gets the
//! rest from here. Tables are not packed: they are small, and whoever reads them needs no method.

use miniz_oxide::deflate::compress_to_vec_zlib;

use super::compression::Compression;
use super::{MAGIC, METADATA, NO_FRAGMENT, NONE, SUPERBLOCK};

/// A file whose blocks have been written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    pub name: String,
    pub mode: u16,
    pub size: u64,
    /// Offset of the first block.
    pub start: u64,
    /// What [`super::BlockSize`] decodes, of each block.
    pub blocks: Vec<u32>,
}

/// What is to be written around the blocks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    pub superblock: [u8; SUPERBLOCK],
    /// Comes behind the last block.
    pub tables: Vec<u8>,
}

/// A size of a data block for [`File::blocks`]: as it is. The size of a packed one is that of what it was packed to.
pub const fn stored(size: u32) -> u32 {
    size | 1 << 24
}

/// Packs a data block by what squashfs calls gzip. None where that makes it no smaller.
pub fn pack(block: &[u8]) -> Option<Vec<u8>> {
    Some(compress_to_vec_zlib(block, LEVEL)).filter(|packed| packed.len() < block.len())
}

/// Of zlib's 0 to 9; more takes several times as long for one per cent.
const LEVEL: u8 = 6;

/// Makes superblock and tables for files whose blocks end at `end`. Names are sorted here.
pub fn plan(mut files: Vec<File>, block_size: u32, modified: u32, end: u64) -> Plan {
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let count = u32::try_from(files.len()).unwrap_or(u32::MAX);
    let mut inodes = Vec::new();
    // Where each inode is: the offset of its metadata block on disk, and its offset in the unpacked one.
    let mut places = Vec::new();
    for (number, file) in (1_u32..).zip(&files) {
        places.push(place(inodes.len()));
        inode_head(&mut inodes, 9, file.mode, modified, number);
        // Bytes that are not there because they are zeros are not counted.
        for field in [file.start, file.size, 0] {
            inodes.extend_from_slice(&field.to_le_bytes());
        }
        for field in [1, NO_FRAGMENT, 0, u32::MAX] {
            inodes.extend_from_slice(&field.to_le_bytes());
        }
        for block in &file.blocks {
            inodes.extend_from_slice(&block.to_le_bytes());
        }
    }

    let mut listing = Vec::new();
    let mut next = 0;
    while next < files.len() {
        let (block, _) = places[next];
        // A header is for at most 256 names whose inodes begin in the same block.
        let run = places[next..].iter().take(256).take_while(|(other, _)| *other == block).count();
        let first = u32::try_from(next).unwrap_or(u32::MAX) + 1;
        for field in [u32::try_from(run).unwrap_or(0) - 1, block, first] {
            listing.extend_from_slice(&field.to_le_bytes());
        }
        for index in next..next + run {
            let name = files[index].name.as_bytes();
            let length = u16::try_from(name.len() - 1).unwrap_or(u16::MAX);
            let number = u16::try_from(index - next).unwrap_or(u16::MAX);
            for field in [places[index].1, number, 2, length] {
                listing.extend_from_slice(&field.to_le_bytes());
            }
            listing.extend_from_slice(name);
        }
        next += run;
    }

    let (root_block, root_offset) = place(inodes.len());
    inode_head(&mut inodes, 8, 0o755, modified, count + 1);
    let size = u32::try_from(listing.len()).unwrap_or(u32::MAX - 3) + 3;
    for field in [2, size, 0, count + 2, 0, u32::MAX] {
        inodes.extend_from_slice(&field.to_le_bytes());
    }

    let mut tables = Vec::new();
    let at = |tables: &Vec<u8>| end + u64::try_from(tables.len()).unwrap_or(0);
    let inode_table = at(&tables);
    metadata(&mut tables, &inodes);
    let directory_table = at(&tables);
    metadata(&mut tables, &listing);
    let fragment_table = at(&tables);
    metadata(&mut tables, &0_u32.to_le_bytes());
    let id_table = at(&tables);
    tables.extend_from_slice(&fragment_table.to_le_bytes());
    let bytes_used = at(&tables);

    let mut superblock = Vec::with_capacity(SUPERBLOCK);
    for field in [MAGIC, count + 1, modified, block_size, 0] {
        superblock.extend_from_slice(&field.to_le_bytes());
    }
    // Inodes and identifiers are not packed; no fragments, no extended attributes.
    const FLAGS: u16 = 0x0001 | 0x0010 | 0x0200 | 0x0800;
    let log = u16::try_from(block_size.trailing_zeros()).unwrap_or(0);
    for field in [Compression::GZIP, log, FLAGS, 1, 4, 0] {
        superblock.extend_from_slice(&field.to_le_bytes());
    }
    let root = u64::from(root_block) << 16 | u64::from(root_offset);
    for field in [root, bytes_used, id_table, NONE, inode_table, directory_table, fragment_table, NONE] {
        superblock.extend_from_slice(&field.to_le_bytes());
    }
    let mut whole = [0; SUPERBLOCK];
    whole.copy_from_slice(&superblock);
    Plan { superblock: whole, tables }
}

fn inode_head(inodes: &mut Vec<u8>, kind: u16, mode: u16, modified: u32, number: u32) {
    for field in [kind, mode, 0, 0] {
        inodes.extend_from_slice(&field.to_le_bytes());
    }
    for field in [modified, number] {
        inodes.extend_from_slice(&field.to_le_bytes());
    }
}

/// Where the byte `at` of a table is found.
fn place(at: usize) -> (u32, u16) {
    let block = at / METADATA * (METADATA + 2);
    (u32::try_from(block).unwrap_or(u32::MAX), u16::try_from(at % METADATA).unwrap_or(0))
}

fn metadata(out: &mut Vec<u8>, bytes: &[u8]) {
    for block in bytes.chunks(METADATA) {
        let size = u16::try_from(block.len()).unwrap_or(0);
        out.extend_from_slice(&(size | 0x8000).to_le_bytes());
        out.extend_from_slice(block);
    }
}
