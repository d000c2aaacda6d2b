//! Names that cross the border: components, versions, deployments, groups.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a component: 1 to 128 characters of `[a-zA-Z0-9-_.]`.
///
/// It also names a directory of the component store, so `.` and `..` are refused.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ComponentName(Box<str>);

impl ComponentName {
    /// The longest name the cloud accepts, in characters.
    pub const MAX_LENGTH: usize = 128;

    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fault = if text.is_empty() {
            Some("it is empty")
        } else if text.len() > Self::MAX_LENGTH {
            Some("it is longer than 128 characters")
        } else if matches!(text, "." | "..") {
            Some("it is a directory reference")
        } else if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
            Some("only letters, digits, '-', '_' and '.' are allowed")
        } else {
            None
        };
        match fault {
            Some(fault) => Err(NameError::new("component name", text, fault)),
            None => Ok(Self(text.into())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A component version: semantic version `x.y.z[-pre][+build]`, at most 64 characters, each number at most 999999.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ComponentVersion(semver::Version);

impl ComponentVersion {
    /// The longest version text the cloud accepts, in characters.
    pub const MAX_LENGTH: usize = 64;
    /// The largest number a version may hold in one of its places.
    pub const MAX_NUMBER: u64 = 999_999;

    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refuse = |fault| NameError::new("component version", text, fault);
        if text.len() > Self::MAX_LENGTH {
            return Err(refuse("it is longer than 64 characters"));
        }
        let version = semver::Version::parse(text)
            .map_err(|_| refuse("it is not a semantic version such as 1.0.0 or 2.1.0-beta"))?;
        if [version.major, version.minor, version.patch].iter().any(|n| *n > Self::MAX_NUMBER) {
            return Err(refuse("a number in it is larger than 999999"));
        }
        Ok(Self(version))
    }

    pub fn semver(&self) -> &semver::Version {
        &self.0
    }
}

/// The identity of a deployment: a UUID for local ones, a job id or an ARN for those from the cloud.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeploymentId(Box<str>);

impl DeploymentId {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refuse = |fault| NameError::new("deployment id", text, fault);
        if text.is_empty() || text.len() > 256 {
            return Err(refuse("it must have 1 to 256 characters"));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(refuse("only printable ASCII without blanks is allowed"));
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as one path segment: `:` becomes `.` and `/` becomes `+`, as the reference nucleus does.
    pub fn as_file_name(&self) -> String {
        self.0.replace(':', ".").replace('/', "+")
    }
}

/// The origin of a set of root components: `thinggroup/<name>`, `thing/<name>` or `LOCAL_DEPLOYMENT`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupName(Box<str>);

impl GroupName {
    /// The group of local deployments that name none.
    pub fn local() -> Self {
        Self("LOCAL_DEPLOYMENT".into())
    }

    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() || text.len() > 512 || text.chars().any(char::is_control) {
            return Err(NameError::new(
                "group name",
                text,
                "it must have 1 to 512 characters and no control characters",
            ));
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! text_type {
    // One shape for every text newtype: `Display`, `FromStr` and both conversions serde asks for.
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.to_string()
            }
        }
    };
}

text_type!(ComponentName);
text_type!(ComponentVersion);
text_type!(DeploymentId);
text_type!(GroupName);

/// A text that is not the name it should be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{shown:?} is not a valid {kind}: {fault}")]
pub struct NameError {
    kind: &'static str,
    shown: String,
    fault: &'static str,
}

impl NameError {
    /// Longer texts are cut in messages: a hostile name must not fill the log.
    const SHOWN: usize = 80;

    pub(crate) fn new(kind: &'static str, text: &str, fault: &'static str) -> Self {
        let mut shown: String = text.chars().take(Self::SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        Self { kind, shown, fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn component_name_refuses_what_could_leave_its_directory() {
        for bad in ["", ".", "..", "a/b", "a b", "ä", &"x".repeat(129)] {
            assert!(ComponentName::parse(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "com.example.Hello_World-1", &"x".repeat(128)] {
            assert_eq!(ComponentName::parse(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn component_version_holds_the_limits_of_the_cloud() {
        for bad in ["1", "1.0", "v1.0.0", "1.0.0000000", "1000000.0.0", "01.0.0", "1.0.0-", ""] {
            assert!(ComponentVersion::parse(bad).is_err(), "{bad:?}");
        }
        for good in ["0.0.0", "1.2.3-alpha.1+build", "999999.999999.999999"] {
            assert_eq!(ComponentVersion::parse(good).unwrap().to_string(), good);
        }
    }

    #[test]
    fn deployment_id_becomes_one_path_segment() {
        let id = DeploymentId::parse("arn:aws:greengrass:r:1:configuration:thing/t:4").unwrap();
        assert_eq!(id.as_file_name(), "arn.aws.greengrass.r.1.configuration.thing+t.4");
    }
}
