//! Reading a bundle, from its end to its files, and trusting nothing on the way.
//!
//! ```text
//! trailer -> CMS -> signatures of trusted signers -> manifest -> root of the tree -> block of the tree -> block of data
//! ```
//!
//! Each arrow is a check, and what is right of it is not looked into before. [`Bundle::open`] does those up to the root;
//! [`Reader`] does the others for each 4096 bytes that are read, and [`Contents`] sees nothing that did not come through it.

mod contents;
pub mod create;
#[doc(hidden)]
pub mod fuzz;
mod reader;
mod source;

pub use contents::{Chunk, Chunks, Contents, MAX_CHUNK};
pub use reader::{Beside, Reader};
pub use source::{FileSource, Source};

use std::io;

use super::trust::{Account, Trust, TrustError};
use crate::wire::bundle::manifest::{Format, Manifest, ManifestError};
use crate::wire::bundle::squashfs::SquashfsError;
use crate::wire::bundle::trailer::{self, Trailer, TrailerError};
use crate::wire::bundle::verity::Tree;

/// A bundle whose manifest is trusted.
#[derive(Debug)]
pub struct Bundle {
    pub manifest: Manifest,
    /// What was signed: the manifest as it is in the bundle.
    pub signed: Vec<u8>,
    pub signers: Vec<Account>,
    /// Bytes of the whole bundle.
    pub size: u64,
    /// Bytes of the squashfs.
    data_size: u64,
    tree: Tree,
}

impl Bundle {
    /// Reads the end of the bundle, verifies its signatures, and reads the manifest.
    pub fn open(source: &dyn Source, trust: &Trust, detached: &[[u8; 64]], time: i64) -> Result<Self, BundleError> {
        let (trailer, signature) = signature(source)?;
        let verified = trust.verify(&signature, detached, time)?;
        Self::opened(source, trailer, verified.content, verified.signers)
    }

    /// As [`Bundle::open`], and believes everybody. For looking at a bundle, never for using it.
    pub fn open_unverified(source: &dyn Source) -> Result<Self, BundleError> {
        let (trailer, signature) = signature(source)?;
        let signed = crate::wire::bundle::cms::SignedData::decode(&signature).map_err(TrustError::Cms)?;
        let content = signed.content.ok_or(TrustError::NoContent)?.to_vec();
        Self::opened(source, trailer, content, Vec::new())
    }

    fn opened(
        source: &dyn Source,
        trailer: Trailer,
        signed: Vec<u8>,
        signers: Vec<Account>,
    ) -> Result<Self, BundleError> {
        let bundle = Self::of(source.size(), trailer, signed, signers)?;
        source.expect_beside(bundle.data_size.saturating_sub(TABLES)..trailer.signed_end);
        Ok(bundle)
    }

    fn of(size: u64, trailer: Trailer, signed: Vec<u8>, signers: Vec<Account>) -> Result<Self, BundleError> {
        let manifest = Manifest::decode(&signed)?;
        let verity = match &manifest.format {
            Format::Verity(verity) => verity,
            Format::Crypt => return Err(BundleError::Format { name: "crypt" }),
            Format::Plain => return Err(BundleError::Format { name: "plain" }),
        };
        let data_size = trailer.data_size(verity)?;
        let tree = Tree::new(verity, data_size);
        Ok(Self { manifest, signed, signers, size, data_size, tree })
    }

    /// Bytes of the squashfs, which are those that the tree vouches for.
    pub fn data_size(&self) -> u64 {
        self.data_size
    }

    /// A reader of verified data. Each thread has its own.
    pub fn reader<'a>(&'a self, source: &'a dyn Source) -> Reader<'a> {
        Reader::new(source, &self.tree, self.data_size)
    }
}

/// Bytes at the end of a squashfs that its tables mostly fit into.
const TABLES: u64 = 64 << 10;

fn signature(source: &dyn Source) -> Result<(Trailer, Vec<u8>), BundleError> {
    let size = source.size();
    let mut last = [0; 8];
    let at = size.checked_sub(trailer::SIZE).ok_or(BundleError::TooShort { size })?;
    source.read_at(&mut last, at).map_err(|cause| BundleError::Read { at, cause })?;
    let trailer = Trailer::decode(last, size)?;
    // The trailer has a limit for it.
    let mut signature = vec![0; usize::try_from(trailer.signature_size).unwrap_or(0)];
    let at = trailer.signed_end;
    source.read_at(&mut signature, at).map_err(|cause| BundleError::Read { at, cause })?;
    Ok((trailer, signature))
}

/// A bundle that is not used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("cannot read the bundle at byte {at}")]
    Read {
        at: u64,
        #[source]
        cause: io::Error,
    },
    #[error("{size} bytes are no bundle")]
    TooShort { size: u64 },
    #[error(transparent)]
    Trailer(#[from] TrailerError),
    #[error("the signature of the bundle is not trusted")]
    Trust(#[from] TrustError),
    #[error("the manifest, which is signed, cannot be used")]
    Manifest(#[from] ManifestError),
    #[error("the bundle has the format {name}, which is not accepted; make it with format=verity")]
    Format { name: &'static str },
    #[error("the bundle is damaged or was changed: byte {at} and its block do not have the hash that was signed")]
    Tampered { at: u64 },
    #[error("the tree of hashes is damaged or was changed at its byte {at}")]
    TamperedTree { at: u64 },
    #[error("something in the bundle leads to byte {at}, which is behind its end")]
    Outside { at: u64 },
    #[error("the file system in the bundle cannot be read")]
    Squashfs(#[from] SquashfsError),
    #[error("the bundle has no file {name:?}, which its manifest names")]
    NoFile { name: String },
    #[error("the file {name:?} has {found} bytes, and {expected} by the manifest")]
    FileSize { name: String, found: u64, expected: u64 },
    #[error("the file {name:?} does not have the SHA-256 of the manifest")]
    FileDigest { name: String },
}

#[cfg(test)]
mod tests;
