//! From the name of an operation and its payload to the file that carries it out.

mod authorize_client_device_action;
mod cancel_local_deployment;
mod components;
mod configuration;
mod create_debug_password;
mod create_local_deployment;
mod defer_component_update;
mod delete_thing_shadow;
mod deployment;
mod get_client_device_auth_token;
mod get_component_details;
mod get_configuration;
mod get_local_deployment_status;
mod get_secret_value;
mod get_thing_shadow;
mod iot_core;
mod list_components;
mod list_local_deployments;
mod list_named_shadows_for_thing;
mod missing;
mod pause_component;
mod publish_to_iot_core;
mod publish_to_topic;
mod put_component_metric;
mod restart_component;
mod resume_component;
mod send_configuration_validity_report;
mod shadow;
mod stop_component;
mod subscribe_to_certificate_updates;
mod subscribe_to_component_updates;
mod subscribe_to_configuration_update;
mod subscribe_to_iot_core;
mod subscribe_to_iot_core_connection_status;
mod subscribe_to_topic;
mod subscribe_to_validate_configuration_updates;
#[cfg(test)]
mod tests;
mod update_configuration;
mod update_state;
mod update_thing_shadow;
mod validate_authorization_token;
mod verify_client_device_identity;

use serde::de::DeserializeOwned;

use super::call::{Call, Job, Reply};
use crate::wire::ipc::{ErrorKind, IpcError, Operation};

/// Reads the request and makes the future that answers it.
pub(super) fn dispatch(call: Call, payload: &[u8]) -> Result<Job, IpcError> {
    macro_rules! once {
        ($module:ident) => {{
            let request = read(&call, payload)?;
            Ok(Box::pin(async move { Reply::once(&$module::answer(&call, request).await?) }))
        }};
    }
    macro_rules! stream {
        ($module:ident) => {{
            let request = read(&call, payload)?;
            Ok(Box::pin(async move { Reply::open($module::open(&call, request).await?) }))
        }};
    }
    match call.operation {
        Operation::AuthorizeClientDeviceAction => once!(authorize_client_device_action),
        Operation::CancelLocalDeployment => once!(cancel_local_deployment),
        Operation::CreateDebugPassword => once!(create_debug_password),
        Operation::CreateLocalDeployment => once!(create_local_deployment),
        Operation::DeferComponentUpdate => once!(defer_component_update),
        Operation::DeleteThingShadow => once!(delete_thing_shadow),
        Operation::GetClientDeviceAuthToken => once!(get_client_device_auth_token),
        Operation::GetComponentDetails => once!(get_component_details),
        Operation::GetConfiguration => once!(get_configuration),
        Operation::GetLocalDeploymentStatus => once!(get_local_deployment_status),
        Operation::GetSecretValue => once!(get_secret_value),
        Operation::GetThingShadow => once!(get_thing_shadow),
        Operation::ListComponents => once!(list_components),
        Operation::ListLocalDeployments => once!(list_local_deployments),
        Operation::ListNamedShadowsForThing => once!(list_named_shadows_for_thing),
        Operation::PauseComponent => once!(pause_component),
        Operation::PublishToIoTCore => once!(publish_to_iot_core),
        Operation::PublishToTopic => once!(publish_to_topic),
        Operation::PutComponentMetric => once!(put_component_metric),
        Operation::RestartComponent => once!(restart_component),
        Operation::ResumeComponent => once!(resume_component),
        Operation::SendConfigurationValidityReport => once!(send_configuration_validity_report),
        Operation::StopComponent => once!(stop_component),
        Operation::SubscribeToCertificateUpdates => stream!(subscribe_to_certificate_updates),
        Operation::SubscribeToComponentUpdates => stream!(subscribe_to_component_updates),
        Operation::SubscribeToConfigurationUpdate => stream!(subscribe_to_configuration_update),
        Operation::SubscribeToIoTCore => stream!(subscribe_to_iot_core),
        Operation::SubscribeToIoTCoreConnectionStatus => stream!(subscribe_to_iot_core_connection_status),
        Operation::SubscribeToTopic => stream!(subscribe_to_topic),
        Operation::SubscribeToValidateConfigurationUpdates => stream!(subscribe_to_validate_configuration_updates),
        Operation::UpdateConfiguration => once!(update_configuration),
        Operation::UpdateState => once!(update_state),
        Operation::UpdateThingShadow => once!(update_thing_shadow),
        Operation::ValidateAuthorizationToken => once!(validate_authorization_token),
        Operation::VerifyClientDeviceIdentity => once!(verify_client_device_identity),
    }
}

/// The request; no payload counts as `{}`.
fn read<R: DeserializeOwned>(call: &Call, payload: &[u8]) -> Result<R, IpcError> {
    let payload = if payload.is_empty() { b"{}" } else { payload };
    serde_json::from_slice(payload).map_err(|error| refuse(call.operation, &error))
}

fn refuse(operation: Operation, error: &serde_json::Error) -> IpcError {
    let message = format!("the request is not valid: {error}");
    if operation.declares(ErrorKind::InvalidArguments) {
        IpcError::invalid_arguments(message)
    } else {
        IpcError::service(message)
    }
}
