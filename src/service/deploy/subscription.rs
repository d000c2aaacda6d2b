//! Who wants to hear of something, by component.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::wire::name::ComponentName;

/// Where the news of one subscription goes.
pub trait Sink<T>: fmt::Debug + Send + Sync {
    /// Takes the news, or says that it cannot; never waits, and never calls back.
    fn offer(&self, news: &T) -> bool;
}

/// A component need not ask for the same thing so often.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{component} has {} subscriptions of this kind already", Self::MOST)]
pub struct TooManySubscriptions {
    component: ComponentName,
}

impl TooManySubscriptions {
    /// Subscriptions of one kind that a component may have at a time, on all its connections.
    pub const MOST: usize = 64;
}

/// The subscriptions there are, each known by a number that grows. One without a sink is not told anything yet.
#[derive(Debug)]
pub(super) struct Book<T> {
    next: u64,
    sinks: BTreeMap<ComponentName, Sinks<T>>,
}

type Sinks<T> = BTreeMap<u64, Option<Arc<dyn Sink<T>>>>;

impl<T> Default for Book<T> {
    fn default() -> Self {
        Self { next: 0, sinks: BTreeMap::new() }
    }
}

impl<T> Book<T> {
    pub(super) fn add(&mut self, component: &ComponentName) -> Result<u64, TooManySubscriptions> {
        let sinks = self.sinks.entry(component.clone()).or_default();
        if sinks.len() >= TooManySubscriptions::MOST {
            return Err(TooManySubscriptions { component: component.clone() });
        }
        self.next += 1;
        sinks.insert(self.next, None);
        Ok(self.next)
    }

    pub(super) fn listen(&mut self, component: &ComponentName, number: u64, sink: Arc<dyn Sink<T>>) {
        if let Some(place) = self.sinks.get_mut(component).and_then(|sinks| sinks.get_mut(&number)) {
            *place = Some(sink);
        }
    }

    pub(super) fn remove(&mut self, component: &ComponentName, number: u64) {
        if let Some(sinks) = self.sinks.get_mut(component) {
            sinks.remove(&number);
            if sinks.is_empty() {
                self.sinks.remove(component);
            }
        }
    }

    pub(super) fn has(&self, component: &ComponentName) -> bool {
        self.sinks.contains_key(component)
    }

    pub(super) fn components(&self) -> impl Iterator<Item = &ComponentName> {
        self.sinks.keys()
    }

    /// Offers the news to every subscription of the component; the numbers of those that took it.
    pub(super) fn tell<'a>(&'a self, component: &'a ComponentName, news: &'a T) -> impl Iterator<Item = u64> + 'a {
        self.of(component).filter(|(_, sink)| sink.offer(news)).map(|(number, _)| number)
    }

    /// Oldest first.
    pub(super) fn of(&self, component: &ComponentName) -> impl Iterator<Item = (u64, &dyn Sink<T>)> {
        let sinks = self.sinks.get(component).into_iter().flatten();
        sinks.filter_map(|(number, sink)| Some((*number, sink.as_deref()?)))
    }
}

/// A subscription that puts what it hears into a channel.
#[cfg(test)]
pub(crate) mod listening {
    use tokio::sync::mpsc;

    use super::Sink;

    #[derive(Debug)]
    pub(crate) struct Channel<T>(pub(crate) mpsc::Sender<T>);

    impl<T: Clone + std::fmt::Debug + Send> Sink<T> for Channel<T> {
        fn offer(&self, news: &T) -> bool {
            self.0.try_send(news.clone()).is_ok()
        }
    }

    /// Dropping it ends the subscription.
    #[derive(Debug)]
    pub(crate) struct Listener<S, T> {
        pub(crate) _subscription: S,
        pub(crate) inbox: mpsc::Receiver<T>,
    }

    impl<S, T> Listener<S, T> {
        pub(crate) async fn recv(&mut self) -> Option<T> {
            self.inbox.recv().await
        }

        pub(crate) fn try_recv(&mut self) -> Result<T, mpsc::error::TryRecvError> {
            self.inbox.try_recv()
        }
    }

    /// News that fit into the channel.
    pub(crate) const ROOM: usize = 4;
}
