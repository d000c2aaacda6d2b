//! The formats of boot loaders against the boot loaders' own tools: what we write they read, and the other way round.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "slots/boot_maps.rs"]
mod boot_maps;
#[path = "slots/gpt.rs"]
mod gpt;
#[path = "slots/grub.rs"]
mod grub;
#[path = "slots/uboot.rs"]
mod uboot;

use std::process::Command;

/// Whether a program is there; if not, says what is not tested.
fn has(program: &str, package: &str) -> bool {
    let paths = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let there = std::env::split_paths(&paths).any(|path| path.join(program).exists());
    if !there {
        eprintln!("skipped: {program} is not there (apt-get install {package})");
    }
    there
}

/// Runs a program; what it said.
fn run(program: &str, arguments: &[&str]) -> String {
    let paths = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let ran = Command::new(program).args(arguments).env("PATH", paths).output().unwrap();
    assert!(ran.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}
