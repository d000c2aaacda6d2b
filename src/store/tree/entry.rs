//! What came of an edit: the unit of the log and of notifications.

use serde_json::Value;

use super::KeyPath;
use crate::base::clock::Timestamp;

/// One thing that happened to one node, spelled as the tree spells it.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    pub path: KeyPath,
    pub time: Timestamp,
    pub what: What,
}

#[derive(Clone, PartialEq, Debug)]
pub enum What {
    /// The leaf has this value now.
    Changed(Value),
    /// The node and all below it are gone.
    Removed,
    /// The leaf was written again with the value it had.
    TimestampUpdated,
    /// There is an interior node without children now.
    InteriorAdded,
}
