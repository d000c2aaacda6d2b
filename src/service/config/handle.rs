//! What others may ask of the configuration.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::state::News;
use super::update::Update;
use crate::store::tree::{Edit, EditError, KeyPath, LogError, Tree};

/// Asks the configuration service; cheap to clone.
///
/// Reads do not wait for anything. Edits go through a bounded mailbox: a full one makes the asker wait.
#[derive(Clone, Debug)]
pub struct Handle {
    inbox: mpsc::Sender<Request>,
    tree: watch::Receiver<Tree>,
}

impl Handle {
    /// Requests that may wait before an asker has to.
    pub const MAILBOX: usize = 64;

    pub(super) fn new(inbox: mpsc::Sender<Request>, tree: watch::Receiver<Tree>) -> Self {
        Self { inbox, tree }
    }

    /// The value at `at`; an object for an interior node.
    pub fn read(&self, at: &KeyPath) -> Option<Value> {
        self.tree.borrow().value(at)
    }

    /// The whole tree as it is now. Costs nothing: copies share their nodes.
    pub fn snapshot(&self) -> Tree {
        self.tree.borrow().clone()
    }

    /// The whole tree as it changes. A reader never lags: it sees the latest, though not each on the way.
    ///
    /// An edit is to be seen here before [`Handle::edit`] returns.
    pub fn trees(&self) -> watch::Receiver<Tree> {
        self.tree.clone()
    }

    /// Carries out `edits`, all of them or, after an interruption, none. When this returns they survive a power cut.
    /// The answer names what changed; edits that lose against newer values change nothing and are no error.
    pub async fn edit(&self, edits: Vec<Edit>) -> Result<Vec<KeyPath>, ConfigError> {
        edits.iter().try_for_each(Edit::check)?;
        self.ask(|reply| Request::Edit(Asked { wish: Wish::Edits(edits), reply })).await?
    }

    /// Carries out `update`, all of it or none. When this returns it survives a power cut, and nothing newer was in
    /// its way.
    pub async fn update(&self, update: Update) -> Result<Vec<KeyPath>, ConfigError> {
        self.ask(|reply| Request::Edit(Asked { wish: Wish::Update(Box::new(update)), reply })).await?
    }

    /// Goes back to an earlier tree, with its times, removing what it does not have. Nodes that live in memory only
    /// stay. The log is rewritten at once: no restart brings the newer values back.
    pub async fn restore(&self, earlier: Tree) -> Result<(), ConfigError> {
        self.ask(|reply| Request::Restore { earlier, reply }).await?
    }

    /// News of `at` and everything below it, from now on.
    pub async fn watch(&self, at: KeyPath) -> Result<Changes, ConfigError> {
        self.ask(|reply| Request::Watch { at, reply }).await
    }

    /// Finishes what was asked before, and ends the service.
    pub async fn close(&self) -> Result<(), ConfigError> {
        self.ask(|reply| Request::Close { reply }).await
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, ConfigError> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(request(reply)).await.map_err(|_| ConfigError::GoingDown)?;
        answer.await.map_err(|_| ConfigError::GoingDown)
    }
}

/// What lies in the mailbox.
#[derive(Debug)]
pub(super) enum Request {
    Edit(Asked),
    Restore { earlier: Tree, reply: oneshot::Sender<Result<(), ConfigError>> },
    Watch { at: KeyPath, reply: oneshot::Sender<Changes> },
    Close { reply: oneshot::Sender<()> },
}

#[derive(Debug)]
pub(super) struct Asked {
    pub(super) wish: Wish,
    pub(super) reply: oneshot::Sender<Result<Vec<KeyPath>, ConfigError>>,
}

#[derive(Debug)]
pub(super) enum Wish {
    Edits(Vec<Edit>),
    Update(Box<Update>),
}

/// News of one place in the tree.
///
/// Bounded: a reader that lags more than [`Changes::BEHIND`] loses the oldest and is told so by one change of the
/// watched node itself, upon which it reads again what it needs.
#[derive(Debug)]
pub struct Changes {
    at: KeyPath,
    begun: bool,
    news: broadcast::Receiver<News>,
}

impl Changes {
    /// News a reader may lag behind.
    pub const BEHIND: usize = 16;

    pub(super) fn new(at: KeyPath, news: broadcast::Receiver<News>) -> Self {
        Self { at, begun: false, news }
    }

    /// The next change; the first is always `Initialized`. `None` when the service has ended.
    pub async fn next(&mut self) -> Option<Change> {
        if !std::mem::replace(&mut self.begun, true) {
            return Some(Change { path: self.at.clone(), kind: ChangeKind::Initialized });
        }
        match self.news.recv().await {
            Ok((path, kind)) => Some(Change { path: path.unwrap_or_else(|| self.at.clone()), kind }),
            Err(broadcast::error::RecvError::Lagged(_)) => {
                Some(Change { path: self.at.clone(), kind: ChangeKind::Changed })
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Something happened at `path`, which is the watched node or one below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    pub path: KeyPath,
    pub kind: ChangeKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChangeKind {
    /// The watch has begun.
    Initialized,
    /// The watched leaf has another value.
    Changed,
    /// A leaf below the watched node has another value.
    ChildChanged,
    /// The watched node is gone.
    Removed,
    /// A node below the watched one is gone.
    ChildRemoved,
    /// A leaf was written again with the value it had.
    TimestampUpdated,
    /// An interior node without children appeared.
    InteriorAdded,
}

/// Why the configuration did not change.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the daemon is shutting down")]
    GoingDown,
    #[error(transparent)]
    Impossible(#[from] EditError),
    #[error("the configuration at {at} is newer than the update")]
    Newer { at: KeyPath },
    #[error("{at} holds other keys, a single value cannot be merged into it")]
    NotAnObject { at: KeyPath },
    #[error("{at} is a single value, nothing can lie below it")]
    LeafInTheWay { at: KeyPath },
    #[error("{of} would become larger than {} MiB", Update::LARGEST >> 20)]
    TooLarge { of: KeyPath },
    #[error("the configuration stays as it is, the change cannot be stored")]
    NotStored {
        #[source]
        cause: Arc<LogError>,
    },
}
