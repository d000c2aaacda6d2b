//! The tree of hashes over a bundle's data: that of dm-verity, format 1, without a superblock.
//!
//! Blocks of 4096 bytes; a hash is SHA-256 over salt and block; a block of the tree has the hashes of 128 blocks below
//! it, and zeros behind the last. The highest level lies first. Where one block is all there is, its hash is the root.
//!
//! Source: `Documentation/admin-guide/device-mapper/verity.rst` of Linux.

use sha2::{Digest, Sha256};

use super::manifest::Verity;

/// Bytes of a block, of data and of the tree.
pub const BLOCK: u64 = 4096;
/// [`BLOCK`], where a size in memory is wanted.
pub const BLOCK_SIZE: usize = 4096;
/// Hashes in a block of the tree.
const FAN: u64 = 128;
/// Bytes of a hash.
const HASH: usize = 32;

/// A hash of one block.
pub type Hash = [u8; HASH];

/// Bytes that the tree over `data_size` bytes takes.
pub fn tree_size(data_size: u64) -> u64 {
    levels(data_size).iter().sum::<u64>() * BLOCK
}

/// Blocks of each level, the lowest first.
fn levels(data_size: u64) -> Vec<u64> {
    let mut levels = Vec::new();
    let mut blocks = data_size.div_ceil(BLOCK);
    while blocks > 1 {
        blocks = blocks.div_ceil(FAN);
        levels.push(blocks);
    }
    levels
}

/// Where in a tree the hash of a block lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The offset of the tree's block, from the beginning of the tree.
    pub offset: u64,
    /// The index of the hash in it.
    index: usize,
}

/// The shape of one tree, and how to check a block against a hash of it.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Hash,
    salt: Vec<u8>,
    /// SHA-256 of the salt, to go on from.
    salted: Sha256,
    blocks: u64,
    /// Offset of each level, the lowest first.
    offsets: Vec<u64>,
}

impl Tree {
    pub fn new(verity: &Verity, data_size: u64) -> Self {
        let mut offsets = Vec::new();
        let mut end = tree_size(data_size);
        for blocks in levels(data_size) {
            end -= blocks * BLOCK;
            offsets.push(end);
        }
        let salted = Sha256::new_with_prefix(&verity.salt);
        Self { root: verity.root, salt: verity.salt.clone(), salted, blocks: data_size / BLOCK, offsets }
    }

    /// How many levels there are above the data.
    pub fn height(&self) -> usize {
        self.offsets.len()
    }

    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    pub fn root(&self) -> Hash {
        self.root
    }

    /// What is hashed before each block.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Where the hash is, on `level` (0 is the lowest), on the way from data block `block` to the root.
    pub fn place(&self, level: usize, block: u64) -> Place {
        let below = (0..level).fold(block, |block, _| block / FAN);
        let offset = self.offsets[level] + below / FAN * BLOCK;
        // The remainder is below 128.
        Place { offset, index: usize::try_from(below % FAN).unwrap_or(0) }
    }

    pub fn hash(&self, block: &[u8; BLOCK_SIZE]) -> Hash {
        let mut hash = self.salted.clone();
        hash.update(block);
        hash.finalize().into()
    }
}

impl Place {
    /// Takes the hash out of the tree's block, which must have been checked itself.
    pub fn hash_in(&self, block: &[u8; BLOCK_SIZE]) -> Hash {
        let mut hash = Hash::default();
        hash.copy_from_slice(&block[self.index * HASH..][..HASH]);
        hash
    }
}

/// Builds a tree, one block of data after the other.
#[derive(Debug)]
pub struct Builder {
    salt: Vec<u8>,
    salted: Sha256,
    hashes: Vec<u8>,
}

impl Builder {
    pub fn new(salt: Vec<u8>) -> Self {
        let salted = Sha256::new_with_prefix(&salt);
        Self { salt, salted, hashes: Vec::new() }
    }

    /// Takes the next data: whole blocks.
    pub fn push(&mut self, data: &[u8]) {
        for block in data.chunks(BLOCK_SIZE) {
            self.hashes.extend_from_slice(&self.hash(block));
        }
    }

    /// Takes another first block: a superblock is known when all else is.
    pub fn replace_first(&mut self, block: &[u8; BLOCK_SIZE]) {
        let hash = self.hash(block);
        if let Some(first) = self.hashes.get_mut(..HASH) {
            first.copy_from_slice(&hash);
        }
    }

    fn hash(&self, block: &[u8]) -> Hash {
        let mut hash = self.salted.clone();
        hash.update(block);
        hash.finalize().into()
    }

    /// The tree, and what the manifest says of it.
    pub fn finish(mut self) -> (Vec<u8>, Verity) {
        let mut levels = Vec::new();
        let mut hashes = std::mem::take(&mut self.hashes);
        while hashes.len() > HASH {
            hashes.resize(hashes.len().next_multiple_of(BLOCK_SIZE), 0);
            let above = hashes.chunks(BLOCK_SIZE).flat_map(|block| self.hash(block)).collect();
            levels.push(std::mem::replace(&mut hashes, above));
        }
        let mut root = Hash::default();
        if let Some(first) = hashes.get(..HASH) {
            root.copy_from_slice(first);
        }
        let tree: Vec<u8> = levels.into_iter().rev().flatten().collect();
        // A usize always fits.
        let tree_size = u64::try_from(tree.len()).unwrap_or(u64::MAX);
        (tree, Verity { root, salt: self.salt, tree_size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tree: &[u8], place: Place) -> [u8; BLOCK_SIZE] {
        let at = usize::try_from(place.offset).unwrap();
        tree[at..][..BLOCK_SIZE].try_into().unwrap()
    }

    #[test]
    fn each_block_is_proved_by_the_tree_that_was_built() {
        for blocks in [1_u64, 2, 127, 128, 129, 128 * 128, 128 * 128 + 1] {
            let mut builder = Builder::new(vec![7; 32]);
            let block = |number: u64| {
                let mut block = [0_u8; BLOCK_SIZE];
                block[..8].copy_from_slice(&number.to_le_bytes());
                block
            };
            (0..blocks).for_each(|number| builder.push(&block(number)));
            let (bytes, verity) = builder.finish();
            let size = blocks * BLOCK;
            assert_eq!(verity.tree_size, tree_size(size), "{blocks}");
            assert_eq!(bytes.len() as u64, verity.tree_size);
            let tree = Tree::new(&verity, size);
            for number in [0, 1, 126, 127, 128, blocks / 2, blocks - 1] {
                let number = number.min(blocks - 1);
                let mut hash = tree.hash(&block(number));
                for level in 0..tree.height() {
                    let above = read(&bytes, tree.place(level, number));
                    assert_eq!(tree.place(level, number).hash_in(&above), hash, "{blocks} {number} {level}");
                    hash = tree.hash(&above);
                }
                assert_eq!(hash, tree.root(), "{blocks} {number}");
            }
        }
    }

    #[test]
    fn tree_has_the_size_that_rauc_gives_it() {
        assert_eq!([0, 1, 2, 128, 129].map(|blocks| tree_size(blocks * BLOCK) / BLOCK), [0, 0, 1, 1, 3]);
        assert_eq!(tree_size(10 << 40) / BLOCK, (10 << 40) / BLOCK / 128 + (10 << 40) / BLOCK / 16_384 + 1280 + 10 + 1);
    }
}
