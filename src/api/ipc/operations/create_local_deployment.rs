//! `CreateLocalDeployment`: recipes, artifacts and changes of components, queued to be carried out.

use super::deployment::refused;
use crate::api::ipc::call::Call;
use crate::base::report::Report;
use crate::service::deploy::DirectoryError;
use crate::wire::ipc::local_deployment::{CreateLocalDeploymentRequest, CreateLocalDeploymentResponse};
use crate::wire::ipc::{ErrorKind, IpcError};

/// A component that may do this is as powerful as the daemon: it says what runs on the device and as which user, and
/// the daemon reads the directories it names with the daemon's own rights. So permission comes first, and nobody
/// without it learns here which paths exist.
pub(super) async fn answer(
    call: &Call,
    request: CreateLocalDeploymentRequest,
) -> Result<CreateLocalDeploymentResponse, IpcError> {
    call.authorize("*")?;
    let request = request.into_deployment().map_err(|error| IpcError::invalid_arguments(error.to_string()))?;
    let deploy = &call.services.deploy;
    deploy.look(&request).await.map_err(|error| IpcError::new(kind(&error), Report(&error).to_string()))?;
    let id = deploy.submit(request).await.map_err(|error| refused(&error))?;
    tracing::info!(client = %call.principal, deployment = %id, "A client of the IPC asked for a deployment.");
    Ok(CreateLocalDeploymentResponse { deployment_id: id.to_string() })
}

fn kind(error: &DirectoryError) -> ErrorKind {
    match error {
        DirectoryError::Recipes { .. } => ErrorKind::InvalidRecipeDirectoryPath,
        DirectoryError::Artifacts { .. } | DirectoryError::ArtifactsOfStore { .. } => {
            ErrorKind::InvalidArtifactsDirectoryPath
        }
    }
}
