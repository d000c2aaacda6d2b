//! The files at the top of a bundle's squashfs, and their bytes piece by piece.
//!
//! Memory has a limit whatever the image says: a metadata block, a listing, and the pieces of [`MAX_CHUNK`] bytes that the
//! caller asks for. The list of a file's blocks is read as it is needed.

use std::ops::Range;

use super::{BundleError, Reader};
use crate::wire::bundle::manifest::FileName;
use crate::wire::bundle::squashfs::compression::Unpacker;
use crate::wire::bundle::squashfs::{
    BlockSize, Entry, FileInode, Fragment, Inode, METADATA, MetadataHeader, Reference, SUPERBLOCK, SquashfsError,
    Superblock, directory,
};

/// Bytes of a file that come in one piece at most.
pub const MAX_CHUNK: usize = 1 << 20;
/// Bytes that there is one flag for.
const FLAG: usize = 4096;
/// Bytes a listing may have: thousands of files, where a bundle has a handful.
const MAX_LISTING: usize = 256 << 10;

/// The files of a bundle.
#[derive(Debug)]
pub struct Contents {
    superblock: Superblock,
    entries: Vec<Entry>,
}

impl Contents {
    /// Reads the listing.
    pub fn open(reader: &mut Reader<'_>) -> Result<Self, BundleError> {
        let mut head = [0; SUPERBLOCK];
        reader.read(0, &mut head)?;
        let superblock = Superblock::decode(&head, reader.data_size())?;
        let mut unpacker = Unpacker::new(superblock.compression);
        let mut inodes = Cursor::at(superblock.inode_table, superblock.root, &superblock);
        let Inode::Directory { listing, size } = inodes.inode(reader, &mut unpacker)? else {
            return Err(SquashfsError::Directory.into());
        };
        let size = usize::try_from(size).ok().filter(|size| *size <= MAX_LISTING).ok_or(SquashfsError::Directory)?;
        let mut bytes = vec![0; size];
        let mut cursor = Cursor::at(superblock.directory_table, listing, &superblock);
        cursor.read(reader, &mut unpacker, &mut bytes)?;
        Ok(Self { superblock, entries: directory(&bytes)? })
    }

    /// The names of all files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|entry| str::from_utf8(&entry.name).ok())
    }

    pub fn compression(&self) -> &'static str {
        self.superblock.compression.as_str()
    }

    pub fn block_size(&self) -> u32 {
        self.superblock.block_size
    }

    /// Something to unpack the pieces with. Each thread has its own.
    pub fn unpacker(&self) -> Unpacker {
        Unpacker::new(self.superblock.compression)
    }

    /// The pieces of a file, from its beginning to its end.
    pub fn file(&self, reader: &mut Reader<'_>, name: &FileName) -> Result<Chunks, BundleError> {
        let missing = || BundleError::NoFile { name: name.as_str().to_owned() };
        let entry = self.entries.iter().find(|entry| entry.name == name.as_str().as_bytes()).ok_or_else(missing)?;
        let mut unpacker = self.unpacker();
        let mut cursor = Cursor::at(self.superblock.inode_table, entry.inode, &self.superblock);
        let Inode::File(inode) = cursor.inode(reader, &mut unpacker)? else { return Err(missing()) };
        let blocks = inode.blocks(self.superblock.block_size);
        Ok(Chunks {
            superblock: self.superblock,
            inode,
            cursor,
            unpacker,
            blocks_left: blocks,
            source_at: inode.start,
            at: 0,
        })
    }
}

/// The pieces of one file that are still to come.
#[derive(Debug)]
pub struct Chunks {
    superblock: Superblock,
    inode: FileInode,
    cursor: Cursor,
    unpacker: Unpacker,
    blocks_left: u64,
    source_at: u64,
    at: u64,
}

/// One piece of a file: where its packed blocks are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// Offset in the file.
    pub at: u64,
    /// Bytes of the file: [`MAX_CHUNK`], or less in the last one.
    pub length: usize,
    /// Offset of the first block in the squashfs, and bytes of all.
    source_at: u64,
    stored: usize,
    blocks: Vec<BlockSize>,
    /// The end of the file: a fragment's place, and the offset in the unpacked one.
    tail: Option<(Fragment, usize)>,
    block_size: usize,
}

