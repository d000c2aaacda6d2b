//! What is answered in place of a service that is not part of the daemon yet, each in one place.
//!
//! The operations that end here have read, checked and authorised their request: only the last line of each changes when
//! its service comes.

use crate::wire::ipc::IpcError;

pub(super) fn iot_core() -> IpcError {
    IpcError::service(
        "AWS IoT Core is not reachable from this build: the MQTT link is not part of it yet; \
         between components of this device, use PublishToTopic and SubscribeToTopic",
    )
}

pub(super) fn shadows() -> IpcError {
    IpcError::service(
        "shadows are not kept by this build: the shadow manager is not part of it yet; \
         keep the state in the component's configuration, with UpdateConfiguration",
    )
}

pub(super) fn secrets() -> IpcError {
    IpcError::service(
        "secrets are not kept by this build: the secret manager is not part of it yet; \
         give the component its secret in a file that only its user can read",
    )
}

pub(super) fn client_devices() -> IpcError {
    IpcError::service(
        "client devices are not known to this build: client device authentication is not part of it yet; \
         let the broker authenticate its devices itself",
    )
}
