//! Names, formats and protocols of Greengrass.
//!
//! Nothing here does I/O or reads a clock, so every decoder can be fuzzed and every rule tested as a value.
//! What comes from outside becomes a type of this crate at once; inside, no bare string means anything.

#![forbid(unsafe_code)]

pub mod access;
pub mod bundle;
pub mod control;
pub mod deployment;
pub mod deployment_error;
pub mod eventstream;
#[doc(hidden)]
pub mod fuzz;
pub mod iot_topic;
pub mod ipc;
pub mod keyed_sum;
pub mod lifecycle;
pub mod name;
pub mod platform;
pub mod principal;
pub mod recipe;
pub mod run_with;
mod scalar_text;
pub mod shadow_name;
pub mod state;
pub mod strict_json;
pub mod tar;
pub mod topic;
pub mod variables;
pub mod version;
