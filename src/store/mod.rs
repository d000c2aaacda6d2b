//! The only writer of files.

pub mod paths;
pub mod tree;
