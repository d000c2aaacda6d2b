//! Whatever stands in the configuration log, the daemon starts or says why not, and a second start finds the same.
#![no_main]

use std::fs;

use greengrass::store::tree::{Given, open};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let directory = tempfile::tempdir_in("/dev/shm").expect("a directory in memory");
    fs::write(directory.path().join("config.tlog"), input).expect("a file in memory");
    let Ok(opened) = open(directory.path(), &Given::Nothing) else { return };
    let tree = opened.tree.clone();
    drop(opened);
    let again = open(directory.path(), &Given::Nothing).expect("what was mended can be opened");
    assert_eq!(again.tree, tree);
});
