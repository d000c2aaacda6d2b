//! PID 1: makes the root of the device, then hands over to another init or supervises the daemon itself.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == "--version") {
        println!("gg-init {}", env!("CARGO_PKG_VERSION"));
        return std::process::ExitCode::SUCCESS;
    }
    eprintln!("gg-init: not PID 1: nothing to do here");
    std::process::ExitCode::from(64)
}
