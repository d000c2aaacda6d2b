//! `SubscribeToTopic`: the messages that match a filter, until the client closes the stream.

use std::sync::Arc;

use crate::api::ipc::call::{Call, Opened};
use crate::api::ipc::outbox::Events;
use crate::service::pubsub::{Message, Sink};
use crate::wire::ipc::IpcError;
use crate::wire::ipc::pubsub::{ReceiveMode, SubscribeToTopicRequest, SubscribeToTopicResponse};
use crate::wire::topic::TopicFilter;

pub(super) async fn open(
    call: &Call,
    request: SubscribeToTopicRequest,
) -> Result<Opened<SubscribeToTopicResponse>, IpcError> {
    let filter = request.topic.ok_or_else(|| IpcError::invalid_arguments("the request has no topic"))?;
    let filter = TopicFilter::parse(filter).map_err(|error| IpcError::invalid_arguments(error.to_string()))?;
    call.authorize(filter.as_str())?;
    let mode = request.receive_mode.unwrap_or_else(|| ReceiveMode::default_for(&filter));
    let topic_name = filter.as_str().to_owned();
    let resource = topic_name.clone();
    let (pubsub, who) = (call.services.pubsub.clone(), call.principal.clone());
    let opened = Opened::guarded(SubscribeToTopicResponse { topic_name }, move |events| {
        pubsub.subscribe(who, &filter, mode, Arc::new(Stream(events)))
    });
    Ok(opened.while_allowed(resource))
}

struct Stream(Events);

impl Sink for Stream {
    fn offer(&self, message: &Arc<Message>) {
        // A client that reads too slowly loses the message: waiting for it would hold up the publisher.
        let _ = self.0.offer(&message.event());
    }
}
