//! The manifest: what is in a bundle and for whom. Its signature was verified before it comes here.
//!
//! The sections and keys are those of RAUC [`KNOWN`] (chapter *Manifest* of its reference), and `[meta.greengrass]` is ours.
//! What is not known is refused, except in other `[meta.*]` sections: an unknown key may change what the rest means.

use std::collections::BTreeMap;

use super::ini::{Group, Ini, IniError};
use super::policy::{self, Policy};
use super::version;

/// Images a bundle may have.
const MAX_IMAGES: usize = 64;
/// The version of RAUC whose manifests are known here: a bundle may ask for a newer one.
pub const KNOWN: &str = "1.15.2";

/// A manifest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// Which devices it is for.
    pub compatible: String,
    pub version: Option<String>,
    pub description: Option<String>,
    pub build: Option<String>,
    /// The version of RAUC that must be known.
    pub min_rauc_version: Option<String>,
    pub format: Format,
    /// A program in the bundle that RAUC would run instead of installing, and its arguments.
    pub handler: Option<FileName>,
    pub handler_args: Option<String>,
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
    /// The class of slots, such as `rootfs`; of an artifact, where RAUC keeps it.
    pub slot_class: String,
    /// For RAUC's artifacts, which are installed beside the slots.
    pub artifact: Option<String>,
    /// Which of several images for one class: the device says which it takes.
    pub variant: Option<String>,
    /// None for an image that only a hook installs.
    pub filename: Option<FileName>,
    pub sha256: Option<[u8; 32]>,
    pub size: u64,
    pub kind: Kind,
    /// The type that the manifest says, where it does.
    pub declared: Option<String>,
    pub hooks: Vec<String>,
    pub adaptive: Vec<String>,
    /// What RAUC made of the file, which is then in the bundle only with `keep` among them, and as which files.
    pub convert: Vec<String>,
    pub converted: Vec<String>,
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
    /// No file at all: a file system that is made on the slot.
    Empty,
    /// One that this program does not install.
    Other,
}

/// RAUC's types by the ends of names; a name with `.tar` or `.squashfs-` in it says it, too.
const ENDS: [(&str, &str); 15] = [
    (".ext4.caibx", "ext4-caibx"),
    (".vfat.caibx", "vfat-caibx"),
    (".ubifs.caibx", "ubifs-caibx"),
    (".squashfs.caibx", "squashfs-caibx"),
    (".caibx", "raw-caibx"),
    (".catar", "catar"),
    (".caidx", "caidx"),
    (".tgz", "tar"),
    (".ext4", "ext4"),
    (".vfat", "vfat"),
    (".img", "raw"),
    (".squashfs", "squashfs"),
    (".ubifs", "ubifs"),
    // Of RAUC before there were types: a boot partition of eMMC is written by more than its bytes.
    (".emmc", "emmc"),
    ("", "raw"),
];

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
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Ext4 => "ext4",
            Self::Squashfs => "squashfs",
            Self::Vfat => "vfat",
            Self::Tar => "tar",
            Self::Empty => "emptyfs",
            Self::Other => "other",
        }
    }

    fn parse(text: &str) -> Self {
        let known = [Self::Raw, Self::Ext4, Self::Squashfs, Self::Vfat, Self::Tar, Self::Empty];
        known.into_iter().find(|kind| kind.as_str() == text).unwrap_or(Self::Other)
    }
}

