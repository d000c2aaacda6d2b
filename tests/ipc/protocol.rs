//! The rules of the protocol, each broken once.

use super::client::{Client, Door, Witness};
use super::core;
use super::frame::{Draft, prelude};

/// How the daemon must end a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ends {
    /// PROTOCOL_ERROR with a sentence, then the end.
    Told,
    /// Without a word: what came is no message.
    Cut,
}

const PUBLISH: &str = r#"{"topic":"t","publishMessage":{"jsonMessage":{"message":{}}}}"#;

fn publish(stream: i32) -> Draft {
    Draft::request(stream, "PublishToTopic", PUBLISH)
}

fn flip(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] ^= 1;
    bytes
}

fn check(witness: &mut Witness, mut client: Client, what: &str, bytes: &[u8], ends: Ends) {
    client.send(bytes);
    if ends == Ends::Told {
        let told = client.receive();
        assert_eq!(told.place(), (6, 0, 0), "{what}");
        assert_eq!(told.text(":content-type").as_deref(), Some("application/json"), "{what}");
        assert!(told.json()["message"].as_str().is_some_and(|text| text.len() > 10), "{what}: {told:?}");
        client.finish();
    }
    assert_eq!(client.next(), None, "{what}");
    witness.sees_it_go_on(what);
}

#[test]
fn bytes_that_are_no_message_end_the_connection() {
    let (mut core, door) = core();
    let mut witness = Witness::new(&door);
    let whole = publish(1).bytes();
    let header = |header: &[u8]| {
        let mut draft = publish(1);
        draft.headers.extend_from_slice(header);
        draft.bytes()
    };
    let many = |count: usize| (0..count).fold(Draft::new(2, 0, 0), |draft, _| draft.header("n", 0, b"")).bytes();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a flipped bit in the length", flip(whole.clone(), 3)),
        ("a flipped bit in the checksum of the prelude", flip(whole.clone(), 11)),
        ("a flipped bit in a header", flip(whole.clone(), 20)),
        ("a flipped bit in the payload", flip(whole.clone(), whole.len() - 8)),
        ("a flipped bit in the checksum", flip(whole.clone(), whole.len() - 1)),
        ("a length of 7fffffff", prelude(0x7fff_ffff, 0)),
        ("a length of ffffffff", prelude(0xffff_ffff, 0xffff_ffff)),
        ("a length below the least", prelude(15, 0)),
        ("a length of nothing", prelude(0, 0)),
        ("headers longer than the message", prelude(20, 5)),
        ("headers longer than headers may be", prelude(1 << 20, 1 << 19)),
        ("a header without a name", header(&[0, 0])),
        ("a header of an unknown type", header(&[1, b'n', 10])),
        ("a header that stops in its name", header(&[9, b'n'])),
        ("a header that stops in its value", header(&[1, b'n', 5, 0])),
        ("a text longer than its header", header(&[1, b'n', 7, 0, 9, b'x'])),
        ("a header value of 32 KiB", Draft::new(2, 0, 0).long("n", 6, &[0; 0x8000]).bytes()),
        ("1025 headers", many(1022)),
        ("an operation that is not UTF-8", Draft::new(0, 0, 1).long("operation", 7, b"\xff\xfe").bytes()),
        ("zeros", vec![0; 4096]),
        ("another protocol", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
    ];
    for (what, bytes) in cases {
        check(&mut witness, door.enter(), what, &bytes, Ends::Cut);
    }
    assert!(core.is_alive());
}

