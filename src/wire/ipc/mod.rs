//! The service model of the Greengrass IPC: operations, shapes and errors as they stand in JSON.
//!
//! Requests ignore members they do not know and take `null` as absent; responses leave absent members out.

pub mod client_device;
pub mod components;
pub mod configuration;
pub mod debug_password;
mod error;
pub mod iot_core;
mod json;
pub mod local_deployment;
pub mod metrics;
mod operation;
pub mod pubsub;
pub mod secret;
pub mod shadow;
pub mod tokens;
pub mod updates;

pub use error::{ErrorKind, IpcError};
pub use json::{Blob, Seconds, nesting};
pub use operation::Operation;

/// The name of the service in error bodies.
const SERVICE: &str = "aws.greengrass#GreengrassCoreIPC";
