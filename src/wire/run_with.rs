//! Who runs a component, and how much of the machine it may take.

use serde::{Deserialize, Serialize};

/// `user[:group]`, names or numbers, as in `posixUser`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PosixUser {
    pub user: String,
    pub group: Option<String>,
}

impl PosixUser {
    pub fn parse(text: &str) -> Result<Self, RunWithError> {
        let refuse = || RunWithError::PosixUser { text: text.chars().take(80).collect() };
        let word = |part: &str| {
            !part.is_empty() && part.len() <= 256 && part.chars().all(|c| c.is_ascii_graphic() && c != ':')
        };
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        if !word(user) || group.is_some_and(|g| !word(g)) {
            return Err(refuse());
        }
        Ok(Self { user: user.into(), group: group.map(Into::into) })
    }
}

impl TryFrom<String> for PosixUser {
    type Error = RunWithError;
    fn try_from(text: String) -> Result<Self, RunWithError> {
        Self::parse(&text)
    }
}

impl From<PosixUser> for String {
    fn from(user: PosixUser) -> String {
        match user.group {
            Some(group) => format!("{}:{group}", user.user),
            None => user.user,
        }
    }
}

/// `systemResourceLimits`: absent means unlimited. Values of zero or less are ignored, as in the reference nucleus.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct SystemResourceLimits {
    /// Memory in KB of 1024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Share of one CPU: 1.5 is one core and a half.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RunWithError {
    #[error("{text:?} is not a posixUser: write user or user:group, by name or number")]
    PosixUser { text: String },
}
