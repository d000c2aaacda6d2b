//! Local publish/subscribe: `PublishToTopic`, `SubscribeToTopic`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::json::Blob;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishToTopicRequest {
    pub topic: Option<String>,
    pub publish_message: Option<PublishMessage>,
}

/// A union: exactly one member.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PublishMessage {
    JsonMessage(JsonMessage),
    BinaryMessage(BinaryMessage),
}

#[derive(Debug, Deserialize)]
pub struct JsonMessage {
    /// As the publisher wrote it.
    pub message: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
pub struct BinaryMessage {
    pub message: Option<Blob>,
}

#[derive(Debug, Serialize)]
pub struct PublishToTopicResponse {}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscribeToTopicRequest {
    pub topic: Option<String>,
    pub receive_mode: Option<ReceiveMode>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReceiveMode {
    ReceiveAllMessages,
    ReceiveMessagesFromOthers,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscribeToTopicResponse {
    pub topic_name: String,
}
