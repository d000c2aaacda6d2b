//! Artifacts from a loopback server that behaves badly.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;

use super::*;
use crate::wire::recipe::Digest;

/// What a loopback server does with one connection.
#[derive(Clone, Copy)]
enum Answer {
    /// As it should, ranges included.
    Whole,
    /// Announces everything and hangs up after so many bytes.
    Cut(usize),
    IgnoreRange,
    Status(&'static str),
    /// Says nothing, until the peer gives up.
    Hang,
}

const CONTENT: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Serves one connection per answer, then the last for ever; the address.
fn serve(answers: &'static [Answer]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for count in 0.. {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut head = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
            let asked = head.to_ascii_lowercase();
            let range = asked.split("range: bytes=").nth(1).and_then(|rest| rest.split('-').next()?.parse().ok());
            let whole = |from: usize, until: usize| {
                let status = match from {
                    0 => "200 OK".to_owned(),
                    from => format!(
                        "206 Partial Content\r\nContent-Range: bytes {from}-{}/{}",
                        CONTENT.len() - 1,
                        CONTENT.len()
                    ),
                };
                let mut answer =
                    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", CONTENT.len() - from).into_bytes();
                answer.extend_from_slice(&CONTENT[from.min(until)..until]);
                answer
            };
            let bytes = match answers[count.min(answers.len() - 1)] {
                Answer::Whole => whole(range.unwrap_or(0), CONTENT.len()),
                Answer::Cut(until) => whole(range.unwrap_or(0), until),
                Answer::IgnoreRange => whole(0, CONTENT.len()),
                Answer::Status(status) => format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").into_bytes(),
                Answer::Hang => {
                    let _ = reader.read_line(&mut head);
                    continue;
                }
            };
            let _ = stream.write_all(&bytes);
        }
    });
    format!("http://{address}/a/file.txt?token=x")
}

impl Store {
    fn stored(&self) -> Option<Vec<u8>> {
        let Order { name, version, .. } = Self::order(artifact("file:///x"));
        std::fs::read(self.paths.artifacts(&name, &version).join("file.txt")).ok()
    }
}

#[test]
fn download_gets_through_a_bad_server() {
    let answers: [&'static [Answer]; 6] = [
        &[Answer::Whole],
        &[Answer::Cut(10), Answer::Cut(20), Answer::Whole],
        &[Answer::Cut(10), Answer::IgnoreRange],
        &[Answer::Status("500 Broken"), Answer::Status("429 Slow down"), Answer::Whole],
        &[Answer::Cut(7), Answer::Status("416 No"), Answer::Whole],
        &[Answer::Hang, Answer::Cut(5), Answer::Whole],
    ];
    for (round, answers) in answers.into_iter().enumerate() {
        let store = Store::new();
        store.fetch(artifact(&serve(answers)), PLENTY).unwrap_or_else(|e| panic!("round {round}: {}", Report(&e)));
        assert_eq!(store.stored().as_deref(), Some(CONTENT), "round {round}");
    }
}

#[test]
fn download_gives_up_with_a_reason() {
    let store = Store::new();
    let failed = |answers| store.fetch(artifact(&serve(answers)), PLENTY).unwrap_err();
    assert_eq!(codes(&failed(&[Answer::Status("404 Not Found"), Answer::Whole])), ["HTTP_REQUEST_ERROR"]);
    assert_eq!(codes(&failed(&[Answer::Status("500 Broken")])), ["HTTP_REQUEST_ERROR"]);
    assert_eq!(codes(&failed(&[Answer::Cut(3), Answer::Hang])), ["NETWORK_ERROR"]);
    assert_eq!(store.stored(), None, "half a file has no name");
    // The part that came serves the next deployment.
    store.fetch(artifact(&serve(&[Answer::Whole])), PLENTY).unwrap();
    assert_eq!(store.stored().as_deref(), Some(CONTENT));
}

#[test]
fn wrong_digest_is_fetched_again_and_then_refused() {
    let store = Store::new();
    let digest = |value: &str| Some(Digest { value: value.into(), algorithm: Some("SHA-256".into()) });
    let url = serve(&[Answer::Whole]);
    let wrong = Artifact { digest: digest("AAAA"), ..artifact(&url) };
    assert_eq!(codes(&store.fetch(wrong, PLENTY).unwrap_err()), ["ARTIFACT_CHECKSUM_MISMATCH"]);
    assert_eq!(store.stored(), None);
    let none = Artifact { digest: Some(Digest { value: "AAAA".into(), algorithm: None }), ..artifact(&url) };
    assert_eq!(codes(&store.fetch(none, PLENTY).unwrap_err()), ["RECIPE_MISSING_ARTIFACT_HASH_ALGORITHM"]);
}

#[test]
fn store_that_is_full_takes_nothing() {
    let store = Store::new();
    let full = store.fetch(artifact(&serve(&[Answer::Whole])), 10).unwrap_err();
    assert_eq!(codes(&full), ["DISK_SPACE_CRITICAL"]);
    assert_eq!(store.stored(), None);
}
