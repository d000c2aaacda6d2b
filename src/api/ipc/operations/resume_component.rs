//! `ResumeComponent`: a frozen component goes on.

use super::components::{Target, named, refusal, status};
use crate::api::ipc::call::Call;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::components::{ResumeComponentRequest, ResumeComponentResponse};

/// `InvalidArgumentsError` is not declared for it, but is what the reference answers for a component that is not paused
/// or that is part of the core.
pub(super) async fn answer(call: &Call, request: ResumeComponentRequest) -> Result<ResumeComponentResponse, IpcError> {
    let name = named(request.component_name)?;
    call.authorize(&name)?;
    match Target::of(&name)? {
        Target::Own(name) => {
            Err(IpcError::invalid_arguments(format!("{name} is part of the core: it is never paused")))
        }
        Target::Kept(name) => {
            if !status(call, &name).await?.paused {
                return Err(IpcError::invalid_arguments(format!("component {name} is not paused")));
            }
            call.services.supervisor.resume(name).await.map_err(|refused| refusal(&refused))?;
            Ok(ResumeComponentResponse {})
        }
    }
}
