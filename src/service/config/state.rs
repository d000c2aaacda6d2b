//! What edits make of the tree, and who is told what of it.

use std::collections::HashMap;

use tokio::sync::broadcast;

use super::handle::{Change, ChangeKind, Changes, ConfigError, Wish};
use crate::store::tree::{Entry, KeyPath, Tree, What};

/// Edits carried out on a copy of the tree, waiting to be stored.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) after: Tree,
    /// What came of each request, in order; one that is refused has changed nothing.
    pub(super) batches: Vec<Result<Vec<Entry>, ConfigError>>,
}

impl Draft {
    pub(super) fn new<'a>(tree: &Tree, requests: impl IntoIterator<Item = &'a Wish>) -> Self {
        let mut after = tree.clone();
        let batches = requests.into_iter().map(|wish| match wish {
            Wish::Edits(edits) => Ok(edits.iter().flat_map(|edit| after.apply(edit)).collect()),
            Wish::Update(update) => update.apply(&mut after),
        });
        Self { batches: batches.collect(), after }
    }
}

/// The nodes that are other than before, each once.
pub(super) fn changed(entries: &[Entry]) -> Vec<KeyPath> {
    let mut paths: Vec<KeyPath> =
        entries.iter().filter(|entry| entry.what != What::TimestampUpdated).map(|entry| entry.path.clone()).collect();
    paths.dedup();
    paths
}

/// Those who watch, by the folded path of what they watch: telling costs the depth of a node, not their number.
#[derive(Debug, Default)]
pub(super) struct Watchers(HashMap<String, Vec<(KeyPath, broadcast::Sender<Change>)>>);

impl Watchers {
    pub(super) fn add(&mut self, at: KeyPath) -> Changes {
        self.0.retain(|_, watchers| {
            watchers.retain(|(_, news)| news.receiver_count() > 0);
            !watchers.is_empty()
        });
        let (news, receiver) = broadcast::channel(Changes::BEHIND);
        self.0.entry(at.folded()).or_default().push((at.clone(), news));
        Changes::new(at, receiver)
    }

    pub(super) fn tell(&self, entries: &[Entry]) {
        if self.0.is_empty() {
            return;
        }
        for entry in entries {
            let folded = entry.path.folded();
            self.tell_at(&folded, entry, kind_at(entry));
            for (end, _) in folded.match_indices('/') {
                // The root is spelled "/", every other node without a '/' at its end.
                let above = if end == 0 { "/" } else { &folded[..end] };
                self.tell_at(above, entry, kind_above(entry));
            }
            if entry.what == What::Removed {
                let below = format!("{folded}/");
                for (at, _) in self.0.iter().filter(|(at, _)| at.starts_with(&below)) {
                    self.tell_at(at, entry, ChangeKind::Removed);
                }
            }
        }
    }

    fn tell_at(&self, folded: &str, entry: &Entry, kind: ChangeKind) {
        for (at, news) in self.0.get(folded).into_iter().flatten() {
            let path = if at.covers(&entry.path) { entry.path.clone() } else { at.clone() };
            // Nobody listens any more: removed with the next watch.
            let _ = news.send(Change { path, kind });
        }
    }
}

fn kind_at(entry: &Entry) -> ChangeKind {
    match entry.what {
        What::Changed(_) => ChangeKind::Changed,
        What::Removed => ChangeKind::Removed,
        What::TimestampUpdated => ChangeKind::TimestampUpdated,
        What::InteriorAdded => ChangeKind::InteriorAdded,
    }
}

fn kind_above(entry: &Entry) -> ChangeKind {
    match entry.what {
        What::Changed(_) => ChangeKind::ChildChanged,
        What::Removed => ChangeKind::ChildRemoved,
        What::TimestampUpdated => ChangeKind::TimestampUpdated,
        What::InteriorAdded => ChangeKind::InteriorAdded,
    }
}
