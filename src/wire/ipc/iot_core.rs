//! Messages to and from AWS IoT Core: `PublishToIoTCore`, `SubscribeToIoTCore`, `SubscribeToIoTCoreConnectionStatus`.

use serde::{Deserialize, Serialize};

use super::json::Blob;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishToIoTCoreRequest {
    pub topic_name: Option<String>,
    /// Text, because the error for a word that is no [`Qos`] is not one the model declares.
    pub qos: Option<String>,
    pub payload: Option<Blob>,
    pub retain: Option<bool>,
    pub user_properties: Option<Vec<UserProperty>>,
    pub message_expiry_interval_seconds: Option<i64>,
    pub correlation_data: Option<Blob>,
    pub response_topic: Option<String>,
    pub payload_format: Option<PayloadFormat>,
    pub content_type: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct PublishToIoTCoreResponse {}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscribeToIoTCoreRequest {
    pub topic_name: Option<String>,
    /// As in [`PublishToIoTCoreRequest::qos`].
    pub qos: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct SubscribeToIoTCoreResponse {}

/// An event of `SubscribeToIoTCore`; a union.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IoTCoreMessage {
    Message(MqttMessage),
}

/// A message as it came from AWS IoT Core. The members of MQTT 5 are left out when the sender did not set them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MqttMessage {
    pub topic_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Blob>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retain: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_properties: Option<Vec<UserProperty>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_expiry_interval_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_data: Option<Blob>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_format: Option<PayloadFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct UserProperty {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// How surely a message arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Qos {
    AtMostOnce,
    AtLeastOnce,
}

impl Qos {
    /// Reads the word of a request: `"0"` or `"1"`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "0" => Some(Self::AtMostOnce),
            "1" => Some(Self::AtLeastOnce),
            _ => None,
        }
    }
}

/// What a payload holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum PayloadFormat {
    #[serde(rename = "0")]
    Bytes,
    #[serde(rename = "1")]
    Utf8,
}

#[derive(Debug, Deserialize)]
pub struct SubscribeToIoTCoreConnectionStatusRequest {}

#[derive(Debug, Serialize)]
pub struct SubscribeToIoTCoreConnectionStatusResponse {}

/// An event of `SubscribeToIoTCoreConnectionStatus`; a union.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IoTCoreConnectionStatusEvent {
    ConnectionStatusEvent { status: ConnectionStatus },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConnectionStatus {
    Connected,
    Disconnected,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publish_reads_every_member() {
        let json = r#"{"topicName":"a/b","qos":"1","payload":"aGk=","retain":true,
            "userProperties":[{"key":"k","value":"v"},{"key":"k"}],"messageExpiryIntervalSeconds":3600,
            "correlationData":"AP8=","responseTopic":"r","payloadFormat":"1","contentType":"text/plain","later":1}"#;
        let request: PublishToIoTCoreRequest = serde_json::from_str(json).unwrap();
        assert_eq!(request.topic_name.as_deref(), Some("a/b"));
        assert_eq!(request.qos.as_deref().and_then(Qos::parse), Some(Qos::AtLeastOnce));
        assert_eq!(request.payload, Some(Blob(b"hi".to_vec())));
        assert_eq!(request.retain, Some(true));
        let property = |value: Option<&str>| UserProperty { key: Some("k".into()), value: value.map(Into::into) };
        assert_eq!(request.user_properties, Some(vec![property(Some("v")), property(None)]));
        assert_eq!(request.message_expiry_interval_seconds, Some(3600));
        assert_eq!(request.correlation_data, Some(Blob(vec![0, 255])));
        assert_eq!(request.response_topic.as_deref(), Some("r"));
        assert_eq!(request.payload_format, Some(PayloadFormat::Utf8));
        assert_eq!(request.content_type.as_deref(), Some("text/plain"));
    }

    #[test]
    fn publish_takes_null_as_absent() {
        let json = r#"{"topicName":null,"qos":null,"payload":null,"retain":null,"userProperties":null,
            "messageExpiryIntervalSeconds":null,"payloadFormat":null}"#;
        let request: PublishToIoTCoreRequest = serde_json::from_str(json).unwrap();
        assert!(request.topic_name.is_none() && request.qos.is_none() && request.payload.is_none());
        let empty: PublishToIoTCoreRequest = serde_json::from_str("{}").unwrap();
        assert_eq!(format!("{request:?}"), format!("{empty:?}"));
    }

    #[test]
    fn publish_refuses_what_is_of_another_type() {
        for json in [
            r#"{"qos":1}"#,
            r#"{"payload":"a"}"#,
            r#"{"payload":[104,105]}"#,
            r#"{"payloadFormat":1}"#,
            r#"{"payloadFormat":"2"}"#,
            r#"{"messageExpiryIntervalSeconds":1e400}"#,
            r#"{"messageExpiryIntervalSeconds":99999999999999999999}"#,
            r#"{"userProperties":{"k":"v"}}"#,
            r#"{"topicName":"a","topicName":"b"}"#,
        ] {
            assert!(serde_json::from_str::<PublishToIoTCoreRequest>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn qos_is_a_word_of_one_digit() {
        assert_eq!(Qos::parse("0"), Some(Qos::AtMostOnce));
        for refused in ["", "2", "01", "AT_LEAST_ONCE"] {
            assert_eq!(Qos::parse(refused), None, "{refused}");
        }
    }

    #[test]
    fn message_leaves_out_what_is_not_set() {
        let message = MqttMessage {
            topic_name: "a/b".into(),
            payload: Some(Blob(b"hi".to_vec())),
            retain: Some(false),
            ..MqttMessage::default()
        };
        let json = r#"{"message":{"topicName":"a/b","payload":"aGk=","retain":false}}"#;
        assert_eq!(serde_json::to_string(&IoTCoreMessage::Message(message)).unwrap(), json);
    }

    #[test]
    fn message_reads_what_it_wrote() {
        let event = IoTCoreMessage::Message(MqttMessage {
            topic_name: "a".into(),
            payload: Some(Blob::default()),
            retain: Some(true),
            user_properties: Some(vec![UserProperty { key: Some("k".into()), value: Some("v".into()) }]),
            message_expiry_interval_seconds: Some(4_294_967_295),
            correlation_data: Some(Blob(vec![0])),
            response_topic: Some("r".into()),
            payload_format: Some(PayloadFormat::Bytes),
            content_type: Some("c".into()),
        });
        let json = r#"{"message":{"topicName":"a","payload":"","retain":true,"userProperties":[{"key":"k","value":"v"}],"messageExpiryIntervalSeconds":4294967295,"correlationData":"AA==","responseTopic":"r","payloadFormat":"0","contentType":"c"}}"#;
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
        assert_eq!(serde_json::from_str::<IoTCoreMessage>(json).unwrap(), event);
    }

    #[test]
    fn connection_status_is_a_union_of_one() {
        let event = IoTCoreConnectionStatusEvent::ConnectionStatusEvent { status: ConnectionStatus::Disconnected };
        let json = r#"{"connectionStatusEvent":{"status":"DISCONNECTED"}}"#;
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
        assert_eq!(serde_json::from_str::<IoTCoreConnectionStatusEvent>(json).unwrap(), event);
        assert_eq!(serde_json::to_string(&SubscribeToIoTCoreConnectionStatusResponse {}).unwrap(), "{}");
        assert!(serde_json::from_str::<SubscribeToIoTCoreConnectionStatusRequest>(r#"{"a":1}"#).is_ok());
    }
}
