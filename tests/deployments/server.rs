//! A web server on the loopback interface that answers as a test wants it to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

#[derive(Clone)]
pub enum Page {
    Bytes(Vec<u8>),
    /// A megabyte is announced, and a byte comes now and then.
    Trickle,
    /// A megabyte is announced, and nothing comes.
    Silence,
}

pub struct Server {
    address: SocketAddr,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn new(pages: BTreeMap<String, Page>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let closing = Arc::new(AtomicBool::new(false));
        let close = Arc::clone(&closing);
        let thread = thread::spawn(move || {
            let mut connections = Vec::new();
            for stream in listener.incoming() {
                if close.load(Ordering::Relaxed) {
                    break;
                }
                let (pages, close) = (pages.clone(), Arc::clone(&close));
                connections.push(thread::spawn(move || answer(stream.unwrap(), &pages, &close)));
            }
            connections.into_iter().for_each(|connection| connection.join().unwrap());
        });
        Self { address, closing, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// One request per connection. A peer that goes away is its own business.
fn answer(mut stream: TcpStream, pages: &BTreeMap<String, Page>, closing: &AtomicBool) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut request = String::new();
    let _ = reader.read_line(&mut request);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let page = request.split(' ').nth(1).and_then(|path| pages.get(path));
    let head = |status: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
    };
    match page {
        None => drop(stream.write_all(head("404 Not Found", 0).as_bytes())),
        Some(Page::Bytes(bytes)) => {
            let _ = stream.write_all(head("200 OK", bytes.len()).as_bytes());
            let _ = stream.write_all(bytes);
        }
        Some(slow) => {
            let _ = stream.write_all(head("200 OK", 1 << 20).as_bytes());
            let silent = matches!(slow, Page::Silence);
            let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
            while !closing.load(Ordering::Relaxed) {
                let gone = matches!(stream.peek(&mut [0]), Ok(0));
                if gone || (!silent && stream.write_all(b"x").is_err()) {
                    break;
                }
            }
        }
    }
}
