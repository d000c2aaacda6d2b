//! The manifest: what is in a bundle and for whom. Its signature was verified before it comes here.
//!
//! The sections and keys are RAUC's (chapter *Manifest* of its reference), and `[meta.greengrass]` is ours.
//! What is not known is refused, except in other `[meta.*]` sections: an unknown key may change what the rest means.

use std::collections::BTreeMap;

use super::ini::{Group, Ini, IniError};
use super::policy::{self, Policy};

/// Images a bundle may have.
const MAX_IMAGES: usize = 64;

/// A manifest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// Which devices it is for.
    pub compatible: String,
    pub version: Option<String>,
    pub description: Option<String>,
    pub build: Option<String>,
    pub format: Format,
    /// A program in the bundle that RAUC would run instead of installing.
    pub handler: Option<FileName>,
    /// The program in the bundle that hooks are calls of.
    pub hook: Option<FileName>,
    /// Hooks of the whole bundle, such as `install-check`.
    pub hooks: Vec<String>,
    pub images: Vec<Image>,
    pub policy: Policy,
    /// Other `[meta.*]` sections, with the values as they are in the file: they tell, and decide nothing.
    pub meta: BTreeMap<String, BTreeMap<String, String>>,
}

/// How the bundle is protected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Format {
    Verity(Verity),
    /// As [`Format::Verity`], and encrypted.
    Crypt,
    /// One signature over all, which must be read twice.
    Plain,
}

/// Where the tree of hashes begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verity {
    pub root: [u8; 32],
    pub salt: Vec<u8>,
    /// Bytes of the tree.
    pub tree_size: u64,
}

/// One image and which slots it is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// The class of slots, such as `rootfs`.
    pub slot_class: String,
    /// Which of several images for one class: the device says which it takes.
    pub variant: Option<String>,
    /// None for an image that only a hook installs.
    pub filename: Option<FileName>,
    pub sha256: Option<[u8; 32]>,
    pub size: u64,
    pub kind: Kind,
    pub hooks: Vec<String>,
    pub adaptive: Vec<String>,
    pub version: Option<String>,
}

/// What an image is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Raw,
    Ext4,
    Squashfs,
    Vfat,
    Tar,
    /// One that this program does not install.
    Other,
}

/// The name of a file at the top of a bundle.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FileName(String);

