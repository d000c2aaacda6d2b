//! A bundle on an HTTP server, read where it lies: nothing of it is kept on the device but what is installed.
//!
//! | request | what |
//! | --- | --- |
//! | the last 64 KiB | trailer, signature with the manifest |
//! | the first block | where the tables are |
//! | tables and tree | all at once, or so much at a time when the image is huge |
//! | the image | one range, or those that [`Source::expect`] was told, each from its beginning to its end |
//!
//! There is no thread for it: while the installer unpacks and writes, the kernel's buffer is what is read ahead. Who has
//! several threads comes nearly in order; what a later one passes is kept for the earlier.

mod link;
mod settings;

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Mutex;

pub use link::{Account, FetchError, Link, Patience};
pub use settings::Streaming;

use super::bundle::Source;
use link::{Stream, TAIL};

/// Whether a bundle is to be fetched.
pub fn is_url(text: &str) -> bool {
    let is = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    is("http://") || is("https://")
}

/// A bundle on a server.
#[derive(Debug)]
pub struct HttpSource {
    size: u64,
    state: Mutex<State>,
}

impl HttpSource {
    /// Finds it, and reads its end.
    pub fn open(url: &str, streaming: &Streaming, patience: Patience) -> Result<Self, FetchError> {
        let (link, tail) = Link::begin(url, streaming, patience)?;
        let size = link.size;
        let tail = Segment { at: size - tail.len() as u64, bytes: tail };
        let state = State {
            link,
            tail,
            beside: 0..0,
            head: None,
            window: None,
            aside: None,
            ahead: Vec::new(),
            stream: None,
            passed: VecDeque::new(),
            edges: VecDeque::new(),
        };
        Ok(Self { size, state: Mutex::new(state) })
    }

    /// What it has cost so far.
    pub fn account(&self) -> Account {
        self.state.lock().map_or_else(|_| Account::default(), |state| state.link.account)
    }
}

impl Source for HttpSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        if at.checked_add(into.len() as u64).is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Ok(mut state) = self.state.lock() else { return Err(io::ErrorKind::Other.into()) };
        state.read(into, at).map_err(io::Error::other)
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn expect(&self, ranges: &[Range<u64>]) {
        let Ok(mut state) = self.state.lock() else { return };
        // The end of the image may be read with the tables.
        let end = if state.beside.is_empty() { state.tail.at } else { state.beside.start };
        let ranges = ranges.iter().map(|range| range.start..range.end.min(end));
        state.ahead = ranges.filter(|range| !range.is_empty()).collect();
        state.stream = None;
        state.passed.clear();
        state.edges.clear();
    }

    fn expect_beside(&self, range: Range<u64>) {
        let Ok(mut state) = self.state.lock() else { return };
        let end = state.tail.at;
        state.beside = range.start..range.end.min(end);
    }

    fn account(&self) -> Option<Account> {
        Some(Self::account(self))
    }
}

/// Bytes at their place in the file.
#[derive(Debug)]
struct Segment {
    at: u64,
    bytes: Vec<u8>,
}

impl Segment {
    fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }

    /// Copies what it has from `at` on.
    fn copy(&self, into: &mut [u8], at: u64) -> Option<usize> {
        let from = usize::try_from(at.checked_sub(self.at)?).ok()?;
        let have = self.bytes.get(from..).filter(|have| !have.is_empty())?;
        let length = have.len().min(into.len());
        into[..length].copy_from_slice(&have[..length]);
        Some(length)
    }
}

#[derive(Debug)]
struct State {
    link: Link,
    tail: Segment,
    /// What is read beside the image, slowly: tables and tree. Of a huge one, the beginning, which has all upper levels
    /// of the tree, and a window that moves on.
    beside: Range<u64>,
    head: Option<Segment>,
    window: Option<Segment>,
    /// What was read last that nobody expected.
    aside: Option<Segment>,
    /// What will be read, in this order.
    ahead: Vec<Range<u64>>,
    stream: Option<Stream>,
    /// What the stream has passed without anybody taking it: threads are not quite in order.
    passed: VecDeque<Segment>,
    /// The first and the last block of what was taken: the pieces before and behind share them.
    edges: VecDeque<Segment>,
}

