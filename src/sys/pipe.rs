//! Anonymous channels: `pipe(2)`, `memfd_create(2)`, `FIONREAD`.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::MemfdFlags;
use rustix::pipe::PipeFlags;

/// A pipe with close-on-exec ends whose reading end does not block: `pipe(2)`.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&read, true)?;
    Ok((read, write))
}

/// How many bytes a pipe holds now: `FIONREAD` of `pipe(7)`.
pub fn waiting(pipe: impl AsFd) -> io::Result<u64> {
    Ok(rustix::io::ioctl_fionread(pipe)?)
}

/// A nameless file with this content, close-on-exec and to be read from its start: `memfd_create(2)`.
pub fn letter(content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create("letter", MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file.into())
}
