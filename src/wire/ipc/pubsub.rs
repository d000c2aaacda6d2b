//! Local publish/subscribe: `PublishToTopic`, `SubscribeToTopic`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::json::{self, Blob};
use crate::topic::TopicFilter;

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

impl JsonMessage {
    /// Levels of objects and lists in a message; subscribers' parsers give up not far above.
    pub const MAX_NESTING: usize = 128;
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

impl ReceiveMode {
    /// What a request without one means: who subscribes to a wildcard does not hear itself.
    pub fn default_for(filter: &TopicFilter) -> Self {
        if filter.is_wildcard() { Self::ReceiveMessagesFromOthers } else { Self::ReceiveAllMessages }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscribeToTopicResponse {
    pub topic_name: String,
}

/// The event of `SubscribeToTopic`, a union: exactly one member.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SubscriptionResponseMessage<'a> {
    JsonMessage {
        message: &'a RawValue,
        context: MessageContext<'a>,
    },
    BinaryMessage {
        #[serde(serialize_with = "json::base64")]
        message: &'a [u8],
        context: MessageContext<'a>,
    },
}

impl SubscriptionResponseMessage<'_> {
    /// `service-model-type` of the event.
    pub const MODEL_TYPE: &'static str = "aws.greengrass#SubscriptionResponseMessage";
}

#[derive(Debug, Serialize)]
pub struct MessageContext<'a> {
    pub topic: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_holds_the_message_as_it_was_written() {
        let message = RawValue::from_string("{ \"b\":1.50, \"a\" : [1e2] }".into()).unwrap();
        let context = || MessageContext { topic: "t" };
        let json = SubscriptionResponseMessage::JsonMessage { message: &message, context: context() };
        assert_eq!(
            serde_json::to_string(&json).unwrap(),
            r#"{"jsonMessage":{"message":{ "b":1.50, "a" : [1e2] },"context":{"topic":"t"}}}"#
        );
        let binary = SubscriptionResponseMessage::BinaryMessage { message: &[0, 255], context: context() };
        assert_eq!(
            serde_json::to_string(&binary).unwrap(),
            r#"{"binaryMessage":{"message":"AP8=","context":{"topic":"t"}}}"#
        );
    }
}
