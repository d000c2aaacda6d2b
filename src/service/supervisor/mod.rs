//! Keeps the desired components running: the lifecycle machine and the jail its processes live in.

mod desired;
mod handle;
pub mod jail;
mod plan;
mod state;

pub use desired::{Component, DesiredSet, RunWith, RunWithDefault};
pub use handle::{ComponentNews, ComponentStatus, Handle, Refused, Request, Settlement};
