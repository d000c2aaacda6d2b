//! `[streaming]` of the settings: how the server of a bundle is reached. The keys are RAUC's, and `proxy` is ours.

use std::path::{Path, PathBuf};

use super::{FetchError, Link};
use crate::net::http::Route;
use crate::service::ota::trust::sign::{Padding, Signatory};
use crate::store::file;
use crate::wire::bundle::ini::{Group, IniError};

/// Where authorities are looked for when the settings name none: Debian and OpenWrt, Fedora, Alpine. The program has some
/// of its own for a device that has no list.
const LISTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// Bytes a file with certificates may have: Mozilla's list has a fifth of it.
const MAX_FILE: u64 = 1 << 20;

/// The settings.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Streaming {
    /// `tls-ca`: the only authorities that a server may have its certificate from.
    pub authorities: Option<PathBuf>,
    /// `tls-cert` and `tls-key`: who we are.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// `proxy`
    pub proxy: Option<String>,
}

impl Streaming {
    /// Reads the section. Paths are relative to `folder`.
    pub fn decode(group: &mut Group, folder: &Path) -> Result<Self, IniError> {
        let mut path = |key| Ok::<_, IniError>(group.take(key)?.map(|path| folder.join(path)));
        let (authorities, certificate, key) = (path("tls-ca")?, path("tls-cert")?, path("tls-key")?);
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (one, _) => return Err(group.value_error(if one.is_some() { "tls-key" } else { "tls-cert" }, "")),
        };
        let proxy = group.take("proxy")?;
        // Nothing runs as another user here, and nobody is told who we are.
        group.take("sandbox-user")?;
        group.take("send-headers")?;
        group.end()?;
        Ok(Self { authorities, identity, proxy })
    }

    /// Reads the files.
    pub(super) fn route(&self, url: &str) -> Result<Route, FetchError> {
        let read =
            |path: &Path| file::read(path, MAX_FILE)?.ok_or_else(|| FetchError::Missing { path: path.to_owned() });
        let authorities = match &self.authorities {
            Some(path) => Some(read(path)?),
            None => LISTS.iter().find_map(|path| file::read(Path::new(path), MAX_FILE).ok().flatten()),
        };
        let identity = match &self.identity {
            None => None,
            Some((certificate, key)) => {
                let (chain, pem) = (read(certificate)?, read(key)?);
                // The client takes for granted that they belong together.
                Signatory::from_pem(&pem, &chain, Padding::default())
                    .map_err(|cause| FetchError::Identity { path: key.clone(), cause })?;
                Some((chain, pem))
            }
        };
        Ok(Route { authorities, identity, proxy: self.proxy.clone(), is_encrypted: Link::is_encrypted(url) })
    }
}