impl Chunks {
    pub fn size(&self) -> u64 {
        self.inode.size
    }

    /// The next piece; none at the end.
    pub fn next(&mut self, reader: &mut Reader<'_>) -> Result<Option<Chunk>, BundleError> {
        let left = self.inode.size - self.at;
        if left == 0 {
            return Ok(None);
        }
        let block_size = u64::from(self.superblock.block_size);
        let count = self.blocks_left.min((MAX_CHUNK as u64 / block_size).max(1));
        let mut raw = [0; 4 * (MAX_CHUNK / 4096)];
        // At most 256 blocks of at least 4096 bytes.
        let raw = &mut raw[..usize::try_from(count * 4).unwrap_or(0)];
        self.cursor.read(reader, &mut self.unpacker, raw)?;
        let (numbers, _) = raw.as_chunks::<4>();
        let mut stored: u64 = 0;
        let mut blocks = Vec::with_capacity(numbers.len());
        for number in numbers {
            let size = BlockSize::decode(u32::from_le_bytes(*number), self.superblock.block_size)?;
            stored += u64::from(size.stored);
            blocks.push(size);
        }
        self.blocks_left -= count;
        let mut length = (count * block_size).min(left);
        let room = MAX_CHUNK as u64 - length;
        let rest = left - length;
        let tail = match self.inode.fragment {
            Some((number, offset)) if self.blocks_left == 0 && rest > 0 && rest <= room => {
                length += rest;
                let offset = usize::try_from(offset).unwrap_or(usize::MAX);
                Some((self.fragment(reader, number)?, offset))
            }
            _ => None,
        };
        if length == 0 {
            return Err(SquashfsError::Truncated.into());
        }
        let chunk = Chunk {
            at: self.at,
            length: usize::try_from(length).unwrap_or(0),
            source_at: self.source_at,
            stored: usize::try_from(stored).unwrap_or(0),
            blocks,
            tail,
            block_size: usize::try_from(self.superblock.block_size).unwrap_or(0),
        };
        self.source_at = self.source_at.saturating_add(stored);
        self.at += length;
        Ok(Some(chunk))
    }

    fn fragment(&mut self, reader: &mut Reader<'_>, number: u32) -> Result<Fragment, BundleError> {
        if number >= self.superblock.fragments {
            return Err(SquashfsError::Tables.into());
        }
        // A table of where the metadata blocks are that have the entries.
        let offset = u64::from(number) * Fragment::SIZE as u64;
        let mut index = [0; 8];
        let at = self.superblock.fragment_table.saturating_add(offset / METADATA as u64 * 8);
        reader.read(at, &mut index)?;
        let offset = u16::try_from(offset % METADATA as u64).unwrap_or(0);
        let reference = Reference { block: 0, offset };
        let mut cursor = Cursor::at(u64::from_le_bytes(index), reference, &self.superblock);
        let mut entry = [0; Fragment::SIZE];
        cursor.read(reader, &mut self.unpacker, &mut entry)?;
        Ok(Fragment::decode(&entry, self.superblock.block_size)?)
    }
}

/// Where a part of a piece lies.
struct Part {
    /// In the piece.
    at: usize,
    length: usize,
    /// In the bundle.
    source_at: u64,
    stored: usize,
    size: BlockSize,
}

impl Chunk {
    /// Offset in the bundle of the first block of this piece.
    pub fn source_at(&self) -> u64 {
        self.source_at
    }

    /// Offset in the bundle behind the last block of this piece.
    pub fn source_end(&self) -> u64 {
        self.source_at.saturating_add(self.stored as u64)
    }

    /// Reads the blocks ahead of [`Chunk::unpack`], but not the tail. Nobody has verified them yet.
    pub fn load(&self, reader: &mut Reader<'_>) -> Result<(), BundleError> {
        if self.stored == 0 { Ok(()) } else { reader.load(self.source_at, self.stored) }
    }

    /// The blocks, but not the tail.
    fn parts(&self) -> impl Iterator<Item = Part> {
        let (mut at, mut source_at) = (0, self.source_at);
        self.blocks.iter().map(move |size| {
            let length = self.block_size.min(self.length - at);
            let stored = usize::try_from(size.stored).unwrap_or(usize::MAX);
            let part = Part { at, length, source_at, stored, size: *size };
            at += length;
            source_at = source_at.saturating_add(stored as u64);
            part
        })
    }

