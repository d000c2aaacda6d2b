//! One line of the transaction log: an entry, in the format of the reference nucleus.
//!
//! `{"TS":1700000000000,"TP":["services","x","configuration","k"],"W":"changed","V":1}`
//!
//! Ours add two keys where several entries stand or fall together: all but the last of them carry `"M":true` (more
//! follows), the last carries `"N"`, their number. The reference nucleus never writes either.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::key::KeyPath;
use super::{Entry, What};
use crate::base::clock::Timestamp;

/// A line read back.
#[derive(PartialEq, Debug)]
pub(super) struct Line {
    /// `None` for what we do not keep: kinds of news without an effect, and paths that live in memory only.
    pub(super) entry: Option<Entry>,
    /// The batch goes on in the next line.
    pub(super) more: bool,
    /// Lines in the batch that this line ends.
    pub(super) count: u64,
}

#[derive(Deserialize)]
struct Read {
    #[serde(rename = "TS")]
    time: Timestamp,
    #[serde(rename = "TP")]
    path: KeyPath,
    #[serde(rename = "W")]
    what: String,
    #[serde(rename = "V", default)]
    value: Value,
    #[serde(rename = "M", default)]
    more: bool,
    #[serde(rename = "N", default = "one")]
    count: u64,
}

fn one() -> u64 {
    1
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(rename = "TS")]
    time: Timestamp,
    #[serde(rename = "TP")]
    path: &'a KeyPath,
    #[serde(rename = "W")]
    what: &'static str,
    #[serde(rename = "V")]
    value: &'a Value,
    #[serde(rename = "M", skip_serializing_if = "std::ops::Not::not")]
    more: bool,
    #[serde(rename = "N", skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
}

/// Longer lines are neither written nor read: a line is held in memory whole.
pub(super) const MAX_LENGTH: usize = 16 << 20;

pub(super) fn parse(text: &[u8]) -> Result<Line, LineError> {
    let read: Read = serde_json::from_slice(text).map_err(|cause| LineError::Parse { cause })?;
    if read.path.parts().len() > KeyPath::MAX_DEPTH {
        return Err(LineError::TooDeep);
    }
    let what = match read.what.as_str() {
        "changed" => Some(What::Changed(read.value)),
        "removed" => Some(What::Removed),
        "timestampUpdated" => Some(What::TimestampUpdated),
        "interiorAdded" => Some(What::InteriorAdded),
        _ => None,
    };
    let keep = !read.path.is_transient() && !read.path.is_root();
    let entry = what.filter(|_| keep).map(|what| Entry { path: read.path, time: read.time, what });
    Ok(Line { entry, more: read.more, count: read.count })
}

/// Appends the lines of a batch to `out`; entries that live in memory only are left out.
pub(super) fn encode_batch(entries: &[Entry], out: &mut Vec<u8>) -> Result<(), LineError> {
    let kept: Vec<&Entry> = entries.iter().filter(|entry| !entry.path.is_transient()).collect();
    for (index, entry) in kept.iter().enumerate() {
        let last = index + 1 == kept.len();
        encode(entry, !last, (last && index > 0).then_some(kept.len()), out)?;
    }
    Ok(())
}

pub(super) fn encode(entry: &Entry, more: bool, count: Option<usize>, out: &mut Vec<u8>) -> Result<(), LineError> {
    let start = out.len();
    let (what, value) = match &entry.what {
        What::Changed(value) => ("changed", value),
        What::Removed => ("removed", &Value::Null),
        What::TimestampUpdated => ("timestampUpdated", &Value::Null),
        What::InteriorAdded => ("interiorAdded", &Value::Null),
    };
    let line = Written { time: entry.time, path: &entry.path, what, value, more, count };
    serde_json::to_writer(&mut *out, &line).map_err(|cause| LineError::Encode { at: entry.path.clone(), cause })?;
    if out.len() - start > MAX_LENGTH {
        return Err(LineError::TooLarge { at: entry.path.clone() });
    }
    out.push(b'\n');
    Ok(())
}

#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error("it is not an entry")]
    Parse {
        #[source]
        cause: serde_json::Error,
    },
    #[error("its path is deeper than {} levels", KeyPath::MAX_DEPTH)]
    TooDeep,
    #[error("it is longer than {MAX_LENGTH} bytes")]
    TooLong,
    #[error("the value of {at} is larger than {MAX_LENGTH} bytes")]
    TooLarge { at: KeyPath },
    #[error("cannot encode the value of {at}")]
    Encode {
        at: KeyPath,
        #[source]
        cause: serde_json::Error,
    },
}
