//! One client that is connected: takes its requests, writes what waits for it, notices when it leaves.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet, yield_now};
use tokio::time::sleep;
use tracing::{debug, info};

use super::Services;
use super::account::{Begun, Place};
use super::call::{Call, Reply, Running};
use super::greeting::{acknowledgement, protocol_error};
use super::operations;
use super::outbox::{Events, Outbox};
use super::socket::Socket;
use super::streams::{Step, Streams};
use crate::wire::eventstream::{Assembler, FeedError, MAX_MESSAGE, Message, MessageType, Outgoing, flags};
use crate::wire::ipc::{ErrorKind, IpcError, Operation};
use crate::wire::principal::Principal;

/// Requests of one connection that may wait for a service before no more are read.
const IN_HAND: usize = 64;

/// Bytes of the longest payload that leaves room for headers in a message.
const LONGEST_RESPONSE: usize = MAX_MESSAGE - 1024;

/// How long the refusal of a stream waits. The SDK for Node.js never learns of one that ends its stream before it has
/// seen its own request written, and waits forever; a core that answers within microseconds comes that early now and
/// then.
const REFUSAL_DELAY: Duration = Duration::from_millis(50);

/// Bytes read at once.
const SCRATCH: usize = 64 << 10;

thread_local! {
    /// Where every connection of this thread reads into: an idle one holds no buffer.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into());
}

#[derive(Debug)]
pub(super) struct Connection {
    socket: Socket,
    services: Arc<Services>,
    principal: Principal,
    assembler: Assembler,
    begun: Begun,
    /// Keeps the principal's count of connections.
    _place: Place,
    streams: Streams<Open>,
    /// News of the policies: what was allowed may not be any more.
    policies: watch::Receiver<u64>,
    outbox: Arc<Outbox>,
    /// Requests that wait for a service.
    jobs: JoinSet<Done>,
    /// What feeds open streams.
    pumps: JoinSet<Done>,
}

/// An open stream.
#[derive(Debug)]
struct Open {
    operation: Operation,
    /// What was authorised, to be asked again.
    resource: Option<String>,
    running: Option<Box<dyn std::any::Any + Send>>,
}

/// Ends a pump together with its stream.
#[derive(Debug)]
struct Pump(AbortHandle);

impl Drop for Pump {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What came of a job.
#[derive(Debug)]
enum Done {
    Answered(i32, Result<Reply, IpcError>),
    /// The stream does not open, and the client may hear it now.
    Refused(i32, IpcError),
    Pumped(i32, Result<(), IpcError>),
}

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    Left,
    Lost(io::Error),
    /// The bytes are no messages.
    Broken(String),
    /// The client broke this rule, and is told so.
    Violation(String),
    GoingDown,
}

impl Connection {
    pub(super) fn new(
        stream: UnixStream,
        services: Arc<Services>,
        principal: Principal,
        place: Place,
    ) -> io::Result<Self> {
        Ok(Self {
            socket: Socket::new(stream)?,
            policies: services.access.changed(),
            services,
            principal,
            assembler: Assembler::new(MAX_MESSAGE),
            begun: place.begun(),
            outbox: Arc::new(Outbox::new(place.account())),
            _place: place,
            streams: Streams::default(),
            jobs: JoinSet::new(),
            pumps: JoinSet::new(),
        })
    }