    /// Where in the bundle lies what is wanted, of each 4096 bytes. A packed block is read as a whole.
    pub fn places(&self, wanted: &[bool], mut report: impl FnMut(Range<u64>)) {
        let mut end = 0;
        for part in self.parts() {
            end = part.at + part.length;
            let wanted = &wanted[part.at / FLAG..end.div_ceil(FLAG)];
            if part.is_plain() {
                runs(wanted, part.length)
                    .for_each(|run| report(part.source_at + run.start as u64..part.source_at + run.end as u64));
            } else if part.stored > 0 && wanted.contains(&true) {
                report(part.source_at..part.source_at + part.stored as u64);
            }
        }
        if let Some((fragment, _)) = self.tail
            && wanted[end / FLAG..].contains(&true)
        {
            report(fragment.start..fragment.start.saturating_add(fragment.size.stored.into()));
        }
    }

    /// As [`Chunk::unpack`], but only what is wanted and what lies in packed blocks with it.
    pub fn unpack_wanted(
        &self,
        reader: &mut Reader<'_>,
        unpacker: &mut Unpacker,
        out: &mut [u8],
        wanted: &[bool],
    ) -> Result<(), BundleError> {
        if !wanted.contains(&false) {
            return self.unpack(reader, unpacker, out);
        }
        let out = out.get_mut(..self.length).ok_or(SquashfsError::Truncated)?;
        let mut end = 0;
        for part in self.parts() {
            end = part.at + part.length;
            let wanted = &wanted[part.at / FLAG..end.div_ceil(FLAG)];
            let room = &mut out[part.at..end];
            if part.is_plain() {
                for run in runs(wanted, part.length) {
                    let at = part.source_at.saturating_add(run.start as u64);
                    room[run.clone()].copy_from_slice(reader.view(at, run.len())?);
                }
            } else if wanted.contains(&true) {
                let packed = if part.stored == 0 { &[][..] } else { reader.view(part.source_at, part.stored)? };
                fill(unpacker, part.size, packed, room)?;
            }
        }
        if wanted[end / FLAG..].contains(&true) { self.unpack_tail(reader, unpacker, &mut out[end..]) } else { Ok(()) }
    }

    /// Unpacks the piece into `out`, which has room for [`MAX_CHUNK`] bytes. What lies behind its length is not changed.
    pub fn unpack(&self, reader: &mut Reader<'_>, unpacker: &mut Unpacker, out: &mut [u8]) -> Result<(), BundleError> {
        let out = out.get_mut(..self.length).ok_or(SquashfsError::Truncated)?;
        let packed = if self.stored == 0 { &[][..] } else { reader.view(self.source_at, self.stored)? };
        let mut packed_rest = packed;
        let mut room_rest = out;
        for block in &self.blocks {
            let length = self.block_size.min(room_rest.len());
            let (room, rest) = room_rest.split_at_mut(length);
            room_rest = rest;
            let stored = usize::try_from(block.stored).unwrap_or(usize::MAX);
            let (bytes, rest) = packed_rest.split_at_checked(stored).ok_or(SquashfsError::Truncated)?;
            packed_rest = rest;
            fill(unpacker, *block, bytes, room)?;
        }
        self.unpack_tail(reader, unpacker, room_rest)
    }

    fn unpack_tail(
        &self,
        reader: &mut Reader<'_>,
        unpacker: &mut Unpacker,
        room: &mut [u8],
    ) -> Result<(), BundleError> {
        let Some((fragment, offset)) = self.tail else {
            return if room.is_empty() { Ok(()) } else { Err(SquashfsError::Truncated.into()) };
        };
        let stored = usize::try_from(fragment.size.stored).unwrap_or(usize::MAX);
        let packed = reader.view(fragment.start, stored)?;
        let mut whole = vec![0; self.block_size];
        let length = if fragment.size.is_packed {
            unpacker.unpack(packed, &mut whole).map_err(SquashfsError::Unpack)?
        } else {
            whole.get_mut(..stored).ok_or(SquashfsError::Truncated)?.copy_from_slice(packed);
            stored
        };
        let tail = whole[..length].get(offset..).and_then(|tail| tail.get(..room.len()));
        room.copy_from_slice(tail.ok_or(SquashfsError::Truncated)?);
        Ok(())
    }
}

