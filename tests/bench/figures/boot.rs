//! PID 1: its size and memory, and its own time in a boot of `tests/boot`.

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

/// The least of some boots: a busy host makes each longer, and none shorter. What PID 1 took of the processor does not
/// depend on that, so it is told beside. Modules are told apart: to load them is the kernel's work.
pub(super) fn own_time(daemon: &Path) -> io::Result<Measured> {
    let firmware = boots(daemon, "small")?;
    let modular = boots(daemon, "debian")?;
    let least = |reports: &[Report], time: &dyn Fn(&Report) -> Option<u64>| {
        reports.iter().filter_map(time).min().ok_or_else(|| io::Error::other("no boot"))
    };
    let own = least(&firmware, &Report::own_time)?;
    let figures = json!({
        "own": milliseconds(own),
        "processor": milliseconds(least(&firmware, &processor)?),
        "own_with_modules": milliseconds(least(&modular, &Report::own_time)?),
        "modules": milliseconds(least(&modular, &modules)?),
    });
    Ok(Measured {
        value: figures,
        met: own <= 150_000,
        note: "a kernel with everything built in; then Debian's cloud kernel with 10 modules; squashfs slot, ext4 data"
            .to_owned(),
    })
}

/// PSS, as everywhere; what counts on a device is that it stays for good.
pub(super) fn memory_as_supervisor(daemon: &Path) -> io::Result<Measured> {
    let text = bench(daemon, "small", "memory")?;
    let size: u64 = text.trim().parse().map_err(io::Error::other)?;
    Ok(Measured { value: json!(size), met: size <= 400, note: "after ten thousand orphans".to_owned() })
}

fn milliseconds(microseconds: u64) -> f64 {
    rounded(microseconds as f64 / 1000.0)
}

fn boots(daemon: &Path, system: &str) -> io::Result<Vec<Report>> {
    const BOOTS: &str = "5";
    let text = bench(daemon, system, BOOTS)?;
    text.split_terminator("---\n").map(|report| Report::parse(report).map_err(io::Error::other)).collect()
}

fn bench(daemon: &Path, system: &str, what: &str) -> io::Result<String> {
    let mut command = Command::new("tests/boot/bench.sh");
    let output = command.arg(what).env("GG_INIT", beside(daemon)).env("SYSTEM", system).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn modules(report: &Report) -> Option<u64> {
    Some(report.steps.iter().filter(|step| step.name == "modules").map(|step| step.duration).sum())
}

/// `1234 us`.
fn processor(report: &Report) -> Option<u64> {
    report.fact("processor")?.split(' ').next()?.parse().ok()
}
