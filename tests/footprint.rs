//! Holds the sizes that `docs/SPECIFICATION.md` promises, on the binary that `make dist` built.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

#[test]
fn static_binary_is_no_larger_than_promised() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/dist");
    let mut seen = 0;
    for (triple, largest) in LARGEST {
        let Ok(status) = fs::metadata(dist.join(triple).join("greengrass")) else { continue };
        seen += 1;
        assert!(status.len() <= *largest, "{triple}: {} bytes, promised are {largest} (F1)", status.len());
    }
    if seen == 0 {
        eprintln!("SKIPPED: no binary in target/dist; `make dist` builds them, `make test` does so before the tests");
    }
}

#[test]
fn init_is_no_larger_than_promised() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/dist");
    let sizes = LARGEST.iter().filter_map(|(triple, _)| {
        let status = fs::metadata(dist.join(triple).join("gg-init")).ok()?;
        Some((triple, status.len()))
    });
    let mut seen = 0;
    for (triple, size) in sizes {
        seen += 1;
        assert!(size <= LARGEST_INIT, "{triple}: gg-init has {size} bytes, promised are {LARGEST_INIT} (F2)");
    }
    if seen == 0 {
        eprintln!("SKIPPED: no gg-init in target/dist; `make dist` builds it, `make test` does so before the tests");
    }
}

/// F2, in bytes.
const LARGEST_INIT: u64 = 700_000;

/// F1, in bytes.
const LARGEST: &[(&str, u64)] = &[
    ("x86_64-unknown-linux-musl", 6_000_000),
    ("aarch64-unknown-linux-musl", 6_000_000),
    ("armv7-unknown-linux-musleabihf", 6_000_000),
    ("arm-unknown-linux-musleabihf", 6_000_000),
];
