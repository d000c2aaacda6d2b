//! `PublishToTopic`: a message to whoever subscribed on this device.

use crate::api::ipc::call::Call;
use crate::service::pubsub::Payload;
use crate::wire::ipc::pubsub::{
    BinaryMessage, JsonMessage, PublishMessage, PublishToTopicRequest, PublishToTopicResponse,
};
use crate::wire::ipc::{IpcError, nesting};
use crate::wire::topic::Topic;

/// Succeeds with nobody listening. `InvalidArgumentsError` is not declared for it, but is what the reference answers.
pub(super) async fn answer(call: &Call, request: PublishToTopicRequest) -> Result<PublishToTopicResponse, IpcError> {
    let topic = request.topic.ok_or_else(|| IpcError::invalid_arguments("the request has no topic"))?;
    let topic = Topic::parse(topic).map_err(|error| IpcError::invalid_arguments(error.to_string()))?;
    let payload = match request.publish_message {
        Some(PublishMessage::JsonMessage(JsonMessage { message: Some(json) })) => {
            if !json.get().starts_with('{') {
                return Err(IpcError::invalid_arguments("a JSON message must be an object"));
            }
            if nesting(json.get()) > JsonMessage::MAX_NESTING {
                let message = format!("a JSON message must not nest deeper than {} levels", JsonMessage::MAX_NESTING);
                return Err(IpcError::invalid_arguments(message));
            }
            Payload::Json(json)
        }
        Some(PublishMessage::BinaryMessage(BinaryMessage { message: Some(bytes) })) => Payload::Binary(bytes.0),
        _ => return Err(IpcError::invalid_arguments("the request has no message: give jsonMessage or binaryMessage")),
    };
    call.authorize(topic.as_str())?;
    call.services.pubsub.publish(&call.principal, topic, payload);
    Ok(PublishToTopicResponse {})
}
