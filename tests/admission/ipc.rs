//! A client of the IPC that says no more than it has to.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use greengrass::wire::eventstream::{CONNECTION, Message, MessageType, Outgoing, VERSION, flags, frame_length};
use serde_json::{Value, json};

use crate::support::PATIENCE;

pub struct Client {
    stream: UnixStream,
    last: i32,
}

impl Client {
    /// None if the core does not let it in.
    pub fn connect(socket: &Path, token: &str) -> Option<Self> {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self { stream, last: 0 };
        let connect = Outgoing { version: Some(VERSION), ..Outgoing::new(MessageType::Connect, CONNECTION) };
        client.stream.write_all(&connect.encode(json!({ "authToken": token }).to_string().as_bytes())).unwrap();
        let (kind, accepted, _) = client.next();
        assert_eq!(kind, MessageType::ConnectAck);
        (accepted & flags::CONNECTION_ACCEPTED != 0).then_some(client)
    }

    /// The answer to a request, or the error with its `_errorCode`.
    pub fn call(&mut self, operation: &str, request: &Value) -> Result<Value, String> {
        self.last += 1;
        let operation = format!("aws.greengrass#{operation}");
        let message =
            Outgoing { operation: Some(&operation), ..Outgoing::new(MessageType::ApplicationMessage, self.last) };
        self.stream.write_all(&message.encode(request.to_string().as_bytes())).unwrap();
        match self.next() {
            (MessageType::ApplicationMessage, _, payload) => Ok(payload),
            (_, _, payload) => Err(payload["_errorCode"].as_str().unwrap_or_default().to_owned()),
        }
    }

    fn next(&mut self) -> (MessageType, i32, Value) {
        let mut bytes = vec![0; 12];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes.resize(frame_length(&bytes, 1 << 20).unwrap().unwrap(), 0);
        self.stream.read_exact(&mut bytes[12..]).unwrap();
        let message = Message::decode(&bytes).unwrap();
        (message.kind, message.flags, serde_json::from_slice(message.payload).unwrap_or_default())
    }
}
