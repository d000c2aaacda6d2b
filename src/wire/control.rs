//! The local control protocol: JSON lines over the daemon's control socket.
//!
//! The daemon speaks first: `{"hello":{"protocol":1,"version":"0.1.0"}}`, or an error and the end of the connection
//! for a peer it does not serve. Then the client writes one request per line, and each is answered by any number of
//! item lines and one last line, `"done"` or `{"error":{"code":..,"message":..}}`. A request that follows something
//! goes on until the client writes its next request or hangs up. Try it with `nc -U control.socket`.
//!
//! A daemon of a later protocol says so in its hello; requests and answers only ever gain optional fields within one.

mod line;
mod message;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::deployment::{DeploymentRecord, LocalDeploymentRequest};
use crate::name::{ComponentName, ComponentVersion, DeploymentId};
use crate::state::{ComponentState, DeploymentStatus, Link, StatusCode};
use crate::strict_json;
use crate::topic::{Topic, TopicFilter};

pub use line::LineBuffer;
pub use message::{Payload, RawJson, TopicMessage};

/// The protocol both sides must speak.
pub const PROTOCOL: u32 = 1;
/// Bytes of one request line: a configuration update may be as large as a recipe.
pub const MAX_REQUEST: usize = 2 << 20;
/// Bytes of one answer line: the whole configuration of a full device fits.
pub const MAX_ANSWER: usize = 32 << 20;
/// Filters of one [`Request::FollowTopics`].
pub const MAX_FILTERS: usize = 64;

/// What a client asks.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Request {
    /// One [`Answer::Status`].
    Status,
    /// An [`Answer::Component`] each, in order of name.
    Components,
    /// One [`Answer::Component`].
    Component {
        name: ComponentName,
    },
    Restart {
        name: ComponentName,
    },
    Stop {
        name: ComponentName,
    },
    Pause {
        name: ComponentName,
    },
    Resume {
        name: ComponentName,
    },
    /// One [`Answer::Submitted`]; paths in it are absolute.
    CreateDeployment(Box<LocalDeploymentRequest>),
    CancelDeployment {
        id: DeploymentId,
    },
    /// One [`Answer::Deployment`].
    Deployment {
        id: DeploymentId,
    },
    /// An [`Answer::Deployment`] each, newest first.
    Deployments,
    /// An [`Answer::Deployment`] now and at each change, until the deployment has ended.
    FollowDeployment {
        id: DeploymentId,
    },
    /// An [`Answer::News`] for each change of a component's state.
    FollowComponents,
    /// An [`Answer::Log`] for each line any log file gains.
    FollowLogs,
    /// One [`Answer::Published`]; JSON must be an object, for the clients of components know nothing else.
    Publish {
        topic: Topic,
        payload: Payload,
    },
    /// An [`Answer::Following`] when nothing is missed any more, then an [`Answer::Message`] for each message that a
    /// filter matches, whoever published it.
    FollowTopics {
        filters: Vec<TopicFilter>,
    },
    /// One [`Answer::DebugPassword`].
    CreateDebugPassword,
    /// One [`Answer::Config`]: the value at a JSON pointer, or at keys joined with dots.
    Config {
        path: String,
    },
}

/// One line from the daemon.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Answer {
    Hello {
        protocol: u32,
        version: String,
    },
    Status(Box<DaemonStatus>),
    Component(Box<ComponentDetails>),
    Submitted {
        id: DeploymentId,
    },
    Deployment(Box<DeploymentRecord>),
    News(ComponentChange),
    /// A line as it stands in the log file; `log` is the file's stem.
    Log {
        log: String,
        line: String,
    },
    /// The message was offered to so many subscriptions; one client may have several.
    Published {
        subscriptions: u64,
    },
    Following,
    Message(Box<TopicMessage>),
    /// The reader was too slow: so many items are left out here.
    Missed {
        count: u64,
    },
    DebugPassword(DebugPassword),
    Config {
        value: Value,
    },
    Done,
    Error(Fault),
}

/// Version, age and load of the daemon.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DaemonStatus {
    pub version: String,
    pub target: String,
    pub pid: u32,
    pub root: String,
    pub uptime_seconds: u64,
    /// How components are kept apart: run-as users, cgroups, or nothing of the kind.
    pub isolation: String,
    /// The link to it. A daemon of an earlier version does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<Link>,
    /// Components by state.
    pub components: BTreeMap<ComponentState, usize>,
    /// Known deployments by status.
    pub deployments: BTreeMap<DeploymentStatus, usize>,
}

/// What is known of one component.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentDetails {
    pub name: ComponentName,
    pub version: ComponentVersion,
    pub state: ComponentState,
    pub status_code: StatusCode,
    /// One sentence for ERRORED and BROKEN.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    pub paused: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// `services.<name>.configuration`, `null` when there is none.
    pub configuration: Value,
}

/// A component went from one state to another.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentChange {
    pub name: ComponentName,
    pub version: ComponentVersion,
    pub from: ComponentState,
    pub to: ComponentState,
    pub status_code: StatusCode,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A password of the local debug console.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DebugPassword {
    pub username: String,
    pub password: String,
    /// In milliseconds since 1970.
    pub expires: u64,
}

/// Never shows the password.
impl fmt::Debug for DebugPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DebugPassword").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Why a request was not carried out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    pub code: Code,
    /// A sentence for a person.
    pub message: String,
}

/// Whom a [`Fault`] concerns; programs branch on this.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// The line is no request of this protocol.
    BadRequest,
    /// This user may not control the daemon.
    NotAllowed,
    NotFound,
    /// The thing is there but in no state for this.
    Refused,
    /// The daemon serves as many as it can: come back.
    Busy,
    GoingDown,
    /// The daemon tried and failed, or the code is one of a later version.
    #[serde(other)]
    Failed,
}

impl Request {
    pub fn decode(line: &[u8]) -> Result<Self, ControlError> {
        strict_json::from_slice(line).map_err(|cause| ControlError::Decode { what: "request", cause })
    }

    /// The line, with its end.
    pub fn encode(&self) -> Result<Vec<u8>, ControlError> {
        encode("request", self)
    }
}

impl Answer {
    pub fn decode(line: &[u8]) -> Result<Self, ControlError> {
        serde_json::from_slice(line).map_err(|cause| ControlError::Decode { what: "answer", cause })
    }

    /// The line, with its end.
    pub fn encode(&self) -> Result<Vec<u8>, ControlError> {
        encode("answer", self)
    }
}

fn encode(what: &'static str, message: &impl Serialize) -> Result<Vec<u8>, ControlError> {
    let mut line = serde_json::to_vec(message).map_err(|cause| ControlError::Encode { what, cause })?;
    line.push(b'\n');
    Ok(line)
}

/// A line that does not fit the protocol.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("a line is longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("the line is no {what} of control protocol {PROTOCOL}")]
    Decode {
        what: &'static str,
        #[source]
        cause: serde_json::Error,
    },
    #[error("cannot write the {what} as JSON")]
    Encode {
        what: &'static str,
        #[source]
        cause: serde_json::Error,
    },
}

#[cfg(test)]
mod tests;
