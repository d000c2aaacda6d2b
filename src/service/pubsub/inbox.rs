//! A bounded queue between publishers and one reader inside the daemon.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::handle::Sink;
use super::message::Message;

/// The sink of a reader that is a task. When it is full, new messages are left out and counted, so what the reader
/// gets has gaps only where it is told so.
///
/// One inbox may stand behind several subscriptions: a message that matches more than one of them arrives once.
#[derive(Debug)]
pub struct Inbox {
    limit: Limit,
    queue: Mutex<Queue>,
    /// One permit at most: there is one reader.
    filled: Notify,
}

/// How much may wait. A message larger than the limit alone is taken when nothing else waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    pub messages: usize,
    /// Of topics and payloads.
    pub bytes: usize,
}

/// What the reader gets.
#[derive(Debug)]
pub enum Received {
    Message(Arc<Message>),
    /// So many messages were left out here.
    Missed(u64),
}

#[derive(Default, Debug)]
struct Queue {
    items: VecDeque<Received>,
    bytes: usize,
    /// The number of the last message that was offered.
    last: u64,
}

impl Inbox {
    pub fn new(limit: Limit) -> Arc<Self> {
        Arc::new(Self { limit, queue: Mutex::default(), filled: Notify::new() })
    }

    /// The oldest that waits. Loses nothing when dropped before it is ready. Never ends by itself: whoever holds the
    /// subscriptions ends the reading.
    pub async fn receive(&self) -> Received {
        loop {
            if let Some(received) = self.take() {
                return received;
            }
            self.filled.notified().await;
        }
    }

    /// The oldest that waits, if any.
    pub fn take(&self) -> Option<Received> {
        let mut queue = self.lock();
        let received = queue.items.pop_front()?;
        if let Received::Message(message) = &received {
            queue.bytes -= message.size();
        }
        Some(received)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Inbox {
    fn offer(&self, message: &Arc<Message>) {
        let mut queue = self.lock();
        if queue.last == message.number {
            return;
        }
        queue.last = message.number;
        let bytes = queue.bytes + message.size();
        let is_full = queue.items.len() >= self.limit.messages || bytes > self.limit.bytes;
        if is_full && !queue.items.is_empty() {
            if let Some(Received::Missed(count)) = queue.items.back_mut() {
                *count += 1;
            } else {
                queue.items.push_back(Received::Missed(1));
            }
        } else {
            queue.bytes = bytes;
            queue.items.push_back(Received::Message(message.clone()));
        }
        drop(queue);
        self.filled.notify_one();
    }
}
