//! Who asks: the subject of an authorization.

use std::fmt;

use crate::name::ComponentName;

/// The identity behind a connection.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Principal {
    Component(ComponentName),
    /// A local client of the command-line component, such as `greengrass-cli#user-0`.
    Client(Box<str>),
}

impl Principal {
    /// The component, unless it is a client of the command line.
    pub fn component(&self) -> Option<&ComponentName> {
        match self {
            Self::Component(name) => Some(name),
            Self::Client(_) => None,
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component(name) => name.fmt(f),
            Self::Client(client) => f.write_str(client),
        }
    }
}
