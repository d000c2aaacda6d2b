//! CONNECT: who is there, and may they come in.

use std::io;
use std::time::Duration;

use serde::Deserialize;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tracing::{debug, info};

use super::Services;
use super::admission::{Admission, admit};
use super::lobby::Lobby;
use crate::wire::eventstream::{self, CONNECTION, FrameError, Message, MessageType, Outgoing, flags, frame_length};
use crate::wire::principal::Principal;

/// Bytes of the longest CONNECT; a token is short.
const LONGEST: usize = 16 << 10;
/// How long a client may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Connect {
    #[serde(rename = "authToken")]
    token: Option<String>,
}

/// What a newcomer turned out to be.
pub(super) enum Guest {
    /// Welcome; the bytes are what it sent after CONNECT.
    Known { principal: Principal, ahead: Vec<u8> },
    /// Its token is not ours, or it speaks another version.
    Refused,
    /// It broke a rule of the protocol.
    Rude(String),
    /// It left, sent what is no message, or said nothing.
    Gone,
}

/// Reads CONNECT and asks whose token it carries, and whether the peer may have it.
pub(super) async fn greet(stream: &UnixStream, services: &Services, lobby: &Lobby) -> Guest {
    let bytes = match lobby.stay(timeout(PATIENCE, first_message(stream))).await {
        Some(Ok(Ok(bytes))) => bytes,
        Some(Ok(Err(error))) => {
            debug!(%error, "A connection to the IPC socket ended before it began.");
            return Guest::Gone;
        }
        Some(Err(_)) | None => return Guest::Gone,
    };
    let length = frame_length(&bytes, LONGEST).ok().flatten().unwrap_or(bytes.len());
    let (frame, ahead) = bytes.split_at(length);
    let message = match Message::decode(frame) {
        Ok(message) => message,
        Err(error) if error.is_protocol_error() => return Guest::Rude(error.to_string()),
        Err(_) => return Guest::Gone,
    };
    if (message.kind, message.stream) != (MessageType::Connect, CONNECTION) {
        return Guest::Rude("the first message must be CONNECT, on stream 0".into());
    }
    if message.version != Some(eventstream::VERSION) {
        info!(version = message.version, "An IPC client of another protocol version was refused.");
        return Guest::Refused;
    }
    let Some(token) = serde_json::from_slice::<Connect>(message.payload).ok().and_then(|connect| connect.token) else {
        info!("An IPC client without a token was refused.");
        return Guest::Refused;
    };
    match admit(stream, services, token).await {
        Admission::Granted(principal) => Guest::Known { principal, ahead: ahead.to_vec() },
        Admission::Refused => Guest::Refused,
        Admission::GoingDown => Guest::Gone,
    }
}

/// Bytes that begin with one whole message.
async fn first_message(stream: &UnixStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(256);
    loop {
        if let Some(length) = frame_length(&bytes, LONGEST).map_err(not_a_message)?
            && bytes.len() >= length
        {
            return Ok(bytes);
        }
        stream.readable().await?;
        match stream.try_read_buf(&mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

fn not_a_message(error: FrameError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// CONNECT_ACK.
pub(super) fn acknowledgement(accepted: bool) -> Vec<u8> {
    let flags = if accepted { flags::CONNECTION_ACCEPTED } else { 0 };
    Outgoing::new(MessageType::ConnectAck, CONNECTION).flags(flags).encode(b"")
}

/// PROTOCOL_ERROR.
pub(super) fn protocol_error(message: &str) -> Vec<u8> {
    let body = serde_json::json!({"message": message}).to_string();
    Outgoing { json: true, ..Outgoing::new(MessageType::ProtocolError, CONNECTION) }.encode(body.as_bytes())
}
