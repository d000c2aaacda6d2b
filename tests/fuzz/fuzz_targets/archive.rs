//! Whatever stands in an archive, nothing is written beside its directory, and nothing stays when it is refused.
#![no_main]

use std::fs;

use greengrass::store::archive::{Existing, unpack};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let directory = tempfile::tempdir_in("/dev/shm").expect("a directory in memory");
    let archive = directory.path().join("a.zip");
    fs::write(&archive, input).expect("a file in memory");
    let unpacked = unpack(&archive, &directory.path().join("a"), 0o644, 1 << 20, Existing::Replace);
    let left = fs::read_dir(directory.path()).expect("the directory is there").count();
    assert_eq!(left, 1 + usize::from(unpacked.is_ok()), "{unpacked:?}");
});
