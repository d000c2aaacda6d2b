//! `VerifyClientDeviceIdentity`: whether a certificate is that of a device of this account.

use super::missing;
use crate::api::ipc::call::Call;
use crate::wire::ipc::IpcError;
use crate::wire::ipc::client_device::{VerifyClientDeviceIdentityRequest, VerifyClientDeviceIdentityResponse};

pub(super) async fn answer(
    call: &Call,
    request: VerifyClientDeviceIdentityRequest,
) -> Result<VerifyClientDeviceIdentityResponse, IpcError> {
    call.authorize("*")?;
    let credential = request.credential;
    let credential = credential.ok_or_else(|| IpcError::invalid_arguments("the request has no credential"))?;
    if credential.client_device_certificate.is_none_or(|certificate| certificate.is_empty()) {
        return Err(IpcError::invalid_arguments("the credential has no clientDeviceCertificate"));
    }
    Err(missing::client_devices())
}
