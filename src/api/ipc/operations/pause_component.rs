//! `PauseComponent`: a running component is frozen where it stands.

use super::components::{Target, named, refusal};
use crate::api::ipc::call::Call;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::components::{PauseComponentRequest, PauseComponentResponse};

/// `InvalidArgumentsError` is not declared for it, but is what the reference answers for a component that does not run
/// or that is part of the core. Where components have no cgroup of their own, none can be paused.
pub(super) async fn answer(call: &Call, request: PauseComponentRequest) -> Result<PauseComponentResponse, IpcError> {
    let name = named(request.component_name)?;
    call.authorize(&name)?;
    match Target::of(&name)? {
        Target::Own(name) => {
            Err(IpcError::invalid_arguments(format!("{name} is part of the core: it cannot be paused")))
        }
        Target::Kept(name) => {
            call.services.supervisor.pause(name).await.map_err(|refused| refusal(&refused))?;
            Ok(PauseComponentResponse {})
        }
    }
}
