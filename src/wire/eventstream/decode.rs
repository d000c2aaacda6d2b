//! From bytes to a message.

use super::header::{self, HeaderValue};
use super::{MAX_HEADERS, Message, MessageType, OVERHEAD, PRELUDE};

/// The length of the message these bytes begin with; `None` while the prelude is not whole.
///
/// Nothing is believed before the prelude's CRC is right, and nothing longer than `limit` is.
pub fn frame_length(bytes: &[u8], limit: usize) -> Result<Option<usize>, FrameError> {
    let Some(prelude) = bytes.first_chunk::<PRELUDE>() else { return Ok(None) };
    let total = word(prelude, 0);
    let headers = word(prelude, 4);
    if crc32fast::hash(&prelude[..8]).to_be_bytes() != prelude[8..] {
        return Err(FrameError::PreludeCrc);
    }
    if total > limit {
        return Err(FrameError::TooLong { total, limit });
    }
    if headers > MAX_HEADERS || total < OVERHEAD || headers > total - OVERHEAD {
        return Err(FrameError::Lengths { total, headers });
    }
    Ok(Some(total))
}

impl<'a> Message<'a> {
    /// Reads one whole message, as [`frame_length`] cut it out.
    pub fn decode(frame: &'a [u8]) -> Result<Self, FrameError> {
        if frame_length(frame, frame.len())? != Some(frame.len()) {
            return Err(FrameError::Lengths { total: frame.len(), headers: 0 });
        }
        let (message, crc) = frame.split_at(frame.len() - 4);
        if crc32fast::hash(message).to_be_bytes() != crc {
            return Err(FrameError::MessageCrc);
        }
        let (headers, payload) = message[PRELUDE..].split_at(word(frame, 4));
        let mut kind = None;
        let mut flags = None;
        let mut stream = None;
        let mut operation = None;
        let mut version = None;
        for header in header::walk(headers) {
            let header = header?;
            let is = |name: &str| header.name.eq_ignore_ascii_case(name.as_bytes());
            match header.value {
                HeaderValue::Int32(number) if is(":message-type") => kind = Some(number),
                HeaderValue::Int32(number) if is(":message-flags") => flags = Some(number),
                HeaderValue::Int32(number) if is(":stream-id") => stream = Some(number),
                HeaderValue::String(text) if is("operation") => operation = Some(utf8(text)?),
                HeaderValue::String(text) if is(":version") => version = Some(utf8(text)?),
                _ => {}
            }
        }
        let kind = kind.ok_or(FrameError::Missing(":message-type"))?;
        Ok(Self {
            kind: MessageType::of(kind).ok_or(FrameError::MessageType(kind))?,
            flags: flags.ok_or(FrameError::Missing(":message-flags"))?,
            stream: stream.ok_or(FrameError::Missing(":stream-id"))?,
            operation,
            version,
            headers,
            payload,
        })
    }
}

fn word(bytes: &[u8], at: usize) -> usize {
    let word = bytes.get(at..at + 4).and_then(|word| word.first_chunk::<4>());
    word.map_or(0, |word| usize::try_from(u32::from_be_bytes(*word)).unwrap_or(usize::MAX))
}

fn utf8(text: &[u8]) -> Result<&str, FrameError> {
    std::str::from_utf8(text).map_err(|_| FrameError::BrokenHeader)
}

/// Why bytes are no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the checksum of a prelude is wrong")]
    PreludeCrc,
    #[error("the checksum of a message is wrong")]
    MessageCrc,
    #[error("a message of {total} bytes is longer than the limit of {limit}")]
    TooLong { total: usize, limit: usize },
    #[error("a message of {total} bytes cannot have {headers} bytes of headers")]
    Lengths { total: usize, headers: usize },
    #[error("a header is broken")]
    BrokenHeader,
    #[error("a message has more than {} headers", super::MAX_HEADER_COUNT)]
    TooManyHeaders,
    #[error("the header {0} is missing or not an int32")]
    Missing(&'static str),
    #[error("there is no message type {0}")]
    MessageType(i32),
}

impl FrameError {
    /// Whether the message was cut out and summed up right, so that only its content is against the protocol.
    pub fn is_protocol_error(self) -> bool {
        matches!(self, Self::Missing(_) | Self::MessageType(_))
    }
}
