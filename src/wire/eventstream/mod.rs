//! The event-stream encoding and its RPC headers, as the Greengrass IPC speaks them.
//!
//! A message is a prelude (total length, headers length, CRC of both), headers, a payload, and a CRC of all of it;
//! integers are big-endian, CRCs are CRC-32 as in zlib. Messages follow each other without a gap, so a byte stream is
//! cut with [`Assembler`], read with [`Message::decode`] and written with [`Outgoing`].

mod assembler;
mod decode;
mod encode;
mod header;
#[cfg(test)]
mod tests;

pub use assembler::{Assembler, FeedError};
pub use decode::{FrameError, frame_length};
pub use encode::Outgoing;

/// Bytes of the longest message, all of it counted: what the common runtime of the SDKs accepts.
pub const MAX_MESSAGE: usize = 24 << 20;
/// Bytes of headers in one message, as in the common runtime.
pub const MAX_HEADERS: usize = 128 << 10;
/// Headers in one message, as in the common runtime.
pub const MAX_HEADER_COUNT: usize = 1024;
/// Bytes of one header value, as in the common runtime.
pub const MAX_HEADER_VALUE: usize = 32_767;
/// The version both sides name in CONNECT.
pub const VERSION: &str = "0.1.0";
/// The stream of messages that belong to the connection itself.
pub const CONNECTION: i32 = 0;

const PRELUDE: usize = 12;
/// Prelude and message CRC: what a message without headers and payload has.
const OVERHEAD: usize = PRELUDE + 4;

/// A message as it lies in the buffer it was read into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    pub kind: MessageType,
    /// Bits of [`flags`].
    pub flags: i32,
    pub stream: i32,
    /// The operation of the first message of a stream.
    pub operation: Option<&'a str>,
    /// The protocol version of CONNECT.
    pub version: Option<&'a str>,
    /// All headers, still encoded.
    pub headers: &'a [u8],
    pub payload: &'a [u8],
}

/// Bits of `:message-flags`.
pub mod flags {
    /// In CONNECT_ACK only.
    pub const CONNECTION_ACCEPTED: i32 = 1;
    /// In application messages and errors only: the sender has nothing more to say on this stream.
    pub const TERMINATE_STREAM: i32 = 2;
}

/// `:message-type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum MessageType {
    ApplicationMessage = 0,
    ApplicationError = 1,
    Ping = 2,
    PingResponse = 3,
    Connect = 4,
    ConnectAck = 5,
    ProtocolError = 6,
    InternalError = 7,
}

impl MessageType {
    const ALL: [Self; 8] = [
        Self::ApplicationMessage,
        Self::ApplicationError,
        Self::Ping,
        Self::PingResponse,
        Self::Connect,
        Self::ConnectAck,
        Self::ProtocolError,
        Self::InternalError,
    ];

    const fn code(self) -> i32 {
        self as i32
    }

    fn of(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

impl Message<'_> {
    pub fn terminates(&self) -> bool {
        self.flags & flags::TERMINATE_STREAM != 0
    }

    /// The answer to a PING: the same payload, and the same headers but for those of the protocol.
    pub fn pong(&self) -> Vec<u8> {
        let own = header::walk(self.headers).filter_map(Result::ok).filter(|header| !header.name.starts_with(b":"));
        let extra: Vec<u8> = own.flat_map(|header| header.raw.iter().copied()).collect();
        let pong = Outgoing { extra: &extra, ..Outgoing::new(MessageType::PingResponse, CONNECTION) };
        pong.encode(self.payload)
    }
}
