//! What version of a component another one asks for.
//!
//! The grammar looks like NPM's, and recipes are written against what the reference nucleus makes of it. That differs
//! from NPM in places, and those places decide which version is deployed, so they are kept:
//!
//! - `>=1.2` does not accept `1.2.0`, and `<1.2` does: a bound with missing numbers equals no version.
//! - One comparison alone accepts pre-releases of any version (`>=1.0.0` takes `2.0.0-beta`); several joined ones accept
//!   a pre-release only if one of them names a pre-release of the same three numbers.
//! - A digit after a hyphen begins a range: `1.0.0-1` is "from 1.0.0 to 1", `1.0.0-beta` is a pre-release.
//! - Comparisons take plain numbers only: `>1.x` and `=v1.0.0` are refused, `1.x` and `v1.0.0` are not.

use std::fmt;
use std::str::FromStr;

use crate::name::ComponentVersion;

mod expression;
mod loose;
mod token;

use expression::Expression;

/// A version requirement such as `^1.2.0`, `>=1.0.0 <2.0.0` or `1.x || 3.0.0`.
///
/// [`Display`](fmt::Display) writes the comparisons it stands for, for people: what is kept is the recipe's own text,
/// because not every requirement that is accepted reads back from its comparisons.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VersionRequirement(Expression);

impl VersionRequirement {
    /// The longest requirement a document may hold, in bytes. Joined ones ([`and`](Self::and)) may be longer.
    pub const MAX_LENGTH: usize = 4096;

    pub fn parse(text: &str) -> Result<Self, RequirementError> {
        let refuse = |fault| RequirementError::new(text, fault);
        if text.len() > Self::MAX_LENGTH {
            return Err(refuse("it is longer than 4096 bytes"));
        }
        Expression::parse(if text.is_empty() { "*" } else { text }).map(Self).map_err(refuse)
    }

    /// Any version, pre-releases included: `*`.
    pub fn any() -> Self {
        Self(Expression::any())
    }

    /// Exactly this version, its build not considered.
    pub fn exactly(version: &ComponentVersion) -> Self {
        Self(Expression::exactly(version))
    }

    pub fn matches(&self, version: &ComponentVersion) -> bool {
        self.0.matches(version)
    }

    /// Both requirements, joined by a space as the reference nucleus does. A space binds closer than `||`, so joining to
    /// alternatives narrows only the last of them (of `self`) or the first (of `other`).
    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.beside(&other.0))
    }
}

impl fmt::Display for VersionRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for VersionRequirement {
    type Err = RequirementError;
    fn from_str(text: &str) -> Result<Self, RequirementError> {
        Self::parse(text)
    }
}

/// A text that is not a version requirement.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{shown:?} is not a valid version requirement: {fault}")]
pub struct RequirementError {
    shown: String,
    fault: &'static str,
}

impl RequirementError {
    /// Longer texts are cut in messages: a hostile requirement must not fill the log.
    const SHOWN: usize = 80;

    fn new(text: &str, fault: &'static str) -> Self {
        let mut shown: String = text.chars().take(Self::SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        Self { shown, fault }
    }
}

#[cfg(test)]
mod tests;
