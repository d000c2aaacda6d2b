//! What edits make of the tree, and who is told what of it.

use std::collections::HashMap;

use tokio::sync::broadcast;

use super::handle::{ChangeKind, Changes, ConfigError, Wish};
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
/// All who watch one path share one channel, whose memory is by far the most of a watch.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    channels: HashMap<String, broadcast::Sender<News>>,
    /// How many channels there may be before those without a reader are looked for.
    tidy_at: usize,
}

/// A change as it lies in the channel; without a path it concerns the watched node itself, as its watcher spells it.
pub(super) type News = (Option<KeyPath>, ChangeKind);

impl Watchers {
    /// Fewer channels than this are never tidied up.
    const FEW: usize = 64;

    pub(super) fn add(&mut self, at: KeyPath) -> Changes {
        if self.channels.len() >= self.tidy_at {
            self.channels.retain(|_, news| news.receiver_count() > 0);
            self.tidy_at = Self::FEW.max(2 * self.channels.len());
        }
        let news = self.channels.entry(at.folded()).or_insert_with(|| broadcast::channel(Changes::BEHIND).0);
        Changes::new(at, news.subscribe())
    }

    pub(super) fn tell(&self, entries: &[Entry]) {
        if self.channels.is_empty() {
            return;
        }
        for entry in entries {
            let folded = entry.path.folded();
            self.tell_at(&folded, Some(&entry.path), kind_at(entry));
            for (end, _) in folded.match_indices('/') {
                // The root is spelled "/", every other node without a '/' at its end.
                let above = if end == 0 { "/" } else { &folded[..end] };
                self.tell_at(above, Some(&entry.path), kind_above(entry));
            }
            if entry.what == What::Removed {
                let below = format!("{folded}/");
                for at in self.channels.keys().filter(|at| at.starts_with(&below)) {
                    self.tell_at(at, None, ChangeKind::Removed);
                }
            }
        }
    }

    fn tell_at(&self, folded: &str, path: Option<&KeyPath>, kind: ChangeKind) {
        if let Some(news) = self.channels.get(folded) {
            // Nobody listens any more: tidied up with a later watch.
            let _ = news.send((path.cloned(), kind));
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