    /// Serves until the client leaves, breaks the protocol, or the door closes. `ahead` is what was read already.
    /// Gives the stream back when the client must still be told something.
    pub(super) async fn serve(
        mut self,
        ahead: Vec<u8>,
        mut closing: watch::Receiver<bool>,
    ) -> Option<(UnixStream, Vec<u8>)> {
        self.outbox.push(acknowledgement(true));
        let mut end = self.take(&ahead).err();
        drop(ahead);
        while end.is_none() {
            end = self.turn(&mut closing).await.err();
        }
        // What was answered before the end is said, as far as the client takes it.
        let _ = self.outbox.write_to(&mut self.socket);
        let unsaid = if matches!(end, Some(End::Violation(_))) { self.outbox.unwritten() } else { Vec::new() };
        self.outbox.close();
        match end {
            None | Some(End::Left | End::GoingDown) => None,
            Some(End::Lost(error)) => {
                debug!(client = %self.principal, %error, "An IPC connection was lost.");
                None
            }
            Some(End::Broken(reason)) => {
                info!(client = %self.principal, %reason, "An IPC connection is closed: what it sends is no message.");
                None
            }
            Some(End::Violation(rule)) => {
                info!(client = %self.principal, %rule, "An IPC connection is closed: it broke the protocol.");
                self.socket.into_stream().ok().map(|stream| (stream, [unsaid, protocol_error(&rule)].concat()))
            }
        }
    }

    /// Waits for whatever comes next, and does it.
    async fn turn(&mut self, closing: &mut watch::Receiver<bool>) -> Result<(), End> {
        let reading = self.jobs.len() < IN_HAND && self.outbox.has_room();
        let writing = !self.outbox.is_empty();
        let mut more = false;
        tokio::select! {
            ready = self.socket.readable(), if reading => {
                ready.map_err(End::Lost)?;
                more = self.read()? == SCRATCH;
            }
            ready = self.socket.writable(), if writing => ready.map_err(End::Lost)?,
            () = self.outbox.filled(), if !writing => {}
            Some(Ok(done)) = self.jobs.join_next() => self.done(done),
            Some(ended) = self.pumps.join_next() => {
                // One that was aborted belongs to a stream that is closed.
                if let Ok(done) = ended {
                    self.done(done);
                }
            }
            Ok(()) = self.policies.changed() => self.recheck(),
            _ = closing.wait_for(|closing| *closing) => return Err(End::GoingDown),
        }
        self.outbox.write_to(&mut self.socket).map_err(End::Lost)?;
        if more {
            // A client that always has something to say shall not keep the others from being heard.
            yield_now().await;
        }
        Ok(())
    }

    /// Reads once and serves what is whole; how many bytes there were.
    fn read(&mut self) -> Result<usize, End> {
        BUFFER.with_borrow_mut(|buffer| match self.socket.try_read(buffer) {
            Ok(0) => Err(End::Left),
            Ok(length) => self.take(&buffer[..length]).map(|()| length),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(End::Lost(error)),
        })
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), End> {
        // The assembler is borrowed while it hands out messages, so it steps aside for that time.
        let mut assembler = std::mem::replace(&mut self.assembler, Assembler::new(MAX_MESSAGE));
        let fed = assembler.feed(bytes, |message| self.message(&message));
        self.assembler = assembler;
        let within = self.begun.is(self.assembler.held());
        match fed {
            Ok(()) if within => Ok(()),
            Ok(()) => Err(End::Violation("too many long messages are under way at once".into())),
            Err(FeedError::Refused(end)) => Err(end),
            Err(FeedError::Broken(error)) if error.is_protocol_error() => Err(End::Violation(error.to_string())),
            Err(FeedError::Broken(error)) => Err(End::Broken(error.to_string())),
        }
    }

    fn message(&mut self, message: &Message<'_>) -> Result<(), End> {
        match self.streams.step(message) {
            Step::Begin { stream, operation } => self.begin(stream, operation, message.payload),
            Step::End { stream } => drop(self.streams.remove(stream)),
            Step::Pong => self.outbox.push(message.pong()),
            Step::Ignore => {}
            Step::Leave => return Err(End::Left),
            Step::Violation(rule) => return Err(End::Violation(rule.into())),
        }
        Ok(())
    }

