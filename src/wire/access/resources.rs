//! Many resource patterns, asked as one: the cost follows those that begin as the resource does, not their number.

use super::pattern::{Pattern, Tail};

/// The resources of the policies that grant the same operations.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Resources {
    /// Sorted by prefix, each prefix once.
    entries: Box<[Entry]>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Entry {
    prefix: Box<str>,
    /// The prefix alone is covered.
    whole: bool,
    tails: Vec<Tail>,
    /// The entry with the longest prefix that this prefix begins with.
    above: Option<usize>,
}

impl Resources {
    pub(super) fn new(patterns: impl IntoIterator<Item = Pattern>) -> Self {
        let mut patterns: Vec<Pattern> = patterns.into_iter().collect();
        patterns.sort_by(|a, b| a.prefix.cmp(&b.prefix));
        let mut entries: Vec<Entry> = Vec::new();
        for Pattern { prefix, tail } in patterns {
            if entries.last().is_none_or(|last| last.prefix != prefix) {
                let mut above = entries.len().checked_sub(1);
                while let Some(at) = above
                    && !prefix.starts_with(&*entries[at].prefix)
                {
                    above = entries[at].above;
                }
                entries.push(Entry { prefix, whole: false, tails: Vec::new(), above });
            }
            if let Some(entry) = entries.last_mut() {
                match tail {
                    None => entry.whole = true,
                    Some(tail) if !entry.tails.contains(&tail) => entry.tails.push(tail),
                    Some(_) => {}
                }
            }
        }
        Self { entries: entries.into() }
    }

    pub(super) fn covers(&self, resource: &str) -> bool {
        // Whatever prefix `resource` begins with, the last entry up to it begins with that, too.
        let mut next = self.entries.partition_point(|entry| &*entry.prefix <= resource).checked_sub(1);
        while let Some(at) = next {
            let entry = &self.entries[at];
            if let Some(rest) = resource.strip_prefix(&*entry.prefix)
                && (entry.whole && rest.is_empty() || entry.tails.iter().any(|tail| tail.covers(rest)))
            {
                return true;
            }
            next = entry.above;
        }
        false
    }
}
