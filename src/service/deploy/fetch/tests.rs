use std::io::{BufRead, BufReader};
use std::net::TcpListener;

use super::*;
use crate::net::http::Timeouts;
use crate::wire::recipe::{ArtifactUri, Digest, Permission};

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

struct Store {
    _scratch: tempfile::TempDir,
    paths: Paths,
    cancelled: AtomicBool,
}

impl Store {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let paths = Paths::new(scratch.path().to_owned());
        std::fs::create_dir_all(paths.packages()).unwrap();
        Self { _scratch: scratch, paths, cancelled: AtomicBool::new(false) }
    }

    fn order(artifact: Artifact) -> Order {
        Order {
            name: ComponentName::parse("c").unwrap(),
            version: ComponentVersion::parse("1.0.0").unwrap(),
            artifacts: vec![artifact],
        }
    }

    fn fetch(&self, artifact: Artifact, store_limit: u64) -> Result<(), FetchError> {
        let pause = Duration::from_millis(1);
        let timeouts = Timeouts { connect: Duration::from_secs(5), socket: Duration::from_millis(200) };
        let fetcher = Fetcher {
            paths: &self.paths,
            client: &Client::new(timeouts),
            store_limit,
            retries: Retries { attempts: 4, first_pause: pause, longest_pause: pause },
            cancelled: &self.cancelled,
            progress: &|_| {},
        };
        fetcher.fetch_all(&[Self::order(artifact)])
    }

    fn stored(&self) -> Option<Vec<u8>> {
        let Order { name, version, .. } = Self::order(artifact("file:///x"));
        std::fs::read(self.paths.artifacts(&name, &version).join("file.txt")).ok()
    }
}

fn artifact(uri: &str) -> Artifact {
    let uri = ArtifactUri::parse(uri).unwrap();
    Artifact { uri, unarchive: Unarchive::None, permission: Permission::default(), digest: None }
}

fn codes(error: &FetchError) -> Vec<String> {
    error.stack().codes().split_off(2)
}

const PLENTY: u64 = 1 << 40;

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

#[test]
fn cancelled_fetch_ends_before_the_next_step() {
    let store = Store::new();
    store.cancelled.store(true, Ordering::Relaxed);
    assert!(matches!(store.fetch(artifact(&serve(&[Answer::Whole])), PLENTY), Err(FetchError::Cancelled)));
}

#[test]
fn archive_is_unpacked_anew_only_when_it_came_anew() {
    let store = Store::new();
    let zip = |members: &[(&str, &[u8])]| {
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, content) in members {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    };
    let source = store.paths.root().join("files.zip");
    let uri = format!("file://{}", source.display());
    let packed = Artifact { unarchive: Unarchive::Zip, ..artifact(&uri) };
    let Order { name, version, .. } = Store::order(packed.clone());
    let member = store.paths.unarchived(&name, &version).join("files/a.txt");

    std::fs::write(&source, zip(&[("a.txt", b"one")])).unwrap();
    store.fetch(packed.clone(), PLENTY).unwrap();
    assert_eq!(std::fs::read(&member).unwrap(), b"one");
    let unpacked = member.metadata().unwrap().modified().unwrap();
    store.fetch(packed.clone(), PLENTY).unwrap();
    assert_eq!(member.metadata().unwrap().modified().unwrap(), unpacked);

    // A later deployment brings another archive of the same name.
    let stored = store.paths.artifacts(&name, &version).join("files.zip");
    std::fs::remove_file(&stored).unwrap();
    std::fs::write(&source, zip(&[("a.txt", b"two")])).unwrap();
    store.fetch(packed.clone(), PLENTY).unwrap();
    assert_eq!(std::fs::read(&member).unwrap(), b"two");

    std::fs::remove_file(&stored).unwrap();
    std::fs::write(&source, zip(&[("../../a.txt", b"out")])).unwrap();
    assert_eq!(codes(&store.fetch(packed, PLENTY).unwrap_err()), ["IO_ERROR", "IO_UNZIP_ERROR"]);
    assert_eq!(std::fs::read(&member).unwrap(), b"two", "what was unpacked before stays");
}

#[test]
fn file_uris_name_local_paths() {
    for (uri, path) in [("///a/b%20c", "/a/b c"), ("/a/b", "/a/b"), ("//localhost/a", "/a"), ("///a%zz%", "/a%zz%")] {
        assert_eq!(local_path(uri), PathBuf::from(path), "{uri}");
    }
}
