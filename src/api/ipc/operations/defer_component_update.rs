//! `DeferComponentUpdate`: a component's answer to a `preUpdateEvent`, on whichever of its connections.

use crate::api::ipc::call::Call;
use crate::service::deploy::DeferError;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::updates::{DeferComponentUpdateRequest, DeferComponentUpdateResponse};
use crate::wire::name::DeploymentId;

/// A deployment this device has never heard of is `ResourceNotFoundError`; one that does not wait for this component's
/// answer, or not any more, `ServiceError`, as in the reference.
pub(super) async fn answer(
    call: &Call,
    request: DeferComponentUpdateRequest,
) -> Result<DeferComponentUpdateResponse, IpcError> {
    let deploy = &call.services.deploy;
    let not_subscribed = || {
        let principal = &call.principal;
        IpcError::invalid_arguments(format!("{principal} is not subscribed to component updates"))
    };
    let component = call.principal.component().ok_or_else(not_subscribed)?;
    let deferral = request.deferral();
    let id = request.deployment_id.ok_or_else(|| IpcError::invalid_arguments("the request has no deploymentId"))?;
    let deployment = DeploymentId::parse(&id).map_err(|error| IpcError::invalid_arguments(error.to_string()))?;
    match deploy.updates().defer(component, &deployment, deferral) {
        Ok(()) => {
            if let Some(message) = request.message.filter(|_| !deferral.is_zero()) {
                let message: String = message.chars().take(MESSAGE).collect();
                tracing::info!(%component, %deployment, message, "The component says why it defers the update.");
            }
            Ok(DeferComponentUpdateResponse {})
        }
        Err(DeferError::NotSubscribed { .. }) => Err(not_subscribed()),
        Err(error @ DeferError::TooLate { .. }) => Err(IpcError::service(error.to_string())),
        Err(error @ DeferError::UnknownDeployment { .. }) => match deploy.status(deployment).await {
            Ok(_) => Err(IpcError::service(error.to_string())),
            Err(refused) => Err(super::deployment::refused(&refused)),
        },
    }
}

/// Characters of a component's reason that go into the log.
const MESSAGE: usize = 1024;
