//! Cuts a byte stream into messages.

use super::decode::{FrameError, frame_length};
use super::{Message, PRELUDE};

/// Holds the beginning of a message whose rest has not come; nothing between messages.
///
/// Memory grows with the bytes that came, never with what a prelude promises.
#[derive(Debug)]
pub struct Assembler {
    partial: Vec<u8>,
    limit: usize,
}

impl Assembler {
    /// Refuses messages longer than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { partial: Vec::new(), limit }
    }

    /// Bytes of a message that is not whole yet.
    pub fn held(&self) -> usize {
        self.partial.len()
    }

    /// Takes the next bytes of the stream and hands on each message they complete, until one of them is refused.
    pub fn feed<E>(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(Message<'_>) -> Result<(), E>,
    ) -> Result<(), FeedError<E>> {
        while !bytes.is_empty() {
            if self.partial.is_empty() {
                match frame_length(bytes, self.limit)? {
                    Some(length) if length <= bytes.len() => {
                        let (frame, rest) = bytes.split_at(length);
                        bytes = rest;
                        take(Message::decode(frame)?).map_err(FeedError::Refused)?;
                    }
                    _ => {
                        self.partial.extend_from_slice(bytes);
                        return Ok(());
                    }
                }
                continue;
            }
            let wanted = frame_length(&self.partial, self.limit)?.unwrap_or(PRELUDE) - self.partial.len();
            let (more, rest) = bytes.split_at(wanted.min(bytes.len()));
            bytes = rest;
            if self.partial.capacity() - self.partial.len() < more.len() {
                // Twice the room each time, as a Vec takes it, but never more than the message has.
                self.partial.reserve_exact(wanted.min(self.partial.len().max(more.len())));
            }
            self.partial.extend_from_slice(more);
            if frame_length(&self.partial, self.limit)? == Some(self.partial.len()) {
                let frame = std::mem::take(&mut self.partial);
                take(Message::decode(&frame)?).map_err(FeedError::Refused)?;
            }
        }
        Ok(())
    }
}

/// Why no more of the stream is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FeedError<E> {
    /// What comes cannot be cut into messages any more.
    Broken(FrameError),
    /// The taker wants no more.
    Refused(E),
}

impl<E> From<FrameError> for FeedError<E> {
    fn from(error: FrameError) -> Self {
        Self::Broken(error)
    }
}
