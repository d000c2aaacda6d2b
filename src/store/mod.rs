//! The only writer of files.

pub mod aligned;
pub mod alts;
pub mod archive;
pub mod artifacts;
pub mod document;
pub mod file;
#[doc(hidden)]
pub mod fuzz;
pub mod lock;
pub mod paths;
pub mod recipes;
pub mod scratch;
pub mod slot_device;
pub mod slot_index;
pub mod socket_file;
pub mod tar;
pub mod tree;
pub mod update_lock;

/// A directory for a test that writes very often: in memory where that can be, so that fsync(2) does not make it slow.
#[cfg(test)]
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a test needs a temporary directory")
}
