//! A message on its way, shared by all who get it.

use std::sync::{Arc, OnceLock};

use serde_json::value::RawValue;

use crate::wire::ipc::pubsub::{MessageContext, SubscriptionResponseMessage};
use crate::wire::principal::Principal;
use crate::wire::topic::Topic;

/// What a publisher said, where, and who it was.
#[derive(Debug)]
pub struct Message {
    /// Different for each message of this run of the daemon.
    pub number: u64,
    pub from: Principal,
    pub topic: Topic,
    pub payload: Payload,
    /// See [`Message::event`].
    event: OnceLock<Arc<Vec<u8>>>,
}

#[derive(Debug)]
pub enum Payload {
    /// As the publisher wrote it.
    Json(Box<RawValue>),
    Binary(Vec<u8>),
}

impl Payload {
    /// Its bytes in memory.
    pub fn size(&self) -> usize {
        match self {
            Self::Json(json) => json.get().len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

impl Message {
    pub(super) fn new(number: u64, from: Principal, topic: Topic, payload: Payload) -> Self {
        Self { number, from, topic, payload, event: OnceLock::new() }
    }

    /// The JSON of the IPC event that carries it; made for the first who asks and shared with all others.
    pub fn event(&self) -> Arc<Vec<u8>> {
        let event = self.event.get_or_init(|| {
            let context = MessageContext { topic: self.topic.as_str() };
            let event = match &self.payload {
                Payload::Json(message) => SubscriptionResponseMessage::JsonMessage { message, context },
                Payload::Binary(message) => SubscriptionResponseMessage::BinaryMessage { message, context },
            };
            let mut json = Vec::with_capacity(self.room());
            // Strings and JSON that was parsed, into memory: nothing in it can fail to be written.
            let _ = serde_json::to_writer(&mut json, &event);
            json.into()
        });
        event.clone()
    }

    /// Bytes that the event has at most: a large one is written into its place, without a larger one in between.
    fn room(&self) -> usize {
        let payload = match &self.payload {
            Payload::Json(json) => json.get().len(),
            Payload::Binary(bytes) => bytes.len().div_ceil(3) * 4,
        };
        payload + self.topic.as_str().len() * Self::ESCAPED + Self::ENVELOPE
    }

    /// Bytes of one byte of a topic in JSON, at most.
    const ESCAPED: usize = 6;
    /// Bytes of an event besides payload and topic.
    const ENVELOPE: usize = 64;

    /// The bytes it holds while it waits: topic and payload.
    pub fn size(&self) -> usize {
        self.topic.as_str().len() + self.payload.size()
    }
}
