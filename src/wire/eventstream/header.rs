//! One header after the other: name length, name, type, value.

use super::decode::FrameError;
use super::{MAX_HEADER_COUNT, MAX_HEADER_VALUE};

/// A header and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: HeaderValue<'a>,
    /// Name, type and value, still encoded.
    pub(super) raw: &'a [u8],
}

/// Values of the two types this protocol uses; the other eight are skipped.
#[derive(Clone, Copy, Debug)]
pub(super) enum HeaderValue<'a> {
    Int32(i32),
    String(&'a [u8]),
    Other,
}

/// Types of header values.
pub(super) mod kind {
    pub(crate) const INT32: u8 = 4;
    pub(crate) const STRING: u8 = 7;
}

/// Reads headers until the bytes end or one of them is broken.
pub(super) fn walk(bytes: &[u8]) -> impl Iterator<Item = Result<Header<'_>, FrameError>> {
    let mut rest = bytes;
    let mut count = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        count += 1;
        let header = if count > MAX_HEADER_COUNT { Err(FrameError::TooManyHeaders) } else { first(rest) };
        match header {
            Ok(header) => rest = &rest[header.raw.len()..],
            Err(_) => rest = &[],
        }
        Some(header)
    })
}

fn first(bytes: &[u8]) -> Result<Header<'_>, FrameError> {
    const BROKEN: FrameError = FrameError::BrokenHeader;
    let (&length, rest) = bytes.split_first().ok_or(BROKEN)?;
    if length == 0 {
        return Err(BROKEN);
    }
    let (name, rest) = rest.split_at_checked(usize::from(length)).ok_or(BROKEN)?;
    let (&kind, rest) = rest.split_first().ok_or(BROKEN)?;
    let (value, width) = match kind {
        0 | 1 => (HeaderValue::Other, 0),
        2 => (HeaderValue::Other, 1),
        3 => (HeaderValue::Other, 2),
        kind::INT32 => {
            let number = rest.first_chunk().ok_or(BROKEN)?;
            (HeaderValue::Int32(i32::from_be_bytes(*number)), 4)
        }
        5 | 8 => (HeaderValue::Other, 8),
        9 => (HeaderValue::Other, 16),
        6 | kind::STRING => {
            let length = usize::from(u16::from_be_bytes(*rest.first_chunk().ok_or(BROKEN)?));
            if length > MAX_HEADER_VALUE {
                return Err(BROKEN);
            }
            let text = rest.get(2..2 + length).ok_or(BROKEN)?;
            (if kind == kind::STRING { HeaderValue::String(text) } else { HeaderValue::Other }, 2 + length)
        }
        _ => return Err(BROKEN),
    };
    let raw = bytes.get(..2 + name.len() + width).ok_or(BROKEN)?;
    Ok(Header { name, value, raw })
}
