//! Fetches over HTTP(S): one GET, from an offset or of a range, with time-outs and a verdict on whether to try again.

#[cfg_attr(not(feature = "download"), path = "http/left_out.rs")]
mod client;
#[cfg(feature = "download")]
mod date;

use std::error::Error;
use std::io::{self, Read};
use std::time::Duration;

pub use client::Client;

/// How long a silent peer is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// Name look-up, TCP and TLS handshake together.
    pub connect: Duration,
    /// Each single read or write.
    pub socket: Duration,
}

impl Default for Timeouts {
    /// `httpClient.connectionTimeoutMs` and `httpClient.socketTimeoutMs` of the reference nucleus.
    fn default() -> Self {
        Self { connect: Duration::from_secs(2), socket: Duration::from_secs(30) }
    }
}

/// What a client may be told about the way to one server.
#[derive(Clone, Default)]
pub struct Route {
    /// PEM: certificates of the authorities that are trusted, and no others.
    pub authorities: Option<Vec<u8>>,
    /// PEM: who we are, and the key to it. The caller has made sure that they belong together.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
    /// The URL of a proxy; without it, what the environment says.
    pub proxy: Option<String>,
    /// Follow nobody to where the connection is not encrypted.
    pub is_encrypted: bool,
}

/// There may be a private key in it.
impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Route").field("proxy", &self.proxy).finish_non_exhaustive()
    }
}

/// Some of the bytes of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bytes {
    /// From the first number to before the second, which is larger.
    Between(u64, u64),
    /// So many at the end.
    Last(u64),
}

/// What a server said to [`Client::range`]. Nobody has judged it yet.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// `Content-Range`: the first byte, the one behind the last, and the size of the whole.
    pub range: Option<(u64, u64, u64)>,
    /// `Content-Length`
    pub length: Option<u64>,
    /// What says which version of the file it is: a strong `ETag`, or else `Last-Modified`.
    pub version: Option<String>,
    /// `Retry-After`, from now on.
    pub retry_after: Option<Duration>,
    /// Where redirects have led.
    pub url: String,
    pub body: Body,
}

/// The bytes of an answer, as they arrive.
pub struct Body {
    /// The offset of the first byte.
    pub start: u64,
    /// The size of the whole thing, if the server told.
    pub total: Option<u64>,
    url: String,
    reader: Box<dyn Read + Send>,
}

impl Body {
    /// The next bytes; 0 at the end. An answer that ends before its announced length is an error.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, HttpError> {
        loop {
            match self.reader.read(buffer) {
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map_err(|cause| HttpError::Read { url: self.url.clone(), cause }),
            }
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("url", &self.url).field("start", &self.start).finish_non_exhaustive()
    }
}

/// Why nothing, or not everything, came.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("{url:?} is not a URL that can be fetched")]
    Url {
        url: String,
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    #[error("cannot get {url}")]
    Exchange {
        url: String,
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    #[error("this program is built without `download`, so it cannot get {url}: bring the file to the device")]
    LeftOut { url: String },
    #[error("no connection to the server of {url} can be trusted")]
    Trust {
        url: String,
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    #[error("certificates, key or proxy for {url} cannot be used")]
    Route {
        url: String,
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    #[error("cannot start a thread to get {url}")]
    Thread {
        url: String,
        #[source]
        cause: io::Error,
    },
    #[error("the server of {url} answered with HTTP status {status}")]
    Status { url: String, status: u16 },
    #[error("the server of {url} has no bytes from where the partial download ends")]
    Range { url: String },
    #[error("the download of {url} broke off")]
    Read {
        url: String,
        #[source]
        cause: io::Error,
    },
}

/// What a caller should do about an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The next attempt may succeed.
    TryAgain,
    /// What is there already does not fit: drop it, then try again.
    StartOver,
    /// It will not get better by itself.
    GiveUp,
}

impl HttpError {
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Status { status: 408 | 429 | 500..=599, .. }
            | Self::Exchange { .. }
            | Self::Read { .. }
            | Self::Thread { .. } => Verdict::TryAgain,
            Self::Range { .. } => Verdict::StartOver,
            Self::Url { .. } | Self::LeftOut { .. } | Self::Trust { .. } | Self::Route { .. } | Self::Status { .. } => {
                Verdict::GiveUp
            }
        }
    }
}

#[cfg(test)]
#[cfg(feature = "download")]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    /// Answers one request with `answer`, and returns the request's head.
    fn serve(answer: &'static str) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/a/file.txt", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while reader.read_line(&mut head).unwrap() > 2 {}
            stream.write_all(answer.as_bytes()).unwrap();
            head
        });
        (url, server)
    }

    fn client() -> Client {
        Client::new(Timeouts { connect: Duration::from_secs(5), socket: Duration::from_millis(200) })
    }

    fn text(mut body: Body) -> Result<String, HttpError> {
        let (mut all, mut buffer) = (Vec::new(), [0; 7]);
        loop {
            match body.read(&mut buffer)? {
                0 => return Ok(String::from_utf8(all).unwrap()),
                n => all.extend_from_slice(&buffer[..n]),
            }
        }
    }

    #[test]
    fn fetch_asks_for_the_rest_when_a_part_is_there() {
        let (url, server) =
            serve("HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\nContent-Range: bytes 4-6/7\r\n\r\nxyz");
        let body = client().fetch(&url, 4).unwrap();
        assert_eq!((body.start, body.total), (4, Some(7)));
        assert_eq!(text(body).unwrap(), "xyz");
        assert!(server.join().unwrap().to_ascii_lowercase().contains("range: bytes=4-\r\n"));
    }

    #[test]
    fn fetch_tells_when_the_server_ignores_the_range() {
        let (url, _server) = serve("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nabcdxyz");
        let body = client().fetch(&url, 4).unwrap();
        assert_eq!((body.start, body.total), (0, Some(7)));
    }

    #[test]
    fn body_that_ends_early_is_an_error_to_try_again() {
        let (url, _server) = serve("HTTP/1.1 200 OK\r\nContent-Length: 700\r\n\r\nabc");
        let error = text(client().fetch(&url, 0).unwrap()).unwrap_err();
        assert_eq!(error.verdict(), Verdict::TryAgain);
    }

    #[test]
    fn fetch_gives_a_verdict_for_each_status() {
        for (answer, verdict) in [
            ("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", Verdict::TryAgain),
            ("HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n", Verdict::TryAgain),
            ("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", Verdict::GiveUp),
            ("HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n", Verdict::StartOver),
            ("nonsense\r\n\r\n", Verdict::TryAgain),
        ] {
            let (url, _server) = serve(answer);
            assert_eq!(client().fetch(&url, 1).unwrap_err().verdict(), verdict, "{answer}");
        }
        assert_eq!(client().fetch("http://", 0).unwrap_err().verdict(), Verdict::GiveUp);
    }

    #[test]
    fn fetch_ends_when_the_server_says_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        assert_eq!(client().fetch(&url, 0).unwrap_err().verdict(), Verdict::TryAgain);
    }
}
