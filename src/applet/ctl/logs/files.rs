//! Finds log files, and reads a log through its rotated files to the one being written.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::LogsError;
use super::entry::Shape;

/// The log files directly in a directory, in order of name.
pub(super) fn in_directory(directory: &Path) -> Result<Vec<PathBuf>, LogsError> {
    let refuse = |cause| LogsError::ReadDirectory { path: directory.into(), cause };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(refuse)? {
        let path = entry.map_err(refuse)?.path();
        if path.extension().is_some_and(|extension| extension == "log") && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Where systems keep their syslog.
pub(super) fn syslog_places() -> Vec<PathBuf> {
    ["/var/log/messages", "/var/log/syslog", "/var/log/system.log"]
        .iter()
        .map(PathBuf::from)
        .filter(|path| path.is_file())
        .collect()
}

/// One log: its files, oldest first. The last is the one being written, if it is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Log {
    /// The path of the file being written: it names the log, also while a rotation has taken that file away.
    pub path: PathBuf,
    pub files: VecDeque<PathBuf>,
}

/// Groups files into logs. A file named twice is read once.
pub(super) fn logs_of(paths: &[PathBuf], shape: Shape) -> Vec<Log> {
    let mut logs: BTreeMap<PathBuf, BTreeMap<Age, PathBuf>> = BTreeMap::new();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let (name, age) = match shape {
            Shape::Greengrass => rotated(&name).unwrap_or((name, Age::Current)),
            Shape::Syslog => (name, Age::Current),
        };
        logs.entry(path.with_file_name(name)).or_default().insert(age, path.clone());
    }
    logs.into_iter().map(|(path, files)| Log { path, files: files.into_values().collect() }).collect()
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Age {
    /// The hour, and the number within it.
    Rotated(String, u64),
    Current,
}

/// `<name>_yyyy_MM_dd_HH_<i>.log` is an older part of `<name>.log`.
fn rotated(name: &str) -> Option<(String, Age)> {
    let stem = name.strip_suffix(".log")?;
    let (rest, index) = stem.rsplit_once('_')?;
    let cut = rest.len().checked_sub("_yyyy_MM_dd_HH".len())?;
    let (stem, hour) = (rest.get(..cut)?, rest.get(cut..)?);
    let fits = hour.bytes().zip(*b"_0000_00_00_00").all(|(b, form)| match form {
        b'_' => b == b'_',
        _ => b.is_ascii_digit(),
    });
    (fits && !stem.is_empty()).then(|| Some((format!("{stem}.log"), Age::Rotated(hour.into(), index.parse().ok()?))))?
}

/// Reads the lines of one log, and goes on where it stopped when more were written.
#[derive(Debug)]
pub(super) struct LogReader {
    path: PathBuf,
    waiting: VecDeque<PathBuf>,
    open: Option<File>,
    bytes: Vec<u8>,
    /// Bytes before this were given out.
    start: usize,
}

impl LogReader {
    /// A longer line is cut into several: no file can make us hold more.
    const LONGEST_LINE: usize = 1 << 20;
    const READ: usize = 64 << 10;

    pub(super) fn new(log: Log) -> Self {
        Self { path: log.path, waiting: log.files, open: None, bytes: Vec::new(), start: 0 }
    }

    /// The next line; `None` when there is no more for now. A file that vanished meanwhile is skipped.
    pub(super) fn next_line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(line) = self.whole_line() {
                return Ok(Some(line));
            }
            if self.read_more()? {
                continue;
            }
            if !self.next_file() {
                return Ok(None);
            }
            // The file that ended will not grow any more: what it holds of a line is all of it.
            if let Some(rest) = self.rest() {
                return Ok(Some(rest));
            }
        }
    }

    /// What stands after the last line feed, when nobody will write on.
    pub(super) fn rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.bytes).split_off(std::mem::take(&mut self.start));
        (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned())
    }

    /// The path that names the log.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn whole_line(&mut self) -> Option<String> {
        let held = &self.bytes[self.start..];
        let (line, next) = match held.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&held[..end], end + 1),
            None if held.len() >= Self::LONGEST_LINE => (held, held.len()),
            None => return None,
        };
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
        self.start += next;
        Some(line)
    }

    fn read_more(&mut self) -> io::Result<bool> {
        let Some(file) = &mut self.open else { return Ok(false) };
        self.bytes.drain(..std::mem::take(&mut self.start));
        let read = file.take(Self::READ as u64).read_to_end(&mut self.bytes)?;
        Ok(read > 0)
    }

    /// Opens what comes after the file at hand: a waiting one, or the new file that stands in its place.
    fn next_file(&mut self) -> bool {
        while let Some(path) = self.waiting.pop_front() {
            if let Ok(file) = File::open(&path) {
                self.open = Some(file);
                return true;
            }
        }
        let Ok(file) = File::open(&self.path) else { return false };
        if self.open.as_ref().is_some_and(|open| is_same(open, &file)) {
            return false;
        }
        self.open = Some(file);
        true
    }
}

fn is_same(one: &File, other: &File) -> bool {
    match (one.metadata(), other.metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn rotated_files_come_before_the_current_one_in_their_order() {
        let names =
            ["a.b.log", "a.b_2026_01_01_10_1.log", "a.b_2026_01_01_09_10.log", "a.b_2026_01_01_09_9.log", "a_x.log"];
        let paths: Vec<_> = names.iter().map(|name| Path::new("/l").join(name)).collect();
        let logs = logs_of(&paths, Shape::Greengrass);
        let names: Vec<Vec<_>> = logs
            .iter()
            .map(|log| log.files.iter().map(|f| f.file_name().unwrap().to_str().unwrap()).collect())
            .collect();
        let first = ["a.b_2026_01_01_09_9.log", "a.b_2026_01_01_09_10.log", "a.b_2026_01_01_10_1.log", "a.b.log"];
        assert_eq!(names, [first.to_vec(), vec!["a_x.log"]]);
    }

    #[test]
    fn reader_goes_on_through_growth_and_rotation() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\r\ntw").unwrap();
        let mut reader = LogReader::new(Log { path: path.clone(), files: [path.clone()].into() });
        let mut next = || reader.next_line().unwrap();
        assert_eq!((next(), next()), (Some("one".into()), None));
        file.write_all(b"o\nthree").unwrap();
        assert_eq!((next(), next()), (Some("two".into()), None));
        fs::rename(&path, directory.path().join("a_2026_01_01_09_0.log")).unwrap();
        assert_eq!(next(), None);
        fs::write(&path, b"four\nfive").unwrap();
        assert_eq!((next(), next(), next()), (Some("three".into()), Some("four".into()), None));
        assert_eq!(reader.rest().as_deref(), Some("five"));
    }

    #[test]
    fn reader_survives_bytes_that_are_no_text_and_endless_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        let mut bytes = b"\xff\xfe\n".to_vec();
        bytes.extend(std::iter::repeat_n(b'x', LogReader::LONGEST_LINE + 5));
        fs::write(&path, bytes).unwrap();
        let mut reader = LogReader::new(Log { path: path.clone(), files: [path].into() });
        assert_eq!(reader.next_line().unwrap().as_deref(), Some("\u{fffd}\u{fffd}"));
        assert!(reader.next_line().unwrap().unwrap().len() >= LogReader::LONGEST_LINE);
    }
}
