//! Chooses entries of one log: what matches, and the lines around it.

use std::collections::VecDeque;

use super::entry::Entry;
use super::filter::Filter;
use super::window::Windows;

/// Takes the entries of one log in order.
#[derive(Debug)]
pub(super) struct Selector {
    filter: Filter,
    windows: Windows,
    before: usize,
    after: usize,
    /// Entries that did not match and may yet precede one that does.
    held: VecDeque<Entry>,
    /// Entries to let through after the last match.
    owed: usize,
}

impl Selector {
    /// Lines kept for `--before`: more would be the whole log in memory.
    const MOST_BEFORE: usize = 10_000;

    pub(super) fn new(filter: Filter, windows: Windows, before: usize, after: usize) -> Self {
        let before = before.min(Self::MOST_BEFORE);
        Self { filter, windows, before, after, held: VecDeque::new(), owed: 0 }
    }

    /// Appends to `chosen` what is to be shown now that this entry is known.
    pub(super) fn take(&mut self, mut entry: Entry, chosen: &mut VecDeque<Entry>) {
        if self.windows.hold(entry.time) && self.filter.matches(&mut entry) {
            chosen.append(&mut self.held);
            chosen.push_back(entry);
            self.owed = self.after;
        } else if self.owed > 0 {
            self.owed -= 1;
            chosen.push_back(entry);
        } else if self.before > 0 {
            if self.held.len() == self.before {
                self.held.pop_front();
            }
            self.held.push_back(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Shape;
    use super::*;

    #[test]
    fn selector_gives_each_line_once_and_in_order() {
        let filter = Filter::parse(&["x".into()]).unwrap();
        let mut selector = Selector::new(filter, Windows::default(), 2, 1);
        let mut chosen = VecDeque::new();
        for line in ["1", "2", "3", "x4", "5", "6", "x7", "x8", "9", "10"] {
            selector.take(Entry::parse(line.into(), Shape::Greengrass, 0, 0), &mut chosen);
        }
        let lines: Vec<_> = chosen.iter().map(|entry| entry.line.as_str()).collect();
        assert_eq!(lines, ["2", "3", "x4", "5", "6", "x7", "x8", "9"]);
    }
}
