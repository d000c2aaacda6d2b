//! The duties, on three shelves; a service holds handles of lower shelves only.
//!
//! - lower: [`config`], [`loader`], [`ota`], [`pubsub`], [`supervisor`], [`telemetry`]
//! - middle: [`access`], [`clients`], [`debug_password`], [`uplink`]
//! - upper: [`deploy`], [`health`]

pub mod access;
pub mod clients;
pub mod config;
pub mod debug_password;
pub mod deploy;
#[cfg(feature = "ota")]
pub mod health;
pub mod loader;
#[cfg(feature = "ota")]
pub mod ota;
pub mod pubsub;
pub mod supervisor;
pub mod telemetry;
pub mod uplink;
