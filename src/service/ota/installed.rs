//! What was installed into a slot, when, and from what: `slot-a.json` and `slot-b.json`, for people and for `rauc status`.
//!
//! The slot-state record decides; this tells. It is believed about an image whose manifest the record names.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::boot::slot::Slot;
use crate::boot::state::record::Record;
use crate::store::file::{self, Backup, FileError};
use crate::wire::bundle::manifest::hex;

/// Bytes such a file may have.
const MAX_FILE: u64 = 1 << 20;

/// One installation.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Installed {
    pub bundle: BundleFacts,
    /// The file or address that it came from.
    pub source: String,
    /// Of the deployment that asked for it.
    pub deployment: Option<String>,
    /// In seconds since 1970, as the clock had it.
    pub installed_at: u64,
    pub data_min_reader: u32,
    /// Boots that its trial gets; 0 is not said.
    pub tries: u8,
    pub health_profile: Option<String>,
    pub images: Vec<InstalledImage>,
}

/// What the manifest says of the whole bundle.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct BundleFacts {
    pub compatible: String,
    pub version: Option<String>,
    pub description: Option<String>,
    pub build: Option<String>,
    /// SHA-256 of the manifest, in hexadecimal digits: RAUC's hash of a bundle.
    pub hash: String,
}

/// One image of it.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct InstalledImage {
    /// Such as `rootfs.1`.
    pub slot: String,
    pub class: String,
    pub device: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub sha256: String,
    pub size: u64,
}

impl Installed {
    /// Where it lies.
    pub fn path(directory: &Path, slot: Slot) -> PathBuf {
        directory.join(format!("slot-{}.json", slot.name()))
    }

    /// What is known of a slot. A file that is not there, or is none of ours, tells nothing.
    pub fn load(directory: &Path, slot: Slot) -> Result<Option<Self>, FileError> {
        let content = file::read(&Self::path(directory, slot), MAX_FILE)?;
        Ok(content.and_then(|content| serde_json::from_slice(&content).ok()))
    }

    /// As [`Installed::load`], of the image that the record names.
    pub fn of(directory: &Path, slot: Slot, record: &Record) -> Option<Self> {
        let known = Self::load(directory, slot).ok().flatten()?;
        (known.bundle.hash == hex(&record.image(slot).manifest)).then_some(known)
    }

    /// Writes it; durable when this returns.
    pub fn write(&self, directory: &Path, slot: Slot) -> Result<(), FileError> {
        file::make_directory(directory, 0o755)?;
        let mut content = serde_json::to_vec_pretty(self).unwrap_or_default();
        content.push(b'\n');
        file::write(&Self::path(directory, slot), 0o644, Backup::Drop, &content)
    }

    /// Nothing is known any more, because the slot is about to be written.
    pub fn forget(directory: &Path, slot: Slot) -> Result<(), FileError> {
        file::remove(&Self::path(directory, slot))
    }
}
