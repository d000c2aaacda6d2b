//! From the name of an operation and its payload to the file that carries it out.

mod cancel_local_deployment;
mod create_local_deployment;
mod defer_component_update;
mod deployment;
mod get_local_deployment_status;
mod list_local_deployments;
mod publish_to_topic;
mod send_configuration_validity_report;
mod subscribe_to_component_updates;
mod subscribe_to_topic;
mod subscribe_to_validate_configuration_updates;

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
        Operation::CancelLocalDeployment => once!(cancel_local_deployment),
        Operation::CreateLocalDeployment => once!(create_local_deployment),
        Operation::DeferComponentUpdate => once!(defer_component_update),
        Operation::GetLocalDeploymentStatus => once!(get_local_deployment_status),
        Operation::ListLocalDeployments => once!(list_local_deployments),
        Operation::PublishToTopic => once!(publish_to_topic),
        Operation::SendConfigurationValidityReport => once!(send_configuration_validity_report),
        Operation::SubscribeToComponentUpdates => stream!(subscribe_to_component_updates),
        Operation::SubscribeToTopic => stream!(subscribe_to_topic),
        Operation::SubscribeToValidateConfigurationUpdates => stream!(subscribe_to_validate_configuration_updates),
        operation => Err(IpcError::service(format!("{operation} is not supported by this version"))),
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