impl State {
    fn read(&mut self, into: &mut [u8], at: u64) -> Result<(), FetchError> {
        let mut have = 0;
        while have < into.len() {
            let (here, room) = (at + have as u64, &mut into[have..]);
            have += match self.kept(room, here) {
                Some(length) => length,
                None => match self.ahead.iter().find(|range| range.contains(&here) && !self.is_past(range, here)) {
                    Some(range) => self.go_on(range.clone(), room, here)?,
                    None => self.aside(room, here)?,
                },
            };
        }
        Ok(())
    }

    fn kept(&mut self, into: &mut [u8], at: u64) -> Option<usize> {
        let own = [Some(&self.tail), self.head.as_ref(), self.window.as_ref(), self.aside.as_ref()];
        let found = own.into_iter().flatten().chain(&self.edges).find_map(|segment| segment.copy(into, at));
        if found.is_some() {
            return found;
        }
        let segments = self.passed.iter().enumerate();
        let (index, length) = segments.filter_map(|(index, segment)| Some((index, segment.copy(into, at)?))).next()?;
        // Its edges are there, and nobody else wants the rest.
        if at + length as u64 == self.passed[index].end() {
            self.passed.remove(index);
        }
        Some(length)
    }

    /// Whether the stream is in this range, and behind this place.
    fn is_past(&self, range: &Range<u64>, at: u64) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.end == range.end && stream.at > at)
    }

    /// Reads on in a range.
    fn go_on(&mut self, range: Range<u64>, into: &mut [u8], at: u64) -> Result<usize, FetchError> {
        let mut stream = match self.stream.take() {
            Some(stream) if stream.end == range.end => stream,
            // Somebody else may come for what is just before.
            _ => Stream::new(range.start.max(at.saturating_sub(PASSED as u64)), range.end),
        };
        while stream.at < at {
            let here = stream.at;
            let length = usize::try_from(at - here).unwrap_or(PIECE).min(PIECE);
            let mut bytes = vec![0; length];
            stream.read(&mut self.link, &mut bytes)?;
            self.pass(Segment { at: here, bytes });
        }
        let length = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(into.len());
        let done = stream.read(&mut self.link, &mut into[..length]);
        self.stream = Some(stream);
        done?;
        let block = length.min(BLOCK);
        for from in [0, length - block] {
            self.edges.push_back(Segment { at: at + from as u64, bytes: into[from..from + block].to_vec() });
        }
        self.edges.drain(..self.edges.len().saturating_sub(EDGES));
        Ok(length)
    }

    fn pass(&mut self, segment: Segment) {
        self.passed.push_back(segment);
        while self.passed.iter().map(|segment| segment.bytes.len()).sum::<usize>() > PASSED {
            self.passed.pop_front();
        }
    }

    /// Reads what lies elsewhere.
    fn aside(&mut self, into: &mut [u8], at: u64) -> Result<usize, FetchError> {
        if !self.beside.contains(&at) {
            let end = at.saturating_add(into.len().max(ASIDE) as u64).min(self.tail.at);
            let segment = self.segment(at..end)?;
            return Ok(self.aside.insert(segment).copy(into, at).unwrap_or(0));
        }
        let Range { start, end } = self.beside;
        if self.head.is_none() {
            let all = end - start <= WINDOW;
            let segment = self.segment(start..if all { end } else { end.min(start + HEAD) })?;
            if let Some(length) = self.head.insert(segment).copy(into, at) {
                return Ok(length);
            }
        }
        let segment = self.segment(at..end.min(at + WINDOW))?;
        Ok(self.window.insert(segment).copy(into, at).unwrap_or(0))
    }

    fn segment(&mut self, range: Range<u64>) -> Result<Segment, FetchError> {
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(0)];
        Stream::new(range.start, range.end).read(&mut self.link, &mut bytes)?;
        Ok(Segment { at: range.start, bytes })
    }
}

/// Bytes of tables and tree kept at a time: the tree of 256 MiB.
const WINDOW: u64 = TAIL + (9 << 18);
/// Bytes of their beginning, which is kept: tables, and all but the lowest level of the tree of 2 GiB.
const HEAD: u64 = 4 * TAIL;
/// Bytes read at once where nobody expected it.
const ASIDE: usize = 16 << 10;
/// Bytes kept of what the stream has passed: a piece.
const PASSED: usize = 9 << 17;
/// Bytes passed at a time.
const PIECE: usize = 256 << 10;
/// Blocks kept at the edges of pieces.
const EDGES: usize = 8;
/// Bytes of a block that has a hash.
const BLOCK: usize = 4096;

#[cfg(test)]
#[cfg(feature = "download")]
mod tests;
