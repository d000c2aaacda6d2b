//! `ListComponents`: everything that runs here, the daemon's own parts included.

use super::components;
use crate::api::ipc::call::Call;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::components::{ListComponentsRequest, ListComponentsResponse};

pub(super) async fn answer(call: &Call, _: ListComponentsRequest) -> Result<ListComponentsResponse, IpcError> {
    call.authorize("*")?;
    Ok(ListComponentsResponse { components: components::list(call).await? })
}
