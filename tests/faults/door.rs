//! What else may arrive at the control socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use super::device::Device;
use super::support::{Core, PATIENCE};

/// A program that speaks the control protocol, or does not.
pub struct Caller {
    stream: UnixStream,
    answers: BufReader<UnixStream>,
}

impl Caller {
    pub fn connect(core: &Core) -> Self {
        let stream = UnixStream::connect(core.root().join("control.socket")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let answers = BufReader::new(stream.try_clone().unwrap());
        let mut caller = Self { stream, answers };
        assert_eq!(caller.answer()["hello"]["protocol"], 1);
        caller
    }

    /// The first answer to a line.
    pub fn ask(&mut self, line: &[u8]) -> Value {
        // Of a line that is too long the daemon need not read the end.
        let _ = self.stream.write_all(line).and_then(|()| self.stream.write_all(b"\n"));
        self.answer()
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?} is no answer: {e}"))
    }

    /// Whether the daemon hangs up.
    fn is_hung_up_on(&mut self) -> bool {
        // With what was sent and not read in the way, hanging up is a reset.
        matches!(self.answers.read(&mut [0]), Ok(0) | Err(_))
    }
}

#[test]
fn garbage_at_the_control_socket_is_answered_and_the_next_request_served() {
    let mut device = Device::new();
    let mut caller = Caller::connect(&device.core);
    let garbage: [&[u8]; 8] =
        [b"", b"nonsense", b"\0\0\0", b"\xff\xfe\xfd", b"{}", b"[[[[", b"\"reboot\"", b"GET / HTTP/1.1\r"];
    for line in garbage {
        let answer = caller.ask(line);
        assert_eq!(answer["error"]["code"], "BAD_REQUEST", "{line:?}: {answer}");
        assert!(answer["error"]["message"].as_str().is_some_and(|text| text.contains("control protocol")), "{answer}");
    }
    assert!(caller.ask(b"\"status\"").get("status").is_some());
    device.check_next();
    device.end();
}

#[test]
fn line_without_an_end_is_refused_when_it_is_too_long() {
    let mut device = Device::new();
    let mut caller = Caller::connect(&device.core);
    let answer = caller.ask(&vec![b'x'; (2 << 20) + 1]);
    assert_eq!(answer["error"]["code"], "BAD_REQUEST");
    assert!(answer.to_string().contains("longer than 2097152 bytes"), "{answer}");
    assert!(caller.is_hung_up_on());
    device.check_next();
    device.end();
}

#[test]
fn half_lines_and_callers_that_never_read_hold_up_nobody() {
    let mut device = Device::new();
    let mut held = Vec::new();
    for line in [&b"\"stat"[..], b"{\"createDeployment\":{\"add\":{\"com.example.Kept\":", b"\xff"] {
        let mut caller = Caller::connect(&device.core);
        caller.stream.write_all(line).unwrap();
        held.push(caller);
    }
    // Asks again and again and never takes an answer.
    let mut deaf = Caller::connect(&device.core);
    deaf.stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    while deaf.stream.write_all(&b"\"components\"\n".repeat(1000)).is_ok() {}
    device.check_next();
    // Gone in the middle of a line: no request.
    held.clear();
    device.check_next();
    device.end();
}

#[test]
fn callers_beyond_the_limit_are_told_and_others_served_when_some_leave() {
    let mut device = Device::new();
    let mut callers: Vec<Caller> = (0..64).map(|_| Caller::connect(&device.core)).collect();
    let refused = device.core.cli(&["component", "list"]);
    assert_eq!(refused.status.code(), Some(69));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("64 clients are connected already"));
    callers.clear();
    super::support::eventually("a place is free", || device.core.cli(&["status"]).status.success());
    device.check_next();
    device.end();
}
