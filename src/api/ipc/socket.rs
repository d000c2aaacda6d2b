//! A client's socket. The kernel tells when there is something to read; that there is room, only while something waits.
//!
//! The usual registration asks for both: then each answer that a client takes out of its socket wakes the daemon, only
//! to hear that there is room again.

use std::io::{self, IoSlice, Read, Write};
use std::os::unix::net;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixStream;

#[derive(Debug)]
pub(super) struct Socket {
    stream: AsyncFd<net::UnixStream>,
    /// Waits for room, while there is none. A descriptor of its own, because the kernel's list has each only once.
    full: Option<AsyncFd<net::UnixStream>>,
}

impl Socket {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        let stream = register(stream.into_std()?, Interest::READABLE)?;
        Ok(Self { stream, full: None })
    }

    pub(super) fn into_stream(self) -> io::Result<UnixStream> {
        UnixStream::from_std(self.stream.into_inner())
    }

    /// Ready when something can be read, or the client has left.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await.map(|mut ready| ready.retain_ready())
    }

    /// Ready when [`Socket::try_write`] is worth a try.
    pub(super) async fn writable(&self) -> io::Result<()> {
        match &self.full {
            Some(full) => full.writable().await.map(|mut ready| ready.retain_ready()),
            None => Ok(()),
        }
    }

    /// Reads what is there, once. A buffer that is not filled has emptied the socket: it is not ready any more, and
    /// need not be asked a second time only to say so.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = Err(io::ErrorKind::WouldBlock.into());
        let ready = self.stream.try_io(Interest::READABLE, |mut stream| {
            read = stream.read(buffer);
            match &read {
                Ok(length) if !(1..buffer.len()).contains(length) => Ok(()),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => Ok(()),
                _ => Err(io::ErrorKind::WouldBlock.into()),
            }
        });
        drop::<io::Result<()>>(ready);
        read
    }

    /// Writes what there is room for.
    pub(super) fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if let Some(full) = &self.full {
            return full.try_io(Interest::WRITABLE, |mut stream| stream.write_vectored(slices));
        }
        let mut stream = self.stream.get_ref();
        let written = stream.write_vectored(slices);
        if written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            self.full = Some(register(stream.try_clone()?, Interest::WRITABLE)?);
        }
        written
    }

    /// Nothing waits to be written any more.
    pub(super) fn rest(&mut self) {
        self.full = None;
    }
}

#[expect(deprecated, reason = "a UnixStream keeps its descriptor, so this is sound; the replacement is unsafe")]
fn register(stream: net::UnixStream, interest: Interest) -> io::Result<AsyncFd<net::UnixStream>> {
    AsyncFd::with_interest(stream, interest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Socket, net::UnixStream) {
        let (ours, theirs) = net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Socket::new(UnixStream::from_std(ours).unwrap()).unwrap(), theirs)
    }

    #[tokio::test]
    async fn socket_that_was_full_writes_on_when_it_is_read() {
        let (mut socket, mut theirs) = pair();
        let chunk = [7; 10_000];
        let mut wrote = 0;
        let full = loop {
            match socket.try_write(&[IoSlice::new(&chunk)]) {
                Ok(length) => wrote += length,
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        assert!(socket.try_write(&[IoSlice::new(&chunk)]).is_err(), "still full");
        theirs.read_exact(&mut vec![0; wrote]).unwrap();
        socket.writable().await.unwrap();
        assert!(socket.try_write(&[IoSlice::new(&chunk)]).is_ok());
        socket.rest();
        socket.writable().await.unwrap();
    }

    #[tokio::test]
    async fn socket_reads_until_it_is_empty_and_tells_the_end() {
        let (socket, mut theirs) = pair();
        theirs.write_all(b"12345").unwrap();
        socket.readable().await.unwrap();
        assert_eq!(socket.try_read(&mut [0; 3]).unwrap(), 3);
        assert_eq!(socket.try_read(&mut [0; 3]).unwrap(), 2);
        assert_eq!(socket.try_read(&mut [0; 3]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        theirs.write_all(b"6").unwrap();
        drop(theirs);
        socket.readable().await.unwrap();
        assert_eq!(socket.try_read(&mut [0; 3]).unwrap(), 1);
        socket.readable().await.unwrap();
        assert_eq!(socket.try_read(&mut [0; 3]).unwrap(), 0);
    }
}
