//! `SubscribeToCertificateUpdates`: the certificate a local broker shows to client devices, now and when it is renewed.

use super::missing;
use crate::api::ipc::call::{Call, Opened};
use crate::wire::ipc::IpcError;
use crate::wire::ipc::client_device::{SubscribeToCertificateUpdatesRequest, SubscribeToCertificateUpdatesResponse};

pub(super) async fn open(
    call: &Call,
    request: SubscribeToCertificateUpdatesRequest,
) -> Result<Opened<SubscribeToCertificateUpdatesResponse>, IpcError> {
    call.authorize("*")?;
    let options = request.certificate_options;
    let options = options.ok_or_else(|| IpcError::invalid_arguments("the request has no certificateOptions"))?;
    if options.certificate_type.is_none() {
        return Err(IpcError::invalid_arguments("the certificateOptions have no certificateType"));
    }
    Err(missing::client_devices())
}
