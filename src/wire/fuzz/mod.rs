//! The bodies of the fuzz targets: what must hold for any bytes at all. They panic when it does not.

mod access_control;
mod bundle;
mod control;
mod eventstream;
mod interpolate;
mod ipc_request;
mod recipe;
mod topic;
mod version_requirement;

pub use access_control::access_control;
pub use bundle::{bundle_block, bundle_cms, bundle_manifest, bundle_trailer};
pub use control::control;
pub use eventstream::eventstream;
pub use interpolate::interpolate;
pub use ipc_request::ipc_request;
pub use recipe::recipe;
pub use topic::topic;
pub use version_requirement::version_requirement;
