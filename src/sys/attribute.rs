//! Extended attributes of a file itself, never of what a link leads to: `xattr(7)`.

use std::ffi::CStr;
use std::io;
use std::path::Path;

use rustix::fs::XattrFlags;

/// Copies those attributes that `wanted` takes by their names. A file system without any has nothing to copy, and one
/// that cannot keep one is told: `llistxattr(2)`, `lgetxattr(2)`, `lsetxattr(2)`.
pub fn copy(from: &Path, to: &Path, wanted: impl Fn(&[u8]) -> bool) -> io::Result<()> {
    let mut names = vec![0_u8; LARGEST];
    let length = match rustix::fs::llistxattr(from, &mut names[..]) {
        Err(rustix::io::Errno::OPNOTSUPP) => return Ok(()),
        length => length?,
    };
    for name in names[..length].split_inclusive(|byte| *byte == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
        if wanted(name.to_bytes()) {
            let mut value = vec![0_u8; LARGEST];
            let length = rustix::fs::lgetxattr(from, name, &mut value[..])?;
            rustix::fs::lsetxattr(to, name, &value[..length], XattrFlags::empty())?;
        }
    }
    Ok(())
}

/// Whether a file has an attribute: `lgetxattr(2)`.
pub fn is_there(path: &Path, name: &CStr) -> bool {
    let mut value = vec![0_u8; LARGEST];
    rustix::fs::lgetxattr(path, name, &mut value[..]).is_ok()
}

/// `XATTR_SIZE_MAX` and `XATTR_LIST_MAX`.
const LARGEST: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_attributes_are_copied_and_no_others() {
        let scratch = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let [from, to] = ["from", "to"].map(|name| scratch.path().join(name));
        for path in [&from, &to] {
            std::fs::write(path, "").unwrap();
        }
        for name in [c"user.a", c"user.b"] {
            match rustix::fs::lsetxattr(&from, name, b"value", XattrFlags::empty()) {
                Err(rustix::io::Errno::OPNOTSUPP) => {
                    eprintln!("SKIPPED: this file system has no extended attributes");
                    return;
                }
                set => set.unwrap(),
            }
        }
        copy(&from, &to, |name| name == b"user.a").unwrap();
        assert!(is_there(&to, c"user.a") && !is_there(&to, c"user.b"));
    }
}
