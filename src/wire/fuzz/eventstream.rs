//! Frames of the event-stream encoding.

use crate::eventstream::{Assembler, FeedError, Message, MessageType, Outgoing};

/// Frames come out the same however the bytes are cut, and what is read is read again when written.
///
/// The first byte is the size of a cut. What follows is read as it is, and once more as the headers and payload of a
/// frame whose lengths and checksums are right, because no fuzzer guesses those.
pub fn eventstream(data: &[u8]) {
    let Some((&step, data)) = data.split_first() else { return };
    let whole = cut(data, data.len().max(1));
    assert_eq!(cut(data, usize::from(step).max(1)), whole, "cut by {step}");

    let Some((at, body)) = data.split_first_chunk::<2>() else { return };
    let headers = usize::from(u16::from_be_bytes(*at)).min(body.len());
    let (headers, payload) = body.split_at(headers);
    let mut stream = frame(headers, payload);
    if let Ok(message) = Message::decode(&stream) {
        assert_eq!((message.headers, message.payload), (headers, payload));
        rewrite(&message);
    }
    stream.extend_from_within(..);
    let whole = cut(&stream, stream.len());
    assert_eq!(cut(&stream, usize::from(step).max(1)), whole, "two frames, cut by {step}");
}

/// What was read, and whether the end was a refusal.
type Read = (Vec<(MessageType, i32, i32, Vec<u8>, Vec<u8>)>, Result<(), FeedError<()>>, usize);

fn cut(data: &[u8], step: usize) -> Read {
    let mut assembler = Assembler::new(LIMIT);
    let mut messages = Vec::new();
    let mut end = Ok(());
    for part in data.chunks(step) {
        end = assembler.feed(part, |message| {
            messages.push((
                message.kind,
                message.flags,
                message.stream,
                message.headers.to_vec(),
                message.payload.to_vec(),
            ));
            Ok(())
        });
        if end.is_err() {
            break;
        }
        assert!(assembler.held() < LIMIT, "a whole message is held back");
    }
    // A refused stream is over: what is held of it depends on the cut.
    let held = if end.is_ok() { assembler.held() } else { 0 };
    (messages, end, held)
}

/// The parts of a message that mean something survive being written, and so do the headers of a PING.
fn rewrite(message: &Message<'_>) {
    let written = Outgoing {
        operation: message.operation,
        version: message.version,
        ..Outgoing::new(message.kind, message.stream).flags(message.flags)
    };
    let written = written.encode(message.payload);
    let again = Message::decode(&written).expect("what was written is read");
    let meaning =
        |m: &Message<'_>| (m.kind, m.flags, m.stream, m.operation.map(str::to_owned), m.version.map(str::to_owned));
    assert_eq!(meaning(&again), meaning(message));
    assert_eq!(again.payload, message.payload);

    let pong = message.pong();
    let pong = Message::decode(&pong).expect("a pong is read");
    assert_eq!((pong.kind, pong.payload), (MessageType::PingResponse, message.payload));
}

/// A frame that is right but for its content.
fn frame(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let word = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = [word(16 + headers.len() + payload.len()), word(headers.len())].concat();
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend_from_slice(headers);
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

/// Small enough that inputs reach it.
const LIMIT: usize = 4096;
