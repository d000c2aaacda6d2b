//! `GetComponentDetails`: version, state and configuration of one component.

use super::components;
use crate::api::ipc::call::Call;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::components::{GetComponentDetailsRequest, GetComponentDetailsResponse};

pub(super) async fn answer(
    call: &Call,
    request: GetComponentDetailsRequest,
) -> Result<GetComponentDetailsResponse, IpcError> {
    let name = components::named(request.component_name)?;
    call.authorize(&name)?;
    Ok(GetComponentDetailsResponse { component_details: components::find(call, &name).await? })
}
