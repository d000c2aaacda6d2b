//! `SubscribeToIoTCoreConnectionStatus`: whether the cloud can be reached, now and upon each change.

use super::missing;
use crate::api::ipc::call::{Call, Opened};
use crate::wire::ipc::IpcError;
use crate::wire::ipc::iot_core::{
    SubscribeToIoTCoreConnectionStatusRequest, SubscribeToIoTCoreConnectionStatusResponse,
};

/// No policy guards it.
pub(super) async fn open(
    _call: &Call,
    SubscribeToIoTCoreConnectionStatusRequest {}: SubscribeToIoTCoreConnectionStatusRequest,
) -> Result<Opened<SubscribeToIoTCoreConnectionStatusResponse>, IpcError> {
    Err(missing::iot_core())
}
