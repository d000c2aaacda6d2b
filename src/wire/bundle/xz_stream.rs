//! An xz file of any length, unpacked while it is read.
//!
//! What is kept is the window that LZMA2 looks back into, room for one chunk behind it, and some more, so that the window
//! is moved to the front once in a while and not for every chunk.

use std::io::{self, Read};

use super::squashfs::xz::{
    Decoder, Needs, STREAM_HEADER, XzError, block_header, block_header_size, check_size, chunk_head_size,
    starts_dictionary, stream_header,
};
use super::stream::MAX_WINDOW;

/// Bytes behind the window: two of the largest chunks.
const ROOM: usize = 4 << 20;

/// Streams, one behind the other, of blocks, one behind the other.
pub(super) struct Xz<R> {
    from: R,
    /// Bytes of the stream that were read.
    read: u64,
    decoder: Decoder,
    needs: Needs,
    /// What was unpacked last, of which so many bytes were given away.
    window: Vec<u8>,
    given: usize,
    keep: usize,
    check: u8,
    crc: crc32fast::Hasher,
    packed: Vec<u8>,
    next: Next,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Block,
    Chunk,
    End,
}

impl<R: Read> Xz<R> {
    /// Reads as far as it takes to know whether it can be unpacked.
    pub(super) fn begin(from: R) -> io::Result<Self> {
        let mut stream = Self {
            from,
            read: 0,
            decoder: Decoder::new(),
            needs: Needs::default(),
            window: Vec::new(),
            given: 0,
            keep: 0,
            check: 0,
            crc: crc32fast::Hasher::new(),
            packed: Vec::new(),
            next: Next::Block,
        };
        let header = stream.array()?;
        stream.check = stream_header(&header).map_err(bad)?;
        stream.block()?;
        Ok(stream)
    }

    fn fill(&mut self, length: usize) -> io::Result<()> {
        self.packed.resize(length, 0);
        self.read += length as u64;
        self.from.read_exact(&mut self.packed)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read += N as u64;
        self.from.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// What fills up to a multiple of four.
    fn padding(&mut self) -> io::Result<()> {
        while !self.read.is_multiple_of(4) {
            if self.array()? != [0] {
                return Err(bad(XzError::Chunk));
            }
        }
        Ok(())
    }

    /// The header of the next block, or what is behind the last one.
    fn block(&mut self) -> io::Result<()> {
        let [first] = self.array()?;
        if first == 0 {
            return self.index();
        }
        self.fill(block_header_size(first) - 1)?;
        self.packed.insert(0, first);
        let size = block_header(&self.packed).map_err(bad)?;
        self.keep = match usize::try_from(size) {
            Ok(keep) if size <= MAX_WINDOW => keep,
            _ => return Err(bad(XzError::Window { size, most: MAX_WINDOW })),
        };
        self.needs = Needs::default();
        self.crc = crc32fast::Hasher::new();
        self.next = Next::Chunk;
        Ok(())
    }

    fn chunk(&mut self) -> io::Result<()> {
        let [control] = self.array()?;
        self.fill(chunk_head_size(control))?;
        let Some(chunk) = self.decoder.begin(control, &self.packed, &mut self.needs).map_err(bad)? else {
            self.padding()?;
            self.fill(check_size(self.check))?;
            // Of the others nothing is made: each byte was verified before.
            if self.check == 1 && self.crc.clone().finalize().to_le_bytes() != self.packed[..] {
                return Err(bad(XzError::Checksum));
            }
            self.next = Next::Block;
            return Ok(());
        };
        if starts_dictionary(control) {
            self.window.clear();
        } else if self.window.len() + chunk.unpacked > self.keep + ROOM {
            // By multiples of 16: a position counts modulo that.
            let drop = self.window.len().saturating_sub(self.keep) & !15;
            self.window.drain(..drop);
        }
        let at = self.window.len();
        self.given = at;
        self.fill(chunk.stored)?;
        let end = at + chunk.unpacked;
        // No more than it ever takes.
        self.window.reserve_exact((2 * at).min(self.keep + ROOM).max(end) - at);
        self.window.resize(end, 0);
        self.decoder.chunk(&chunk, &self.packed, &mut self.window, at).map_err(bad)?;
        if self.check == 1 {
            self.crc.update(&self.window[at..]);
        }
        Ok(())
    }

    /// Skips the list of the blocks, and begins the next stream, if there is one.
    fn index(&mut self) -> io::Result<()> {
        let records = self.number()?;
        for _ in 0..records.saturating_mul(2) {
            self.number()?;
        }
        self.padding()?;
        self.fill(4 + STREAM_HEADER)?;
        let mut header = [0; STREAM_HEADER];
        // Behind a stream there may be fours of zeros.
        while header[..4] == [0; 4] {
            if self.from.read(&mut header[..1])? == 0 {
                self.next = Next::End;
                return Ok(());
            }
            self.from.read_exact(&mut header[1..4])?;
        }
        self.from.read_exact(&mut header[4..])?;
        self.read = 0;
        self.check = stream_header(&header).map_err(bad)?;
        Ok(())
    }

    /// Seven bits a byte, the lowest first; the last byte has no eighth.
    fn number(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(bad(XzError::Header))
    }
}

impl<R: Read> Read for Xz<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.window.len() {
            match self.next {
                Next::Block => self.block()?,
                Next::Chunk => self.chunk()?,
                Next::End => return Ok(0),
            }
        }
        let have = &self.window[self.given..];
        let length = have.len().min(into.len());
        into[..length].copy_from_slice(&have[..length]);
        self.given += length;
        Ok(length)
    }
}

fn bad(cause: XzError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, cause)
}
