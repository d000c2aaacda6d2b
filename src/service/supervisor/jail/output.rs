//! What a script writes, as lines of its component's log.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::net::unix::pipe::Receiver;
use tokio::sync::{Semaphore, oneshot, watch};

use crate::base::log::{Entry, Level, Logs};
use crate::wire::state::ComponentState;

/// The component's state as its log lines tell it; shared by all its streams.
#[derive(Clone, Debug)]
pub(super) struct StateCell(Arc<AtomicU8>);

impl Default for StateCell {
    fn default() -> Self {
        Self(Arc::new(AtomicU8::new(0)))
    }
}

impl StateCell {
    const ALL: [ComponentState; 8] = [
        ComponentState::New,
        ComponentState::Installed,
        ComponentState::Starting,
        ComponentState::Running,
        ComponentState::Stopping,
        ComponentState::Errored,
        ComponentState::Broken,
        ComponentState::Finished,
    ];

    pub(super) fn set(&self, state: ComponentState) {
        let index = Self::ALL.iter().position(|known| *known == state).unwrap_or(0);
        self.0.store(u8::try_from(index).unwrap_or(0), Ordering::Relaxed);
    }

    fn text(&self) -> &'static str {
        Self::ALL[usize::from(self.0.load(Ordering::Relaxed)).min(7)].as_str()
    }
}

/// Which stream a line came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// Where the lines of one stream go, and what is said with each.
#[derive(Clone, Debug)]
pub(super) struct Sink {
    pub(super) logs: Logs,
    pub(super) component: String,
    pub(super) script: String,
    pub(super) state: StateCell,
    pub(super) stream: Stream,
}

