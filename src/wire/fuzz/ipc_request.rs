//! Requests of the IPC.

use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ipc::Operation;
use crate::ipc::{
    client_device, components, configuration, debug_password, iot_core, local_deployment, metrics, pubsub, secret,
    shadow, tokens, updates,
};

/// A request is refused or understood; understood, it is also understood when another writer spells the same JSON.
///
/// The first byte picks the operation.
pub fn ipc_request(data: &[u8]) {
    let Some((&first, payload)) = data.split_first() else { return };
    match Operation::ALL[usize::from(first) % Operation::ALL.len()] {
        Operation::AuthorizeClientDeviceAction => stable::<client_device::AuthorizeClientDeviceActionRequest>(payload),
        Operation::CreateDebugPassword => stable::<debug_password::CreateDebugPasswordRequest>(payload),
        Operation::DeleteThingShadow => stable::<shadow::DeleteThingShadowRequest>(payload),
        Operation::GetClientDeviceAuthToken => stable::<client_device::GetClientDeviceAuthTokenRequest>(payload),
        Operation::GetComponentDetails => stable::<components::GetComponentDetailsRequest>(payload),
        Operation::GetConfiguration => stable::<configuration::GetConfigurationRequest>(payload),
        Operation::GetSecretValue => stable::<secret::GetSecretValueRequest>(payload),
        Operation::GetThingShadow => stable::<shadow::GetThingShadowRequest>(payload),
        Operation::ListComponents => stable::<components::ListComponentsRequest>(payload),
        Operation::ListNamedShadowsForThing => stable::<shadow::ListNamedShadowsForThingRequest>(payload),
        Operation::PauseComponent => stable::<components::PauseComponentRequest>(payload),
        Operation::PublishToIoTCore => stable::<iot_core::PublishToIoTCoreRequest>(payload),
        Operation::PublishToTopic => drop(understood::<pubsub::PublishToTopicRequest>(payload)),
        Operation::PutComponentMetric => stable::<metrics::PutComponentMetricRequest>(payload),
        Operation::RestartComponent => stable::<components::RestartComponentRequest>(payload),
        Operation::ResumeComponent => stable::<components::ResumeComponentRequest>(payload),
        Operation::StopComponent => stable::<components::StopComponentRequest>(payload),
        Operation::SubscribeToCertificateUpdates => {
            stable::<client_device::SubscribeToCertificateUpdatesRequest>(payload);
        }
        Operation::SubscribeToConfigurationUpdate => {
            stable::<configuration::SubscribeToConfigurationUpdateRequest>(payload);
        }
        Operation::SubscribeToIoTCore => stable::<iot_core::SubscribeToIoTCoreRequest>(payload),
        Operation::SubscribeToIoTCoreConnectionStatus => {
            stable::<iot_core::SubscribeToIoTCoreConnectionStatusRequest>(payload);
        }
        Operation::SubscribeToTopic => stable::<pubsub::SubscribeToTopicRequest>(payload),
        Operation::UpdateConfiguration => stable::<configuration::UpdateConfigurationRequest>(payload),
        Operation::UpdateState => stable::<components::UpdateStateRequest>(payload),
        Operation::UpdateThingShadow => stable::<shadow::UpdateThingShadowRequest>(payload),
        Operation::VerifyClientDeviceIdentity => stable::<client_device::VerifyClientDeviceIdentityRequest>(payload),
        Operation::CancelLocalDeployment => {
            stable::<local_deployment::CancelLocalDeploymentRequest>(payload);
        }
        Operation::CreateLocalDeployment => {
            stable::<local_deployment::CreateLocalDeploymentRequest>(payload);
        }
        Operation::GetLocalDeploymentStatus => {
            stable::<local_deployment::GetLocalDeploymentStatusRequest>(payload);
        }
        Operation::ListLocalDeployments => {
            stable::<local_deployment::ListLocalDeploymentsRequest>(payload);
        }
        Operation::DeferComponentUpdate => {
            stable::<updates::DeferComponentUpdateRequest>(payload);
        }
        Operation::SendConfigurationValidityReport => {
            stable::<updates::SendConfigurationValidityReportRequest>(payload);
        }
        Operation::SubscribeToComponentUpdates => {
            stable::<updates::SubscribeToComponentUpdatesRequest>(payload);
        }
        Operation::SubscribeToValidateConfigurationUpdates => {
            stable::<updates::SubscribeToValidateConfigurationUpdatesRequest>(payload);
        }
        Operation::ValidateAuthorizationToken => {
            stable::<tokens::ValidateAuthorizationTokenRequest>(payload);
        }
    }
}

/// Says the same whoever spells it.
fn stable<T: DeserializeOwned + Debug>(payload: &[u8]) {
    if let Some((request, respelled)) = understood::<T>(payload) {
        assert_eq!(format!("{request:?}"), format!("{respelled:?}"));
    }
}

/// The request, and the same request as another writer spells it. One that carries JSON on unread differs in Debug.
fn understood<T: DeserializeOwned + Debug>(payload: &[u8]) -> Option<(T, T)> {
    let request = serde_json::from_slice::<T>(payload).ok()?;
    let respelled = serde_json::from_slice::<Value>(payload).ok()?.to_string();
    Some((request, serde_json::from_str(&respelled).expect("the same JSON is understood again")))
}
