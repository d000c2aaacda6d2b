//! The options that say whom to trust, which `info`, `verify` and `install` share.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use super::status::look;
use crate::base::clock::Timestamp;
use crate::service::ota::bundle::{Bundle, FileSource, Source};
use crate::service::ota::fetch::{self, HttpSource, Patience};
use crate::service::ota::settings::{Settings, detached_signature};
use crate::service::ota::trust::verification_time;

#[derive(Args, Default, Debug)]
pub(super) struct TrustArguments {
    /// Read this instead of /etc/greengrass/ota.conf
    #[arg(long, value_name = "FILE")]
    conf: Option<PathBuf>,
    /// Also trust the certificates in this PEM file; it may hold revocation lists, too
    #[arg(long, value_name = "PEM")]
    keyring: Vec<PathBuf>,
    /// Also trust this Ed25519 key, a file of signify, usign or minisign
    #[arg(long, value_name = "PUB")]
    public_key: Vec<PathBuf>,
    /// A detached signature by such a key over the manifest; without this, BUNDLE.sig if it is there
    #[arg(long, value_name = "SIG")]
    signature: Vec<PathBuf>,
    /// So many different roots must have signed, whatever the settings say
    #[arg(long, value_name = "K")]
    require: Option<usize>,
}

impl TrustArguments {
    /// Those of a command line that is not ours.
    pub(super) fn of(conf: Option<PathBuf>, keyring: Option<PathBuf>) -> Self {
        Self { conf, keyring: keyring.into_iter().collect(), ..Self::default() }
    }

    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = Settings::load(self.conf.as_deref())?;
        for path in &self.keyring {
            settings.add_certificates(path)?;
        }
        for path in &self.public_key {
            settings.add_key(path)?;
        }
        if let Some(require) = self.require {
            settings.trust.require = require;
        }
        Ok(settings)
    }

    /// Where the bundle comes from: a file, or a server.
    pub(super) fn source(&self, path: &Path) -> Result<Box<dyn Source>, Failure> {
        let Some(url) = path.to_str().filter(|text| fetch::is_url(text)) else {
            let opened = FileSource::open(path);
            return Ok(Box::new(opened.map_err(|cause| Failure::Open { path: path.display().to_string(), cause })?));
        };
        Ok(Box::new(HttpSource::open(url, &self.settings()?.streaming, Patience::default())?))
    }

    /// The bundle, verified as `install` would.
    pub(super) fn open(&self, settings: &Settings, path: &Path, source: &dyn Source) -> Result<Bundle, Failure> {
        self.open_at(settings, path, source, trusted(settings))
    }

    /// The bundle, verified, on a device that has trusted this time before.
    pub(super) fn open_at(
        &self,
        settings: &Settings,
        path: &Path,
        source: &dyn Source,
        trusted: i64,
    ) -> Result<Bundle, Failure> {
        let beside = path.with_added_extension("sig");
        let beside = if self.signature.is_empty() && beside.exists() { vec![beside] } else { Vec::new() };
        let detached = self.signature.iter().chain(&beside).map(|path| detached_signature(path));
        let detached: Vec<_> = detached.collect::<Result<_, _>>()?;
        Bundle::open(source, &settings.trust, &detached, time(trusted)).map_err(|cause| refused(path, cause))
    }
}

pub(super) fn refused(path: &Path, cause: crate::service::ota::bundle::BundleError) -> Failure {
    Failure::Bundle { path: path.display().to_string(), cause }
}

/// The latest time that this device has trusted; where there is no device, the beginning of all times.
pub(super) fn trusted(settings: &Settings) -> i64 {
    look(settings).map_or(0, |found| i64::try_from(found.status.record.trusted_time).unwrap_or(i64::MAX))
}

/// The time that certificates are judged at. A device without a clock is as old as this program.
pub(super) fn time(trusted: i64) -> i64 {
    let built = env!("GREENGRASS_BUILD_TIME").parse().unwrap_or(0);
    verification_time(built, trusted, now())
}

/// Seconds since 1970, as the clock has it.
pub(super) fn now() -> i64 {
    i64::try_from(Timestamp::now().0 / 1000).unwrap_or(i64::MAX)
}
