//! The end of a bundle: how long its signature is, and with it where all other parts are.

use super::manifest::Verity;
use super::verity;

/// Bytes of the trailer.
pub const SIZE: u64 = 8;
/// Bytes a signature may take. RAUC's limit; a manifest with many images and four signers takes a tenth of it.
pub const MAX_SIGNATURE: u64 = 64 << 10;

/// Where the parts of a bundle are. Each begins where the one before ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trailer {
    /// Offset of the CMS, and end of what it vouches for.
    pub signed_end: u64,
    pub signature_size: u64,
}

impl Trailer {
    /// Reads the last eight bytes of a bundle of `file_size` bytes.
    pub fn decode(bytes: [u8; SIZE as usize], file_size: u64) -> Result<Self, TrailerError> {
        let signature_size = u64::from_be_bytes(bytes);
        if signature_size == 0 || signature_size > MAX_SIGNATURE {
            return Err(TrailerError::SignatureSize { found: signature_size });
        }
        let signed_end = file_size
            .checked_sub(SIZE + signature_size)
            .filter(|end| *end > 0)
            .ok_or(TrailerError::Truncated { file_size, signature_size })?;
        Ok(Self { signed_end, signature_size })
    }

    pub fn encode(&self) -> [u8; SIZE as usize] {
        self.signature_size.to_be_bytes()
    }

    /// Splits what is signed into squashfs and tree, as the verified manifest says. Returns the size of the squashfs.
    pub fn data_size(&self, verity: &Verity) -> Result<u64, TrailerError> {
        let data = self.signed_end.checked_sub(verity.tree_size).filter(|data| *data > 0);
        let fits = |data: &u64| data.is_multiple_of(verity::BLOCK) && verity::tree_size(*data) == verity.tree_size;
        data.filter(fits).ok_or(TrailerError::TreeSize { tree_size: verity.tree_size, signed_end: self.signed_end })
    }
}

/// A file that is no bundle, or not all of one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TrailerError {
    #[error(
        "the last 8 bytes tell of a signature of {found} bytes, where 1 to {MAX_SIGNATURE} can be: \
         this is no bundle, or its end is missing"
    )]
    SignatureSize { found: u64 },
    #[error(
        "a signature of {signature_size} bytes does not fit into a file of {file_size} bytes: its beginning is missing"
    )]
    Truncated { file_size: u64, signature_size: u64 },
    #[error("a tree of {tree_size} bytes does not belong to {signed_end} bytes of data and tree")]
    TreeSize { tree_size: u64, signed_end: u64 },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailer_is_read_as_it_was_written() {
        let trailer = Trailer { signed_end: 8192, signature_size: 1742 };
        assert_eq!(Trailer::decode(trailer.encode(), 8192 + 1742 + 8), Ok(trailer));
    }

    #[test]
    fn trailer_that_lies_is_refused() {
        for (size, file) in [(0, 9000), (MAX_SIGNATURE + 1, 1 << 20), (u64::MAX, u64::MAX), (u64::MAX - 7, 100)] {
            let found = Trailer::decode(u64::to_be_bytes(size), file);
            assert_eq!(found, Err(TrailerError::SignatureSize { found: size }), "{size} {file}");
        }
        for (size, file) in [(100, 0), (100, 8), (100, 107), (100, 108)] {
            let found = Trailer::decode(u64::to_be_bytes(size), file);
            assert!(matches!(found, Err(TrailerError::Truncated { .. })), "{size} {file}");
        }
    }

    #[test]
    fn tree_must_have_the_size_of_its_data() {
        let verity = |tree_size| Verity { root: [0; 32], salt: vec![0; 32], tree_size };
        let trailer = |signed_end| Trailer { signed_end, signature_size: 1 };
        assert_eq!(trailer(3 * 4096).data_size(&verity(4096)), Ok(8192));
        for (end, tree) in [(4096, 4096), (4096, 8192), (3 * 4096, 8192), (3 * 4096 + 1, 4096), (4096, u64::MAX)] {
            assert!(trailer(end).data_size(&verity(tree)).is_err(), "{end} {tree}");
        }
    }
}
