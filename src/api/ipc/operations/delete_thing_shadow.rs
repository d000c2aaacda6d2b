//! `DeleteThingShadow`: removes one shadow.

use super::{missing, shadow};
use crate::api::ipc::call::Call;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::shadow::{DeleteThingShadowRequest, DeleteThingShadowResponse};

pub(super) async fn answer(
    call: &Call,
    request: DeleteThingShadowRequest,
) -> Result<DeleteThingShadowResponse, IpcError> {
    let id = shadow::id(request.thing_name.as_deref(), request.shadow_name.as_deref())?;
    call.authorize(&id.to_string())?;
    Err(missing::shadows())
}
