//! What components have to say when a deployment is about to change them or their configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::name::DeploymentId;

#[derive(Debug, Deserialize)]
pub struct SubscribeToComponentUpdatesRequest {}

#[derive(Debug, Serialize)]
pub struct SubscribeToComponentUpdatesResponse {}

/// A union: exactly one member.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ComponentUpdatePolicyEvents {
    PreUpdateEvent(PreComponentUpdateEvent),
    PostUpdateEvent(PostComponentUpdateEvent),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreComponentUpdateEvent {
    pub deployment_id: DeploymentId,
    pub is_ggc_restarting: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PostComponentUpdateEvent {
    pub deployment_id: DeploymentId,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeferComponentUpdateRequest {
    pub deployment_id: Option<String>,
    pub message: Option<String>,
    /// An integer in the model, but clients of loosely typed languages write `60000.0` for it, too.
    pub recheck_after_ms: Option<f64>,
}

impl DeferComponentUpdateRequest {
    /// Zero for absent, as for everything below one millisecond.
    pub fn deferral(&self) -> Duration {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, which is what is meant")]
        Duration::from_millis(self.recheck_after_ms.unwrap_or_default() as u64)
    }
}

#[derive(Debug, Serialize)]
pub struct DeferComponentUpdateResponse {}

#[derive(Debug, Deserialize)]
pub struct SubscribeToValidateConfigurationUpdatesRequest {}

#[derive(Debug, Serialize)]
pub struct SubscribeToValidateConfigurationUpdatesResponse {}

/// A union: exactly one member.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ValidateConfigurationUpdateEvents {
    ValidateConfigurationUpdateEvent(ValidateConfigurationUpdateEvent),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidateConfigurationUpdateEvent {
    pub configuration: Value,
    pub deployment_id: DeploymentId,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendConfigurationValidityReportRequest {
    pub configuration_validity_report: Option<ConfigurationValidityReport>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationValidityReport {
    pub status: Option<ConfigurationValidityStatus>,
    pub deployment_id: Option<String>,
    pub message: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ConfigurationValidityStatus {
    Accepted,
    Rejected,
}

#[derive(Debug, Serialize)]
pub struct SendConfigurationValidityReportResponse {}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn deferrals_are_read_whatever_the_number() {
        for (number, milliseconds) in [
            (json!(60000), 60000),
            (json!(60000.0), 60000),
            (json!(0), 0),
            (json!(-5), 0),
            (json!(0.5), 0),
            (json!(1e300), u64::MAX),
            (json!(null), 0),
        ] {
            let request = json!({"deploymentId": "d", "recheckAfterMs": number});
            let request: DeferComponentUpdateRequest = serde_json::from_value(request).unwrap();
            assert_eq!(request.deferral(), Duration::from_millis(milliseconds), "{number}");
        }
        assert!(serde_json::from_value::<DeferComponentUpdateRequest>(json!({"recheckAfterMs": "1"})).is_err());
    }

    #[test]
    fn events_have_one_member() {
        let deployment_id = DeploymentId::parse("d").unwrap();
        let event = PreComponentUpdateEvent { deployment_id: deployment_id.clone(), is_ggc_restarting: false };
        assert_eq!(
            json!(ComponentUpdatePolicyEvents::PreUpdateEvent(event)),
            json!({"preUpdateEvent": {"deploymentId": "d", "isGgcRestarting": false}})
        );
        let event = ValidateConfigurationUpdateEvent { configuration: json!({"k": [1]}), deployment_id };
        assert_eq!(
            json!(ValidateConfigurationUpdateEvents::ValidateConfigurationUpdateEvent(event)),
            json!({"validateConfigurationUpdateEvent": {"configuration": {"k": [1]}, "deploymentId": "d"}})
        );
    }
}
