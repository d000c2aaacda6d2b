//! One client: reads its request lines, writes answer lines, notices when it leaves or is too slow.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::debug;

use super::Services;
use super::answer::{self, Unanswered};
use crate::base::report::Report;
use crate::sys::peer::Peer;
use crate::wire::control::{Answer, Code, ControlError, Fault, LineBuffer, MAX_REQUEST, PROTOCOL, Request};
use crate::wire::principal::Principal;

#[derive(Debug)]
pub(super) struct Connection {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    lines: LineBuffer,
    peer: Peer,
    /// A line that ended a stream and still waits for its own answer.
    ahead: Option<Result<Vec<u8>, ControlError>>,
    closing: watch::Receiver<bool>,
}

impl Connection {
    /// A client without a request for so long is hung up on: it keeps a place others may need.
    const IDLE: Duration = Duration::from_secs(120);
    /// A client that does not take an answer for so long is hung up on.
    const SLOW: Duration = Duration::from_secs(10);

    pub(super) fn new(stream: UnixStream, peer: Peer, closing: watch::Receiver<bool>) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader, writer, lines: LineBuffer::new(MAX_REQUEST), peer, ahead: None, closing }
    }

    /// Answers requests until the client leaves or the door closes.
    pub(super) async fn serve(mut self, services: &Services) {
        let hello = Answer::Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").into() };
        let mut here = self.send(&hello).await;
        while here.is_ok() {
            here = match self.next_request().await {
                Ok(line) => self.serve_line(&line, services).await,
                Err(gone) => Err(gone),
            };
        }
        if let Err(Gone::TooLong(error)) = here {
            // What follows the long line cannot be told from it, so this is the end.
            let _ = self.send(&bad_request(&error)).await;
        }
    }

    async fn serve_line(&mut self, line: &[u8], services: &Services) -> Result<(), Gone> {
        let last = match Request::decode(line) {
            Ok(request) => match answer::answer(self, request, services).await {
                Ok(()) => Answer::Done,
                Err(Unanswered::Refused(fault)) => Answer::Error(fault),
                Err(Unanswered::Gone(gone)) => return Err(gone),
            },
            Err(error) => bad_request(&error),
        };
        self.send(&last).await
    }

    /// The user id of the peer.
    pub(super) fn user(&self) -> u32 {
        self.peer.uid
    }

    /// Who speaks to components from here.
    pub(super) fn principal(&self) -> Principal {
        Principal::Client(format!("greengrass-cli#user-{}", self.peer.uid).into())
    }

    /// Writes one answer.
    pub(super) async fn send(&mut self, answer: &Answer) -> Result<(), Gone> {
        let line = match answer.encode() {
            Ok(line) => line,
            Err(error) => {
                debug!(error = %Report(&error), "An answer could not be written.");
                return Err(Gone::Left);
            }
        };
        match timeout(Self::SLOW, self.writer.write_all(&line)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Gone::Left),
            Err(_) => Err(Gone::TooSlow),
        }
    }

    /// Ready when whatever is being followed shall end: the client asks something else, leaves, or the door closes.
    /// Loses nothing when dropped before it is ready.
    pub(super) async fn interrupted(&mut self) -> Result<Interrupt, Gone> {
        if self.ahead.is_some() {
            return Ok(Interrupt::NextRequest);
        }
        tokio::select! {
            line = read_line(&mut self.lines, &mut self.reader) => match line {
                Err(Gone::TooLong(error)) => self.ahead = Some(Err(error)),
                line => self.ahead = Some(Ok(line?)),
            },
            _ = self.closing.wait_for(|closing| *closing) => return Ok(Interrupt::GoingDown),
        }
        Ok(Interrupt::NextRequest)
    }

    async fn next_request(&mut self) -> Result<Vec<u8>, Gone> {
        if let Some(line) = self.ahead.take() {
            return line.map_err(Gone::TooLong);
        }
        tokio::select! {
            line = timeout(Self::IDLE, read_line(&mut self.lines, &mut self.reader)) => line.unwrap_or(Err(Gone::TooSlow)),
            _ = self.closing.wait_for(|closing| *closing) => Err(Gone::Left),
        }
    }
}

/// Safe to drop at any point: bytes read are in `lines` before anything is awaited again.
async fn read_line(lines: &mut LineBuffer, reader: &mut OwnedReadHalf) -> Result<Vec<u8>, Gone> {
    loop {
        if let Some(line) = lines.next_line().map_err(Gone::TooLong)? {
            return Ok(line);
        }
        match reader.read_buf(lines.tail()).await {
            // Half a line is no request: its writer is gone, so nobody would read what is wrong with it.
            Ok(0) | Err(_) => return Err(Gone::Left),
            Ok(_) => {}
        }
    }
}

fn bad_request(error: &ControlError) -> Answer {
    Answer::Error(Fault { code: Code::BadRequest, message: Report(error).to_string() })
}

/// Why a stream ends before its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Interrupt {
    NextRequest,
    GoingDown,
}

/// The connection is over.
#[derive(Debug)]
pub(super) enum Gone {
    Left,
    TooSlow,
    TooLong(ControlError),
}
