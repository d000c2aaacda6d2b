//! Log files with rotation by size and hour, and few descriptors however many logs there are.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use time::OffsetDateTime;

use super::LogSettings;

/// The open log files, by stem.
#[derive(Default, Debug)]
pub(super) struct Files {
    open: HashMap<String, Open>,
    /// What could not be written, by stem, until it could be told.
    missed: HashMap<String, Missed>,
    clock: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// When it was last used, by [`Files::clock`].
    used: u64,
}

#[derive(Debug, Default)]
struct Missed {
    lines: u64,
    why: String,
    /// The last thing in the file is half a line.
    torn: bool,
}

impl Files {
    /// Files kept open; with more logs the one used longest ago is closed.
    const OPEN: usize = 48;
    /// Logs whose losses are remembered; beyond that a loss is only said on standard error.
    const MISSED: usize = 4096;

    /// Appends whole lines. What cannot be written is counted and told later.
    pub(super) fn write(&mut self, settings: &LogSettings, log: &str, lines: &[u8]) {
        let mut rest = lines;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(fitting(rest, settings.file_size));
            let mut left = part;
            if let Err(cause) = self.try_write(settings, log, &mut left, SystemTime::now()) {
                self.miss(settings, log, left, left.len() < part.len(), &cause);
            }
            rest = after;
        }
    }

    /// Appends whole lines, all or none, and has them on the disk. More than fits into one file still goes whole.
    pub(super) fn record(&mut self, settings: &LogSettings, log: &str, lines: &[u8]) -> io::Result<()> {
        let path = settings.directory.join(format!("{log}.log"));
        self.make_ready(settings, log, &path, lines.len(), SystemTime::now())?;
        let mut left = lines;
        let written = self.append(log, &mut left);
        let Some(Open { file, .. }) = self.open.get(log) else { return Err(io::ErrorKind::NotFound.into()) };
        if let Err(cause) = written.and_then(|()| file.sync_data()) {
            // Nobody else writes to this file, so what is too much is what was just written.
            let torn = (lines.len() - left.len()) as u64;
            let _ = file.metadata().and_then(|status| file.set_len(status.len().saturating_sub(torn)));
            self.open.remove(log);
            return Err(cause);
        }
        // A file that begins with these lines may be new, and its name must be on the disk, too.
        if file.metadata()?.len() == lines.len() as u64 {
            File::open(&settings.directory)?.sync_all()?;
        }
        Ok(())
    }

    /// Closes everything: the next write opens anew.
    pub(super) fn close(&mut self) {
        self.open.clear();
    }

    fn try_write(&mut self, settings: &LogSettings, log: &str, left: &mut &[u8], now: SystemTime) -> io::Result<()> {
        let path = settings.directory.join(format!("{log}.log"));
        self.make_ready(settings, log, &path, left.len(), now)?;
        if let Some(missed) = self.missed.get(log) {
            let told = told(missed, now);
            self.append(log, &mut told.as_bytes())?;
            self.missed.remove(log);
        }
        self.append(log, left)
    }

    /// Makes sure that the file is open, is the one in the directory, and has room.
    fn make_ready(
        &mut self,
        settings: &LogSettings,
        log: &str,
        path: &Path,
        more: usize,
        now: SystemTime,
    ) -> io::Result<()> {
        self.clock += 1;
        if let Some(open) = self.open.get_mut(log) {
            open.used = self.clock;
            let status = open.file.metadata()?;
            if status.nlink() > 0 && !is_due(settings, &status, more, now) {
                return Ok(());
            }
            self.open.remove(log);
        }
        let mut file = open_or_make(path)?;
        let status = file.metadata()?;
        if is_due(settings, &status, more, now) {
            rotate(settings, log, path, &status)?;
            file = open_or_make(path)?;
        }
        if self.open.len() >= Self::OPEN
            && let Some(idle) = self.open.iter().min_by_key(|(_, open)| open.used).map(|(log, _)| log.clone())
        {
            self.open.remove(&idle);
        }
        self.open.insert(log.into(), Open { file, used: self.clock });
        Ok(())
    }

    /// Usually one write(2); a short one is followed by the rest.
    fn append(&mut self, log: &str, left: &mut &[u8]) -> io::Result<()> {
        let Some(open) = self.open.get_mut(log) else { return Err(io::ErrorKind::NotFound.into()) };
        while !left.is_empty() {
            match open.file.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => *left = &left[written..],
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(())
    }

    fn miss(&mut self, settings: &LogSettings, log: &str, left: &[u8], torn: bool, cause: &io::Error) {
        self.open.remove(log);
        let lines = left.iter().filter(|byte| **byte == b'\n').count();
        if !self.missed.contains_key(log) {
            // Once per failure, not per line: standard error may go to the same full disk.
            let _ = writeln!(io::stderr(), "cannot write {}/{log}.log: {cause}", settings.directory.display());
            if self.missed.len() >= Self::MISSED {
                return;
            }
        }
        let missed = self.missed.entry(log.into()).or_default();
        missed.lines += u64::try_from(lines).unwrap_or(u64::MAX);
        missed.torn |= torn;
        missed.why = cause.to_string();
    }
}

