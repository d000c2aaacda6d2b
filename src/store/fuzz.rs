//! What the fuzzers run: any bytes, no panic, no file outside. `tests/fuzz` has the harness.

use std::io::Cursor;
use std::path::Path;

use super::archive;
use super::tree;

/// Reads `data` as a transaction log; what is accepted must dump and read back as the same tree.
pub fn config_log(data: &[u8]) {
    tree::fuzz_log(data);
}

/// Unpacks `data` as an archive into a directory that is removed again.
pub fn archive(data: &[u8]) {
    let target = std::env::temp_dir().join(format!("greengrass-fuzz-{}", std::process::id()));
    // Two harnesses never share a process, and what one run left behind must not speak into the next.
    let _ = std::fs::remove_dir_all(&target);
    if std::fs::create_dir_all(&target).is_ok() {
        let _ = archive::unpack_from(Cursor::new(data), Path::new("fuzz.zip"), &target, 0o440, LIMIT);
    }
    let _ = std::fs::remove_dir_all(&target);
}

/// Enough to see what a member does, not enough to be slow.
const LIMIT: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_bodies_stand_what_is_known_to_be_nasty() {
        let line = r#"{"TS":1,"TP":["a"],"W":"changed","V":{"_m":1,"b":[0.1,1e300,-0.0],"":{}}}"#;
        for data in [line.as_bytes(), b"", b"\0\0", b"PK\x05\x06\0\0\0\0", b"{\"TS\":18446744073709551615}\n"] {
            config_log(data);
            archive(data);
        }
    }
}
