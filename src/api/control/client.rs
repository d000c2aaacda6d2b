//! The other end of the control door: what `greengrass-cli` and the tests speak with.
//!
//! Blocking on purpose: a command line asks one thing and waits for it, and needs no runtime for that.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::base::unix_path::UnixPath;
use crate::wire::control::{Answer, ControlError, Fault, LineBuffer, MAX_ANSWER, PROTOCOL, Request};

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    lines: LineBuffer,
    /// When a follow ends by itself.
    until: Option<Instant>,
}

impl Client {
    /// How long the daemon may take for a plain answer; it may wait for a disk, but not for a component.
    pub const PATIENCE: Duration = Duration::from_secs(60);

    /// Connects and reads the daemon's hello.
    pub fn connect(socket: &Path) -> Result<Self, ClientError> {
        let stream = UnixPath::new(socket).and_then(|path| UnixStream::connect(path.short())).map_err(|cause| {
            let socket = socket.to_owned();
            match cause.kind() {
                io::ErrorKind::PermissionDenied => ClientError::Forbidden { socket },
                _ => ClientError::NoDaemon { socket, cause },
            }
        })?;
        stream.set_read_timeout(Some(Self::PATIENCE)).map_err(ClientError::Lost)?;
        let mut client = Self { stream, lines: LineBuffer::new(MAX_ANSWER), until: None };
        match client.receive()? {
            Answer::Hello { protocol: PROTOCOL, .. } => Ok(client),
            Answer::Hello { protocol, version } => Err(ClientError::OtherProtocol { protocol, version }),
            Answer::Error(fault) => Err(ClientError::Refused(fault)),
            _ => Err(ClientError::OutOfTurn),
        }
    }

    /// Asks, and collects every item of the answer.
    pub fn ask(&mut self, request: &Request) -> Result<Vec<Answer>, ClientError> {
        let mut items = Vec::new();
        self.each(request, |item| {
            items.push(item);
            ControlFlow::Continue(())
        })?;
        Ok(items)
    }

    /// Asks for something that has one item.
    pub fn ask_one(&mut self, request: &Request) -> Result<Answer, ClientError> {
        self.ask(request)?.pop().ok_or(ClientError::OutOfTurn)
    }

    /// Asks, and hands each item on as it comes, however long that takes. After a break the client is of no more use.
    pub fn follow(
        &mut self,
        request: &Request,
        item: impl FnMut(Answer) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        self.stream.set_read_timeout(None).map_err(ClientError::Lost)?;
        let ended = self.each(request, item);
        self.stream.set_read_timeout(Some(Self::PATIENCE)).map_err(ClientError::Lost)?;
        ended
    }

    /// As [`Client::follow`], with an end in time: then the error is [`ClientError::TimeIsOver`].
    pub fn follow_until(
        &mut self,
        until: Instant,
        request: &Request,
        item: impl FnMut(Answer) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        self.until = Some(until);
        let ended = self.follow(request, item);
        self.until = None;
        ended
    }

    fn each(&mut self, request: &Request, mut item: impl FnMut(Answer) -> ControlFlow<()>) -> Result<(), ClientError> {
        self.stream.write_all(&request.encode()?).map_err(ClientError::Lost)?;
        loop {
            match self.receive()? {
                Answer::Done => return Ok(()),
                Answer::Error(fault) => return Err(ClientError::Refused(fault)),
                other => {
                    if item(other).is_break() {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn receive(&mut self) -> Result<Answer, ClientError> {
        loop {
            if let Some(until) = self.until {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(ClientError::TimeIsOver);
                }
                self.stream.set_read_timeout(Some(left)).map_err(ClientError::Lost)?;
            }
            if let Some(line) = self.lines.next_line()? {
                return Ok(Answer::decode(&line)?);
            }
            let mut chunk = [0; 16 << 10];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ClientError::Lost(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => self.lines.tail().extend_from_slice(&chunk[..read]),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock && self.until.is_some() => {}
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Err(ClientError::NoAnswer),
                Err(cause) => return Err(ClientError::Lost(cause)),
            }
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no daemon answers at {}", socket.display())]
    NoDaemon {
        socket: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("you may not open {}", socket.display())]
    Forbidden { socket: PathBuf },
    #[error("the daemon ({version}) speaks control protocol {protocol}, this program speaks {PROTOCOL}")]
    OtherProtocol { protocol: u32, version: String },
    #[error("the daemon did not answer within {} s", Client::PATIENCE.as_secs())]
    NoAnswer,
    #[error("the time is over")]
    TimeIsOver,
    #[error("the connection to the daemon broke")]
    Lost(#[source] io::Error),
    #[error("the daemon's answer makes no sense")]
    Unreadable(#[from] ControlError),
    #[error("the daemon's answer is not one to this request")]
    OutOfTurn,
    #[error(transparent)]
    Refused(Fault),
}