#[test]
fn broken_rules_are_told() {
    let (mut core, door) = core();
    let mut witness = Witness::new(&door);
    let mandatory = [":message-type", ":message-flags", ":stream-id"];
    let mut cases: Vec<(String, Vec<u8>)> = vec![
        ("stream 2 first".into(), publish(2).bytes()),
        ("stream 0".into(), publish(0).bytes()),
        ("an error on stream 0".into(), Draft::new(1, 0, 0).bytes()),
        ("a stream below 0".into(), publish(-1).bytes()),
        ("the last stream first".into(), publish(i32::MAX).bytes()),
        ("a second CONNECT".into(), Draft::connect(&door.token).bytes()),
        ("an acknowledgement from a client".into(), Draft::new(5, 1, 0).bytes()),
        ("a stream without an operation".into(), Draft::new(0, 0, 1).payload(b"{}").bytes()),
        ("an operation that is a number".into(), Draft::new(0, 0, 1).int("operation", 1).bytes()),
        ("message type 8".into(), Draft::new(8, 0, 0).bytes()),
        ("message type -1".into(), Draft::new(-1, 0, 1).bytes()),
        ("a message on a closed stream".into(), [publish(1).bytes(), publish(2).bytes(), publish(1).bytes()].concat()),
    ];
    for kind in 2..=7 {
        cases.push((format!("message type {kind} on a stream"), Draft::new(kind, 0, 1).bytes()));
    }
    for absent in mandatory {
        let others = mandatory.into_iter().filter(|name| *name != absent);
        let without = others.fold(Draft::default(), |draft, name| draft.int(name, 0));
        cases.push((format!("{absent} missing"), without.bytes()));
        cases.push((format!("{absent} as a text"), without.clone().text(absent, "0").bytes()));
        cases.push((format!("{absent} as an int16"), without.header(absent, 3, &[0, 0]).bytes()));
    }
    for (what, bytes) in cases {
        let mut client = door.enter();
        if what == "a message on a closed stream" {
            // Two answers come before the rule is broken.
            client.send(&bytes);
            assert_eq!([client.receive().place(), client.receive().place()], [(0, 2, 1), (0, 2, 2)]);
            check(&mut witness, client, &what, &[], Ends::Told);
        } else {
            check(&mut witness, client, &what, &bytes, Ends::Told);
        }
    }
    assert!(core.is_alive());
}

