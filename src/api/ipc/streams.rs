//! The streams of one connection: which may begin, which are open, what each message means.

use std::collections::HashMap;

use crate::wire::eventstream::{CONNECTION, Message, MessageType};

/// The streams a client has opened, each with what belongs to it.
#[derive(Debug)]
pub(super) struct Streams<T> {
    last: i32,
    open: HashMap<i32, T>,
}

/// What a message asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step<'a> {
    /// A new stream begins with this operation.
    Begin {
        stream: i32,
        operation: &'a str,
    },
    /// The client has closed this open stream.
    End {
        stream: i32,
    },
    Pong,
    Ignore,
    /// The client takes its leave.
    Leave,
    /// The client broke a rule; the connection ends.
    Violation(&'static str),
}

impl<T> Default for Streams<T> {
    fn default() -> Self {
        Self { last: CONNECTION, open: HashMap::new() }
    }
}

impl<T> Streams<T> {
    /// Streams one connection may have open.
    pub(super) const OPEN: usize = 16_384;

    /// Weighs a message of a client that is connected.
    pub(super) fn step<'a>(&mut self, message: &Message<'a>) -> Step<'a> {
        match (message.kind, message.stream) {
            (MessageType::ApplicationMessage | MessageType::ApplicationError, CONNECTION) => {
                Step::Violation("application messages belong on a stream, not on stream 0")
            }
            (MessageType::ApplicationMessage | MessageType::ApplicationError, stream) => {
                self.on_stream(stream, message)
            }
            (_, stream) if stream != CONNECTION => Step::Violation("messages of this type belong on stream 0"),
            (MessageType::Ping, _) => Step::Pong,
            (MessageType::PingResponse, _) => Step::Ignore,
            (MessageType::ProtocolError | MessageType::InternalError, _) => Step::Leave,
            (MessageType::Connect, _) => Step::Violation("this connection is connected already"),
            (MessageType::ConnectAck, _) => Step::Violation("only the server acknowledges a connection"),
        }
    }

    fn on_stream<'a>(&mut self, stream: i32, message: &Message<'a>) -> Step<'a> {
        if stream > self.last {
            if self.last.checked_add(1) != Some(stream) {
                return Step::Violation("a new stream must have the id after the last one");
            }
            if self.open.len() >= Self::OPEN {
                return Step::Violation("too many streams are open on this connection");
            }
            let Some(operation) = message.operation else {
                return Step::Violation("the first message of a stream must name its operation");
            };
            self.last = stream;
            return if message.terminates() { Step::Ignore } else { Step::Begin { stream, operation } };
        }
        match (self.open.contains_key(&stream), message.terminates()) {
            (true, true) => Step::End { stream },
            // The ends of both sides may cross.
            (false, true) => Step::Ignore,
            // No operation of the model takes more than its request.
            (true, false) => Step::Ignore,
            (false, false) => Step::Violation("this stream is closed, or never began"),
        }
    }

    pub(super) fn insert(&mut self, stream: i32, what: T) {
        self.open.insert(stream, what);
    }

    pub(super) fn get(&self, stream: i32) -> Option<&T> {
        self.open.get(&stream)
    }

    pub(super) fn get_mut(&mut self, stream: i32) -> Option<&mut T> {
        self.open.get_mut(&stream)
    }

    pub(super) fn remove(&mut self, stream: i32) -> Option<T> {
        let removed = self.open.remove(&stream);
        if self.open.is_empty() && self.open.capacity() > 64 {
            self.open.shrink_to_fit();
        }
        removed
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (i32, &T)> {
        self.open.iter().map(|(stream, what)| (*stream, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::eventstream::{Outgoing, flags};

    fn step(streams: &mut Streams<()>, outgoing: Outgoing<'_>) -> String {
        let frame = outgoing.encode(b"");
        let step = streams.step(&Message::decode(&frame).unwrap());
        if let Step::Begin { stream, .. } = step {
            streams.insert(stream, ());
        }
        format!("{step:?}")
    }

    fn request(stream: i32) -> Outgoing<'static> {
        Outgoing { operation: Some("o"), ..Outgoing::new(MessageType::ApplicationMessage, stream) }
    }

    fn end(stream: i32) -> Outgoing<'static> {
        Outgoing::new(MessageType::ApplicationMessage, stream).flags(flags::TERMINATE_STREAM)
    }

    #[test]
    fn streams_begin_in_order_and_end_once() {
        let mut streams = Streams::default();
        assert!(step(&mut streams, request(2)).starts_with("Violation"));
        assert!(step(&mut streams, request(1)).starts_with("Begin"));
        assert!(step(&mut streams, request(2)).starts_with("Begin"));
        assert!(step(&mut streams, request(4)).starts_with("Violation"));
        assert!(step(&mut streams, request(-1)).starts_with("Violation"));
        assert_eq!(step(&mut streams, end(1)), "End { stream: 1 }");
        streams.remove(1);
        assert_eq!(step(&mut streams, end(1)), "Ignore");
        assert!(step(&mut streams, request(1)).starts_with("Violation"));
        assert_eq!(step(&mut streams, request(2)), "Ignore");
        assert!(step(&mut streams, Outgoing::new(MessageType::ApplicationMessage, 3)).starts_with("Violation"));
    }

    #[test]
    fn connection_messages_belong_on_stream_zero() {
        let mut streams = Streams::default();
        let kinds = [
            (MessageType::Ping, "Pong"),
            (MessageType::PingResponse, "Ignore"),
            (MessageType::Connect, "Violation"),
            (MessageType::ConnectAck, "Violation"),
            (MessageType::ProtocolError, "Leave"),
            (MessageType::InternalError, "Leave"),
            (MessageType::ApplicationMessage, "Violation"),
            (MessageType::ApplicationError, "Violation"),
        ];
        for (kind, expected) in kinds {
            assert!(step(&mut streams, Outgoing::new(kind, CONNECTION)).starts_with(expected), "{kind:?}");
            let on_stream = step(&mut streams, Outgoing::new(kind, 1));
            assert!(on_stream.starts_with("Violation"), "{kind:?}: {on_stream}");
        }
    }
}
