//! What a device says of its updates: the file `/etc/greengrass/ota.conf`, or RAUC's `system.conf`, which is read the same.

use std::path::{Path, PathBuf};

use super::fetch::Streaming;
use super::layout::Place;
use super::trial::HealthSettings;
use super::trust::{Lists, Purpose, Trust};
use super::update::Allowed;
use crate::boot::places;
use crate::boot::slot::Slot;
use crate::boot::state::device::Kind;
use crate::store::file::{self, FileError};
use crate::sys::priority::Disk;
use crate::wire::bundle::ini::{Group, Ini, IniError};
use crate::wire::bundle::manifest::unhex;
use crate::wire::bundle::pem::{self, PemError, Signify};
use crate::wire::bundle::version;

/// Where the settings are looked for, in this order.
pub const PLACES: [&str; 2] = ["/etc/greengrass/ota.conf", "/etc/rauc/system.conf"];
/// Bytes a file with settings, keys or certificates may have.
const MAX_FILE: u64 = 1 << 20;

/// The settings.
#[derive(Clone, Default, Debug)]
pub struct Settings {
    /// What a bundle must be for; nothing is installed when it is not said.
    pub compatible: Option<String>,
    /// `[system] bootloader`, as it is written: a device is not opened to look at a bundle.
    pub bootloader: Option<String>,
    /// Where GRUB's environment is mounted, on a disk of somebody else's layout.
    pub grubenv: Option<PathBuf>,
    /// Below which slots are mounted while something is done in them.
    pub mount_prefix: Option<PathBuf>,
    /// Bytes a bundle may have.
    pub max_bundle_size: Option<u64>,
    /// The version a bundle must reach.
    pub min_bundle_version: Option<String>,
    /// Which of several images for one class this device takes.
    pub variant: Variant,
    /// The file is RAUC's own, whose words mean what they mean to RAUC.
    pub is_of_rauc: bool,
    /// `[slot.CLASS.NUMBER]`; none: `gg-a` and `gg-b`.
    pub slots: Vec<Place>,
    /// `[streaming]`: how the server of a bundle is reached.
    pub streaming: Streaming,
    pub greengrass: Greengrass,
    /// `[health.NAME]`, which a bundle may name.
    pub profiles: Vec<(String, HealthSettings)>,
    pub trust: Trust,
}

/// `[greengrass]`: what RAUC has no word for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Greengrass {
    /// Which slot runs, where nothing else tells.
    pub booted: Option<Slot>,
    pub state: StatePlace,
    /// What must last: `slot-a.json`, indexes, and the record where it lies in files.
    pub data_directory: PathBuf,
    /// Held by whoever changes the state of the slots.
    pub lock: PathBuf,
    /// Whether programs in a bundle may be run.
    pub allow_hooks: bool,
    /// When a new version is kept.
    pub health: HealthSettings,
    /// Bytes a second that an installation moves to and from a slot.
    pub rate_limit: Option<u64>,
    /// How much others go first while something is installed.
    pub nice: Option<u8>,
    pub disk: Option<Disk>,
}

impl Default for Greengrass {
    fn default() -> Self {
        Self {
            booted: None,
            state: StatePlace::Auto,
            data_directory: places::OTA.into(),
            lock: places::OTA_LOCK.into(),
            allow_hooks: false,
            health: HealthSettings::default(),
            rate_limit: None,
            nice: None,
            disk: None,
        }
    }
}

/// How a device knows which variant it is.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Variant {
    /// It is none.
    #[default]
    None,
    Name(String),
    /// By what is in a file.
    File(PathBuf),
}

impl Variant {
    /// The first `compatible` of the device tree.
    const TREE: &str = "/sys/firmware/devicetree/base/compatible";

