//! PID 1: its size, and its own time in a boot of `tests/boot`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use gg_boot::report::Report;
use serde_json::json;

use super::{Measured, rounded};
use crate::size;

/// It lies beside the daemon.
fn beside(daemon: &Path) -> PathBuf {
    daemon.with_file_name("gg-init")
}

pub(super) fn size_on_disk(daemon: &Path) -> io::Result<Measured> {
    let bytes = fs::metadata(beside(daemon))?.len();
    Ok(Measured { value: json!(bytes), met: bytes <= size::LARGEST_INIT, note: "one static file".to_owned() })
}

/// Modules are told apart: to load them is the kernel's work, and a kernel of a product has most of them built in.
pub(super) fn own_time(daemon: &Path) -> io::Result<Measured> {
    const BOOTS: usize = 5;
    let output = Command::new("tests/boot/bench.sh").arg(BOOTS.to_string()).env("GG_INIT", beside(daemon)).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut times = Vec::new();
    for report in text.split_terminator("---\n") {
        let report = Report::parse(report).map_err(io::Error::other)?;
        let whole = report.own_time().ok_or_else(|| io::Error::other("a report has no end"))?;
        let modules: u64 = report.steps.iter().filter(|step| step.name == "modules").map(|step| step.duration).sum();
        times.push((whole.saturating_sub(modules), whole));
    }
    times.sort_unstable();
    let (own, whole) = times.get(times.len() / 2).copied().ok_or_else(|| io::Error::other("no boot"))?;
    let milliseconds = |microseconds: u64| rounded(microseconds as f64 / 1000.0);
    Ok(Measured {
        value: json!({ "own": milliseconds(own), "with_modules": milliseconds(whole) }),
        met: own <= 150_000,
        note: "Debian's cloud kernel, 10 modules, squashfs slot, ext4 data, overlay".to_owned(),
    })
}