impl Sink {
    /// Writes lines that came together.
    fn write(&self, lines: &[Line<'_>]) {
        let (level, event) = match self.stream {
            Stream::Stdout => (Level::Info, "stdout"),
            Stream::Stderr => (Level::Warn, "stderr"),
        };
        if !self.logs.wants(&self.component, level) {
            return;
        }
        let contexts: [(&str, Cow<'_, str>); 3] = [
            ("scriptName", self.script.as_str().into()),
            ("serviceName", self.component.as_str().into()),
            ("currentState", self.state.text().into()),
        ];
        let pieces: Vec<Vec<(&str, Cow<'_, str>)>> = lines.iter().map(|line| line.contexts(&contexts)).collect();
        let time = SystemTime::now();
        let entries: Vec<Entry<'_>> = lines
            .iter()
            .zip(&pieces)
            .map(|(line, piece)| Entry {
                time,
                level,
                thread: "Copier",
                logger: &self.component,
                event: Some(event),
                message: String::from_utf8_lossy(&line.text),
                contexts: if piece.is_empty() { &contexts } else { piece },
                cause: None,
            })
            .collect();
        self.logs.write(&self.component, &entries);
    }
}

/// Holds back who writes faster than it can be logged, so that the rest of the daemon has its turn.
///
/// A stream owes [`RESTS`] times what its full chunks took. It rests when that is worth a timer, and only one stream
/// rests at a time: however many flood, together they get the same share of the processor. Meanwhile the writers
/// wait in their full pipes.
#[derive(Clone, Debug)]
pub(super) struct Dam(Arc<Semaphore>);

impl Default for Dam {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Dam {
    async fn rest(&self, owed: &mut Duration) {
        if *owed < LEAST_REST {
            return tokio::task::yield_now().await;
        }
        // An error is a closed semaphore, and nobody closes it.
        let _one_at_a_time = self.0.acquire().await;
        tokio::time::sleep(std::mem::take(owed)).await;
    }
}

/// Reads the stream to its end. When the script has `ended`, what it had written by then is logged and `drained` told;
/// what its descendants still write goes on being logged.
pub(super) async fn pump(
    pipe: Receiver,
    sink: Sink,
    dam: Dam,
    mut ended: watch::Receiver<bool>,
    drained: oneshot::Sender<()>,
) {
    let mut splitter = Splitter::default();
    let mut drained = Some(drained);
    let mut owed = Duration::ZERO;
    loop {
        tokio::select! {
            ready = pipe.readable() => {
                if ready.is_err() {
                    break;
                }
                let begun = Instant::now();
                match take(&pipe, &sink, &mut splitter) {
                    Ok(0) => break,
                    Ok(CHUNK) => {
                        owed += begun.elapsed() * RESTS;
                        dam.rest(&mut owed).await;
                    }
                    Ok(_) => tokio::task::yield_now().await,
                    Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => break,
                }
            }
            // An error is the sender's end, after the script's.
            () = has_ended(&mut ended), if drained.is_some() => {
                let mut left = crate::sys::pipe::waiting(&pipe).unwrap_or(0);
                while left > 0 {
                    match take(&pipe, &sink, &mut splitter) {
                        Ok(0) | Err(_) => break,
                        Ok(count) => left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX)),
                    }
                    tokio::task::yield_now().await;
                }
                splitter.finish(&sink);
                let _ = drained.take().map(|drained| drained.send(()));
            }
        }
    }
    splitter.finish(&sink);
}

async fn has_ended(ended: &mut watch::Receiver<bool>) {
    let _ = ended.wait_for(|ended| *ended).await;
}

/// Reads once and logs the lines that became whole. `Ok(0)` is the end.
fn take(pipe: &Receiver, sink: &Sink, splitter: &mut Splitter) -> io::Result<usize> {
    thread_local! {
        // One for all streams: a read never waits, so no two use it at once.
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
    }
    BUFFER.with_borrow_mut(|buffer| {
        let count = pipe.try_read(buffer)?;
        let mut lines = Vec::new();
        splitter.split(&buffer[..count], &mut lines);
        if !lines.is_empty() {
            sink.write(&lines);
        }
        Ok(count)
    })
}

/// One line, or a piece of one that is too long.
#[derive(PartialEq, Eq, Debug)]
struct Line<'a> {
    text: Cow<'a, [u8]>,
    piece: Piece,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Piece {
    Whole,
    /// The so-manieth piece, from 1; more follow.
    Part(u32),
    LastPart(u32),
}

impl Line<'_> {
    /// Empty for a whole line, which needs nothing of its own.
    fn contexts<'a>(&self, common: &[(&'a str, Cow<'a, str>)]) -> Vec<(&'a str, Cow<'a, str>)> {
        let (number, continues) = match self.piece {
            Piece::Whole => return Vec::new(),
            Piece::Part(number) => (number, "true"),
            Piece::LastPart(number) => (number, "false"),
        };
        let mut contexts = common.to_vec();
        contexts.push(("piece", number.to_string().into()));
        contexts.push(("continues", continues.into()));
        contexts
    }
}

/// Makes lines of bytes; keeps what is not yet a whole one.
#[derive(Default, Debug)]
struct Splitter {
    partial: Vec<u8>,
    /// Pieces of the line in hand that are out already.
    pieces: u32,
}