    fn decode(system: &mut Group) -> Result<Self, IniError> {
        let (name, file) = (system.take("variant-name")?, system.take("variant-file")?);
        let tree = system.boolean("variant-dtb")? == Some(true);
        match (name, file, tree) {
            (None, None, false) => Ok(Self::None),
            (Some(name), None, false) => Ok(Self::Name(name)),
            (None, Some(file), false) => Ok(Self::File(file.into())),
            (None, None, true) => Ok(Self::File(Self::TREE.into())),
            _ => Err(system.value_error("variant-name, variant-file, variant-dtb", "more than one of them")),
        }
    }

    /// What it is called. RAUC goes on without one where the file cannot be read; the image for no variant may be one that
    /// this device does not boot.
    pub fn name(&self) -> Result<Option<String>, SettingsError> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Name(name) => name.clone(),
            Self::File(path) => {
                let bytes = read(path)?;
                let first = bytes.split(|byte| matches!(byte, 0 | b'\n')).next().unwrap_or_default();
                String::from_utf8_lossy(first).into_owned()
            }
        };
        Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    }
}

/// Where the slot-state record lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatePlace {
    /// On `gg-state` where there is such a partition, else in files.
    Auto,
    Partition,
    /// Below the data directory.
    Files,
}

impl Settings {
    /// Reads the settings from the file, or from the first of [`PLACES`] that is there. Without any, nobody is trusted.
    pub fn load(path: Option<&Path>) -> Result<Self, SettingsError> {
        let places = PLACES.map(PathBuf::from);
        let found = match path {
            Some(path) => Some(path.to_owned()),
            None => places.into_iter().find(|path| path.exists()),
        };
        let Some(path) = found else { return Ok(Self::default()) };
        let fault = |cause| SettingsError::Ini { path: path.clone(), cause };
        let mut ini = Ini::decode(&read(&path)?).map_err(fault)?;
        let mut keyring = ini.take("keyring");
        let mut settings = Self { is_of_rauc: path.ends_with("system.conf"), ..Self::default() };
        settings.system(&mut ini.take("system")).map_err(fault)?;
        settings.slots = Place::all(&mut ini).map_err(fault)?;
        settings.greengrass = Greengrass::decode(&mut ini.take("greengrass")).map_err(fault)?;
        settings.profiles(&mut ini).map_err(fault)?;
        let files = settings.keyring(&mut keyring).map_err(fault)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        settings.streaming = Streaming::decode(&mut ini.take("streaming"), folder).map_err(fault)?;
        for file in files.certificates {
            settings.add_certificates(&folder.join(file))?;
        }
        for file in files.keys {
            settings.add_key(&folder.join(file))?;
        }
        Ok(settings)
    }

    /// Who keeps which slot boots, if the settings say it in a word that is known.
    pub fn boot_loader(&self) -> Option<Kind> {
        match self.bootloader.as_deref()? {
            // RAUC's scripts for GRUB have variables of their own.
            "grub" if self.is_of_rauc => Some(Kind::GrubRauc),
            word => Kind::parse(word),
        }
    }

    /// What may be done for a bundle, and where.
    pub fn allowed<'a>(&'a self, variant: Option<&'a str>) -> Allowed<'a> {
        let mount_point = self.mount_prefix.as_deref().unwrap_or(Path::new(places::OTA_MOUNT));
        Allowed { hooks: self.greengrass.allow_hooks, mount_point, variant }
    }

    /// The rest of the section is RAUC's, and about what is not done here.
    fn system(&mut self, system: &mut Group) -> Result<(), IniError> {
        self.compatible = system.take("compatible")?;
        self.bootloader = system.take("bootloader")?;
        self.grubenv = system.take("grubenv")?.map(PathBuf::from);
        self.mount_prefix = system.take("mountprefix")?.map(PathBuf::from);
        self.max_bundle_size = system.number("max-bundle-size")?;
        self.min_bundle_version = system.take("min-bundle-version")?;
        if let Some(least) = self.min_bundle_version.as_deref().filter(|least| !version::is_one(least)) {
            return Err(system.value_error("min-bundle-version", least));
        }
        let formats = system.take("bundle-formats")?.unwrap_or_default();
        let mut words = formats.split_whitespace();
        // All that are allowed, or what is added to RAUC's own and taken away.
        let forbids = match formats.starts_with(['+', '-']) {
            true => words.any(|word| word == "-verity"),
            false => !formats.is_empty() && words.all(|word| word != "verity"),
        };
        if forbids {
            return Err(system.value_error("bundle-formats", &formats));
        }
        self.variant = Variant::decode(system)?;
        Ok(())
    }

