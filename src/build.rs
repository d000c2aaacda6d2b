//! Tells the program which target it was built for, which Cargo says only to build scripts, and when.

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rustc-env=GREENGRASS_TARGET={}", std::env::var("TARGET").unwrap_or_default());
    // Not the clock: the same source gives the same binary. Yocto, OpenWrt and `make dist` set the variable.
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let built = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    println!("cargo::rustc-env=GREENGRASS_BUILD_TIME={}", built.max(EARLIEST));
}

/// 2026-08-01: nothing here is older.
const EARLIEST: u64 = 1_785_542_400;
