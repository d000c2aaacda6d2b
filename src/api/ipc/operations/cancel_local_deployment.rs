//! `CancelLocalDeployment`: withdraws a deployment that has not begun to change components.

use super::deployment::{id, refused};
use crate::api::ipc::call::Call;
use crate::service::deploy::Refused;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::local_deployment::{CancelLocalDeploymentRequest, CancelLocalDeploymentResponse};

/// It succeeds for a deployment that has ended, as in the reference: its message says that nothing was done.
pub(super) async fn answer(
    call: &Call,
    request: CancelLocalDeploymentRequest,
) -> Result<CancelLocalDeploymentResponse, IpcError> {
    let id = id(request.deployment_id)?;
    call.authorize("*")?;
    let message = match call.services.deploy.cancel(id.clone()).await {
        Ok(()) => {
            tracing::info!(client = %call.principal, deployment = %id, "A client of the IPC cancelled a deployment.");
            format!("Deployment {id} is cancelled.")
        }
        Err(Refused::Ended(_)) => format!("Deployment {id} is not cancelled: it has ended already."),
        Err(error) => return Err(refused(&error)),
    };
    Ok(CancelLocalDeploymentResponse { message })
}
