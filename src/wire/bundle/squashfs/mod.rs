//! squashfs 4.0: what is needed to find files at the top of an image and to read them.
//!
//! All numbers are little endian. A superblock of 96 bytes says where the tables are. Inodes and directories lie in
//! metadata blocks of 8192 bytes, each with two bytes in front that say how many it takes on disk. A reference to
//! something in them is the block's offset in its table, and the offset in the unpacked block.
//!
//! Source: `fs/squashfs/squashfs_fs.h` and `Documentation/filesystems/squashfs.rst` of Linux.
//!
//! A number that is read here is only a number: who follows it checks each block that it leads to, and has a limit for
//! each loop.

pub mod compression;
mod write;
pub mod xz;

pub use write::{File, Plan, pack, plan, stored};

/// Bytes of the superblock.
pub const SUPERBLOCK: usize = 96;
/// Bytes of an unpacked metadata block.
pub const METADATA: usize = 8192;
/// Bytes of an unpacked data block at most.
pub const MAX_BLOCK: usize = 1 << 20;
/// An offset that says that there is no such table, and a fragment that is none.
const NONE: u64 = u64::MAX;
const NO_FRAGMENT: u32 = u32::MAX;
/// "hsqs".
const MAGIC: u32 = 0x7371_7368;

use compression::Compression;

/// Whether a file that begins so says that it is a squashfs.
pub fn is_squashfs(start: &[u8]) -> bool {
    start.starts_with(&MAGIC.to_le_bytes())
}

/// The superblock, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Superblock {
    pub compression: Compression,
    /// Bytes of an unpacked data block: a power of two, 4096 to [`MAX_BLOCK`].
    pub block_size: u32,
    pub root: Reference,
    /// Bytes of the image. What lies behind is padding.
    pub bytes_used: u64,
    pub inode_table: u64,
    pub directory_table: u64,
    pub fragment_table: u64,
    pub fragments: u32,
}

/// Where something begins in a table of metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reference {
    /// Offset of the metadata block from the beginning of the table.
    pub block: u64,
    /// Offset in the unpacked block, below [`METADATA`].
    pub offset: u16,
}

impl Reference {
    fn decode(raw: u64) -> Result<Self, SquashfsError> {
        let offset = u16::try_from(raw & 0xffff).unwrap_or(u16::MAX);
        if usize::from(offset) >= METADATA || raw >> 48 != 0 {
            return Err(SquashfsError::Reference { found: raw });
        }
        Ok(Self { block: raw >> 16, offset })
    }
}

/// Little-endian numbers off the front of some bytes.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], SquashfsError> {
        let (first, rest) = self.0.split_first_chunk::<N>().ok_or(SquashfsError::Truncated)?;
        self.0 = rest;
        Ok(*first)
    }

    fn u16(&mut self) -> Result<u16, SquashfsError> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, SquashfsError> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, SquashfsError> {
        self.take().map(u64::from_le_bytes)
    }
}

impl Superblock {
    /// Reads the superblock of an image that has `size` bytes at most.
    pub fn decode(bytes: &[u8; SUPERBLOCK], size: u64) -> Result<Self, SquashfsError> {
        let mut fields = Fields(bytes);
        let magic = fields.u32()?;
        let _inodes = fields.u32()?;
        let _modified = fields.u32()?;
        let block_size = fields.u32()?;
        let fragments = fields.u32()?;
        let compression = fields.u16()?;
        let block_log = fields.u16()?;
        let _flags = fields.u16()?;
        let _ids = fields.u16()?;
        let version = (fields.u16()?, fields.u16()?);
        let root = fields.u64()?;
        let bytes_used = fields.u64()?;
        let _id_table = fields.u64()?;
        let _xattr_table = fields.u64()?;
        let inode_table = fields.u64()?;
        let directory_table = fields.u64()?;
        let fragment_table = fields.u64()?;
        if magic != MAGIC || version != (4, 0) {
            return Err(SquashfsError::Magic);
        }
        let most = u32::try_from(MAX_BLOCK).unwrap_or(u32::MAX);
        if !(4096..=most).contains(&block_size) || 1_u32.checked_shl(block_log.into()) != Some(block_size) {
            return Err(SquashfsError::BlockSize { found: block_size });
        }
        let inside = |offset: u64| (96..bytes_used).contains(&offset);
        if bytes_used > size || !inside(inode_table) || !inside(directory_table) || inode_table >= directory_table {
            return Err(SquashfsError::Tables);
        }
        if fragments > 0 && !inside(fragment_table) {
            return Err(SquashfsError::Tables);
        }
        Ok(Self {
            compression: Compression::decode(compression)?,
            block_size,
            root: Reference::decode(root)?,
            bytes_used,
            inode_table,
            directory_table,
            fragment_table: if fragments > 0 { fragment_table } else { NONE },
            fragments,
        })
    }
}

