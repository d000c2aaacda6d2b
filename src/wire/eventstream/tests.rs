use std::convert::Infallible;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Messages real clients sent, and answers they accepted.
const CONNECT: &str = "0000007200000048\
    9e37a564083a76657273696f6e070005302e312e300d3a6d6573736167652d7479706504000000040e3a6d6573736167652d666c616773\
    04000000000a3a73747265616d2d696404000000007b2261757468546f6b656e223a2022544f4b454e31323334227d821cce6b";
const ACCEPTED: &str = "0000004700000037374cfe3f0d3a6d6573736167652d7479706504000000050e3a6d6573736167652d666c616773\
    04000000010a3a73747265616d2d69640400000000e237e27d";
const PUBLISHED: &str = "000000a500000093b4e30d710d3a6d6573736167652d7479706504000000000e3a6d6573736167652d666c616773\
    04000000020a3a73747265616d2d696404000000010d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e\
    12736572766963652d6d6f64656c2d747970650700256177732e677265656e6772617373235075626c697368546f546f706963526573706f\
    6e73657b7d24a633bd";
const BAD: &str = "0000007900000058f45084110d3a6d6573736167652d7479706504000000060e3a6d6573736167652d666c616773\
    04000000000a3a73747265616d2d696404000000000d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e\
    7b226d657373616765223a22626164227d516e241a";
const PONG: &str = "0000004700000037374cfe3f0d3a6d6573736167652d7479706504000000030e3a6d6573736167652d666c616773\
    04000000000a3a73747265616d2d69640400000000d15357fe";

