//! A GET on a thread of its own: whoever waits for it may stop waiting at any moment, however silent the server is.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::http::{Client, HttpError};

/// What has come of a download. Dropping it ends the thread at the next byte or time-out.
#[derive(Debug)]
pub struct Download {
    url: String,
    parts: Receiver<Result<Part, HttpError>>,
}

#[derive(PartialEq, Eq, Debug)]
pub enum Part {
    /// The server answers: from which byte on, and the size of the whole thing if it told.
    Begun {
        start: u64,
        total: Option<u64>,
    },
    Bytes(Vec<u8>),
    /// All has come.
    End,
}

impl Download {
    /// Asks for `url` from byte `offset` on.
    pub fn begin(client: &Client, url: &str, offset: u64) -> Result<Self, HttpError> {
        let (sender, parts) = sync_channel(PARTS);
        let (client, from) = (client.clone(), url.to_owned());
        let thread = thread::Builder::new().name("download".into());
        match thread.spawn(move || run(&client, &from, offset, &sender)) {
            Ok(_) => Ok(Self { url: url.into(), parts }),
            Err(cause) => Err(HttpError::Thread { url: url.into(), cause }),
        }
    }

    /// The next part; none if there is none within `patience`.
    pub fn next(&self, patience: Duration) -> Result<Option<Part>, HttpError> {
        match self.parts.recv_timeout(patience) {
            Ok(part) => part.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                Err(HttpError::Read { url: self.url.clone(), cause: io::ErrorKind::UnexpectedEof.into() })
            }
        }
    }
}

fn run(client: &Client, url: &str, offset: u64, to: &SyncSender<Result<Part, HttpError>>) {
    let begun = client.fetch(url, offset).and_then(|mut body| {
        let mut gone = to.send(Ok(Part::Begun { start: body.start, total: body.total })).is_err();
        while !gone {
            let mut bytes = vec![0; BUFFER];
            let read = body.read(&mut bytes)?;
            bytes.truncate(read);
            gone = read == 0 || to.send(Ok(Part::Bytes(bytes))).is_err();
        }
        Ok(())
    });
    // Nobody waits any more: nobody needs to know.
    let _ = to.send(begun.map(|()| Part::End));
}

/// Parts read ahead; with more the thread waits.
const PARTS: usize = 2;
/// Bytes read at a time.
const BUFFER: usize = 64 << 10;

#[cfg(all(test, feature = "download"))]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::net::http::Timeouts;

    #[test]
    fn next_returns_although_the_server_is_silent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let download = Download::begin(&Client::new(Timeouts::default()), &url, 0).unwrap();
        assert_eq!(download.next(Duration::from_millis(1)).unwrap(), None);
        drop(listener);
        while download.next(Duration::from_millis(1)).is_ok_and(|part| part.is_none()) {}
    }
}
