//! `UpdateState`: a component says where it stands.

use super::components::{not_found, refusal};
use crate::api::ipc::call::Call;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::components::{ReportedLifecycleState, UpdateStateRequest, UpdateStateResponse};
use crate::wire::state::ComponentState;

/// For itself only, so no policy is asked. A report that does not fit the state it is in has no effect and is no error.
pub(super) async fn answer(call: &Call, request: UpdateStateRequest) -> Result<UpdateStateResponse, IpcError> {
    let state = match request.state {
        Some(ReportedLifecycleState::Running) => ComponentState::Running,
        Some(ReportedLifecycleState::Errored) => ComponentState::Errored,
        None => return Err(IpcError::service("the request has no state")),
    };
    let name = call.principal.component().ok_or_else(|| not_found(&call.principal.to_string()))?;
    call.services.supervisor.report(name.clone(), state).await.map_err(|refused| refusal(&refused))?;
    Ok(UpdateStateResponse {})
}
