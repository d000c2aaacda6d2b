//! What waits to be written to one client.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tracing::warn;

use super::account::Account;
use super::socket::Socket;
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
    Shared(Arc<Vec<u8>>),
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
    pub(super) fn offer(&self, event: &Outgoing<'_>, payload: &Arc<Vec<u8>>) -> Offered {
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
    pub(super) async fn send(&self, event: &Outgoing<'_>, payload: &Arc<Vec<u8>>) -> Result<(), Closed> {
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

    fn try_put(&self, event: &Outgoing<'_>, payload: &Arc<Vec<u8>>) -> Offered {
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
    pub(super) fn write_to(&self, socket: &mut Socket) -> io::Result<()> {
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
                match socket.try_write(&slices[..count]) {
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
                socket.rest();
            }
            self.drained.notify_waiters();
        }
        Ok(())
    }

    /// What is not written yet.
    pub(super) fn unwritten(&self) -> Vec<u8> {
        let queue = self.lock();
        queue.chunks.iter().flat_map(Chunk::bytes).skip(queue.written).copied().collect()
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
    pub(super) fn offer(&self, payload: &Arc<Vec<u8>>) -> Offered {
        self.outbox.offer(&self.message(), payload)
    }

    /// Queues an event when there is room; nothing is lost.
    pub(super) async fn send(&self, payload: &Arc<Vec<u8>>) -> Result<(), Closed> {
        self.outbox.send(&self.message(), payload).await
    }

    fn message(&self) -> Outgoing<'_> {
        Outgoing::new(MessageType::ApplicationMessage, self.stream).model(self.model_type)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::UnixStream;

    use super::*;
    use crate::api::ipc::account::Accounts;
    use crate::wire::eventstream::Message;
    use crate::wire::principal::Principal;

    fn outbox() -> Arc<Outbox> {
        let accounts = Accounts::new(4);
        let place = accounts.open(&Principal::Client("c".into())).unwrap();
        Arc::new(Outbox::new(place.account()))
    }

    fn event(stream: i32) -> Outgoing<'static> {
        Outgoing::new(MessageType::ApplicationMessage, stream).model("m")
    }

    fn payload(length: usize) -> Arc<Vec<u8>> {
        Arc::new((0..length).map(|place| u8::try_from(place % 251).unwrap()).collect())
    }

    #[tokio::test]
    async fn outbox_writes_what_was_put_however_little_the_socket_takes() {
        let outbox = outbox();
        let (mut ours, mut theirs) = pair();
        let mut expected = Vec::new();
        for (stream, length) in [(1, 0), (2, 10), (3, Outbox::COPIED), (4, Outbox::COPIED + 1), (5, 700_000), (6, 3)] {
            let payload = payload(length);
            assert_eq!(outbox.offer(&event(stream), &payload), Offered::Taken);
            expected.extend(event(stream).encode(&payload));
            outbox.push(event(stream).encode(b"r"));
            expected.extend(event(stream).encode(b"r"));
        }
        let read = drain(&outbox, &mut ours, &mut theirs, expected.len()).await;
        assert!(read == expected, "the bytes differ");
        assert!(Message::decode(&event(9).encode(&payload(9))).is_ok());
        assert_eq!(outbox.account.waiting(), 0);
    }

    #[tokio::test]
    async fn outbox_drops_events_for_a_slow_reader_and_never_responses() {
        let outbox = outbox();
        let large = payload(1 << 20);
        let taken = (0..10).filter(|_| outbox.offer(&event(1), &large) == Offered::Taken).count();
        assert_eq!(taken, 4);
        outbox.push(b"response".to_vec());
        assert!(!outbox.has_room());
        let second = event(2);
        let waiting = outbox.send(&second, &large);
        tokio::pin!(waiting);
        assert!(poll_once(waiting.as_mut()).is_none());
        let (mut ours, mut theirs) = pair();
        drain(&outbox, &mut ours, &mut theirs, 4 * event(1).encode(&large).len() + b"response".len()).await;
        assert_eq!(waiting.await, Ok(()));
        outbox.close();
        assert_eq!(outbox.offer(&event(1), &large), Offered::Closed);
        assert_eq!(outbox.send(&event(1), &large).await, Err(Closed));
        assert_eq!(outbox.account.waiting(), 0);
    }

    #[tokio::test]
    async fn outbox_takes_no_message_longer_than_the_protocol_allows() {
        let outbox = outbox();
        assert_eq!(outbox.offer(&event(1), &payload(MAX_MESSAGE)), Offered::Full);
        assert_eq!(outbox.offer(&event(1), &payload(MAX_MESSAGE - 200)), Offered::Taken);
    }

    fn pair() -> (Socket, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Socket::new(ours).unwrap(), theirs)
    }

    async fn drain(outbox: &Outbox, ours: &mut Socket, theirs: &mut UnixStream, length: usize) -> Vec<u8> {
        let mut read = vec![0; length];
        let writing = async {
            while !outbox.is_empty() {
                ours.writable().await.unwrap();
                outbox.write_to(ours).unwrap();
            }
        };
        let ((), result) = tokio::join!(writing, theirs.read_exact(&mut read));
        result.unwrap();
        read
    }

    fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
