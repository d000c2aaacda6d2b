//! Whatever stands in a tar archive, nothing is written beside its root.
#![no_main]

use std::fs;

use greengrass::store::tar::unpack;
use greengrass::sys::directory::Directory;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let directory = tempfile::tempdir_in("/dev/shm").expect("a directory in memory");
    let root = directory.path().join("root");
    fs::create_dir(&root).expect("a directory in memory");
    let unpacked = unpack(input, &Directory::open(&root).expect("it is there"));
    let left = fs::read_dir(directory.path()).expect("the directory is there").count();
    assert_eq!(left, 1, "{unpacked:?}");
});
