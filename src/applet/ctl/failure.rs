//! What can go wrong with a command, told so that the user knows what to do; and the exit code it has.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::api::control::{Client, ClientError};
use crate::applet::USAGE;
use crate::base::report::Report;
use crate::store::paths::Paths;
use crate::sys::account;
use crate::wire::control::{Code, Fault};
use crate::wire::name::ComponentName;
use crate::wire::state::DeploymentStatus;

const FAILED: u8 = 1;
const REFUSED: u8 = 2;
/// `EX_UNAVAILABLE` of `sysexits.h`.
const UNREACHABLE: u8 = 69;

/// Connects to the daemon whose root directory this is.
pub(super) fn connect(root: &Path) -> Result<Client, Failure> {
    Client::connect(&Paths::new(root.into()).control_socket())
        .map_err(|cause| Failure::Ask { root: root.into(), cause })
}

/// The daemon has another working directory, so it only ever gets absolute paths.
pub(super) fn absolute(option: &'static str, path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|cause| Failure::Path { option, path: path.into(), cause })
}

/// A command that did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("cannot ask the daemon")]
    Ask {
        root: PathBuf,
        #[source]
        cause: ClientError,
    },
    #[error(
        "there is nothing to do: name a component with --merge NAME=VERSION or --remove NAME, change one with \
         --update-config, --runWith or --systemLimits, or take in recipes with --recipeDir"
    )]
    NothingToDo,
    #[error("{option} {}", path.display())]
    Path {
        option: &'static str,
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{option} {}: it is not a directory", path.display())]
    NotADirectory { option: &'static str, path: PathBuf },
    #[error("{option} {}: the path is not UTF-8", path.display())]
    NotUtf8 { option: &'static str, path: PathBuf },
    #[error("{option}: it is neither a JSON object like {example} nor a file with one")]
    NotJson {
        option: &'static str,
        example: &'static str,
        #[source]
        cause: serde_json::Error,
    },
    #[error("{option} {}: it is larger than {limit} bytes", path.display())]
    TooLarge { option: &'static str, path: PathBuf, limit: u64 },
    #[error("component {name} is named twice, by {first} and by {second}: say what you want with one of them")]
    NamedTwice { name: ComponentName, first: &'static str, second: &'static str },
    #[error("{option} {}: cannot read it", path.display())]
    ReadMessage {
        option: &'static str,
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("--json: the message is no JSON object such as {{\"a\":1}}")]
    NoObject {
        /// None for JSON that is something else.
        #[source]
        cause: Option<serde_json::Error>,
    },
    #[error("the time is over, and {came} of {wanted} messages came")]
    TimeIsOver { came: u64, wanted: u64 },
    #[error(transparent)]
    Logs(#[from] super::logs::LogsError),
    #[error("cannot print")]
    Print(#[source] io::Error),
    /// Each was told already.
    #[error("not all components could be changed")]
    SomeFailed { code: u8 },
    /// Told already, with its details.
    #[error("the deployment ended {status}")]
    Ended { status: DeploymentStatus },
    #[error("standard output is gone")]
    ReaderGone,
}

impl Failure {
    pub(super) fn print(cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Print(cause),
        }
    }

    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Ask { cause, .. } => ask_exit_code(cause),
            Self::SomeFailed { code } => *code,
            Self::Ended { status: DeploymentStatus::Canceled | DeploymentStatus::Rejected } => REFUSED,
            Self::Ended { .. } | Self::Print(_) | Self::TimeIsOver { .. } => FAILED,
            Self::Logs(error) => {
                if error.is_usage() {
                    USAGE
                } else {
                    REFUSED
                }
            }
            Self::ReaderGone => 0,
            Self::Path { .. } | Self::NotADirectory { .. } | Self::ReadMessage { .. } => REFUSED,
            Self::NothingToDo
            | Self::NotUtf8 { .. }
            | Self::NotJson { .. }
            | Self::NoObject { .. }
            | Self::TooLarge { .. }
            | Self::NamedTwice { .. } => USAGE,
        }
    }

    /// What to say on standard error; nothing when everything was said.
    pub(super) fn message(&self) -> Option<String> {
        match self {
            Self::SomeFailed { .. } | Self::Ended { .. } | Self::ReaderGone => None,
            Self::Ask { root, cause } => Some(explain(root, cause)),
            other => Some(Report(other).to_string()),
        }
    }
}

/// The exit code of a fault, whichever request it answers.
pub(super) fn fault_exit_code(fault: &Fault) -> u8 {
    match fault.code {
        Code::BadRequest | Code::NotAllowed | Code::NotFound | Code::Refused => REFUSED,
        Code::Busy | Code::GoingDown => UNREACHABLE,
        Code::Failed => FAILED,
    }
}

fn ask_exit_code(error: &ClientError) -> u8 {
    match error {
        ClientError::Refused(fault) => fault_exit_code(fault),
        ClientError::Forbidden { .. } => REFUSED,
        ClientError::NoDaemon { .. } | ClientError::NoAnswer | ClientError::Lost(_) => UNREACHABLE,
        ClientError::TimeIsOver => FAILED,
        ClientError::OtherProtocol { .. } | ClientError::Unreadable(_) | ClientError::OutOfTurn => FAILED,
    }
}

/// The error and what to do about it.
fn explain(root: &Path, error: &ClientError) -> String {
    match error {
        ClientError::NoDaemon { socket, cause } => {
            let why = match cause.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => String::new(),
                _ => format!(" ({cause})"),
            };
            format!(
                "no daemon answers at {}{why}: is greengrassd running? Start it with 'greengrass greengrassd --root \
                 {}', or name its root directory with --ggcRootPath",
                socket.display(),
                root.display()
            )
        }
        ClientError::Forbidden { socket } => match std::fs::metadata(socket) {
            // Nobody should join the group of root to read a list of components.
            Ok(metadata) if metadata.gid() == 0 => format!(
                "you may not open {}: only root may. 'greengrassd --owner-group GROUP' lets the members of a group in",
                socket.display()
            ),
            Ok(metadata) => {
                let group = account::group_name(metadata.gid()).unwrap_or_else(|| metadata.gid().to_string());
                format!(
                    "you may not open {}: root may, and members of group {group} may. Become one with 'usermod -a -G \
                     {group} USER' and a new login",
                    socket.display()
                )
            }
            Err(_) => format!("you may not enter the directory of {}: ask root for access to it", socket.display()),
        },
        ClientError::Lost(_) | ClientError::NoAnswer => {
            format!("{}; greengrass.log in logs/ of the root directory may tell why", Report(error))
        }
        other => Report(other).to_string(),
    }
}
