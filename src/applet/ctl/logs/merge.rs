//! Merges logs in order of time, holding a few entries of each.

use std::collections::VecDeque;
use std::time::SystemTime;

use super::LogsError;
use super::entry::{Entry, Shape};
use super::files::{Log, LogReader};
use super::select::Selector;
use super::window;
use crate::applet::ctl::failure::Failure;

/// One log, filtered.
#[derive(Debug)]
pub(super) struct Source {
    reader: LogReader,
    selector: Selector,
    shape: Shape,
    chosen: VecDeque<Entry>,
    /// Time of the last line, for lines without one.
    last: i64,
    now: i64,
}

impl Source {
    pub(super) fn new(log: Log, selector: Selector, shape: Shape) -> Self {
        let now = window::milliseconds(SystemTime::now());
        Self { reader: LogReader::new(log), selector, shape, chosen: VecDeque::new(), last: 0, now }
    }

    pub(super) fn reads(&self, log: &Log) -> bool {
        self.reader.path() == log.path
    }

    /// What comes next of this log; `None` when there is no more for now.
    fn peek(&mut self, whole: Whole) -> Result<Option<&Entry>, LogsError> {
        while self.chosen.is_empty() {
            let line = self
                .reader
                .next_line()
                .map_err(|cause| LogsError::ReadFile { path: self.reader.path().into(), cause })?;
            let line = match whole {
                Whole::EndsHere => line.or_else(|| self.reader.rest()),
                Whole::MayGrow => line,
            };
            let Some(line) = line else { break };
            let entry = Entry::parse(line, self.shape, self.last, self.now);
            self.last = entry.time;
            self.selector.take(entry, &mut self.chosen);
        }
        Ok(self.chosen.front())
    }
}

/// Whether a line without a line feed is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Whole {
    EndsHere,
    MayGrow,
}

/// Hands out what all logs hold, oldest first; of the same moment, in the order of the logs.
pub(super) fn merge(
    sources: &mut [Source],
    whole: Whole,
    mut each: impl FnMut(&Entry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    loop {
        let mut oldest: Option<(i64, usize)> = None;
        for (index, source) in sources.iter_mut().enumerate() {
            if let Some(entry) = source.peek(whole)?
                && oldest.is_none_or(|(time, _)| entry.time < time)
            {
                oldest = Some((entry.time, index));
            }
        }
        let Some((_, index)) = oldest else { return Ok(()) };
        if let Some(entry) = sources[index].chosen.pop_front() {
            each(&entry)?;
        }
    }
}
