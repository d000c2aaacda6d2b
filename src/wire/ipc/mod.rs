//! The service model of the Greengrass IPC: operations, shapes and errors as they stand in JSON.
//!
//! Requests ignore members they do not know and take `null` as absent; responses leave absent members out.

pub mod components;
pub mod configuration;
pub mod debug_password;
mod error;
mod json;
pub mod metrics;
mod operation;
pub mod pubsub;

pub use error::{ErrorKind, IpcError};
pub use json::{Blob, Seconds};
pub use operation::Operation;

/// The name of the service in error bodies.
const SERVICE: &str = "aws.greengrass#GreengrassCoreIPC";
