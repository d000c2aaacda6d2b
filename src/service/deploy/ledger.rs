//! What the service keeps on disk: the docket, and for the deployment in hand its plan and the tree of before.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::plan::Plan;
use super::state::Docket;
use crate::store::document::{Document, DocumentError};
use crate::store::file::{self, Backup, FileError};
use crate::store::paths::Paths;
use crate::store::tree::{LogError, Tree};
use crate::wire::name::DeploymentId;

/// Reads and writes on the blocking pool; the docket one write at a time.
#[derive(Clone, Debug)]
pub struct Ledger {
    paths: Paths,
    document: Arc<Mutex<Document<Docket>>>,
}

impl Ledger {
    /// Reads the docket. One that cannot be read is put aside: what waited in it is lost, what runs is not.
    pub fn load(paths: &Paths) -> Result<(Self, Docket), LedgerError> {
        let path = paths.deployments().join("docket.json");
        let document = match Document::load(&path) {
            Ok(document) => {
                if let Some(finding) = document.finding() {
                    tracing::warn!(%finding, "The docket of deployments was damaged; its backup is used.");
                }
                document
            }
            Err(fault) => {
                tracing::error!(%fault, "The docket of deployments cannot be read; it is put aside.");
                Document::start_over(&path, Docket::default())?
            }
        };
        let docket = document.value().clone();
        Ok((Self { paths: paths.clone(), document: Arc::new(Mutex::new(document)) }, docket))
    }

    /// Returns when the disk has it.
    pub async fn write(&self, docket: Docket) -> Result<(), LedgerError> {
        let document = Arc::clone(&self.document);
        blocking(move || {
            let mut document = document.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(document.update(|value| *value = docket)?)
        })
        .await
    }

    /// Writes what activation and rollback will need, before either begins. Blocks.
    pub fn write_plan(&self, id: &DeploymentId, plan: &Plan, before: &Tree) -> Result<(), LedgerError> {
        let directory = self.paths.deployment(id);
        let encode = |cause| LedgerError::Encode { path: directory.clone(), cause };
        file::make_directory(&directory, 0o700)?;
        before.save(&directory.join(SNAPSHOT))?;
        file::write(&directory.join(PLAN), 0o600, Backup::Drop, &serde_json::to_vec(plan).map_err(encode)?)?;
        Ok(())
    }

    pub async fn read_plan(&self, id: &DeploymentId) -> Result<Plan, LedgerError> {
        let path = self.paths.deployment(id).join(PLAN);
        blocking(move || {
            let text = file::read(&path, MAX_SIZE)?.ok_or_else(|| LedgerError::Missing { path: path.clone() })?;
            serde_json::from_slice(&text).map_err(|cause| LedgerError::Parse { path, cause })
        })
        .await
    }

    pub async fn read_snapshot(&self, id: &DeploymentId) -> Result<Tree, LedgerError> {
        let path = self.paths.deployment(id).join(SNAPSHOT);
        blocking(move || Ok(Tree::load(&path)?)).await
    }
}

/// Runs `work` on the blocking pool.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| LedgerError::GoingDown)?
}

#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("the daemon is shutting down")]
    GoingDown,
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Snapshot(#[from] LogError),
    #[error("cannot encode the plan of a deployment for {}", path.display())]
    Encode {
        path: PathBuf,
        #[source]
        cause: serde_json::Error,
    },
    #[error("{} is damaged", path.display())]
    Parse {
        path: PathBuf,
        #[source]
        cause: serde_json::Error,
    },
    #[error("{} is not there", path.display())]
    Missing { path: PathBuf },
}

/// The target of the deployment in hand.
const PLAN: &str = "plan.json";
/// The configuration before it; named as the reference nucleus names it.
const SNAPSHOT: &str = "rollback_snapshot.tlog";
/// A larger plan is none of ours.
const MAX_SIZE: u64 = 256 << 20;
