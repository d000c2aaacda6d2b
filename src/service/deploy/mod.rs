//! Takes deployments, one at a time, from request to settled components, or back.

mod failure;
mod handle;
pub mod resolve;
mod state;

pub use handle::{Handle, Refused, Request};