impl Splitter {
    fn split<'a>(&mut self, mut bytes: &'a [u8], lines: &mut Vec<Line<'a>>) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.partial.is_empty() && self.pieces == 0 && line.len() <= LONGEST_LINE {
                lines.push(Line { text: without_return(line).into(), piece: Piece::Whole });
            } else {
                self.keep(line, lines);
                let text = without_return(&std::mem::take(&mut self.partial)).to_vec();
                lines.push(self.last(text));
            }
            bytes = rest;
        }
        self.keep(bytes, lines);
    }

    /// Adds to the line in hand, giving out pieces once it is longer than a line may be.
    fn keep(&mut self, bytes: &[u8], lines: &mut Vec<Line<'_>>) {
        self.partial.extend_from_slice(bytes);
        let mut start = 0;
        while self.partial.len() - start > LONGEST_LINE {
            let end = start + cut(&self.partial[start..]);
            self.pieces = self.pieces.saturating_add(1);
            lines.push(Line { text: self.partial[start..end].to_vec().into(), piece: Piece::Part(self.pieces) });
            start = end;
        }
        self.partial.drain(..start);
    }

    fn last(&mut self, text: Vec<u8>) -> Line<'static> {
        let pieces = std::mem::take(&mut self.pieces);
        let piece = if pieces == 0 { Piece::Whole } else { Piece::LastPart(pieces + 1) };
        Line { text: text.into(), piece }
    }

    /// Logs the last line, which no line feed ended.
    fn finish(&mut self, sink: &Sink) {
        if !self.partial.is_empty() || self.pieces > 0 {
            let text = std::mem::take(&mut self.partial);
            let line = self.last(text);
            sink.write(&[line]);
        }
    }
}

/// Where to cut a line that is too long: not inside a character, if it has such.
fn cut(bytes: &[u8]) -> usize {
    let inside = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    (LONGEST_LINE - 3..=LONGEST_LINE).rev().find(|at| !inside(*at)).unwrap_or(LONGEST_LINE)
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Read at once. Of the shortest lines it is thousands, which become a megabyte of log and hold up the loop for
/// milliseconds; a pipe holds eight of it.
const CHUNK: usize = 8 * 1024;

/// A longer line is logged in pieces: memory per stream stays bounded.
pub(super) const LONGEST_LINE: usize = 8 * 1024;

/// All floods together get one part in so many and one of the processor.
const RESTS: u32 = 3;

/// Timers count milliseconds; a rest much shorter would be longer than owed.
const LEAST_REST: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<(String, Piece)> {
        let mut splitter = Splitter::default();
        let mut all = Vec::new();
        for chunk in chunks {
            let mut lines = Vec::new();
            splitter.split(chunk, &mut lines);
            all.extend(lines.iter().map(|line| (String::from_utf8_lossy(&line.text).into_owned(), line.piece)));
        }
        all
    }

    #[test]
    fn splitter_joins_what_comes_in_parts() {
        let lines = split(&[b"one\ntw", b"o", b"\r\n\nthr", b"ee\n"]);
        let texts: Vec<_> = lines.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["one", "two", "", "three"]);
        assert!(lines.iter().all(|(_, piece)| *piece == Piece::Whole));
    }

    #[test]
    fn splitter_cuts_a_long_line_into_marked_pieces_and_loses_nothing() {
        let long = "ä".repeat(LONGEST_LINE);
        for size in [1000, CHUNK] {
            let text = format!("{long}\nshort\n");
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            let lines = split(&chunks);
            let pieces: Vec<_> = lines.iter().map(|(_, piece)| *piece).collect();
            assert_eq!(pieces, [Piece::Part(1), Piece::LastPart(2), Piece::Whole]);
            assert_eq!(format!("{}{}", lines[0].0, lines[1].0), long);
        }
    }

    #[test]
    fn splitter_keeps_little_of_an_endless_line() {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        let bytes = vec![b'x'; CHUNK];
        for _ in 0..10 {
            splitter.split(&bytes, &mut lines);
        }
        assert!(splitter.partial.len() <= LONGEST_LINE);
        let total: usize = lines.iter().map(|line| line.text.len()).sum();
        assert_eq!(total + splitter.partial.len(), 10 * CHUNK);
    }

    #[tokio::test]
    async fn floods_rest_one_after_the_other() {
        let dam = Dam::default();
        let resting = dam.0.acquire().await.unwrap();
        let mut owed = LEAST_REST;
        let mut next = std::pin::pin!(dam.rest(&mut owed));
        tokio::select! {
            biased;
            () = &mut next => panic!("it rests beside another"),
            () = std::future::ready(()) => {}
        }
        drop(resting);
        next.await;
    }
}
