//! Reading a log back: the tree it makes, and how far it can be believed.
//!
//! Every batch is on the disk before the next is written. So only the last one can be torn, and nobody was told that
//! it holds: it is left out. Damage anywhere else cannot come from an interruption, and the whole log is refused.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::line::{self, Line, LineError};
use super::{Entry, Tree};

/// What a log says.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) tree: Tree,
    pub(super) entries: u64,
    /// Bytes up to the end of the last complete batch.
    pub(super) good: u64,
    /// Bytes after them, and the line they begin in.
    pub(super) torn: Option<Torn>,
    /// The last line has no line end yet.
    pub(super) open_ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Torn {
    pub(super) line: u64,
    pub(super) bytes: u64,
}

/// Why a log cannot be believed.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error("cannot read it")]
    Read {
        #[source]
        cause: io::Error,
    },
    #[error("it holds no complete entry")]
    Empty,
    #[error("line {line} is damaged and entries follow it")]
    Damaged {
        line: u64,
        #[source]
        cause: LineError,
    },
}

/// Reads the log at `path`; `None` when there is none.
pub(super) fn scan(path: &Path) -> Result<Option<Scanned>, ScanError> {
    match File::open(path) {
        Ok(file) => scan_from(BufReader::with_capacity(BUFFER, file)).map(Some),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(ScanError::Read { cause }),
    }
}

const BUFFER: usize = 64 << 10;

/// After the first damaged line: what still follows it.
struct Suspicion {
    line: u64,
    cause: LineError,
    valid: u64,
    /// A batch ended with the line read last, and had so many lines.
    ended: Option<u64>,
    /// Several batches ended, or one ended and something followed.
    settled: bool,
}

pub(super) fn scan_from(mut from: impl BufRead) -> Result<Scanned, ScanError> {
    let mut tree = Tree::default();
    let mut batch: Vec<Entry> = Vec::new();
    let mut text = Vec::new();
    let (mut number, mut offset, mut entries) = (0, 0, 0);
    let (mut good, mut good_line, mut open_ended) = (0, 0, false);
    let mut suspicion: Option<Suspicion> = None;
    loop {
        let fault = |cause| ScanError::Read { cause };
        let Some((length, read)) = next_line(&mut from, &mut text).map_err(fault)? else { break };
        number += 1;
        offset += length;
        let parsed = match read {
            Ok(()) if text.trim_ascii().is_empty() => continue,
            Ok(()) => line::parse(&text),
            Err(cause) => Err(cause),
        };
        match (parsed, &mut suspicion) {
            (Ok(line), None) => {
                let Line { entry, more, .. } = line;
                batch.extend(entry);
                entries += 1;
                if !more {
                    batch.drain(..).for_each(|entry| tree.replay(&entry));
                    (good, good_line) = (offset, number);
                    open_ended = text.last() != Some(&b'\n');
                }
            }
            (Ok(line), Some(suspicion)) => {
                suspicion.valid += 1;
                suspicion.settled |= suspicion.ended.is_some();
                suspicion.ended = (!line.more).then_some(line.count);
            }
            (Err(cause), None) => {
                suspicion = Some(Suspicion { line: number, cause, valid: 0, ended: None, settled: false });
            }
            (Err(_), Some(_)) => {}
        }
    }
    if let Some(Suspicion { line, cause, valid, ended, settled }) = suspicion {
        // What follows the damage is harmless only if it is the rest of the batch that the damage is in.
        let torn = !settled && ended.is_none_or(|count| count > valid);
        if !torn {
            return Err(ScanError::Damaged { line, cause });
        }
    }
    if good == 0 {
        return Err(ScanError::Empty);
    }
    let torn = (offset > good).then_some(Torn { line: good_line + 1, bytes: offset - good });
    Ok(Scanned { tree, entries, good, torn, open_ended })
}

/// Reads one line with its end into `text`: its length, and whether it is short enough to look at. `None` at the end.
fn next_line(from: &mut impl BufRead, text: &mut Vec<u8>) -> io::Result<Option<(u64, Result<(), LineError>)>> {
    text.clear();
    let mut length = from.by_ref().take(line::MAX_LENGTH as u64 + 1).read_until(b'\n', text)? as u64;
    if length == 0 {
        return Ok(None);
    }
    if text.len() <= line::MAX_LENGTH || text.ends_with(b"\n") {
        return Ok(Some((length, Ok(()))));
    }
    loop {
        let available = from.fill_buf()?;
        let end = available.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(available.len(), |end| end + 1);
        from.consume(used);
        length += used as u64;
        if end.is_some() || used == 0 {
            return Ok(Some((length, Err(LineError::TooLong))));
        }
    }
}
