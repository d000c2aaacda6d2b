//! Authorization: who may carry out which operation on which resource.
//!
//! The policies are `services/<component>/configuration/accessControl` of the configuration tree. They are compiled
//! when they change, only those of the component that changed, and never for a call. A call costs one look-up.
//!
//! **What holds when.** A check is made against the configuration of that moment: an edit that was acknowledged before
//! [`Handle::check`] was called is in force for it, with nothing to wait for. What is already open, a subscription,
//! is checked again by who holds it, upon the news of [`Handle::changed`].
//!
//! **Variables.** Policies are taken as they stand in the tree. Recipe variables in them were filled in by the
//! deployment if the nucleus has `interpolateComponentConfiguration`; otherwise `{iot:thingName}` is eleven letters in
//! braces.

mod handle;
mod state;
mod task;
#[cfg(test)]
mod tests;

pub use handle::{Denied, Handle};
pub use task::spawn;