    fn begin(&mut self, stream: i32, operation: &str, payload: &[u8]) {
        let Some(operation) = Operation::parse(operation) else {
            let shown: String = operation.chars().take(100).collect();
            let message = format!("there is no operation {shown} in the Greengrass IPC");
            return self.fail(stream, &IpcError::service(message));
        };
        let call = Call { services: Arc::clone(&self.services), principal: self.principal.clone(), operation };
        self.streams.insert(stream, Open { operation, resource: None, running: None });
        let mut job = match operations::dispatch(call, payload) {
            Ok(job) => job,
            Err(error) => return self.done(Done::Answered(stream, Err(error))),
        };
        // Polled at once: what need not wait is over in order of arrival.
        match job.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => self.done(Done::Answered(stream, result)),
            Poll::Pending => drop(self.jobs.spawn(async move { Done::Answered(stream, job.await) })),
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Answered(stream, Ok(reply)) if reply.payload().len() > LONGEST_RESPONSE => {
                let message = format!("the answer of {} bytes is longer than a message may be", reply.payload().len());
                self.done(Done::Answered(stream, Err(IpcError::service(message))));
            }
            Done::Answered(stream, Ok(Reply::Final(response))) => {
                // Closed by the client meanwhile: nobody waits for it.
                if let Some(open) = self.streams.remove(stream) {
                    let message = Outgoing::new(MessageType::ApplicationMessage, stream)
                        .flags(flags::TERMINATE_STREAM)
                        .model(open.operation.response_type());
                    self.outbox.push(message.encode(&response));
                }
            }
            Done::Answered(stream, Ok(Reply::Open { response, resource, start })) => {
                let Some(open) = self.streams.get_mut(stream) else { return };
                let message = Outgoing::new(MessageType::ApplicationMessage, stream);
                self.outbox.push(message.model(open.operation.response_type()).encode(&response));
                let event_type = open.operation.event_type().unwrap_or_default();
                open.resource = resource;
                open.running = Some(match start(Events::new(Arc::clone(&self.outbox), stream, event_type)) {
                    Running::Guard(guard) => guard,
                    Running::Pump(pump) => {
                        let handle = self.pumps.spawn(async move { Done::Pumped(stream, pump.await) });
                        Box::new(Pump(handle))
                    }
                });
            }
            Done::Answered(stream, Err(error)) if self.is_streaming(stream) => {
                self.jobs.spawn(async move {
                    sleep(REFUSAL_DELAY).await;
                    Done::Refused(stream, error)
                });
            }
            Done::Answered(stream, Err(error)) | Done::Refused(stream, error) | Done::Pumped(stream, Err(error)) => {
                if self.streams.remove(stream).is_some() {
                    self.fail(stream, &error);
                }
            }
            Done::Pumped(stream, Ok(())) => {
                if self.streams.remove(stream).is_some() {
                    let end = Outgoing::new(MessageType::ApplicationMessage, stream).flags(flags::TERMINATE_STREAM);
                    self.outbox.push(end.encode(b""));
                }
            }
        }
    }

    fn is_streaming(&self, stream: i32) -> bool {
        self.streams.get(stream).is_some_and(|open| open.operation.event_type().is_some())
    }

    /// Ends the streams whose principal may not have them any more.
    fn recheck(&mut self) {
        let denied = |open: &Open| {
            let resource = open.resource.as_deref()?;
            self.services.access.check(&self.principal, open.operation, Some(resource)).err()
        };
        let denied: Vec<_> = self.streams.iter().filter_map(|(stream, open)| Some((stream, denied(open)?))).collect();
        for (stream, denied) in denied {
            self.streams.remove(stream);
            info!(client = %self.principal, "A stream ends with the policy that allowed it: {denied}.");
            self.fail(stream, &IpcError::new(ErrorKind::Unauthorized, denied.to_string()));
        }
    }

    fn fail(&self, stream: i32, error: &IpcError) {
        let message = Outgoing::new(MessageType::ApplicationError, stream)
            .flags(flags::TERMINATE_STREAM)
            .model(error.kind.model_type());
        self.outbox.push(message.encode(&error.to_json()));
    }
}
