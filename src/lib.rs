//! The daemon and its command line, as modules in storeys.
//!
//! ```text
//! main -> applet -> api -> service -> store | net -> sys | wire | boot | base     imports run left to right, never back
//! ```
//!
//! `docs/ARCHITECTURE.md` walks through them; `tests/layers.rs` holds the direction.

#![forbid(unsafe_code)]

pub mod api;
pub mod applet;
pub mod base;
pub mod net;
pub mod service;
pub mod store;

pub use gg_boot as boot;
pub use gg_sys as sys;
pub use gg_wire as wire;
