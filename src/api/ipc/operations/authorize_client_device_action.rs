//! `AuthorizeClientDeviceAction`: whether the device of a session may do something.

use super::missing;
use crate::api::ipc::call::Call;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::client_device::{AuthorizeClientDeviceActionRequest, AuthorizeClientDeviceActionResponse};

pub(super) async fn answer(
    call: &Call,
    request: AuthorizeClientDeviceActionRequest,
) -> Result<AuthorizeClientDeviceActionResponse, IpcError> {
    call.authorize("*")?;
    let members = [
        ("clientDeviceAuthToken", request.client_device_auth_token),
        ("operation", request.operation),
        ("resource", request.resource),
    ];
    for (name, member) in members {
        if member.is_none_or(|text| text.is_empty()) {
            return Err(IpcError::invalid_arguments(format!("the request has no {name}")));
        }
    }
    Err(missing::client_devices())
}
