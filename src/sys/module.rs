//! Kernel modules: `finit_module(2)`.

use std::fs::File;
use std::io;
use std::path::Path;

/// What loading a module came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loaded {
    Now,
    /// It was there already, or is built in.
    Before,
}

/// Loads one module, whose dependencies must be loaded: `finit_module(2)`.
/// A compressed file (`.gz`, `.xz`, `.zst`) is for a kernel that unpacks it itself (Linux 5.17).
pub fn load(path: &Path) -> io::Result<Loaded> {
    const MODULE_INIT_COMPRESSED_FILE: i32 = 4;
    let extension = path.extension().and_then(|extension| extension.to_str());
    let flags = if matches!(extension, Some("gz" | "xz" | "zst")) { MODULE_INIT_COMPRESSED_FILE } else { 0 };
    match rustix::system::finit_module(File::open(path)?, c"", flags) {
        Ok(()) => Ok(Loaded::Now),
        Err(rustix::io::Errno::EXIST) => Ok(Loaded::Before),
        Err(cause) => Err(cause.into()),
    }
}