/// The two bytes in front of a metadata block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MetadataHeader {
    pub stored: u16,
    pub is_packed: bool,
}

impl MetadataHeader {
    pub fn decode(bytes: [u8; 2]) -> Result<Self, SquashfsError> {
        let raw = u16::from_le_bytes(bytes);
        let stored = raw & 0x7fff;
        if stored == 0 || usize::from(stored) > METADATA {
            return Err(SquashfsError::Metadata { stored });
        }
        Ok(Self { stored, is_packed: raw & 0x8000 == 0 })
    }
}

/// How a data block lies on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockSize {
    /// Bytes on disk; 0 for a block of zeros, which takes none.
    pub stored: u32,
    pub is_packed: bool,
}

impl BlockSize {
    pub fn decode(raw: u32, block_size: u32) -> Result<Self, SquashfsError> {
        let stored = raw & 0x00ff_ffff;
        // A packed block that is not smaller than the block itself is stored as it is.
        if raw >> 25 != 0 || stored > block_size {
            return Err(SquashfsError::DataBlock { raw });
        }
        Ok(Self { stored, is_packed: raw & 0x0100_0000 == 0 })
    }
}

/// What an inode is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Inode {
    Directory {
        /// Where the listing begins in the directory table.
        listing: Reference,
        /// Bytes of the listing.
        size: u32,
    },
    File(FileInode),
    /// A link or a device.
    Other,
}

/// A regular file. Its list of block sizes follows it in the inode table, 4 bytes each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileInode {
    /// Offset of the first block in the image; the others follow.
    pub start: u64,
    pub size: u64,
    /// Where the end of the file is, when it shares a block with others.
    pub fragment: Option<(u32, u32)>,
}

impl FileInode {
    /// Blocks of its own.
    pub fn blocks(&self, block_size: u32) -> u64 {
        let block_size = u64::from(block_size);
        match self.fragment {
            None => self.size.div_ceil(block_size),
            Some(_) => self.size / block_size,
        }
    }
}

impl Inode {
    /// Bytes that are enough to decode any inode up to its list of blocks.
    pub const MAX_SIZE: usize = 56;

