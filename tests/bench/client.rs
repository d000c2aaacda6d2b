//! A raw client of the IPC: event-stream messages over a blocking socket, nothing between the clock and the wire.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use gg_wire::eventstream::{CONNECTION, MAX_MESSAGE, Message, MessageType, Outgoing, VERSION, flags, frame_length};
use serde_json::{Value, json};

use crate::core::PATIENCE;

/// How to reach the daemon as a component that may publish and subscribe.
pub(crate) struct Door {
    pub(crate) socket: PathBuf,
    pub(crate) token: String,
}

pub(crate) struct Client {
    stream: UnixStream,
    /// What came and was not taken yet.
    came: Vec<u8>,
    last_stream: i32,
}

/// A message of the daemon.
pub(crate) struct Received {
    pub(crate) kind: MessageType,
    pub(crate) flags: i32,
    pub(crate) payload: Vec<u8>,
}

impl Client {
    /// Connects, and returns when the daemon has let us in.
    pub(crate) fn connect(door: &Door) -> io::Result<Self> {
        let stream = UnixStream::connect(&door.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self { stream, came: Vec::new(), last_stream: CONNECTION };
        let connect = Outgoing { version: Some(VERSION), ..Outgoing::new(MessageType::Connect, CONNECTION) };
        client.stream.write_all(&connect.encode(json!({"authToken": door.token}).to_string().as_bytes()))?;
        match client.receive()? {
            Received { kind: MessageType::ConnectAck, flags: flags::CONNECTION_ACCEPTED, .. } => Ok(client),
            other => Err(other.unexpected()),
        }
    }

    /// Subscribes and returns when the subscription stands.
    pub(crate) fn subscribe(&mut self, filter: &str) -> io::Result<()> {
        self.send("aws.greengrass#SubscribeToTopic", json!({"topic": filter}).to_string().as_bytes())?;
        self.receive()?.application().map(drop)
    }

    /// Asks for a publish, as [`publish_request`] wrote it.
    pub(crate) fn publish(&mut self, request: &[u8]) -> io::Result<()> {
        self.send("aws.greengrass#PublishToTopic", request)
    }

    fn send(&mut self, operation: &str, payload: &[u8]) -> io::Result<()> {
        self.last_stream += 1;
        let message = Outgoing {
            operation: Some(operation),
            json: true,
            ..Outgoing::new(MessageType::ApplicationMessage, self.last_stream)
        };
        self.stream.write_all(&message.encode(payload))
    }

    /// Waits for the next message.
    pub(crate) fn receive(&mut self) -> io::Result<Received> {
        loop {
            if let Some(length) = frame_length(&self.came, MAX_MESSAGE).map_err(io::Error::other)?
                && length <= self.came.len()
            {
                let message = Message::decode(&self.came[..length]).map_err(io::Error::other)?;
                let received = Received { kind: message.kind, flags: message.flags, payload: message.payload.to_vec() };
                self.came.drain(..length);
                return Ok(received);
            }
            let held = self.came.len();
            self.came.resize(held + READ.max(held), 0);
            let read = self.stream.read(&mut self.came[held..]);
            self.came.truncate(held + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

impl Received {
    /// The payload of a response or an event.
    pub(crate) fn application(self) -> io::Result<Vec<u8>> {
        match self.kind {
            MessageType::ApplicationMessage => Ok(self.payload),
            _ => Err(self.unexpected()),
        }
    }

    fn unexpected(&self) -> io::Error {
        let Self { kind, payload, .. } = self;
        io::Error::other(format!("the daemon answers {kind:?} {}", String::from_utf8_lossy(payload)))
    }
}

/// A publish whose JSON message has exactly that many bytes, at least those of `{"":""}`.
pub(crate) fn publish_request(topic: &str, bytes: usize) -> Vec<u8> {
    let message: Value = json!({ "": "x".repeat(bytes.saturating_sub(r#"{"":""}"#.len())) });
    json!({"topic": topic, "publishMessage": {"jsonMessage": {"message": message}}}).to_string().into_bytes()
}

/// Bytes asked of the socket at once, more for long messages.
const READ: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publish_request_holds_a_message_of_the_length() {
        let request: Value = serde_json::from_slice(&publish_request("t", 100)).unwrap();
        assert_eq!(request["publishMessage"]["jsonMessage"]["message"].to_string().len(), 100);
    }
}
