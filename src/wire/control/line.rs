//! Cuts a stream of bytes into lines of bounded length.

use super::ControlError;

/// Collects what was read; gives whole lines back.
///
/// Holds at most the limit plus one read, whatever the peer sends.
#[derive(Debug)]
pub struct LineBuffer {
    bytes: Vec<u8>,
    /// Bytes before this belong to lines already given out.
    start: usize,
    /// Bytes before this hold no line end.
    searched: usize,
    limit: usize,
}

impl LineBuffer {
    /// Room made for one read.
    const READ: usize = 4096;
    /// An empty buffer that grew beyond this gives its memory back.
    const KEEP: usize = 64 << 10;

    pub fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, searched: 0, limit }
    }

    /// Where the next read goes: append to it, never change what it holds.
    pub fn tail(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        if self.bytes.is_empty() && self.bytes.capacity() > Self::KEEP {
            self.bytes = Vec::new();
        }
        self.bytes.reserve(Self::READ);
        &mut self.bytes
    }

    /// The next whole line without its end; `None` until more is read.
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, ControlError> {
        let found = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n');
        let end = found.map_or(self.bytes.len(), |offset| self.searched + offset);
        if end - self.start > self.limit {
            return Err(ControlError::TooLong { limit: self.limit });
        }
        if found.is_none() {
            self.searched = end;
            return Ok(None);
        }
        let line = self.bytes[self.start..end].to_vec();
        self.start = end + 1;
        self.searched = self.start;
        Ok(Some(line))
    }

    /// Whether a line has begun that has no end yet.
    pub fn holds_half(&self) -> bool {
        self.start < self.bytes.len()
    }
}