    /// Reads an inode. Returns how many bytes it took.
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize), SquashfsError> {
        let mut fields = Fields(bytes);
        let kind = fields.u16()?;
        let (_mode, _uid, _gid) = (fields.u16()?, fields.u16()?, fields.u16()?);
        let (_modified, _number) = (fields.u32()?, fields.u32()?);
        let inode = match kind {
            1 => {
                let block = fields.u32()?;
                let _links = fields.u32()?;
                let size = fields.u16()?;
                Self::directory(block, fields.take()?, size.into())?
            }
            8 => {
                let _links = fields.u32()?;
                let size = fields.u32()?;
                let block = fields.u32()?;
                let _parent = fields.u32()?;
                let _index = fields.u16()?;
                Self::directory(block, fields.take()?, size)?
            }
            2 => {
                let start = fields.u32()?;
                let fragment = (fields.u32()?, fields.u32()?);
                let size = fields.u32()?;
                Self::file(start.into(), size.into(), fragment)
            }
            9 => {
                let (start, size, _sparse) = (fields.u64()?, fields.u64()?, fields.u64()?);
                let _links = fields.u32()?;
                let fragment = (fields.u32()?, fields.u32()?);
                let _attributes = fields.u32()?;
                Self::file(start, size, fragment)
            }
            3..=7 | 10..=14 => Self::Other,
            found => return Err(SquashfsError::InodeKind { found }),
        };
        Ok((inode, bytes.len() - fields.0.len()))
    }

    fn directory(block: u32, offset: [u8; 2], size: u32) -> Result<Self, SquashfsError> {
        let raw = u64::from(block) << 16 | u64::from(u16::from_le_bytes(offset));
        // The size counts "." and "..", which are not written.
        let size = size.checked_sub(3).ok_or(SquashfsError::Truncated)?;
        Ok(Self::Directory { listing: Reference::decode(raw)?, size })
    }

    fn file(start: u64, size: u64, (fragment, offset): (u32, u32)) -> Self {
        let fragment = (fragment != NO_FRAGMENT).then_some((fragment, offset));
        Self::File(FileInode { start, size, fragment })
    }
}

/// One name in a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub name: Vec<u8>,
    pub inode: Reference,
}

/// Reads a whole listing.
pub fn directory(listing: &[u8]) -> Result<Vec<Entry>, SquashfsError> {
    let mut fields = Fields(listing);
    let mut entries = Vec::new();
    while !fields.0.is_empty() {
        let count = fields.u32()?;
        let block = fields.u32()?;
        let _number = fields.u32()?;
        if count >= 256 {
            return Err(SquashfsError::Directory);
        }
        for _ in 0..=count {
            let offset = fields.u16()?;
            let (_number, _kind) = (fields.u16()?, fields.u16()?);
            let length = usize::from(fields.u16()?) + 1;
            let (name, rest) = fields.0.split_at_checked(length).ok_or(SquashfsError::Truncated)?;
            fields.0 = rest;
            if length > 256 || name.contains(&b'/') || name.contains(&0) {
                return Err(SquashfsError::Directory);
            }
            let inode = Reference::decode(u64::from(block) << 16 | u64::from(offset))?;
            entries.push(Entry { name: name.to_vec(), inode });
        }
    }
    Ok(entries)
}

/// A block that the ends of several files share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment {
    pub start: u64,
    pub size: BlockSize,
}

impl Fragment {
    /// Bytes of an entry in the fragment table.
    pub const SIZE: usize = 16;

    pub fn decode(bytes: &[u8; Self::SIZE], block_size: u32) -> Result<Self, SquashfsError> {
        let mut fields = Fields(bytes);
        let start = fields.u64()?;
        let size = BlockSize::decode(fields.u32()?, block_size)?;
        Ok(Self { start, size })
    }
}

/// A squashfs that is none, or lies.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SquashfsError {
    #[error("there is no squashfs 4.0")]
    Magic,
    #[error("it is packed with {name}, which is not supported; gzip, xz and zstd are")]
    Compression { name: String },
    #[error("a block size of {found} bytes cannot be")]
    BlockSize { found: u32 },
    #[error("a table lies outside the image")]
    Tables,
    #[error("the reference {found:#x} leads nowhere")]
    Reference { found: u64 },
    #[error("a metadata block of {stored} bytes cannot be")]
    Metadata { stored: u16 },
    #[error("a data block with the size {raw:#x} cannot be")]
    DataBlock { raw: u32 },
    #[error("an inode of kind {found} cannot be")]
    InodeKind { found: u16 },
    #[error("a directory that cannot be")]
    Directory,
    #[error("something ends too early")]
    Truncated,
    #[error("a block does not unpack")]
    Unpack(#[source] compression::UnpackError),
}

#[cfg(test)]
mod tests;