#[test]
fn newcomers_must_say_who_they_are() {
    let (mut core, door) = core();
    let mut witness = Witness::new(&door);
    let told = [
        ("a request before CONNECT", publish(1).bytes()),
        ("a PING before CONNECT", Draft::new(2, 0, 0).bytes()),
        ("CONNECT on a stream", Draft::new(4, 0, 1).text(":version", "0.1.0").bytes()),
        ("a message without a type", Draft::default().int(":stream-id", 0).bytes()),
    ];
    for (what, bytes) in told {
        check(&mut witness, door.knock(), what, &bytes, Ends::Told);
    }
    let long = format!(r#"{{"authToken":"{}"}}"#, "x".repeat(20_000));
    let cut = [
        ("CONNECT with a flipped bit", flip(Draft::connect(&door.token).bytes(), 30)),
        ("CONNECT of 20 KB", Draft::connect("").payload(long.as_bytes()).bytes()),
        ("a length of 7fffffff", prelude(0x7fff_ffff, 0)),
    ];
    for (what, bytes) in cut {
        check(&mut witness, door.knock(), what, &bytes, Ends::Cut);
    }
    let version = |version| Draft::new(4, 0, 0).text(":version", version).payload(&Draft::connect(&door.token).payload);
    let refused = [
        ("no version", Draft::connect(&door.token).payload(b"{}").bytes()),
        ("another version", version("0.2.0").bytes()),
        ("an empty version", version("").bytes()),
        ("no payload", version("0.1.0").payload(b"").bytes()),
        ("no JSON", version("0.1.0").payload(b"\xff\0{").bytes()),
        ("no token", version("0.1.0").payload(br#"{"authToken":null}"#).bytes()),
        ("a number as the token", version("0.1.0").payload(br#"{"authToken":7}"#).bytes()),
        ("deep JSON", version("0.1.0").payload("[".repeat(10_000).as_bytes()).bytes()),
        ("an unknown token", Draft::connect("AAAAAAAAAAAAAAAA").bytes()),
        ("an empty token", Draft::connect("").bytes()),
        ("the name of a component", version("0.1.0").payload(br#"{"componentName":"a"}"#).bytes()),
    ];
    for (what, bytes) in refused {
        let mut client = door.knock();
        client.send(&bytes);
        assert_eq!(client.receive().place(), (5, 0, 0), "{what}");
        // What it sends in spite of that is not served.
        client.say(&publish(1));
        client.finish();
        assert_eq!(client.next(), None, "{what}");
        witness.sees_it_go_on(what);
    }
    assert!(core.is_alive());
}

#[test]
fn headers_nobody_needs_are_skipped_and_a_ping_brings_its_own_back() {
    let (_core, door) = core();
    let mut client = door.enter();
    let every_type = |draft: Draft| {
        let draft = draft.header("true", 0, b"").header("false", 1, b"").header("byte", 2, &[7]);
        let draft = draft.header("short", 3, &[0, 7]).int("int", 7).header("long", 5, &[0; 8]);
        let draft = draft.long("bytes", 6, &[0, 255]).text("text", "\u{e4}").header("time", 8, &[0; 8]);
        draft.header("uuid", 9, &[1; 16])
    };
    client.say(&every_type(publish(1)));
    assert_eq!(client.receive().place(), (0, 2, 1));

    client.say(&every_type(Draft::new(2, 0, 0)).text(":mine", "stays").payload(b"\0\xff"));
    let pong = client.receive();
    assert_eq!((pong.place(), pong.payload()), ((3, 0, 0), &b"\0\xff"[..]));
    assert_eq!(pong.headers(), every_type(Draft::new(3, 0, 0)).headers);

    let longest = Draft::new(2, 0, 0).long("n", 6, &[0; 0x7fff]);
    client.say(&longest);
    assert!(client.receive().headers().len() > 0x7fff);
    let most = (0..1021).fold(Draft::new(2, 0, 0), |draft, _| draft.header("n", 0, b""));
    client.say(&most);
    assert_eq!(client.receive().headers().len(), most.headers.len());

    // Names are compared without regard to case.
    let shouted = Draft::default().int(":MESSAGE-TYPE", 0).int(":Message-Flags", 0).int(":Stream-ID", 2);
    client.say(&shouted.text("OPERATION", "aws.greengrass#PublishToTopic").payload(PUBLISH.as_bytes()));
    assert_eq!(client.receive().place(), (0, 2, 2));
}

#[test]
fn ends_may_cross_and_come_twice() {
    let (_core, door) = core();
    let mut client = door.enter();
    let open = |client: &mut Client, stream| {
        let answer = client.ask(stream, "SubscribeToTopic", r#"{"topic":"t"}"#);
        assert_eq!(answer.place(), (0, 0, stream));
    };
    open(&mut client, 1);
    client.say(&Draft::end(1));
    client.say(&Draft::end(1));
    client.say(&publish(2));
    client.say(&Draft::end(2));
    // An error may end a stream, too.
    client.say(&Draft::request(3, "SubscribeToTopic", r#"{"topic":"t"}"#));
    client.say(&Draft::new(1, 2, 3));
    // A stream that is ended as it begins asks for nothing.
    client.say(&Draft { headers: Draft::new(0, 2, 4).text("operation", "o").headers, payload: vec![] });
    client.say(&Draft::new(3, 0, 0));
    client.say(&publish(5));
    let mut places: Vec<_> = (0..3).map(|_| client.receive().place()).collect();
    places.sort_by_key(|place| place.2);
    assert_eq!(places, [(0, 2, 2), (0, 0, 3), (0, 2, 5)], "no event of the streams that ended");
    // On an open stream only the end means something.
    open(&mut client, 6);
    client.say(&Draft::new(0, 0, 6).payload(b"{"));
    client.say(&publish(7));
    let mut places = [client.receive().place(), client.receive().place()];
    places.sort_by_key(|place| place.2);
    assert_eq!(places, [(0, 0, 6), (0, 2, 7)], "the event of stream 6 and the response of stream 7");
}

#[test]
fn client_that_reports_an_error_or_leaves_in_mid_frame_is_let_go() {
    let (mut core, door) = core();
    let mut witness = Witness::new(&door);
    for kind in [6, 7] {
        let mut client = door.enter();
        client.say(&Draft::new(kind, 0, 0).payload(br#"{"message":"bye"}"#));
        assert_eq!(client.next(), None, "type {kind}");
    }
    let whole = publish(1).bytes();
    for length in [1, 11, 12, 13, whole.len() - 1] {
        let mut client = door.enter();
        client.send(&whole[..length]);
        drop(client);
        witness.sees_it_go_on("a client that left in mid-frame");
    }
    assert!(core.is_alive());
}

#[test]
fn message_of_the_limit_is_taken_and_one_more_byte_is_not() {
    const LIMIT: usize = 24 << 20;
    let (mut core, door) = core();
    let mut witness = Witness::new(&door);
    let sized = |door: &Door, total: usize| {
        let empty = Draft::request(1, "PublishToTopic", PUBLISH);
        let blanks = total - empty.bytes().len();
        let payload = format!("{}{}", " ".repeat(blanks), PUBLISH);
        let mut client = door.enter();
        client.say(&empty.payload(payload.as_bytes()));
        client
    };
    assert_eq!(sized(&door, LIMIT).receive().place(), (0, 2, 1));
    witness.sees_it_go_on("a message of the limit");
    assert_eq!(sized(&door, LIMIT + 1).next(), None);
    witness.sees_it_go_on("a message of one byte more");
    assert!(core.is_alive());
}