/// RAUC's type of a file by its name.
fn type_of(name: &FileName) -> &'static str {
    let name = name.as_str();
    let is_index = name.ends_with(".caibx") || name.ends_with(".caidx");
    if name.contains(".tar") && !is_index {
        return "tar";
    }
    if name.contains(".squashfs-") {
        return if is_index { "squashfs-caibx" } else { "squashfs" };
    }
    ENDS.iter().find(|(end, _)| name.ends_with(end)).map_or("raw", |(_, kind)| kind)
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
            min_rauc_version: update.take("min-rauc-version")?,
            format,
            handler: file_name(&mut handler, "filename")?,
            handler_args: handler.take("args")?,
            hook: file_name(&mut hooks, "filename")?,
            hooks: hooks.list("hooks")?,
            images: Vec::new(),
            policy: Policy::decode(&mut own)?,
            meta: BTreeMap::new(),
        };
        if let Some(least) = &manifest.min_rauc_version {
            match version::reaches(KNOWN, least) {
                None => return Err(update.value_error("min-rauc-version", least).into()),
                Some(false) => return Err(ManifestError::Newer { least: least.clone() }),
                Some(true) => {}
            }
        }
        if manifest.handler.is_none() && manifest.handler_args.is_some() {
            return Err(IniError::Missing { group: handler.name, key: "filename".to_owned() }.into());
        }
        for group in [update, bundle, handler, hooks] {
            group.end()?;
        }
        for mut group in ini.groups {
            if group.name.starts_with("image.") {
                let image = Image::decode(&mut group)?;
                let same = |other: &Image| other.section() == image.section();
                if manifest.images.iter().any(same) || manifest.images.len() == MAX_IMAGES {
                    return Err(ManifestError::Images { name: group.name });
                }
                manifest.images.push(image);
            } else if let Some(name) = group.name.strip_prefix("meta.") {
                // RAUC makes variables of them.
                if !is_plain(name) || group.rest().any(|(key, _)| !is_plain(key)) {
                    return Err(ManifestError::Meta { name: group.name });
                }
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
        let draft = Self::decode(ini.encode().as_bytes())?;
        for image in &draft.images {
            let has = |hook: &str| image.hooks.iter().any(|other| other == hook);
            if !image.convert.is_empty() {
                return Err(ManifestError::Convert { name: image.section() });
            }
            if has("install") && image.hooks.len() > 1 {
                return Err(ManifestError::InstallHook { name: image.section() });
            }
        }
        Ok(draft)
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
        if let Some(least) = &self.min_rauc_version {
            update.set("min-rauc-version", least);
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
            if let Some(arguments) = &self.handler_args {
                group.set("args", arguments);
            }
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

impl Manifest {
    /// The variables that RAUC makes of `[meta.*]`: `RAUC_META_LABEL_KEY`.
    pub fn meta_variables(&self) -> Vec<(String, String)> {
        let mut groups: Vec<Group> = self.policy.encode().into_iter().collect();
        groups.extend(self.meta.iter().map(|(name, entries)| {
            let mut group = Group::new(&format!("meta.{name}"));
            entries.iter().for_each(|(key, value)| group.set_raw(key, value));
            group
        }));
        let mut variables = Vec::new();
        for mut group in groups {
            let keys: Vec<String> = group.rest().map(|(key, _)| key.to_owned()).collect();
            for key in keys {
                let name = format!("RAUC_{}_{key}", group.name).to_ascii_uppercase().replace(['.', '-'], "_");
                if let Ok(Some(value)) = group.take(&key) {
                    variables.push((name, value));
                }
            }
        }
        variables
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
        // A variant may be the `compatible` of a device tree, with commas and dots.
        let (place, variant) = match name.split_once('.') {
            Some((place, variant)) => (place, Some(variant)),
            None => (name, None),
        };
        let (slot_class, artifact) = match place.split_once('/') {
            Some((repository, artifact)) => (repository, Some(artifact)),
            None => (place, None),
        };
        if !is_plain(slot_class) || !artifact.is_none_or(is_plain) || variant.is_some_and(str::is_empty) {
            return Err(unnamed());
        }
        let slot_class = slot_class.to_owned();
        let (artifact, variant) = (artifact.map(str::to_owned), variant.map(str::to_owned));
        let filename = file_name(group, "filename")?;
        let sha256 = match group.take("sha256")? {
            None => None,
            Some(text) => match unhex(&text).and_then(|bytes| bytes.try_into().ok()) {
                Some(digest) => Some(digest),
                None => return Err(group.value_error("sha256", &text).into()),
            },
        };
        let hooks = group.list("hooks")?;
        let is_hooks_own = hooks.iter().any(|hook| hook == "install");
        // As to RAUC, the key is not known for an artifact.
        let declared = if artifact.is_none() { group.take("type")? } else { None };
        let kind = declared.as_deref().or(filename.as_ref().map(type_of)).map_or(Kind::Other, Kind::parse);
        if let Some(word) = &declared
            && kind == Kind::Other
            && !is_hooks_own
            && !ENDS.iter().any(|(_, known)| known == word)
        {
            return Err(group.value_error("type", word).into());
        }
        if !is_hooks_own && filename.is_none() != (kind == Kind::Empty) {
            return Err(ManifestError::FileName { name: group.name.clone() });
        }
        let image = Self {
            slot_class,
            artifact,
            variant,
            filename,
            sha256,
            size: group.number("size")?.unwrap_or(0),
            kind,
            declared,
            hooks,
            adaptive: group.list("adaptive")?,
            convert: group.list("convert")?,
            converted: group.list("converted")?,
            version: group.take("version")?,
        };
        group.take("description")?;
        group.take("build")?;
        group.end()?;
        Ok(image)
    }

    /// The name of its section, without `image.`.
    pub fn section(&self) -> String {
        let mut name = self.slot_class.clone();
        for (mark, part) in [('/', &self.artifact), ('.', &self.variant)] {
            if let Some(part) = part {
                name.push(mark);
                name.push_str(part);
            }
        }
        name
    }

    /// RAUC's type of it.
    pub fn type_name(&self) -> &str {
        let of_name = || self.filename.as_ref().map_or(self.kind.as_str(), type_of);
        self.declared.as_deref().unwrap_or_else(of_name)
    }

    fn encode(&self) -> Group {
        let mut group = Group::new(&format!("image.{}", self.section()));
        if let Some(filename) = &self.filename {
            group.set("filename", filename.as_str());
        }
        if let Some(sha256) = &self.sha256 {
            group.set("sha256", &hex(sha256));
        }
        if self.filename.is_some() || self.size > 0 {
            group.set("size", &self.size.to_string());
        }
        for (key, value) in [("type", &self.declared), ("version", &self.version)] {
            if let Some(value) = value {
                group.set(key, value);
            }
        }
        for (key, list) in [
            ("hooks", &self.hooks),
            ("adaptive", &self.adaptive),
            ("convert", &self.convert),
            ("converted", &self.converted),
        ] {
            group.set_list(key, list);
        }
        group
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
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
    #[error(
        "it asks for RAUC {least} (min-rauc-version), and what {KNOWN} has is known here; install a newer greengrass first"
    )]
    Newer { least: String },
    #[error("[{name}] names no file; only type=emptyfs, which has none, and the hook install do without")]
    FileName { name: String },
    #[error("[{name}] and its keys must be letters, digits, - and _: RAUC makes variables of them")]
    Meta { name: String },
    #[error("[image.{name}] has convert=, which only `rauc bundle` does")]
    Convert { name: String },
    #[error("[image.{name}] has the hook install and others, which RAUC would never call")]
    InstallHook { name: String },
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
            ("[meta.release]", "[meta.re.lease]"),
            ("notes=some", "no.tes=some"),
            ("version=1.0", "min-rauc-version=1.16"),
            ("version=1.0", "min-rauc-version=newest"),
            ("[meta.release]\nnotes=some text", "[handler]\nargs=x"),
            ("filename=rootfs.ext4", "filename=rootfs.ext4\ntype=foo"),
            ("filename=rootfs.ext4", "filename=rootfs.ext4\ntype=emptyfs"),
            ("filename=rootfs.ext4\n", ""),
            ("[meta.release]\nnotes=some text", "[image.files/app]\nfilename=a.tar\ntype=tar"),
            ("[meta.release]\nnotes=some text", "[image.files/]\nfilename=a.tar"),
        ];
        for (from, to) in cases {
            assert!(with(from, to).is_err(), "{from:?} -> {to:?}");
        }
        assert!(Manifest::decode(b"\xff").is_err());
        assert!(Manifest::decode(b"").is_err());
    }

    #[test]
    fn manifest_of_the_newest_rauc_is_read_and_written_again() {
        let more = "[image.rootfs.ti,am335x-bone.v2]\nfilename=b\ntype=ext4\n[image.files/app]\nfilename=a.tar\n\
            convert=composefs;keep;\nconverted=a.tar.cfs;a.tar;\n[image.data]\ntype=emptyfs\n\
            [image.fw]\nhooks=install\ntype=foo\n[handler]\nfilename=h\nargs=--a b\n[rollout]\nany=thing\n";
        let manifest = REAL.replace("version=1.0\n", "version=1.0\nmin-rauc-version=1.15\n") + more;
        let manifest = Manifest::decode(manifest.as_bytes()).unwrap();
        let told: Vec<_> =
            manifest.images.iter().map(|image| (image.section(), image.type_name(), image.kind)).collect();
        let rows = [
            ("rootfs", "ext4", Kind::Ext4),
            ("rootfs.ti,am335x-bone.v2", "ext4", Kind::Ext4),
            ("files/app", "tar", Kind::Tar),
            ("data", "emptyfs", Kind::Empty),
            ("fw", "foo", Kind::Other),
        ];
        assert_eq!(told, rows.map(|(section, name, kind)| (section.to_owned(), name, kind)));
        assert_eq!(manifest.images[1].variant.as_deref(), Some("ti,am335x-bone.v2"));
        assert_eq!(manifest.images[2].artifact.as_deref(), Some("app"));
        assert_eq!(manifest.handler_args.as_deref(), Some("--a b"));
        assert_eq!(Manifest::decode(manifest.encode().as_bytes()), Ok(manifest));
    }

    #[test]
    fn type_is_told_by_the_name() {
        for (name, expected) in [
            ("a.img", "raw"),
            ("a.bin", "raw"),
            ("a.ext4", "ext4"),
            ("a.tar.xz", "tar"),
            ("a.tgz", "tar"),
            ("a.squashfs-xz", "squashfs"),
            ("a.squashfs-xz.caibx", "squashfs-caibx"),
            ("a.ext4.caibx", "ext4-caibx"),
            ("a.ubifs", "ubifs"),
        ] {
            assert_eq!(type_of(&FileName::parse(name).unwrap()), expected);
        }
    }

    #[test]
    fn draft_that_only_rauc_can_make_is_refused() {
        let draft =
            |more: &str| Manifest::draft(format!("[update]\ncompatible=x\n[hooks]\nfilename=h\n{more}").as_bytes());
        assert!(draft("[image.a]\nhooks=install\n").is_ok());
        assert!(matches!(draft("[image.a]\nhooks=install;post-install\n"), Err(ManifestError::InstallHook { .. })));
        assert!(matches!(draft("[image.a/b]\nfilename=c\nconvert=composefs\n"), Err(ManifestError::Convert { .. })));
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
