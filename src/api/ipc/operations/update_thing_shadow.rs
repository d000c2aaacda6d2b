//! `UpdateThingShadow`: merges a document into one shadow.

use super::{missing, shadow};
use crate::api::ipc::call::Call;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::shadow::{UpdateThingShadowRequest, UpdateThingShadowResponse};

/// What the document holds is for the shadows to judge, once the caller may touch them.
pub(super) async fn answer(
    call: &Call,
    request: UpdateThingShadowRequest,
) -> Result<UpdateThingShadowResponse, IpcError> {
    let id = shadow::id(request.thing_name.as_deref(), request.shadow_name.as_deref())?;
    let payload = request.payload.unwrap_or_default();
    if payload.0.is_empty() {
        return Err(IpcError::invalid_arguments("the request has no payload"));
    }
    call.authorize(&id.to_string())?;
    Err(missing::shadows())
}
