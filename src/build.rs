//! Tells the program which target it was built for; Cargo says so only to build scripts.

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rustc-env=GREENGRASS_TARGET={}", std::env::var("TARGET").unwrap_or_default());
}
