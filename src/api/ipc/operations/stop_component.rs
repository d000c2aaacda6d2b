//! `StopComponent`: one component comes to rest, until a restart or a deployment.

use super::components::{Target, named, refusal};
use crate::api::ipc::call::Call;
use crate::service::supervisor::Refused;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::components::{RequestStatus, StopComponentRequest, StopComponentResponse};

/// `SUCCEEDED` means taken up, `FAILED` that the component is there and cannot be stopped now.
/// `ResourceNotFoundError` is not declared for it, but is what the reference answers.
pub(super) async fn answer(call: &Call, request: StopComponentRequest) -> Result<StopComponentResponse, IpcError> {
    let name = named(request.component_name)?;
    call.authorize(&name)?;
    let failed = |message| StopComponentResponse { stop_status: RequestStatus::Failed, message: Some(message) };
    match Target::of(&name)? {
        Target::Own(name) => Ok(failed(format!("{name} is part of the core: it cannot be stopped alone"))),
        Target::Kept(name) => match call.services.supervisor.stop(name).await {
            Ok(()) => Ok(StopComponentResponse { stop_status: RequestStatus::Succeeded, message: None }),
            Err(refused @ Refused::WrongState { .. }) => Ok(failed(refused.to_string())),
            Err(refused) => Err(refusal(&refused)),
        },
    }
}
