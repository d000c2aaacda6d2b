//! What waits to be written to one client.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::UnixStream;
use tokio::sync::Notify;
use tracing::warn;

use super::account::Account;
use crate::wire::eventstream::{MAX_MESSAGE, MessageType, Outgoing};

/// A queue of bytes, filled by operations and subscriptions, emptied by the connection.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    account: Arc<Account>,
    /// The queue was empty and is not any more.
    filled: Notify,
    /// There is room again.
    drained: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    chunks: VecDeque<Chunk>,
    /// Bytes of the first chunk that are written.
    written: usize,
    bytes: usize,
    /// Bytes charged to the account.
    charged: usize,
    missed: u64,
    closed: bool,
}

#[derive(Debug)]
enum Chunk {
    Own(Vec<u8>),
    Shared(Arc<[u8]>),
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// The client is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Closed;

/// What became of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Offered {
    Taken,
    /// Too much waits already.
    Full,
    Closed,
}

impl Outbox {
    /// Bytes that may wait before no more requests are read.
    const REQUEST_ROOM: usize = 1 << 20;
    /// Bytes that may wait before no more events are taken; the last one taken may exceed it.
    const EVENT_ROOM: usize = 4 << 20;
    /// Payloads up to this are copied behind their headers; longer ones are shared between subscribers.
    const COPIED: usize = 2048;
    /// Small messages are gathered into chunks of about this size.
    const CHUNK: usize = 8 << 10;
    /// Chunks handed to the kernel at once.
    const GATHER: usize = 16;

    pub(super) fn new(account: Arc<Account>) -> Self {
        Self { queue: Mutex::default(), account, filled: Notify::new(), drained: Notify::new() }
    }

    /// Queues a response, an error or an end: always taken, because requests are not read when the queue is full.
    pub(super) fn push(&self, message: Vec<u8>) {
        let mut queue = self.lock();
        if !queue.closed {
            queue.put(Chunk::Own(message));
            self.filled.notify_one();
        }
    }

    /// Queues an event, unless too much waits: the reader is too slow, and the event is lost for it.
    pub(super) fn offer(&self, event: &Outgoing<'_>, payload: &Arc<[u8]>) -> Offered {
        let offered = self.try_put(event, payload);
        if offered == Offered::Full {
            let missed = {
                let mut queue = self.lock();
                queue.missed += 1;
                queue.missed
            };
            if missed == 1 {
                warn!(stream = event.stream, "A client reads too slowly: events for it are dropped.");
            }
        }
        offered
    }

    /// Queues an event, as soon as there is room for it.
    pub(super) async fn send(&self, event: &Outgoing<'_>, payload: &Arc<[u8]>) -> Result<(), Closed> {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            // Registered before the queue is asked, so that no wake-up falls between.
            drained.as_mut().enable();
            match self.try_put(event, payload) {
                Offered::Taken => return Ok(()),
                Offered::Closed => return Err(Closed),
                Offered::Full => drained.await,
            }
        }
    }

    fn try_put(&self, event: &Outgoing<'_>, payload: &Arc<[u8]>) -> Offered {
        let (mut head, tail) = event.encode_around(payload);
        let length = head.len() + payload.len() + tail.len();
        if length > MAX_MESSAGE {
            return Offered::Full;
        }
        let mut queue = self.lock();
        if queue.closed {
            return Offered::Closed;
        }
        if queue.bytes >= Self::EVENT_ROOM || !self.account.wait(length) {
            return Offered::Full;
        }
        queue.charged += length;
        if payload.len() <= Self::COPIED {
            head.extend_from_slice(payload);
            head.extend_from_slice(&tail);
            queue.put(Chunk::Own(head));
        } else {
            queue.put(Chunk::Own(head));
            queue.put(Chunk::Shared(Arc::clone(payload)));
            queue.put(Chunk::Own(tail.into()));
        }
        self.filled.notify_one();
        Offered::Taken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().bytes == 0
    }

    pub(super) fn has_room(&self) -> bool {
        self.lock().bytes < Self::REQUEST_ROOM
    }

    /// Ready when something was put into the empty queue.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Writes what the socket takes now.
    pub(super) fn write_to(&self, stream: &UnixStream) -> io::Result<()> {
        let mut queue = self.lock();
        while queue.bytes > 0 {
            let written = {
                let skip = queue.written;
                let mut slices = [IoSlice::new(&[]); Self::GATHER];
                let mut count = 0;
                for (slot, chunk) in slices.iter_mut().zip(&queue.chunks) {
                    let from = if count == 0 { skip } else { 0 };
                    *slot = IoSlice::new(&chunk.bytes()[from..]);
                    count += 1;
                }
                match stream.try_write_vectored(&slices[..count]) {
                    Ok(written) => written,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(error),
                }
            };
            queue.take(written);
            let paid = written.min(queue.charged);
            queue.charged -= paid;
            self.account.done(paid);
            if queue.bytes == 0 {
                queue.rest();
            }
            self.drained.notify_waiters();
        }
        Ok(())
    }

    /// Forgets everything; whoever wants to send learns that the client is gone.
    pub(super) fn close(&self) {
        let mut queue = self.lock();
        self.account.done(queue.charged);
        *queue = Queue { closed: true, ..Queue::default() };
        self.drained.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Everything is written: gives back memory, and tells what was lost meanwhile.
    fn rest(&mut self) {
        self.chunks.shrink_to(Outbox::GATHER);
        if self.missed > 0 {
            warn!(events = self.missed, "A client that read too slowly caught up; events were dropped meanwhile.");
            self.missed = 0;
        }
    }

    fn put(&mut self, chunk: Chunk) {
        self.bytes += chunk.bytes().len();
        if let (Some(Chunk::Own(last)), Chunk::Own(next)) = (self.chunks.back_mut(), &chunk)
            && last.len() + next.len() <= Outbox::CHUNK
        {
            last.extend_from_slice(next);
            return;
        }
        self.chunks.push_back(chunk);
    }

    fn take(&mut self, written: usize) {
        self.bytes -= written;
        self.written += written;
        while let Some(first) = self.chunks.front() {
            let length = first.bytes().len();
            if self.written < length {
                break;
            }
            self.written -= length;
            self.chunks.pop_front();
        }
    }
}

/// One stream's way to its client, for the operation that feeds it.
#[derive(Clone, Debug)]
pub(super) struct Events {
    outbox: Arc<Outbox>,
    stream: i32,
    model_type: &'static str,
}

impl Events {
    pub(super) fn new(outbox: Arc<Outbox>, stream: i32, model_type: &'static str) -> Self {
        Self { outbox, stream, model_type }
    }

    /// Queues an event or loses it; never waits.
    pub(super) fn offer(&self, payload: &Arc<[u8]>) -> Offered {
        self.outbox.offer(&self.message(), payload)
    }

    /// Queues an event when there is room; nothing is lost.
    pub(super) async fn send(&self, payload: &Arc<[u8]>) -> Result<(), Closed> {
        self.outbox.send(&self.message(), payload).await
    }

    fn message(&self) -> Outgoing<'_> {
        Outgoing::new(MessageType::ApplicationMessage, self.stream).model(self.model_type)
    }
}