    fn profiles(&mut self, ini: &mut Ini) -> Result<(), IniError> {
        for mut group in ini.groups.extract_if(.., |group| group.name.starts_with("health.")) {
            let mut health = self.greengrass.health.clone();
            health.decode(&mut group, "")?;
            group.end()?;
            self.profiles.push((group.name["health.".len()..].to_owned(), health));
        }
        Ok(())
    }

    /// The health checks for a bundle that names this profile, or none; one that is not known here is as none.
    pub fn health_of(&self, profile: Option<&str>) -> HealthSettings {
        let found = self.profiles.iter().find(|(name, _)| Some(name.as_str()) == profile);
        found.map_or_else(|| self.greengrass.health.clone(), |(_, health)| health.clone())
    }

    fn keyring(&mut self, keyring: &mut Group) -> Result<Files, IniError> {
        let certificates = keyring.take("path")?.into_iter().chain(keyring.list("revocation-lists")?).collect();
        let keys = keyring.list("keys")?;
        self.trust.require = keyring.number("require")?.unwrap_or(1);
        if let Some(purpose) = keyring.take("check-purpose")? {
            self.trust.purpose =
                Purpose::parse(&purpose).ok_or_else(|| keyring.value_error("check-purpose", &purpose))?;
        }
        if keyring.boolean("check-crl")? == Some(true) {
            self.trust.lists = Lists::Required;
        }
        for text in keyring.list("revoked-keys")? {
            let key = unhex(&text.replace(':', "")).and_then(|bytes| bytes.try_into().ok());
            self.trust.revoked_keys.push(key.ok_or_else(|| keyring.value_error("revoked-keys", &text))?);
        }
        // The clock of a device decides nothing here anyway, and a chain always goes to a root.
        keyring.take("use-bundle-signing-time")?;
        keyring.take("allow-partial-chain")?;
        // What is not known may forbid something.
        keyring.end()?;
        Ok(Files { certificates, keys })
    }

    /// Trusts the certificates in a PEM file, and takes back what its revocation lists do.
    pub fn add_certificates(&mut self, path: &Path) -> Result<(), SettingsError> {
        let fault = |cause| SettingsError::Pem { path: path.to_owned(), cause };
        let mut is_empty = true;
        for block in pem::decode(&read(path)?).map_err(fault)? {
            match block.label.as_str() {
                "CERTIFICATE" | "TRUSTED CERTIFICATE" => self.trust.roots.push(block.bytes),
                "X509 CRL" => self.trust.revocation_lists.push(block.bytes),
                _ => continue,
            }
            is_empty = false;
        }
        if is_empty { Err(SettingsError::Empty { path: path.to_owned() }) } else { Ok(()) }
    }

    /// Trusts the Ed25519 key in a file of signify, usign or minisign.
    pub fn add_key(&mut self, path: &Path) -> Result<(), SettingsError> {
        let fault = |cause| SettingsError::Pem { path: path.to_owned(), cause };
        self.trust.keys.push(Signify::<32>::decode(&read(path)?).map_err(fault)?.bytes);
        Ok(())
    }
}

