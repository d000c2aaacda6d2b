//! What others may ask: publish and subscribe.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::message::{Message, Payload};
use super::trie::{Place, Trie};
use crate::wire::ipc::pubsub::ReceiveMode;
use crate::wire::principal::Principal;
use crate::wire::topic::{Topic, TopicFilter};

/// Where the messages of a subscription go.
pub trait Sink: Send + Sync {
    /// Takes a message, or leaves it when there is no room: that is decided here and never told to the publisher.
    ///
    /// Never blocks: the publisher waits for it. It may subscribe, unsubscribe and publish. What it publishes reaches
    /// the others before they see the message it was offered; who unsubscribes another may still see that one be
    /// offered the message in hand.
    fn offer(&self, message: &Arc<Message>);
}

/// Cheap to clone; all clones are one service.
#[derive(Clone, Default)]
pub struct Handle {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    // Held for look-ups and changes alone, never while a sink is offered something or dropped.
    state: Mutex<State>,
}

struct State {
    subscribers: Trie<Subscriber>,
    /// The number of the last subscription or message.
    last: u64,
}

struct Subscriber {
    number: u64,
    who: Principal,
    mode: ReceiveMode,
    sink: Arc<dyn Sink>,
}

impl Handle {
    /// A service of its own, without subscriptions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers a message to all who subscribed to its topic, before it returns; how many these were.
    pub fn publish(&self, from: &Principal, topic: Topic, payload: Payload) -> usize {
        let mut sinks = Vec::new();
        let number = {
            let mut state = self.shared.lock();
            state.subscribers.matching(&topic, |subscriber| {
                if subscriber.hears(from) {
                    sinks.push(subscriber.sink.clone());
                }
            });
            state.next()
        };
        if !sinks.is_empty() {
            let message = Arc::new(Message::new(number, from.clone(), topic, payload));
            sinks.iter().for_each(|sink| sink.offer(&message));
        }
        sinks.len()
    }

    /// From now on every message that the filter matches is offered to the sink, until the subscription is dropped.
    ///
    /// Subscriptions do not know each other: a sink behind two that match is offered the message twice.
    pub fn subscribe(
        &self,
        who: Principal,
        filter: &TopicFilter,
        mode: ReceiveMode,
        sink: Arc<dyn Sink>,
    ) -> Subscription {
        let mut state = self.shared.lock();
        let number = state.next();
        let place = state.subscribers.insert(filter, Subscriber { number, who, mode, sink });
        drop(state);
        Subscription { shared: self.shared.clone(), place, number }
    }

    /// How many subscriptions there are.
    pub fn subscriptions(&self) -> usize {
        self.shared.lock().subscribers.len()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("subscriptions", &self.subscriptions()).finish()
    }
}

/// Dropping it unsubscribes.
#[must_use = "dropping it unsubscribes"]
pub struct Subscription {
    shared: Arc<Shared>,
    place: Place,
    number: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let removed = self.shared.lock().subscribers.remove(self.place, |subscriber| subscriber.number == self.number);
        // After the lock is free: the sink may hold subscriptions of its own.
        drop(removed);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for State {
    fn default() -> Self {
        Self { subscribers: Trie::new(), last: 0 }
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl Subscriber {
    fn hears(&self, from: &Principal) -> bool {
        match self.mode {
            ReceiveMode::ReceiveAllMessages => true,
            ReceiveMode::ReceiveMessagesFromOthers => self.who != *from,
        }
    }
}
