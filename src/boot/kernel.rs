//! What the kernel must be able to do: the options of `kernel-config/`, the configuration of a kernel, its version.
//!
//! The fragments that build kernels are compiled in, so what is built in and what is checked cannot drift apart.
//! Nothing here asks the running kernel; whoever has a configuration, from wherever, judges it with
//! [`Requirement::is_met`].

mod configuration;
mod fragment;
mod gzip;
mod release;
mod signs;

pub use configuration::{Configuration, ConfigurationError, Value};
pub use fragment::{FRAGMENTS, FragmentError, Missing, Requirement, Scope, parse_fragment, requirements};
pub use gzip::GzipError;
pub use release::{RULES, Release, Rule};
pub use signs::{Looks, shown};
