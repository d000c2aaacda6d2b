//! Components: what they are, and asking for another state of one.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::state::ComponentState;

#[derive(Debug, Deserialize)]
pub struct UpdateStateRequest {
    pub state: Option<ReportedLifecycleState>,
}

/// What a component may say of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReportedLifecycleState {
    Running,
    Errored,
}

#[derive(Debug, Serialize)]
pub struct UpdateStateResponse {}

#[derive(Debug, Deserialize)]
pub struct ListComponentsRequest {}

#[derive(Debug, Serialize)]
pub struct ListComponentsResponse {
    pub components: Vec<ComponentDetails>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetComponentDetailsRequest {
    pub component_name: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GetComponentDetailsResponse {
    pub component_details: ComponentDetails,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentDetails {
    pub component_name: String,
    pub version: String,
    pub state: ComponentState,
    /// Left out when the component has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestartComponentRequest {
    pub component_name: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestartComponentResponse {
    pub restart_status: RequestStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopComponentRequest {
    pub component_name: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StopComponentResponse {
    pub stop_status: RequestStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Whether a request was taken up; not whether what it asked for has happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RequestStatus {
    Succeeded,
    Failed,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PauseComponentRequest {
    pub component_name: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct PauseComponentResponse {}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResumeComponentRequest {
    pub component_name: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct ResumeComponentResponse {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_two_states_can_be_reported() {
        let state = |text: &str| serde_json::from_str::<UpdateStateRequest>(text).map(|request| request.state);
        assert_eq!(state(r#"{"state":"RUNNING"}"#).unwrap(), Some(ReportedLifecycleState::Running));
        assert_eq!(state(r#"{"state":"ERRORED"}"#).unwrap(), Some(ReportedLifecycleState::Errored));
        assert_eq!(state("{}").unwrap(), None);
        assert!(state(r#"{"state":"FINISHED"}"#).is_err());
        assert!(state(r#"{"state":"running"}"#).is_err());
    }

    #[test]
    fn responses_leave_absent_members_out() {
        let details = ComponentDetails {
            component_name: "C".into(),
            version: "1.0.0".into(),
            state: ComponentState::Finished,
            configuration: None,
        };
        assert_eq!(
            serde_json::to_value(GetComponentDetailsResponse { component_details: details }).unwrap(),
            json!({"componentDetails": {"componentName": "C", "version": "1.0.0", "state": "FINISHED"}})
        );
        let answer = RestartComponentResponse { restart_status: RequestStatus::Succeeded, message: None };
        assert_eq!(serde_json::to_value(answer).unwrap(), json!({"restartStatus": "SUCCEEDED"}));
    }
}
