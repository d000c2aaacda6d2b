//! A client that says exactly the bytes it is told to, and a witness that the daemon goes on.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::frame::{Draft, Frame};
use super::support::{Core, PATIENCE};

/// Where the door is, and a token that opens it: those of a local client, which any process of this user may be.
#[derive(Clone)]
pub struct Door {
    pub socket: PathBuf,
    pub token: String,
}

impl Door {
    pub fn of(core: &Core) -> Self {
        let uid = std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap());
        let text = fs::read_to_string(core.root().join(format!("cli_ipc_info/user-{uid}"))).unwrap();
        let info: Value = serde_json::from_str(&text).unwrap();
        let word = |key: &str| info[key].as_str().unwrap().to_owned();
        Self { socket: word("domain_socket_path").into(), token: word("cli_auth_token") }
    }

    /// A connection that has said nothing.
    pub fn knock(&self) -> Client {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Client { stream }
    }

    /// A connection that was let in.
    pub fn enter(&self) -> Client {
        let mut client = self.knock();
        client.send(&Draft::connect(&self.token).bytes());
        assert_eq!(client.receive().place(), (5, 1, 0), "let in");
        client
    }
}

pub struct Client {
    stream: UnixStream,
}

impl Client {
    /// The daemon may hang up while a hostile client still speaks: that is no failure of the client.
    pub fn send(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes) {
            Err(error) if !is_hang_up(error.kind()) => panic!("cannot send: {error}"),
            _ => {}
        }
    }

    pub fn say(&mut self, draft: &Draft) {
        self.send(&draft.bytes());
    }

    /// The next message.
    pub fn receive(&mut self) -> Frame {
        self.next().expect("a message, not the end of the connection")
    }

    /// The next message; `None` when the daemon has closed the connection.
    pub fn next(&mut self) -> Option<Frame> {
        let mut bytes = vec![0; 12];
        if !self.fill(&mut bytes) {
            return None;
        }
        let total = usize::try_from(u32::from_be_bytes(bytes[..4].try_into().unwrap())).unwrap();
        bytes.resize(total, 0);
        assert!(self.fill(&mut bytes[12..]), "the daemon hung up within a message");
        Some(Frame::of(bytes))
    }

    /// Request and answer.
    pub fn ask(&mut self, stream: i32, operation: &str, payload: &str) -> Frame {
        self.say(&Draft::request(stream, operation, payload));
        let answer = self.receive();
        assert_eq!(answer.place().2, stream, "the stream of the answer to {operation}");
        answer
    }

    /// Nothing more will come from here.
    pub fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn fill(&mut self, bytes: &mut [u8]) -> bool {
        match self.stream.read_exact(bytes) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof || is_hang_up(error.kind()) => false,
            Err(error) => panic!("the daemon neither answers nor hangs up: {error}"),
        }
    }
}

fn is_hang_up(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

/// A well-behaved client that hears itself.
pub struct Witness {
    client: Client,
    last: i32,
}

impl Witness {
    pub fn new(door: &Door) -> Self {
        let mut client = door.enter();
        let answer = client.ask(1, "SubscribeToTopic", r#"{"topic":"witness"}"#);
        assert_eq!(answer.place(), (0, 0, 1));
        Self { client, last: 1 }
    }

    /// Whether the daemon still serves it, in both directions.
    pub fn sees_it_go_on(&mut self, after: &str) {
        self.last += 1;
        let message = json!({"topic": "witness", "publishMessage": {"jsonMessage": {"message": {"after": after}}}});
        self.client.say(&Draft::request(self.last, "PublishToTopic", &message.to_string()));
        let mut came = [self.client.receive(), self.client.receive()];
        came.sort_by_key(|frame| frame.place().2);
        assert_eq!(came[0].place(), (0, 0, 1), "after {after}");
        assert_eq!(came[0].json()["jsonMessage"]["message"]["after"], after);
        assert_eq!(came[1].place(), (0, 2, self.last), "after {after}");
    }
}