/// How many bytes of whole lines fit into one file; a line larger than a file still goes whole.
fn fitting(lines: &[u8], file_size: u64) -> usize {
    let size = usize::try_from(file_size).unwrap_or(usize::MAX);
    if lines.len() <= size {
        return lines.len();
    }
    let ends = |part: &[u8]| part.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
    let first = || lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |at| at + 1);
    ends(&lines[..size]).unwrap_or_else(first)
}

/// The line that tells of a loss, when writing works again.
fn told(missed: &Missed, now: SystemTime) -> String {
    let end_of_torn = if missed.torn { "\n" } else { "" };
    let entry = super::Entry {
        time: now,
        level: super::Level::Error,
        thread: "daemon",
        logger: "log",
        event: Some("log-lines-lost"),
        message: format!("{} lines could not be written here", missed.lines).into(),
        contexts: &[],
        cause: Some(&missed.why),
    };
    let mut line = String::from(end_of_torn);
    super::format::render(&entry, super::Format::Text, &mut line);
    line.push('\n');
    line
}

/// A file that has content rotates when it would grow too large, or when its hour is over.
fn is_due(settings: &LogSettings, status: &fs::Metadata, more: usize, now: SystemTime) -> bool {
    let more = u64::try_from(more).unwrap_or(u64::MAX);
    let hour_of = |time: SystemTime| OffsetDateTime::from(time).unix_timestamp().div_euclid(3600);
    status.len() > 0
        && (status.len().saturating_add(more) > settings.file_size
            || status.modified().is_ok_and(|then| hour_of(then) != hour_of(now)))
}

/// Opens for appending; a directory that vanished is made again.
fn open_or_make(path: &Path) -> io::Result<File> {
    let open = || OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    match open() {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            if let Some(directory) = path.parent() {
                DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            }
            open()
        }
        other => other,
    }
}

/// Moves the full file to a name that tells its hour, and removes the oldest that are too many.
fn rotate(settings: &LogSettings, log: &str, path: &Path, status: &fs::Metadata) -> io::Result<()> {
    let at = OffsetDateTime::from(status.modified()?);
    let hour = format!("{:04}_{:02}_{:02}_{:02}", at.year(), u8::from(at.month()), at.day(), at.hour());
    let mut rotated = rotated_files(&settings.directory, log)?;
    let index = rotated.iter().filter(|file| file.hour == hour).map(|file| file.index + 1).max().unwrap_or(0);
    let target = settings.directory.join(format!("{log}_{hour}_{index}.log"));
    fs::rename(path, &target)?;
    rotated.push(Rotated { hour, index, size: status.len(), path: target });
    rotated.sort();
    // Room for a full current file is part of the total.
    let mut total: u64 = settings.file_size + rotated.iter().map(|file| file.size).sum::<u64>();
    for file in rotated {
        if total <= settings.total_size {
            break;
        }
        match fs::remove_file(&file.path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => total -= file.size,
        }
    }
    Ok(())
}

/// One rotated file; the order is the age.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Rotated {
    hour: String,
    index: u64,
    size: u64,
    path: PathBuf,
}

fn rotated_files(directory: &Path, log: &str) -> io::Result<Vec<Rotated>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)?.flatten() {
        if let Some((hour, index)) = entry.file_name().to_str().and_then(|name| parse_rotated(name, log)) {
            let size = entry.metadata().map_or(0, |status| status.len());
            found.push(Rotated { hour, index, size, path: entry.path() });
        }
    }
    Ok(found)
}

/// `<log>_yyyy_MM_dd_HH_<i>.log`, exactly.
fn parse_rotated(name: &str, log: &str) -> Option<(String, u64)> {
    let rest = name.strip_prefix(log)?.strip_prefix('_')?.strip_suffix(".log")?;
    let (hour, index) = rest.rsplit_once('_')?;
    let shape: Vec<usize> = hour.split('_').map(str::len).collect();
    let digits = rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    (digits && shape == [4, 2, 2, 2]).then_some((hour.into(), index.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_rotated_takes_only_its_own_files() {
        assert_eq!(parse_rotated("a_2026_11_21_22_3.log", "a"), Some(("2026_11_21_22".into(), 3)));
        for other in
            ["a.log", "a_b_2026_11_21_22_3.log", "ab_2026_11_21_22_3.log", "a_2026_11_21_22_x.log", "a_1_2.log"]
        {
            assert_eq!(parse_rotated(other, "a"), None, "{other}");
        }
    }
}
