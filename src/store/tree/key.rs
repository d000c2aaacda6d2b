//! Where a node of the configuration tree is: a path of keys that are compared without case and kept as first spelled.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path from the root of the tree; empty for the root itself.
///
/// `==` compares spellings; the tree and [`KeyPath::covers`] ignore case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct KeyPath(Vec<Arc<str>>);

impl KeyPath {
    /// Nodes deeper than this are refused: recursion over the tree must end long before the stack does.
    /// Parsed JSON nests at most 127 deep, so a document fits below any sensible path.
    pub const MAX_DEPTH: usize = 256;

    pub fn new<P: Into<Arc<str>>>(parts: impl IntoIterator<Item = P>) -> Self {
        Self(parts.into_iter().map(Into::into).collect())
    }

    pub fn root() -> Self {
        Self::default()
    }

    /// The path of a service: `services/<name>`.
    pub fn service(name: &str) -> Self {
        Self::new(["services", name])
    }

    #[must_use]
    pub fn join(&self, part: impl Into<Arc<str>>) -> Self {
        let mut parts = Vec::with_capacity(self.0.len() + 1);
        parts.extend_from_slice(&self.0);
        parts.push(part.into());
        Self(parts)
    }

    #[must_use]
    pub fn join_all<P: Into<Arc<str>>>(&self, parts: impl IntoIterator<Item = P>) -> Self {
        Self(self.0.iter().cloned().chain(parts.into_iter().map(Into::into)).collect())
    }

    /// The path of the node above; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        Some(Self(above.to_vec()))
    }

    pub fn last(&self) -> Option<&str> {
        self.0.last().map(AsRef::as_ref)
    }

    pub fn parts(&self) -> &[Arc<str>] {
        &self.0
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `other` is this node or below it.
    pub fn covers(&self, other: &Self) -> bool {
        self.0.len() <= other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| same(a, b))
    }

    /// The pointer to this node with case folded away: equal for paths that name the same node, and beginning with
    /// that of every node above, up to a `/`.
    pub fn folded(&self) -> String {
        self.to_string().chars().flat_map(char::to_lowercase).collect()
    }

    /// A node with a key that begins with `_` on its path lives in memory only.
    pub fn is_transient(&self) -> bool {
        self.0.iter().any(|part| is_transient(part))
    }

    /// Reads a JSON pointer (RFC 6901); `""` is the root.
    pub fn from_pointer(pointer: &str) -> Result<Self, PointerError> {
        if pointer.is_empty() {
            return Ok(Self::root());
        }
        let Some(rest) = pointer.strip_prefix('/') else {
            return Err(PointerError { pointer: pointer.chars().take(PointerError::SHOWN).collect() });
        };
        Ok(Self::new(rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~"))))
    }
}

/// Shown as a JSON pointer; the root as `/`.
impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("/");
        }
        self.0.iter().try_for_each(|part| write!(f, "/{}", part.replace('~', "~0").replace('/', "~1")))
    }
}

impl fmt::Debug for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPath({self})")
    }
}

/// A list of the keys, as in the log.
impl Serialize for KeyPath {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(AsRef::<str>::as_ref))
    }
}

impl<'de> Deserialize<'de> for KeyPath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Vec::<String>::deserialize(from).map(Self::new)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{pointer:?} is not a JSON pointer: it must be empty or begin with '/'")]
pub struct PointerError {
    pointer: String,
}

impl PointerError {
    const SHOWN: usize = 80;
}

pub(super) fn is_transient(key: &str) -> bool {
    key.starts_with('_')
}

pub(super) fn same(a: &str, b: &str) -> bool {
    compare(a, b) == Ordering::Equal
}

/// The order of keys among siblings: by lower-cased characters.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        return a.bytes().map(|b| b.to_ascii_lowercase()).cmp(b.bytes().map(|b| b.to_ascii_lowercase()));
    }
    a.chars().flat_map(char::to_lowercase).cmp(b.chars().flat_map(char::to_lowercase))
}