impl FileName {
    pub fn parse(name: &str) -> Option<Self> {
        let good = !name.is_empty() && name.len() <= 255 && !name.contains(['/', '\0']) && name != "." && name != "..";
        good.then(|| Self(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Kind {
    /// As RAUC tells by the end of the name.
    fn of(name: &FileName) -> Self {
        let name = name.as_str();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        if ends(&[".ext4"]) {
            Self::Ext4
        } else if ends(&[".squashfs"]) {
            Self::Squashfs
        } else if ends(&[".vfat"]) {
            Self::Vfat
        } else if name.contains(".tar") || ends(&[".tgz"]) {
            Self::Tar
        } else if ends(&[".caibx", ".caidx", ".ubifs", ".emmc"]) {
            Self::Other
        } else {
            Self::Raw
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Ext4 => "ext4",
            Self::Squashfs => "squashfs",
            Self::Vfat => "vfat",
            Self::Tar => "tar",
            Self::Other => "other",
        }
    }

    fn parse(text: &str) -> Self {
        let known = [Self::Raw, Self::Ext4, Self::Squashfs, Self::Vfat, Self::Tar];
        known.into_iter().find(|kind| kind.as_str() == text).unwrap_or(Self::Other)
    }
}

impl Manifest {
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        let mut ini = Ini::decode(bytes)?;
        let mut update = ini.take("update");
        let mut bundle = ini.take("bundle");
        let mut handler = ini.take("handler");
        let mut hooks = ini.take("hooks");
        let mut own = ini.take(policy::GROUP);
        // What RAUC used to have and ignores.
        ini.take("rollout");
        let format = Format::decode(&mut bundle)?;
        let mut manifest = Self {
            compatible: update.require("compatible")?,
            version: update.take("version")?,
            description: update.take("description")?,
            build: update.take("build")?,
            format,
            handler: file_name(&mut handler, "filename")?,
            hook: file_name(&mut hooks, "filename")?,
            hooks: hooks.list("hooks")?,
            images: Vec::new(),
            policy: Policy::decode(&mut own)?,
            meta: BTreeMap::new(),
        };
        update.take("min-rauc-version")?;
        handler.take("args")?;
        handler.take("pre-install")?;
        handler.take("post-install")?;
        for group in [update, bundle, handler, hooks] {
            group.end()?;
        }
        for mut group in ini.groups {
            if group.name.starts_with("image.") {
                let image = Image::decode(&mut group)?;
                let same = |other: &Image| other.slot_class == image.slot_class && other.variant == image.variant;
                if manifest.images.iter().any(same) || manifest.images.len() == MAX_IMAGES {
                    return Err(ManifestError::Images { name: group.name });
                }
                manifest.images.push(image);
            } else if let Some(name) = group.name.strip_prefix("meta.") {
                let entries = group.rest().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
                manifest.meta.insert(name.to_owned(), entries);
            } else {
                return Err(ManifestError::Section { name: group.name });
            }
        }
        let calls_hook = !manifest.hooks.is_empty() || manifest.images.iter().any(|image| !image.hooks.is_empty());
        if calls_hook && manifest.hook.is_none() {
            return Err(ManifestError::Hook);
        }
        Ok(manifest)
    }

    /// Reads the manifest that a bundle is to be made of, the same that RAUC takes: it names files, and what is found
    /// out of them is not there yet.
    pub fn draft(bytes: &[u8]) -> Result<Self, ManifestError> {
        let mut ini = Ini::decode(bytes)?;
        let mut bundle = ini.take("bundle");
        let format = bundle.take("format")?;
        if let Some(other) = format.filter(|format| format != "verity") {
            return Err(bundle.value_error("format", &other).into());
        }
        bundle.set("format", "verity");
        bundle.set("verity-hash", &hex(&[0; 32]));
        bundle.set("verity-salt", &hex(&[0; 32]));
        ini.groups.push(bundle);
        Self::decode(ini.encode().as_bytes())
    }

    pub fn encode(&self) -> String {
        let mut ini = Ini::default();
        let mut update = Group::new("update");
        update.set("compatible", &self.compatible);
        for (key, value) in [("version", &self.version), ("description", &self.description), ("build", &self.build)] {
            if let Some(value) = value {
                update.set(key, value);
            }
        }
        ini.groups.push(update);
        let mut bundle = Group::new("bundle");
        match &self.format {
            Format::Verity(verity) => {
                bundle.set("format", "verity");
                bundle.set("verity-hash", &hex(&verity.root));
                bundle.set("verity-salt", &hex(&verity.salt));
                bundle.set("verity-size", &verity.tree_size.to_string());
            }
            Format::Crypt => bundle.set("format", "crypt"),
            Format::Plain => bundle.set("format", "plain"),
        }
        ini.groups.push(bundle);
        if let Some(handler) = &self.handler {
            let mut group = Group::new("handler");
            group.set("filename", handler.as_str());
            ini.groups.push(group);
        }
        if let Some(hook) = &self.hook {
            let mut hooks = Group::new("hooks");
            hooks.set("filename", hook.as_str());
            hooks.set_list("hooks", &self.hooks);
            ini.groups.push(hooks);
        }
        ini.groups.extend(self.images.iter().map(Image::encode));
        ini.groups.extend(self.policy.encode());
        for (name, entries) in &self.meta {
            let mut group = Group::new(&format!("meta.{name}"));
            for (key, value) in entries {
                group.set_raw(key, value);
            }
            ini.groups.push(group);
        }
        ini.encode()
    }
}

impl Format {
    fn decode(bundle: &mut Group) -> Result<Self, IniError> {
        match bundle.take("format")?.as_deref() {
            None | Some("plain") => Ok(Self::Plain),
            Some("verity") => {
                let root = bundle.require("verity-hash")?;
                let root_bytes = unhex(&root).and_then(|bytes| bytes.try_into().ok());
                let root = root_bytes.ok_or_else(|| bundle.value_error("verity-hash", &root))?;
                let text = bundle.require("verity-salt")?;
                // The kernel's limit is 256 bytes; RAUC takes 32.
                let salt = unhex(&text).filter(|salt| salt.len() <= 256);
                let salt = salt.ok_or_else(|| bundle.value_error("verity-salt", &text))?;
                let tree_size = bundle.number("verity-size")?.unwrap_or(0);
                Ok(Self::Verity(Verity { root, salt, tree_size }))
            }
            Some("crypt") => {
                for key in ["crypt-key", "verity-hash", "verity-salt", "verity-size"] {
                    bundle.take(key)?;
                }
                Ok(Self::Crypt)
            }
            Some(other) => Err(bundle.value_error("format", other)),
        }
    }
}

impl Image {
    fn decode(group: &mut Group) -> Result<Self, ManifestError> {
        let unnamed = || ManifestError::Section { name: group.name.clone() };
        let name = group.name.strip_prefix("image.").unwrap_or_default();
        let (slot_class, variant) = match name.split_once('.') {
            Some((class, variant)) => (class, Some(variant)),
            None => (name, None),
        };
        let plain = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if !plain(slot_class) || !variant.is_none_or(plain) {
            return Err(unnamed());
        }
        let (slot_class, variant) = (slot_class.to_owned(), variant.map(str::to_owned));
        let filename = file_name(group, "filename")?;
        let sha256 = match group.take("sha256")? {
            None => None,
            Some(text) => match unhex(&text).and_then(|bytes| bytes.try_into().ok()) {
                Some(digest) => Some(digest),
                None => return Err(group.value_error("sha256", &text).into()),
            },
        };
        let kind = match group.take("type")? {
            Some(kind) => Kind::parse(&kind),
            None => filename.as_ref().map_or(Kind::Other, Kind::of),
        };
        let image = Self {
            slot_class,
            variant,
            filename,
            sha256,
            size: group.number("size")?.unwrap_or(0),
            kind,
            hooks: group.list("hooks")?,
            adaptive: group.list("adaptive")?,
            version: group.take("version")?,
        };
        group.take("description")?;
        group.take("build")?;
        group.list("convert")?;
        group.list("converted")?;
        group.end()?;
        Ok(image)
    }

    fn encode(&self) -> Group {
        let variant = self.variant.as_ref().map(|variant| format!(".{variant}")).unwrap_or_default();
        let mut group = Group::new(&format!("image.{}{variant}", self.slot_class));
        if let Some(filename) = &self.filename {
            group.set("filename", filename.as_str());
        }
        if let Some(sha256) = &self.sha256 {
            group.set("sha256", &hex(sha256));
        }
        group.set("size", &self.size.to_string());
        if self.kind != self.filename.as_ref().map_or(Kind::Other, Kind::of) {
            group.set("type", self.kind.as_str());
        }
        if let Some(version) = &self.version {
            group.set("version", version);
        }
        group.set_list("hooks", &self.hooks);
        group.set_list("adaptive", &self.adaptive);
        group
    }
}

fn file_name(group: &mut Group, key: &str) -> Result<Option<FileName>, IniError> {
    let Some(text) = group.take(key)? else { return Ok(None) };
    FileName::parse(&text).map(Some).ok_or_else(|| group.value_error(key, &text))
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |four: u8| char::from(DIGITS[usize::from(four & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Hexadecimal digits as bytes.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |letter: u8| char::from(letter).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// A manifest that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ManifestError {
    #[error(transparent)]
    Ini(#[from] IniError),
    #[error("the section [{name}] is not known here")]
    Section { name: String },
    #[error("[{name}] is there twice, or there are more than {MAX_IMAGES} images")]
    Images { name: String },
    #[error("hooks are named, and no program that they are calls of")]
    Hook,
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &str = "[update]\ncompatible=ota-bench\nversion=1.0\n\n[bundle]\nformat=verity\n\
        verity-hash=86ff0c81691ef73179f59cdbcb9f259528fd604513ba13208619cc028de85723\n\
        verity-salt=db331d48ff89d7576215df4ac71f800200beacab8673b0afc2be03a6a54a54b6\nverity-size=45056\n\n\
        [hooks]\nfilename=hook.sh\nhooks=install-check;\n\n\
        [image.rootfs]\nsha256=92253fa0951a9d775f6904b3f2a1ae07bf26baaf0a0d14f67fedda8df8b3a286\nsize=20971520\n\
        filename=rootfs.ext4\nhooks=post-install;\nadaptive=block-hash-index;\n\n[meta.greengrass]\nfloor=4\ntries=2\n\n\
        [meta.release]\nnotes=some text\n";

    #[test]
    fn manifest_of_rauc_is_read_and_written_again() {
        let manifest = Manifest::decode(REAL.as_bytes()).unwrap();
        assert_eq!(manifest.compatible, "ota-bench");
        assert_eq!(manifest.hooks, ["install-check"]);
        let image = &manifest.images[0];
        assert_eq!((image.slot_class.as_str(), image.kind, image.size), ("rootfs", Kind::Ext4, 20_971_520));
        assert_eq!((image.hooks[0].as_str(), image.adaptive[0].as_str()), ("post-install", "block-hash-index"));
        assert_eq!((manifest.policy.floor, manifest.policy.tries), (4, 2));
        assert_eq!(manifest.meta["release"]["notes"], "some text");
        assert_eq!(Manifest::decode(manifest.encode().as_bytes()), Ok(manifest));
    }

    #[test]
    fn manifest_that_means_two_things_is_refused() {
        let with = |from: &str, to: &str| Manifest::decode(REAL.replace(from, to).as_bytes());
        let cases = [
            ("version=1.0", "version=1.0\nversion=2.0"),
            ("[meta.release]", "[update]"),
            ("filename=rootfs.ext4", "filename=../rootfs.ext4"),
            ("filename=rootfs.ext4", "filename=a/b"),
            ("filename=rootfs.ext4", "filename=.."),
            ("compatible=ota-bench", "compatible="),
            ("compatible=ota-bench\n", ""),
            ("size=20971520", "size=-1"),
            ("size=20971520", "size=+1"),
            ("size=20971520", "size=18446744073709551616"),
            ("sha256=92", "sha256=9"),
            ("verity-hash=86", "verity-hash="),
            ("verity-salt=db", "verity-salt=xx"),
            ("format=verity", "format=other"),
            ("tries=2", "tries=0"),
            ("floor=4", "flor=4"),
            ("[meta.release]", "[image.rootfs.]"),
            ("[meta.release]\nnotes=some text", "[image.rootfs]"),
            ("[meta.release]", "[surprise]"),
            ("[hooks]\nfilename=hook.sh", "[hooks]"),
            ("[meta.release]", "no section"),
        ];
        for (from, to) in cases {
            assert!(with(from, to).is_err(), "{from:?} -> {to:?}");
        }
        assert!(Manifest::decode(b"\xff").is_err());
        assert!(Manifest::decode(b"").is_err());
    }

    #[test]
    fn hexadecimal_is_read_as_it_was_written() {
        assert_eq!(hex(&[0, 0x9f, 0xff]), "009fff");
        assert_eq!(unhex("009FfF"), Some(vec![0, 0x9f, 0xff]));
        for text in ["0", "0g", "+1", "é"] {
            assert_eq!(unhex(text), None, "{text}");
        }
    }
}
