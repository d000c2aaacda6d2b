//! Local publish/subscribe for whoever may control the daemon: no policy stands between them and the components.

use super::answer::Unanswered;
use super::connection::Connection;
use super::follow::ending;
use crate::service::pubsub::{self, Inbox, Limit, Message, Received, Subscription};
use crate::wire::control::{Answer, Code, Fault, MAX_FILTERS, Payload, RawJson, TopicMessage};
use crate::wire::ipc::Blob;
use crate::wire::ipc::pubsub::ReceiveMode;
use crate::wire::topic::{Topic, TopicFilter};

/// What may wait for a client that reads too slowly; it is told how many messages had no room.
const ROOM: Limit = Limit { messages: 256, bytes: 1 << 20 };

pub(super) async fn publish(
    to: &mut Connection,
    topic: Topic,
    payload: Payload,
    pubsub: &pubsub::Handle,
) -> Result<(), Unanswered> {
    let payload = match payload {
        Payload::Json(json) if !json.is_object() => return Err(bad("a JSON message is an object".into()).into()),
        Payload::Json(json) => pubsub::Payload::Json(json.into_inner()),
        Payload::Binary(Blob(bytes)) => pubsub::Payload::Binary(bytes),
    };
    let size = payload.size();
    if size > Payload::MAX_BYTES {
        return Err(bad(format!("the message has {size} bytes, and {} are the most here", Payload::MAX_BYTES)).into());
    }
    let subscriptions = pubsub.publish(&to.principal(), topic, payload) as u64;
    Ok(to.send(&Answer::Published { subscriptions }).await?)
}

pub(super) async fn follow(
    to: &mut Connection,
    filters: &[TopicFilter],
    pubsub: &pubsub::Handle,
) -> Result<(), Unanswered> {
    if filters.is_empty() || filters.len() > MAX_FILTERS {
        return Err(bad(format!("{} filters are given: name 1 to {MAX_FILTERS}", filters.len())).into());
    }
    let inbox = Inbox::new(ROOM);
    let subscribe = |filter| pubsub.subscribe(to.principal(), filter, ReceiveMode::ReceiveAllMessages, inbox.clone());
    let _subscriptions: Vec<Subscription> = filters.iter().map(subscribe).collect();
    to.send(&Answer::Following).await?;
    loop {
        let answer = tokio::select! {
            received = inbox.receive() => match received {
                Received::Message(message) => told(&message),
                Received::Missed(count) => Answer::Missed { count },
            },
            interrupt = to.interrupted() => return ending(interrupt?),
        };
        to.send(&answer).await?;
    }
}

fn told(message: &Message) -> Answer {
    let payload = match &message.payload {
        pubsub::Payload::Json(json) => Payload::Json(RawJson::new(json.clone())),
        pubsub::Payload::Binary(bytes) => Payload::Binary(Blob(bytes.clone())),
    };
    let (topic, from) = (message.topic.clone(), message.from.to_string());
    Answer::Message(Box::new(TopicMessage { topic, from, payload }))
}

fn bad(message: String) -> Fault {
    Fault { code: Code::BadRequest, message }
}
