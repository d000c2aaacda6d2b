//! A file of a bundle from its beginning to its end, each block verified before it is unpacked.

use std::io::{self, Read};

use ring::digest;

use super::InstallError;
use crate::service::ota::adaptive;
use crate::service::ota::bundle::{Bundle, Chunks, Contents, Reader, Source};
use crate::wire::bundle::manifest::FileName;
use crate::wire::bundle::squashfs::compression::Unpacker;

/// It keeps one piece of the file.
pub struct FileStream<'a> {
    reader: Reader<'a>,
    chunks: Chunks,
    unpacker: Unpacker,
    buffer: Vec<u8>,
    at: usize,
    hash: digest::Context,
    done: u64,
    tell: &'a dyn Fn(u64),
}

impl std::fmt::Debug for FileStream<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileStream").field("done", &self.done).finish_non_exhaustive()
    }
}

impl<'a> FileStream<'a> {
    /// `tell` hears after each piece how many bytes were read.
    pub fn open(
        bundle: &'a Bundle,
        source: &'a dyn Source,
        name: &FileName,
        tell: &'a dyn Fn(u64),
    ) -> Result<Self, InstallError> {
        let mut reader = bundle.reader(source);
        let contents = Contents::open(&mut reader)?;
        if source.is_remote() {
            adaptive::expect_file(source, &contents, &mut reader, name)?;
        }
        let chunks = contents.file(&mut reader, name)?;
        let hash = digest::Context::new(&digest::SHA256);
        Ok(Self { reader, chunks, unpacker: contents.unpacker(), buffer: Vec::new(), at: 0, hash, done: 0, tell })
    }

    /// SHA-256 of all, once all is read.
    pub fn digest(self) -> digest::Digest {
        self.hash.finish()
    }

    fn load(&mut self) -> Result<bool, InstallError> {
        let Some(chunk) = self.chunks.next(&mut self.reader)? else { return Ok(false) };
        self.buffer.resize(chunk.length, 0);
        chunk.unpack(&mut self.reader, &mut self.unpacker, &mut self.buffer)?;
        self.reader.is_done_until(chunk.source_end());
        self.hash.update(&self.buffer);
        self.at = 0;
        self.done += chunk.length as u64;
        (self.tell)(self.done);
        Ok(true)
    }
}

impl Read for FileStream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.buffer.len() && !self.load().map_err(io::Error::other)? {
            return Ok(0);
        }
        let have = &self.buffer[self.at..];
        let length = have.len().min(into.len());
        into[..length].copy_from_slice(&have[..length]);
        self.at += length;
        Ok(length)
    }
}
