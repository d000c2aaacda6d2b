//! The link to one file on one server: asks for ranges of it, judges the answers, and has patience.
//!
//! Whatever breaks off goes on where it stopped. The file must stay the one it was: size and version are compared in each
//! answer. What is read here is not trusted, so a wrong judgement costs time and nothing else.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::base::pause::jittered;
use crate::net::http::{Answer, Body, Bytes, Client, HttpError, Timeouts, Verdict};
use crate::service::ota::trust::sign::SignError;
use crate::store::file::FileError;

use super::settings::Streaming;

/// Bytes asked for at the end of the file: trailer, signature, and mostly the tables of a small bundle.
pub(super) const TAIL: u64 = 64 << 10;
/// So many bytes after a failure are progress, and failures are counted anew.
const PROGRESS: usize = 64 << 10;

/// How often and how long a server that fails is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// Failures in a row, without progress between them.
    pub attempts: u32,
    pub first_pause: Duration,
    pub longest_pause: Duration,
    pub timeouts: Timeouts,
}

impl Default for Patience {
    /// Nobody sits in front of it: about five minutes without a byte, and no longer than that for `Retry-After`.
    fn default() -> Self {
        Self {
            attempts: 10,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
            timeouts: Timeouts { connect: Duration::from_secs(10), socket: Duration::from_secs(30) },
        }
    }
}

/// What was asked for and what came.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Account {
    pub requests: u64,
    /// Bytes of the file; heads are not counted.
    pub bytes: u64,
}

/// One file on one server.
#[derive(Debug)]
pub struct Link {
    client: Client,
    url: String,
    /// Where redirects led; they are not followed again for each range.
    place: String,
    version: Option<String>,
    pub(super) size: u64,
    patience: Patience,
    pub(super) account: Account,
}

impl Link {
    /// Finds the file and its size. Returns its end, too.
    pub(super) fn begin(url: &str, streaming: &Streaming, patience: Patience) -> Result<(Self, Vec<u8>), FetchError> {
        let client = Client::by(&streaming.route(url)?, patience.timeouts, url)?;
        let (url, place) = (url.to_owned(), url.to_owned());
        let mut link = Self { client, url, place, version: None, size: 0, patience, account: Account::default() };
        let mut failures = Failures::default();
        let mut wanted = Bytes::Last(TAIL);
        let mut tail = Vec::new();
        loop {
            match link.end(&mut wanted, &mut tail) {
                Ok(true) => return Ok((link, tail)),
                Ok(false) => {}
                Err(fault) => link.wait(&mut failures, fault)?,
            }
        }
    }

    pub(super) fn is_encrypted(url: &str) -> bool {
        url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
    }

    /// One attempt to read the end. False: another range has to be asked for.
    fn end(&mut self, wanted: &mut Bytes, tail: &mut Vec<u8>) -> Result<bool, Fault> {
        let answer = self.ask(*wanted)?;
        let range = match (answer.status, answer.range) {
            (206, Some(range)) => range,
            (206, None) => return Err(Fault::Never(FetchError::Range { url: self.url.clone() })),
            // Some servers know no ranges from the end, but other ones.
            (200, _) => match (*wanted, answer.length) {
                (Bytes::Last(count), Some(size)) if size > 0 => {
                    *wanted = Bytes::Between(size.saturating_sub(count), size);
                    return Ok(false);
                }
                _ => return Err(Fault::Never(FetchError::Ignored { url: self.url.clone() })),
            },
            _ => return Err(self.status(&answer)),
        };
        let (start, end, total) = range;
        let expected = match *wanted {
            Bytes::Last(count) => (total.saturating_sub(count), total),
            Bytes::Between(start, end) => (start, end),
        };
        if (start, end) != expected || end != total {
            return Err(Fault::Never(FetchError::Range { url: self.url.clone() }));
        }
        self.size = total;
        self.place = answer.url;
        self.version = answer.version;
        // At most TAIL.
        let mut body = answer.body;
        tail.resize(usize::try_from(end - start).unwrap_or(0), 0);
        let mut have = 0;
        while have < tail.len() {
            match self.read(&mut body, &mut tail[have..])? {
                0 => return Err(self.broken()),
                read => have += read,
            }
        }
        Ok(true)
    }

    /// Asks for a range. Returns where the answer ends, which may be too early.
    fn open(&mut self, start: u64, end: u64) -> Result<(Body, u64), Fault> {
        let answer = self.ask(Bytes::Between(start, end))?;
        match (answer.status, answer.range) {
            (206, Some((_, _, total))) if total != self.size || answer.version != self.version => Err(self.changed()),
            (206, Some((first, behind, _))) if first == start && behind <= end => {
                self.place = answer.url;
                Ok((answer.body, behind))
            }
            (206, _) => Err(Fault::Never(FetchError::Range { url: self.url.clone() })),
            // It answered with ranges before.
            (200, _) if self.version.is_some() && answer.version == self.version => {
                Err(Fault::Never(FetchError::Ignored { url: self.url.clone() }))
            }
            (200 | 412 | 416, _) => Err(self.changed()),
            _ => Err(self.status(&answer)),
        }
    }

