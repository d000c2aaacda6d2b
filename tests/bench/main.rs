//! Measures the figures that `docs/SPECIFICATION.md` promises, on this machine, against the built binary.

#![forbid(unsafe_code)]

mod size;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["size"] => size::report(&root.join("target/dist")),
        _ => {
            eprintln!("usage: gg-bench size");
            return ExitCode::from(64);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gg-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
