//! Configuration: `GetConfiguration`, `UpdateConfiguration`, `SubscribeToConfigurationUpdate`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json::Seconds;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetConfigurationRequest {
    /// The caller, when absent.
    pub component_name: Option<String>,
    /// The whole configuration, when absent or empty.
    pub key_path: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GetConfigurationResponse {
    pub component_name: String,
    /// Always an object: a leaf comes under its own key.
    pub value: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateConfigurationRequest {
    pub key_path: Option<Vec<String>>,
    /// 1970 stands for now: so does the C component SDK write that its caller gave none.
    pub timestamp: Option<Seconds>,
    pub value_to_merge: Option<Value>,
}

#[derive(Debug, Serialize)]
pub struct UpdateConfigurationResponse {}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscribeToConfigurationUpdateRequest {
    /// The caller, when absent.
    pub component_name: Option<String>,
    /// The whole configuration, when absent or empty.
    pub key_path: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
pub struct SubscribeToConfigurationUpdateResponse {}

/// A union: the events of `SubscribeToConfigurationUpdate`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ConfigurationUpdateEvents {
    ConfigurationUpdateEvent(ConfigurationUpdateEvent),
}

/// Something changed; what it is now is for the reader to ask.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationUpdateEvent {
    pub component_name: String,
    /// From the component's `configuration` to the node that changed.
    pub key_path: Vec<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_and_unknown_members_are_as_good_as_absent() {
        let request: GetConfigurationRequest =
            serde_json::from_str(r#"{"componentName":null,"keyPath":["a"],"later":1}"#).unwrap();
        assert_eq!(request.component_name, None);
        assert_eq!(request.key_path.unwrap(), ["a"]);
        let request: UpdateConfigurationRequest =
            serde_json::from_str(r#"{"timestamp":0.0000000000000000,"valueToMerge":null}"#).unwrap();
        assert_eq!(request.timestamp, Some(Seconds { milliseconds: 0 }));
        assert!(request.value_to_merge.is_none() && request.key_path.is_none());
    }

    #[test]
    fn events_are_a_union_of_one_member() {
        let event = ConfigurationUpdateEvent { component_name: "C".into(), key_path: vec!["a".into(), "b".into()] };
        assert_eq!(
            serde_json::to_value(ConfigurationUpdateEvents::ConfigurationUpdateEvent(event)).unwrap(),
            json!({"configurationUpdateEvent": {"componentName": "C", "keyPath": ["a", "b"]}})
        );
    }
}
