//! From a message to bytes.

use super::header::kind;
use super::{MessageType, OVERHEAD, PRELUDE};

/// A message to be sent; absent headers are left out.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    pub kind: MessageType,
    pub flags: i32,
    pub stream: i32,
    /// Whether the payload is JSON: `:content-type`.
    pub json: bool,
    /// `service-model-type`.
    pub model_type: Option<&'a str>,
    /// `:version`, of CONNECT.
    pub version: Option<&'a str>,
    pub operation: Option<&'a str>,
    /// Further headers, already encoded.
    pub extra: &'a [u8],
}

impl<'a> Outgoing<'a> {
    /// A message with the three mandatory headers alone.
    pub fn new(kind: MessageType, stream: i32) -> Self {
        Self { kind, flags: 0, stream, json: false, model_type: None, version: None, operation: None, extra: &[] }
    }

    pub fn flags(self, flags: i32) -> Self {
        Self { flags, ..self }
    }

    /// Says that the payload is a JSON shape of the model.
    pub fn model(self, model_type: &'a str) -> Self {
        Self { json: true, model_type: Some(model_type), ..self }
    }

    /// The whole message. Headers are below 32 KiB and payloads below [`super::MAX_MESSAGE`] in all this program sends.
    ///
    pub fn encode(&self, payload: &[u8]) -> Vec<u8> {
        let (mut bytes, crc) = self.encode_around(payload);
        bytes.reserve_exact(payload.len() + 4);
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(&crc);
        bytes
    }

    /// What stands before the payload and what stands after it, so that one payload can be shared by many messages.
    pub fn encode_around(&self, payload: &[u8]) -> (Vec<u8>, [u8; 4]) {
        let mut head = vec![0; PRELUDE];
        head.reserve(160);
        if let Some(version) = self.version {
            put_string(&mut head, ":version", version);
        }
        put_int(&mut head, ":message-type", self.kind.code());
        put_int(&mut head, ":message-flags", self.flags);
        put_int(&mut head, ":stream-id", self.stream);
        if self.json {
            put_string(&mut head, ":content-type", "application/json");
        }
        if let Some(operation) = self.operation {
            put_string(&mut head, "operation", operation);
        }
        if let Some(model_type) = self.model_type {
            put_string(&mut head, "service-model-type", model_type);
        }
        head.extend_from_slice(self.extra);
        let headers = head.len() - PRELUDE;
        head[..4].copy_from_slice(&word(OVERHEAD + headers + payload.len()));
        head[4..8].copy_from_slice(&word(headers));
        let crc = crc32fast::hash(&head[..8]).to_be_bytes();
        head[8..PRELUDE].copy_from_slice(&crc);
        let mut crc = crc32fast::Hasher::new();
        crc.update(&head);
        crc.update(payload);
        (head, crc.finalize().to_be_bytes())
    }
}

fn word(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes()
}

fn put_name(bytes: &mut Vec<u8>, name: &str) {
    bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(name.as_bytes());
}

fn put_int(bytes: &mut Vec<u8>, name: &str, value: i32) {
    put_name(bytes, name);
    bytes.push(kind::INT32);
    bytes.extend_from_slice(&value.to_be_bytes());
}

fn put_string(bytes: &mut Vec<u8>, name: &str, value: &str) {
    put_name(bytes, name);
    bytes.push(kind::STRING);
    bytes.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend_from_slice(value.as_bytes());
}
