//! Anonymous channels: `pipe(2)`, `memfd_create(2)`, `FIONREAD`.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

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

/// Points standard input, output and error at `/dev/null`, so that we keep no pipe open for others: `dup2(2)`.
pub fn let_go_of_standard_streams() -> io::Result<()> {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(rustix::stdio::dup2_stderr(&null)?)
}

/// Waits until one of two descriptors is readable (or closed from afar) or the time is over: `poll(2)`.
/// `None` waits for ever.
pub fn wait_for_either(one: impl AsFd, two: impl AsFd, limit: Option<Duration>) -> io::Result<(bool, bool)> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut both = [PollFd::new(&one, PollFlags::IN), PollFd::new(&two, PollFlags::IN)];
    let limit = limit.map(|limit| Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    match poll(&mut both, limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(cause) => return Err(cause.into()),
    }
    Ok((!both[0].revents().is_empty(), !both[1].revents().is_empty()))
}