    fn ask(&mut self, bytes: Bytes) -> Result<Answer, Fault> {
        self.account.requests += 1;
        // The time of a change has a second's grain, which is too coarse for a condition.
        let tag = self.version.as_deref().filter(|version| version.starts_with('"'));
        Ok(self.client.range(&self.place, bytes, tag)?)
    }

    fn read(&mut self, body: &mut Body, into: &mut [u8]) -> Result<usize, Fault> {
        let read = body.read(into)?;
        self.account.bytes += read as u64;
        Ok(read)
    }

    fn status(&mut self, answer: &Answer) -> Fault {
        let cause = HttpError::Status { url: self.place.clone(), status: answer.status };
        // The place that a redirect leads to may be good for a while only.
        let is_stale = self.place != self.url && (400..500).contains(&answer.status);
        if is_stale {
            self.place.clone_from(&self.url);
        }
        if is_stale || cause.verdict() == Verdict::TryAgain {
            return Fault::Again(answer.retry_after, cause.into());
        }
        Fault::Never(cause.into())
    }

    fn changed(&self) -> Fault {
        Fault::Never(FetchError::Changed { url: self.url.clone() })
    }

    fn broken(&self) -> Fault {
        let cause = std::io::ErrorKind::UnexpectedEof.into();
        Fault::Again(None, HttpError::Read { url: self.url.clone(), cause }.into())
    }

    /// Waits until it is time for another attempt, or gives up.
    fn wait(&self, failures: &mut Failures, fault: Fault) -> Result<(), FetchError> {
        let (pause, cause) = match fault {
            Fault::Never(cause) => return Err(cause),
            Fault::Again(pause, cause) => (pause, cause),
        };
        failures.in_a_row += 1;
        failures.progress = 0;
        let Patience { attempts, first_pause, longest_pause, .. } = self.patience;
        if failures.in_a_row >= attempts {
            return Err(FetchError::GaveUp { url: self.url.clone(), attempts, cause: Box::new(cause) });
        }
        let grown = first_pause.saturating_mul(1 << (failures.in_a_row - 1).min(16));
        // No shorter than the server wants it, if it wants something that can be.
        let pause = pause.unwrap_or(grown).max(first_pause).min(longest_pause);
        thread::sleep(jittered(pause));
        Ok(())
    }
}

/// Failures of one read.
#[derive(Default)]
struct Failures {
    in_a_row: u32,
    /// Bytes since the last one.
    progress: usize,
}

/// A range that is read from its beginning to its end.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) at: u64,
    pub(super) end: u64,
    /// The answer at hand and where it ends.
    open: Option<(Body, u64)>,
}

impl Stream {
    pub(super) fn new(at: u64, end: u64) -> Self {
        Self { at, end, open: None }
    }

    /// Reads on. The range has as many bytes left.
    pub(super) fn read(&mut self, link: &mut Link, into: &mut [u8]) -> Result<(), FetchError> {
        let mut failures = Failures::default();
        let mut have = 0;
        while have < into.len() {
            match self.step(link, &mut into[have..]) {
                Ok(read) => {
                    have += read;
                    self.at += read as u64;
                    failures.progress += read;
                    if failures.progress >= PROGRESS {
                        failures.in_a_row = 0;
                    }
                }
                Err(fault) => {
                    self.open = None;
                    link.wait(&mut failures, fault)?;
                }
            }
        }
        Ok(())
    }

    fn step(&mut self, link: &mut Link, into: &mut [u8]) -> Result<usize, Fault> {
        let (body, end) = match &mut self.open {
            Some((body, end)) if *end > self.at => (body, *end),
            open => {
                let answer = link.open(self.at, self.end)?;
                let (body, end) = open.insert(answer);
                (body, *end)
            }
        };
        let most = usize::try_from(end - self.at).unwrap_or(usize::MAX).min(into.len());
        match link.read(body, &mut into[..most])? {
            0 => Err(link.broken()),
            read => Ok(read),
        }
    }
}

/// A failure, and what to do about it.
enum Fault {
    /// After so long, if the server said how long.
    Again(Option<Duration>, FetchError),
    Never(FetchError),
}

impl From<HttpError> for Fault {
    fn from(cause: HttpError) -> Self {
        match cause.verdict() {
            Verdict::TryAgain => Self::Again(None, cause.into()),
            Verdict::StartOver | Verdict::GiveUp => Self::Never(cause.into()),
        }
    }
}

/// Why a bundle does not come from a server.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("there is no {}", path.display())]
    Missing { path: PathBuf },
    #[error("the key in {} is not that of the certificate, or cannot be used", path.display())]
    Identity {
        path: PathBuf,
        #[source]
        cause: SignError,
    },
    #[error(
        "the server of {url} sends all of it instead of a part: a bundle is read from its end, so it must allow ranges"
    )]
    Ignored { url: String },
    #[error("the server of {url} answers with another part than it was asked for")]
    Range { url: String },
    #[error("{url} has been replaced while it was read: start again")]
    Changed { url: String },
    #[error("gave up on {url} after {attempts} failures in a row")]
    GaveUp {
        url: String,
        attempts: u32,
        #[source]
        cause: Box<FetchError>,
    },
}
