//! `GetLocalDeploymentStatus`: where one deployment stands, or how it ended.

use super::deployment::{id, in_full, refused};
use crate::api::ipc::call::Call;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::local_deployment::{GetLocalDeploymentStatusRequest, GetLocalDeploymentStatusResponse};

/// `InvalidArgumentsError` is not declared for it, but is what the reference answers to an id that is no UUID.
pub(super) async fn answer(
    call: &Call,
    request: GetLocalDeploymentStatusRequest,
) -> Result<GetLocalDeploymentStatusResponse, IpcError> {
    let id = id(request.deployment_id)?;
    call.authorize(id.as_str())?;
    let record = call.services.deploy.status(id).await.map_err(|error| refused(&error))?;
    Ok(GetLocalDeploymentStatusResponse { deployment: in_full(record) })
}
