//! What a device says of its updates: the file `/etc/greengrass/ota.conf`, or RAUC's `system.conf`, which is read the same.

use std::path::{Path, PathBuf};

use super::trust::{Lists, Purpose, Trust};
use crate::store::file::{self, FileError};
use crate::wire::bundle::ini::{Group, Ini, IniError};
use crate::wire::bundle::manifest::unhex;
use crate::wire::bundle::pem::{self, PemError, Signify};

/// Where the settings are looked for, in this order.
pub const PLACES: [&str; 2] = ["/etc/greengrass/ota.conf", "/etc/rauc/system.conf"];
/// Bytes a file with settings, keys or certificates may have.
const MAX_FILE: u64 = 1 << 20;

/// The settings.
#[derive(Clone, Default, Debug)]
pub struct Settings {
    /// What a bundle must be for; nothing is installed when it is not said.
    pub compatible: Option<String>,
    pub trust: Trust,
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
        let compatible = ini.take("system").take("compatible").map_err(fault)?;
        let mut keyring = ini.take("keyring");
        let mut settings = Self { compatible, trust: Trust::default() };
        let files = settings.keyring(&mut keyring).map_err(fault)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        for file in files.certificates {
            settings.add_certificates(&folder.join(file))?;
        }
        for file in files.keys {
            settings.add_key(&folder.join(file))?;
        }
        Ok(settings)
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