#[test]
fn messages_are_written_as_clients_expect_them() {
    let accepted = Outgoing::new(MessageType::ConnectAck, CONNECTION).flags(flags::CONNECTION_ACCEPTED);
    assert_eq!(accepted.encode(b""), bytes(ACCEPTED));
    let published = Outgoing::new(MessageType::ApplicationMessage, 1)
        .flags(flags::TERMINATE_STREAM)
        .model("aws.greengrass#PublishToTopicResponse");
    assert_eq!(published.encode(b"{}"), bytes(PUBLISHED));
    let bad = Outgoing { json: true, ..Outgoing::new(MessageType::ProtocolError, CONNECTION) };
    assert_eq!(bad.encode(br#"{"message":"bad"}"#), bytes(BAD));
    let ping = Outgoing::new(MessageType::Ping, CONNECTION).encode(b"");
    assert_eq!(Message::decode(&ping).unwrap().pong(), bytes(PONG));
}

#[test]
fn connect_of_a_real_client_is_read() {
    let frame = bytes(CONNECT);
    let message = Message::decode(&frame).unwrap();
    assert_eq!((message.kind, message.flags, message.stream), (MessageType::Connect, 0, CONNECTION));
    assert_eq!(message.version, Some(VERSION));
    assert_eq!(message.payload, br#"{"authToken": "TOKEN1234"}"#);
}

#[test]
fn pong_returns_the_headers_that_are_not_the_protocols() {
    let extra = [b"\x01a\x04\0\0\0\x07".as_slice(), b"\x02:b\x00", b"\x01c\x07\0\x01x"].concat();
    let ping = Outgoing { extra: &extra, ..Outgoing::new(MessageType::Ping, CONNECTION) }.encode(b"p");
    let pong = Message::decode(&ping).unwrap().pong();
    let pong = Message::decode(&pong).unwrap();
    assert_eq!(pong.kind, MessageType::PingResponse);
    assert_eq!(pong.payload, b"p");
    assert!(pong.headers.ends_with(b"\x01a\x04\0\0\0\x07\x01c\x07\0\x01x"), "{:?}", pong.headers);
}

#[test]
fn every_type_of_header_is_skipped() {
    let values: [&[u8]; 10] = [
        b"\x00",
        b"\x01",
        b"\x02.",
        b"\x03..",
        b"\x04....",
        b"\x05........",
        b"\x06\0\x02..",
        b"\x07\0\x02..",
        b"\x08........",
        b"\x09................",
    ];
    let extra: Vec<u8> = values.iter().flat_map(|value| [b"\x01x".as_slice(), value].concat()).collect();
    let ping = Outgoing { extra: &extra, ..Outgoing::new(MessageType::Ping, CONNECTION) };
    assert!(Message::decode(&ping.encode(b"")).is_ok());
    for cut in 1..extra.len() {
        let ping = Outgoing { extra: &extra[..cut], ..ping };
        // A cut that falls between two headers leaves a good message.
        if let Err(error) = Message::decode(&ping.encode(b"")) {
            assert_eq!(error, FrameError::BrokenHeader);
        }
    }
    let unknown = Outgoing { extra: b"\x01x\x0a", ..ping };
    assert_eq!(Message::decode(&unknown.encode(b"")), Err(FrameError::BrokenHeader));
    let many = b"\x01x\x00".repeat(MAX_HEADER_COUNT);
    assert_eq!(Message::decode(&Outgoing { extra: &many, ..ping }.encode(b"")), Err(FrameError::TooManyHeaders));
}

#[test]
fn mandatory_headers_are_found_in_any_spelling_and_missed_when_absent() {
    let frame = Outgoing::new(MessageType::Ping, CONNECTION).encode(b"");
    let respelled = |from: &[u8], to: &[u8]| {
        let at = frame.windows(from.len()).position(|window| window == from).unwrap();
        let mut frame = frame.clone();
        frame[at..at + to.len()].copy_from_slice(to);
        let end = frame.len() - 4;
        let crc = crc32fast::hash(&frame[..end]).to_be_bytes();
        frame[end..].copy_from_slice(&crc);
        frame
    };
    assert!(Message::decode(&respelled(b":message-type", b":Message-TYPE")).is_ok());
    assert_eq!(Message::decode(&respelled(b":stream-id", b":stream-ie")), Err(FrameError::Missing(":stream-id")));
    let unknown = respelled(b"type\x04\0\0\0\x02", b"type\x04\0\0\0\x08");
    assert_eq!(Message::decode(&unknown), Err(FrameError::MessageType(8)));
}

#[test]
fn lengths_that_lie_are_refused_before_anything_is_allocated() {
    let prelude = |total: u32, headers: u32| {
        let mut bytes = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        bytes
    };
    let refused = |bytes: &[u8]| {
        let mut assembler = Assembler::new(MAX_MESSAGE);
        let fed = assembler.feed(bytes, |_| Err(()));
        assert!(matches!(fed, Err(FeedError::Broken(_))), "{fed:?}");
    };
    refused(&prelude(0x7fff_ffff, 0));
    refused(&prelude(15, 0));
    refused(&prelude(100, 85));
    refused(&prelude(1 << 20, (128 << 10) + 1));
    refused(&[0; 12]);
    assert_eq!(frame_length(&prelude(u32::try_from(MAX_MESSAGE).unwrap(), 0), MAX_MESSAGE), Ok(Some(MAX_MESSAGE)));
    assert_eq!(frame_length(&[0; 11], MAX_MESSAGE), Ok(None));
}

#[test]
fn assembler_finds_the_same_messages_however_the_stream_is_cut() {
    let stream = [CONNECT, ACCEPTED, PUBLISHED, BAD, PONG].map(bytes).concat();
    for step in 1..=stream.len() {
        let mut assembler = Assembler::new(MAX_MESSAGE);
        let mut kinds = Vec::new();
        for part in stream.chunks(step) {
            let fed: Result<(), FeedError<Infallible>> = assembler.feed(part, |message| {
                kinds.push(message.kind);
                Ok(())
            });
            fed.unwrap();
        }
        use MessageType::{ApplicationMessage, Connect, ConnectAck, PingResponse, ProtocolError};
        assert_eq!(kinds, [Connect, ConnectAck, ApplicationMessage, ProtocolError, PingResponse], "step {step}");
        assert_eq!(assembler.held(), 0);
    }
}

#[test]
fn a_flipped_bit_is_noticed_wherever_it_is() {
    let frame = bytes(PUBLISHED);
    for bit in 0..frame.len() * 8 {
        let mut frame = frame.clone();
        frame[bit / 8] ^= 1 << (bit % 8);
        assert!(Message::decode(&frame).is_err(), "bit {bit}");
    }
}