impl Greengrass {
    fn decode(group: &mut Group) -> Result<Self, IniError> {
        let mut greengrass = Self::default();
        if let Some(word) = group.take("booted")? {
            greengrass.booted = Some(Slot::parse(&word).ok_or_else(|| group.value_error("booted", &word))?);
        }
        greengrass.state = match group.take("state")?.as_deref() {
            None | Some("auto") => StatePlace::Auto,
            Some("partition") => StatePlace::Partition,
            Some("files") => StatePlace::Files,
            Some(word) => return Err(group.value_error("state", word)),
        };
        for (key, path) in [("data-directory", &mut greengrass.data_directory), ("lock", &mut greengrass.lock)] {
            if let Some(value) = group.take(key)? {
                *path = Some(PathBuf::from(&value))
                    .filter(|path| path.is_absolute())
                    .ok_or_else(|| group.value_error(key, &value))?;
            }
        }
        greengrass.allow_hooks = group.boolean("allow-hooks")?.unwrap_or(false);
        greengrass.health.decode(group, "health-")?;
        greengrass.rate_limit = group.number("rate-limit")?.filter(|rate| *rate > 0);
        greengrass.nice = group.number("nice")?;
        if let Some(nice) = greengrass.nice.filter(|nice| *nice > 19) {
            return Err(group.value_error("nice", &nice.to_string()));
        }
        greengrass.disk = match group.take("io-priority")?.as_deref() {
            None | Some("none") => None,
            Some("idle") => Some(Disk::Idle),
            // Behind everybody whose priority nobody changed.
            Some("low") => Some(Disk::BestEffort(7)),
            Some(word) => return Err(group.value_error("io-priority", word)),
        };
        // What is not known may forbid something.
        group.end()?;
        Ok(greengrass)
    }
}

/// A detached signature of signify, usign or `minisign -l`.
pub fn detached_signature(path: &Path) -> Result<[u8; 64], SettingsError> {
    let fault = |cause| SettingsError::Pem { path: path.to_owned(), cause };
    Ok(Signify::<64>::decode(&read(path)?).map_err(fault)?.bytes)
}

struct Files {
    certificates: Vec<String>,
    keys: Vec<String>,
}

fn read(path: &Path) -> Result<Vec<u8>, SettingsError> {
    file::read(path, MAX_FILE)?.ok_or_else(|| SettingsError::Missing { path: path.to_owned() })
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("there is no {}", path.display())]
    Missing { path: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} cannot be used", path.display())]
    Ini {
        path: PathBuf,
        #[source]
        cause: IniError,
    },
    #[error("{} cannot be read", path.display())]
    Pem {
        path: PathBuf,
        #[source]
        cause: PemError,
    },
    #[error("{} has neither certificates nor revocation lists", path.display())]
    Empty { path: PathBuf },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(system: &str) -> Result<Settings, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ota.conf");
        std::fs::write(&path, format!("[system]\ncompatible=x\n{system}\n")).unwrap();
        Settings::load(Some(&path))
    }

    #[test]
    fn variant_is_told_by_one_key() {
        let name = |system: &str| settings(system).unwrap().variant.name();
        assert_eq!(name("").unwrap(), None);
        assert_eq!(name("variant-name=v2").unwrap().as_deref(), Some("v2"));
        assert_eq!(name("variant-dtb=false").unwrap(), None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("variant");
        for (bytes, expected) in
            [(&b" v3 \n"[..], Some("v3")), (b"ti,am335x-bone\0ti,am33xx\0", Some("ti,am335x-bone")), (b"", None)]
        {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(name(&format!("variant-file={}", path.display())).unwrap().as_deref(), expected);
        }
        assert!(name("variant-file=/nonexistent").is_err());
        assert!(settings("variant-name=a\nvariant-dtb=true").is_err());
    }

    #[test]
    fn settings_that_forbid_what_is_installed_here_are_refused() {
        for good in [
            "",
            "bundle-formats=-plain",
            "bundle-formats=verity crypt",
            "bundle-formats=+plain",
            "min-bundle-version=1.2-rc",
        ] {
            assert!(settings(good).is_ok(), "{good}");
        }
        for bad in ["bundle-formats=crypt", "bundle-formats=-verity", "min-bundle-version=newest", "variant-dtb=maybe"]
        {
            assert!(settings(bad).is_err(), "{bad}");
        }
    }
}
