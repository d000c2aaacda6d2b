//! The loop: takes edits as they come, stores them, lets everybody see.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::{debug, warn};

use super::handle::{Asked, ConfigError, Handle, Request};
use super::state::{Draft, Watchers, changed};
use crate::base::report::Report;
use crate::store::tree::{Entry, KeyPath, Log, LogError, Opened, Tree};

/// Edit requests written with one fdatasync(2) at most: a bound on what one full disk refuses together.
const GROUP: usize = Handle::MAILBOX;

/// Starts the service on what was loaded from `directory` (`<root>/config`). It ends with [`Handle::close`], or when
/// the last handle is gone.
pub fn spawn(opened: Opened, directory: PathBuf) -> (Handle, JoinHandle<()>) {
    for finding in &opened.findings {
        warn!("{finding}.");
    }
    let (inbox, requests) = mpsc::channel(Handle::MAILBOX);
    let (publish, tree) = watch::channel(opened.tree);
    let service = Service { log: Arc::new(Mutex::new(opened.log)), publish, watchers: Watchers::default(), directory };
    (Handle::new(inbox, tree), tokio::spawn(service.run(requests)))
}

/// What came of one request.
type Batch<T> = Result<Vec<T>, ConfigError>;

struct Service {
    /// Held by one blocking job at a time; never contended.
    log: Arc<Mutex<Log>>,
    publish: watch::Sender<Tree>,
    watchers: Watchers,
    directory: PathBuf,
}

impl Service {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        self.write_effective().await;
        let mut put_back = None;
        let mut closing: Option<oneshot::Sender<()>> = None;
        loop {
            let request = match put_back.take() {
                Some(request) => request,
                None => match requests.recv().await {
                    Some(request) => request,
                    None => break,
                },
            };
            match request {
                Request::Edit(first) => {
                    let mut group = vec![first];
                    while group.len() < GROUP {
                        match requests.try_recv() {
                            Ok(Request::Edit(next)) => group.push(next),
                            Ok(other) => {
                                put_back = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    self.edit(group).await;
                    self.shorten().await;
                }
                Request::Restore { earlier, reply } => {
                    let _ = reply.send(self.restore(&earlier).await);
                }
                Request::Watch { at, reply } => {
                    let _ = reply.send(self.watchers.add(at));
                }
                Request::Close { reply } => {
                    // What was asked before is in the mailbox or done; what is asked from now on is refused.
                    requests.close();
                    closing = Some(reply);
                }
            }
        }
        self.write_effective().await;
        if let Some(reply) = closing {
            let _ = reply.send(());
        }
    }

    /// Stores a group of requests together; if that fails, each for itself, so that none is refused for another.
    async fn edit(&mut self, group: Vec<Asked>) {
        let Draft { after, batches } = Draft::new(&self.tree(), group.iter().map(|asked| &asked.wish));
        match self.store(after, batches).await {
            Ok(answers) => {
                for (asked, answer) in group.into_iter().zip(answers) {
                    let _ = asked.reply.send(answer);
                }
            }
            Err(cause) if group.len() == 1 => {
                let refusal = ConfigError::NotStored { cause: Arc::new(cause) };
                group.into_iter().for_each(|asked| drop(asked.reply.send(Err(refusal.clone()))));
            }
            Err(_) => {
                for asked in group {
                    Box::pin(self.edit(vec![asked])).await;
                }
            }
        }
    }

    /// Keeps the log from growing for ever. Those who asked for an edit are not kept waiting for this.
    async fn shorten(&mut self) {
        let tree = self.tree();
        match self.on_log(move |log| if log.is_long() { log.rewrite(&tree).map(|()| true) } else { Ok(false) }).await {
            Ok(true) => debug!("Configuration log rewritten."),
            Ok(false) => {}
            Err(cause) => warn!(cause = %Report(&cause), "Cannot shorten the configuration log, going on with it."),
        }
    }

    async fn store(&mut self, after: Tree, batches: Vec<Batch<Entry>>) -> Result<Vec<Batch<KeyPath>>, LogError> {
        let tree = after.clone();
        let batches = self
            .on_log(move |log| log.append(batches.iter().flatten().map(Vec::as_slice), &tree).map(|()| batches))
            .await?;
        self.publish.send_replace(after);
        batches.iter().flatten().for_each(|entries| self.watchers.tell(entries));
        Ok(batches.into_iter().map(|batch| batch.map(|entries| changed(&entries))).collect())
    }

    async fn restore(&mut self, earlier: &Tree) -> Result<(), ConfigError> {
        let now = self.tree();
        let after = now.restored(earlier);
        let tree = after.clone();
        let rewritten = self.on_log(move |log| log.rewrite(&tree)).await;
        rewritten.map_err(|cause| ConfigError::NotStored { cause: Arc::new(cause) })?;
        self.publish.send_replace(after.clone());
        self.watchers.tell(&now.difference(&after));
        Ok(())
    }

    fn tree(&self) -> Tree {
        self.publish.borrow().clone()
    }

    /// Runs `work` on the log where it may block.
    async fn on_log<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Log) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let log = Arc::clone(&self.log);
        // A panic ends the process, so a poisoned lock is never seen; a cancelled job means the runtime is going down.
        let job = spawn_blocking(move || work(&mut log.lock().unwrap_or_else(PoisonError::into_inner)));
        job.await.unwrap_or(Err(LogError::Interrupted))
    }

    async fn write_effective(&self) {
        let (tree, directory) = (self.tree(), self.directory.clone());
        if let Ok(Err(cause)) = spawn_blocking(move || tree.write_effective(&directory)).await {
            warn!(cause = %Report(&cause), "Cannot write the effective configuration.");
        }
    }
}
