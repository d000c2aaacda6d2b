//! `GetThingShadow`: the document of one shadow.

use super::{missing, shadow};
use crate::api::ipc::call::Call;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::shadow::{GetThingShadowRequest, GetThingShadowResponse};

pub(super) async fn answer(call: &Call, request: GetThingShadowRequest) -> Result<GetThingShadowResponse, IpcError> {
    let id = shadow::id(request.thing_name.as_deref(), request.shadow_name.as_deref())?;
    call.authorize(&id.to_string())?;
    Err(missing::shadows())
}
