//! A file a component needs, and how it lies on the disk.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::uri;

/// One entry of a manifest's `Artifacts`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Artifact {
    pub uri: ArtifactUri,
    pub unarchive: Unarchive,
    pub permission: Permission,
    /// Set by the cloud; a local recipe has none and the file in place is taken as it is.
    pub digest: Option<Digest>,
}

/// Where an artifact comes from. The text is a URI; whether its scheme can be fetched is a question of the deployment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactUri(String);

impl ArtifactUri {
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let text = text.trim_matches(|c| c <= ' ');
        match uri::fault(text) {
            None => Ok(Self(text.into())),
            Some(fault) => Err(UriError { fault }),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn scheme(&self) -> ArtifactScheme {
        let scheme = self.0.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| uri::is_scheme(scheme));
        match scheme.map(str::to_ascii_lowercase).as_deref() {
            None => ArtifactScheme::None,
            Some("s3") => ArtifactScheme::S3,
            Some("docker") => ArtifactScheme::Docker,
            Some("greengrass") => ArtifactScheme::Greengrass,
            Some("file") => ArtifactScheme::File,
            Some("http") => ArtifactScheme::Http,
            Some("https") => ArtifactScheme::Https,
            Some(_) => ArtifactScheme::Unsupported,
        }
    }

    /// What follows `scheme:`.
    pub fn after_scheme(&self) -> &str {
        match self.0.split_once(':') {
            Some((scheme, rest)) if uri::is_scheme(scheme) => rest,
            _ => &self.0,
        }
    }

    /// The name the artifact gets on disk: the last segment of the path. `None` when that is no plain file name.
    pub fn file_name(&self) -> Option<&str> {
        let path = self.after_scheme();
        let path = if matches!(self.scheme(), ArtifactScheme::Http | ArtifactScheme::Https) {
            path.split(['?', '#']).next().unwrap_or(path)
        } else {
            path
        };
        let name = path.rsplit('/').next().unwrap_or(path);
        (!matches!(name, "" | "." | "..")).then_some(name)
    }
}

impl fmt::Display for ArtifactUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ArtifactUri {
    type Error = UriError;
    fn try_from(text: String) -> Result<Self, UriError> {
        Self::parse(&text)
    }
}

impl From<ArtifactUri> for String {
    fn from(uri: ArtifactUri) -> String {
        uri.0
    }
}

/// How an artifact is fetched. `s3`, `docker` and `greengrass` are the reference nucleus's; `file`, `http` and `https`
/// are ours, for devices without the cloud. The last two make a deployment fail, not the recipe.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ArtifactScheme {
    S3,
    Docker,
    Greengrass,
    File,
    Http,
    Https,
    None,
    Unsupported,
}

/// A text that is no URI.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a URI: {fault}")]
pub struct UriError {
    pub(super) fault: String,
}

/// Whether an artifact is an archive to be unpacked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unarchive {
    #[default]
    None,
    Zip,
}

/// Who may read and run an artifact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Permission {
    pub read: PermissionType,
    pub execute: PermissionType,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PermissionType {
    None,
    Owner,
    All,
}

impl Permission {
    /// Mode bits of the file. Nobody gets to write; the group counts as the owner; running needs reading.
    pub const fn mode_bits(self) -> u32 {
        let owner_and_group = match (self.read, self.execute) {
            (_, PermissionType::Owner | PermissionType::All) => 0o550,
            (PermissionType::Owner | PermissionType::All, PermissionType::None) => 0o440,
            (PermissionType::None, PermissionType::None) => 0o400,
        };
        let others = match (self.read, self.execute) {
            (_, PermissionType::All) => 0o005,
            (PermissionType::All, _) => 0o004,
            _ => 0,
        };
        owner_and_group | others
    }
}

impl Default for Permission {
    fn default() -> Self {
        Self { read: PermissionType::Owner, execute: PermissionType::None }
    }
}

/// Digest of an artifact, as the cloud writes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Digest {
    /// Base64 of the digest's bytes.
    pub value: String,
    /// `SHA-256`; without one the deployment fails.
    pub algorithm: Option<String>,
}
