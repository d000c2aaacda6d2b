//! Bundles: signed updates of a device's system image, in the `verity` format of RAUC.
//!
//! ```text
//! offset 0   squashfs with the images, padded to 4096 bytes
//!            verity tree over it: SHA-256 with salt, blocks of 4096 bytes, top level first, no superblock
//!            CMS SignedData in DER, whose signed content is the manifest
//! end - 8    size of the CMS, big endian
//! ```
//!
//! One file a format, and each decodes bytes that somebody else has checked: the [`trailer`] says where the [`cms`] is, its
//! signatures vouch for the [`manifest`], which has the root of the [`verity`] tree, which vouches for each block of the
//! squashfs. Nothing here decides whom to trust; that is `service/ota/trust`.
//!
//! Sources: the chapter *Bundle Formats* of RAUC's documentation, and bundles made by RAUC 1.8.

pub mod certificate;
pub mod cms;
pub mod der;
pub mod ini;
pub mod manifest;
pub mod oid;
pub mod pem;
pub mod policy;
pub mod signature;
pub mod squashfs;
pub mod stream;
pub mod trailer;
pub mod verity;
pub mod version;
mod xz_stream;

/// What a bundle's file is called at its end.
pub const EXTENSION: &str = "raucb";
