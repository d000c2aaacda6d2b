//! The only writer of files.

pub mod archive;
pub mod artifacts;
pub mod document;
pub mod file;
pub mod lock;
pub mod paths;
pub mod recipes;
pub mod scratch;
pub mod socket_file;
pub mod tree;