impl Part {
    /// Its bytes lie there as they are.
    fn is_plain(&self) -> bool {
        !self.size.is_packed && self.stored == self.length
    }
}

/// Runs of what is wanted, of so many bytes with a flag for each 4096.
fn runs(wanted: &[bool], length: usize) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + wanted.get(at..)?.iter().position(|wanted| *wanted)?;
        at = start + wanted[start..].iter().take_while(|wanted| **wanted).count();
        Some(start * FLAG..(at * FLAG).min(length))
    })
}

/// Fills the room with one block, exactly.
fn fill(unpacker: &mut Unpacker, block: BlockSize, bytes: &[u8], room: &mut [u8]) -> Result<(), BundleError> {
    let filled = match (block.stored, block.is_packed) {
        (0, _) => {
            room.fill(0);
            room.len()
        }
        (_, true) => unpacker.unpack(bytes, room).map_err(SquashfsError::Unpack)?,
        (_, false) => {
            room.get_mut(..bytes.len()).ok_or(SquashfsError::Truncated)?.copy_from_slice(bytes);
            bytes.len()
        }
    };
    if filled == room.len() { Ok(()) } else { Err(SquashfsError::Truncated.into()) }
}

/// A place in a table of metadata, which is read from there on.
#[derive(Debug)]
struct Cursor {
    /// Offset of the block after the one at hand.
    next: u64,
    /// Where all metadata ends.
    end: u64,
    skip: usize,
    block: Vec<u8>,
    at: usize,
}

impl Cursor {
    fn at(table: u64, place: Reference, superblock: &Superblock) -> Self {
        let next = table.saturating_add(place.block);
        Self { next, end: superblock.bytes_used, skip: place.offset.into(), block: Vec::new(), at: 0 }
    }

    fn read(&mut self, reader: &mut Reader<'_>, unpacker: &mut Unpacker, into: &mut [u8]) -> Result<(), BundleError> {
        let mut rest = into;
        while !rest.is_empty() {
            if self.at == self.block.len() {
                self.load(reader, unpacker)?;
            }
            let have = &self.block[self.at..];
            let length = have.len().min(rest.len());
            let (now, later) = rest.split_at_mut(length);
            now.copy_from_slice(&have[..length]);
            self.at += length;
            rest = later;
        }
        Ok(())
    }

    fn load(&mut self, reader: &mut Reader<'_>, unpacker: &mut Unpacker) -> Result<(), BundleError> {
        let mut header = [0; 2];
        reader.read(self.next, &mut header)?;
        let header = MetadataHeader::decode(header)?;
        let packed = reader.view(self.next.saturating_add(2), header.stored.into())?;
        let mut block = std::mem::take(&mut self.block);
        block.resize(METADATA, 0);
        let length = if header.is_packed {
            unpacker.unpack(packed, &mut block).map_err(SquashfsError::Unpack)?
        } else {
            block[..packed.len()].copy_from_slice(packed);
            packed.len()
        };
        block.truncate(length);
        self.next = self.next.saturating_add(2 + u64::from(header.stored));
        // The first block is entered in its middle; a block without bytes would be read for ever.
        self.at = std::mem::take(&mut self.skip);
        self.block = block;
        if self.at >= self.block.len() || self.next > self.end {
            return Err(SquashfsError::Truncated.into());
        }
        Ok(())
    }

    /// Reads an inode, and stays behind it.
    fn inode(&mut self, reader: &mut Reader<'_>, unpacker: &mut Unpacker) -> Result<Inode, BundleError> {
        // How long it is depends on its kind: what is too much is given back.
        let mut bytes = [0; Inode::MAX_SIZE];
        let mut have = 0;
        loop {
            self.read(reader, unpacker, &mut bytes[have..have + 1])?;
            have += 1;
            match Inode::decode(&bytes[..have]) {
                Err(SquashfsError::Truncated) if have < Inode::MAX_SIZE => {}
                Err(cause) => return Err(cause.into()),
                Ok((inode, _)) => return Ok(inode),
            }
        }
    }
}
