//! Takes deployments, one at a time, from request to settled components, or back.

mod handle;

pub use handle::{Handle, Refused, Request};
