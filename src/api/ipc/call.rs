//! One call, as an operation sees it, and what an operation gives back.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use tracing::warn;

use super::Services;
use super::outbox::Events;
use crate::service::access::Denied;
use crate::wire::ipc::{ErrorKind, IpcError, Operation};
use crate::wire::principal::Principal;

/// Who calls what, and where to ask.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) services: Arc<Services>,
    pub(super) principal: Principal,
    pub(super) operation: Operation,
}

impl Call {
    /// Whether policies let the principal do this to `resource`.
    pub(super) fn authorize(&self, resource: &str) -> Result<(), IpcError> {
        self.services.access.check(&self.principal, self.operation, Some(resource)).map_err(|denied| refuse(&denied))
    }

    /// The refusal of what no policy could allow.
    pub(super) fn deny(&self, resource: &str) -> IpcError {
        let (principal, operation) = (self.principal.clone(), self.operation);
        refuse(&Denied { principal, operation, resource: Some(resource.into()) })
    }
}

fn refuse(denied: &Denied) -> IpcError {
    warn!(component = %denied.principal, "{denied}.");
    IpcError::new(ErrorKind::Unauthorized, denied.to_string())
}

/// How an operation goes on; ready at once unless it has to wait for a service.
pub(super) type Job = Pin<Box<dyn Future<Output = Result<Reply, IpcError>> + Send>>;

/// The answer to a request.
pub(super) enum Reply {
    /// The payload of the response, which ends the stream.
    Final(Vec<u8>),
    /// The payload of the response, after which events come.
    Open { response: Vec<u8>, resource: Option<String>, start: Start },
}

/// The answer of a streaming operation.
pub(super) struct Opened<R> {
    pub(super) response: R,
    /// The resource that was authorised: asked again when policies change, and the stream ends when it is denied.
    pub(super) resource: Option<String>,
    pub(super) start: Start,
}

/// Called once the response is queued, so that no event overtakes it.
pub(super) type Start = Box<dyn FnOnce(Events) -> Running + Send>;

/// What keeps events coming.
pub(super) enum Running {
    /// Something calls [`Events::offer`] until this is dropped.
    Guard(Box<dyn Any + Send>),
    /// Runs until the client closes the stream; when it ends by itself, so does the stream.
    Pump(Pin<Box<dyn Future<Output = Result<(), IpcError>> + Send>>),
}

impl<R> Opened<R> {
    /// Events come from something that is registered by `start` and withdrawn by dropping what it gives.
    pub(super) fn guarded<G: Send + 'static>(response: R, start: impl FnOnce(Events) -> G + Send + 'static) -> Self {
        Self { response, resource: None, start: Box::new(|events| Running::Guard(Box::new(start(events)))) }
    }

    /// Events come from a future.
    pub(super) fn pumped<F>(response: R, start: impl FnOnce(Events) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), IpcError>> + Send + 'static,
    {
        Self { response, resource: None, start: Box::new(|events| Running::Pump(Box::pin(start(events)))) }
    }

    /// The stream ends when the principal may not have `resource` any more.
    pub(super) fn while_allowed(self, resource: impl Into<String>) -> Self {
        Self { resource: Some(resource.into()), ..self }
    }
}

impl Reply {
    /// The payload of the response.
    pub(super) fn payload(&self) -> &[u8] {
        match self {
            Self::Final(response) | Self::Open { response, .. } => response,
        }
    }

    pub(super) fn once(response: &impl Serialize) -> Result<Self, IpcError> {
        json(response).map(Self::Final)
    }

    pub(super) fn open<R: Serialize>(opened: Opened<R>) -> Result<Self, IpcError> {
        let Opened { response, resource, start } = opened;
        Ok(Self::Open { response: json(&response)?, resource, start })
    }
}

/// The payload of a response or an event.
pub(super) fn json(shape: &impl Serialize) -> Result<Vec<u8>, IpcError> {
    serde_json::to_vec(shape).map_err(|error| IpcError::service(format!("the answer cannot be written: {error}")))
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Final(_) => f.write_str("Final"),
            Self::Open { resource, .. } => f.debug_struct("Open").field("resource", resource).finish_non_exhaustive(),
        }
    }
}

impl<R: fmt::Debug> fmt::Debug for Opened<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("response", &self.response).finish_non_exhaustive()
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Guard(_) => "Guard",
            Self::Pump(_) => "Pump",
        })
    }
}
