//! An HTTP server with one file, which misbehaves when it is told to.

#![allow(dead_code, clippy::unwrap_used, reason = "each user takes what it needs, and a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What becomes of one request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Turn {
    /// The range that was asked for.
    Good,
    /// So many bytes of it, and the end of the connection.
    Cut(u64),
    /// 200 with everything, as by a server that knows no ranges.
    Whole,
    /// A range that begins so many bytes later.
    Shifted(u64),
    /// A status and more headers, each with its line's end.
    Status(u16, &'static str),
    /// Another version of the file from here on: bytes and tag.
    Replaced(Arc<Vec<u8>>, &'static str),
    /// The connection ends before there is an answer.
    HangUp,
    /// No answer, but the connection stays.
    Silence,
}

type Script = dyn Fn(usize, &Asked) -> Turn + Send + Sync;

/// One request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// From the first to before the second byte.
    pub range: (u64, u64),
    pub head: String,
}

/// The server. It ends when it is dropped.
pub struct Server {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    file: Mutex<(Arc<Vec<u8>>, &'static str)>,
    script: Box<Script>,
    asked: Mutex<Vec<Asked>>,
    sent: AtomicU64,
    is_over: AtomicBool,
    address: std::net::SocketAddr,
}

impl Server {
    pub fn begin(bytes: Arc<Vec<u8>>, script: impl Fn(usize, &Asked) -> Turn + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            file: Mutex::new((bytes, "\"first\"")),
            script: Box::new(script),
            asked: Mutex::default(),
            sent: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            address,
        });
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if own.is_over.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&own);
                thread::spawn(move || shared.serve(&stream));
            }
        });
        Self { url: format!("http://{address}/update.raucb"), shared }
    }

    /// Requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Bytes of bodies that were sent so far.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.shared.address);
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).unwrap_or(0) == 0 {
                    return;
                }
            }
            if self.answer(stream, head).is_none() {
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
        }
    }

    /// None: the connection ends.
    fn answer(&self, mut stream: &TcpStream, head: String) -> Option<()> {
        let (mut bytes, mut tag) = self.file.lock().unwrap().clone();
        let size = bytes.len() as u64;
        let range = range(&head, size);
        let asked = Asked { range, head };
        let number = {
            let mut all = self.asked.lock().unwrap();
            all.push(asked.clone());
            all.len() - 1
        };
        let (start, end) = range;
        let mut head = |text: String| stream.write_all(text.as_bytes()).ok();
        let partial = |start: u64, end: u64, size: u64, tag: &str| {
            format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{}/{size}\r\nETag: {tag}\r\n\r\n",
                end - start,
                end - 1
            )
        };
        match (self.script)(number, &asked) {
            Turn::Good => {
                head(partial(start, end, size, tag))?;
                self.body(stream, &bytes, start, end)
            }
            Turn::Cut(count) => {
                head(partial(start, end, size, tag))?;
                self.body(stream, &bytes, start, end.min(start + count))?;
                None
            }
            Turn::Whole => {
                head(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nETag: {tag}\r\n\r\n"))?;
                self.body(stream, &bytes, 0, size)
            }
            Turn::Shifted(by) => {
                head(partial(start + by, end, size, tag))?;
                self.body(stream, &bytes, start + by, end)
            }
            Turn::Status(status, more) => head(format!("HTTP/1.1 {status} So\r\nContent-Length: 0\r\n{more}\r\n")),
            Turn::Replaced(other, name) => {
                *self.file.lock().unwrap() = (Arc::clone(&other), name);
                (bytes, tag) = (other, name);
                let size = bytes.len() as u64;
                if asked.head.to_ascii_lowercase().contains("if-range:") {
                    head(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nETag: {tag}\r\n\r\n"))?;
                    return self.body(stream, &bytes, 0, size);
                }
                head(partial(start, end.min(size), size, tag))?;
                self.body(stream, &bytes, start, end.min(size))
            }
            Turn::HangUp => None,
            Turn::Silence => {
                // Until the other side has enough of it.
                let _ = std::io::Read::read(&mut stream, &mut [0]);
                None
            }
        }
    }

    fn body(&self, mut stream: &TcpStream, bytes: &[u8], start: u64, end: u64) -> Option<()> {
        for piece in bytes[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()].chunks(64 << 10) {
            stream.write_all(piece).ok()?;
            self.sent.fetch_add(piece.len() as u64, Ordering::SeqCst);
        }
        Some(())
    }
}

fn range(head: &str, size: u64) -> (u64, u64) {
    let line = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
    let Some(line) = line else { return (0, size) };
    match line.split_once('-').unwrap() {
        ("", count) => (size.saturating_sub(count.parse().unwrap()), size),
        (start, end) => (start.parse().unwrap(), (end.parse::<u64>().unwrap() + 1).min(size)),
    }
}
