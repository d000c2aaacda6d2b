//! `GetClientDeviceAuthToken`: a session for a client device that shows its credential.

use super::missing;
use crate::api::ipc::call::Call;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::client_device::{GetClientDeviceAuthTokenRequest, GetClientDeviceAuthTokenResponse};

pub(super) async fn answer(
    call: &Call,
    request: GetClientDeviceAuthTokenRequest,
) -> Result<GetClientDeviceAuthTokenResponse, IpcError> {
    call.authorize("*")?;
    if request.credential.and_then(|document| document.mqtt_credential).is_none() {
        return Err(IpcError::invalid_arguments("the request has no mqttCredential"));
    }
    Err(missing::client_devices())
}
