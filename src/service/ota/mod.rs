//! Updates of the system image: whom to trust, what a bundle is, and how it gets into a slot.
//!
//! The order is the security: [`trust`] verifies the signature of a bundle before its manifest is read, the manifest has
//! the root of a tree that each block of the bundle is verified against before it is looked into.

pub mod adaptive;
pub mod bundle;
pub mod change;
pub mod device;
pub mod events;
pub mod fetch;
pub mod headway;
pub mod install;
pub mod installed;
pub mod layout;
pub mod settings;
pub mod status;
pub mod totals;
pub mod trial;
pub mod trust;
pub mod update;

#[cfg(test)]
#[path = "../../../tests/support/noise.rs"]
mod noise;
#[cfg(test)]
#[path = "../../../tests/support/range_server.rs"]
mod range_server;
