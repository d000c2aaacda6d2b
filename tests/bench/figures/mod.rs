//! One function per figure: how it is measured. Targets and peers are those of `docs/SPECIFICATION.md`.

mod boot;
mod daemon;
mod fetch;
mod image;
mod ipc;
mod operations;
mod updates;

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

/// One figure of the table.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) target: &'static str,
    pub(crate) peer: &'static str,
    pub(crate) measure: fn(&Path) -> io::Result<Measured>,
}

pub(crate) struct Measured {
    /// A number or an object of sub-figures; null where what it needs is missing, as the note says.
    pub(crate) value: Value,
    pub(crate) met: bool,
    /// Under which conditions, and what else was seen.
    pub(crate) note: String,
}

pub(crate) const FIGURES: &[Figure] = &[
    Figure {
        name: "F1",
        what: "daemon on disk, static, stripped",
        unit: "bytes",
        target: "<= 6 MB",
        peer: "lite 0.93 MB + 9.2 MB shared libraries; classic 189 MB JRE + jar",
        measure: daemon::size_on_disk,
    },
    Figure {
        name: "F2",
        what: "gg-init on disk, static, stripped",
        unit: "bytes",
        target: "<= 700 KB",
        peer: "-",
        measure: boot::size_on_disk,
    },
    Figure {
        name: "init-memory",
        what: "PSS of gg-init as supervisor",
        unit: "KiB",
        target: "<= 400 KiB",
        peer: "-",
        measure: boot::memory_as_supervisor,
    },
    Figure {
        name: "F3",
        what: "idle PSS of the whole runtime",
        unit: "KiB",
        target: "<= 6 MB",
        peer: "lite 15.4 MB (9 processes); classic >= 96 MB",
        measure: daemon::idle_memory,
    },
    Figure {
        name: "F4",
        what: "idle cost of a minute",
        unit: "context switches, ms of CPU",
        target: "<= 20 and <= 1.1 ms",
        peer: "lite 20 and 1.1 ms",
        measure: daemon::idle_cost,
    },
    Figure {
        name: "F5",
        what: "cold start to all doors open, median",
        unit: "ms",
        target: "<= 50 ms",
        peer: "lite 361 ms",
        measure: daemon::start_to_doors,
    },
    Figure {
        name: "F6",
        what: "cold start to first component running, median",
        unit: "ms",
        target: "<= 100 ms",
        peer: "lite > 1 s",
        measure: daemon::start_to_component,
    },
    Figure {
        name: "F7",
        what: "local deployment of a one-line component, median",
        unit: "s",
        target: "<= 0.5 s",
        peer: "lite 17.3 s; offline: crash, deployment lost",
        measure: daemon::local_deployment,
    },
    Figure {
        name: "F8",
        what: "IPC publish to subscriber, 100 bytes, one in flight",
        unit: "us",
        target: "p50 <= 106 us, CPU <= 64 us",
        peer: "lite p50 531 us, CPU 513 us",
        measure: ipc::latency,
    },
    Figure {
        name: "F9",
        what: "IPC throughput, Python SDK, 32 in flight",
        unit: "messages/s, us of CPU per message",
        target: "our CPU <= 0.1 of the client's",
        peer: "lite 1,057 messages/s",
        measure: ipc::sdk_throughput,
    },
    Figure {
        name: "F10",
        what: "largest message from publisher to subscriber",
        unit: "bytes",
        target: "128 KB, and up to a frame of 24 MiB",
        peer: "lite 7.3 KB",
        measure: ipc::largest_message,
    },
    Figure {
        name: "F11",
        what: "components running at once",
        unit: "components",
        target: "1000, cost linear",
        peer: "lite 50",
        measure: daemon::many_components,
    },
    Figure {
        name: "F11",
        what: "idle IPC clients, each with 10 subscriptions",
        unit: "clients, bytes",
        target: "1000, <= 8 KiB each, a publish costs the same among 10,000 subscriptions as alone",
        peer: "lite 50 clients",
        measure: ipc::clients,
    },
    Figure {
        name: "F13",
        what: "IPC operations that answer the Python SDK as their model says",
        unit: "operations",
        target: "35",
        peer: "lite 11, classic with plugins 34",
        measure: operations::answered,
    },
    Figure {
        name: "fan-out",
        what: "one IPC publish to 100 subscribers",
        unit: "ms, us of CPU",
        target: "<= 10.6 ms: 100 times the p50 of F8",
        peer: "not measured",
        measure: ipc::fan_out,
    },
    Figure {
        name: "F16",
        what: "installation of a signed image of 256 MiB, each block verified before it is written, median of 3",
        unit: "MB/s, s of CPU per GiB, KiB",
        target: ">= 2 x RAUC's MB/s, <= 0.5 x its CPU, <= 10 MiB of memory, <= 16 MiB of page cache",
        peer: "RAUC 1.8 157-241 MB/s, 4.6-5.6 s/GiB, 95-280 MiB; SWUpdate 173-188 MB/s",
        measure: updates::install,
    },
    Figure {
        name: "F17",
        what: "update of 256 MiB over HTTP: requests, and percent of the bundle that is fetched",
        unit: "requests, %",
        target: "adaptive <= 20 and <= 6 %, full <= 6 and <= 101 %, <= 52 % again after a cut at 50 %",
        peer: "RAUC 1.8: adaptive 123 and 5.6 %, full 3,249 and 114 %",
        measure: fetch::requests_and_share,
    },
    Figure {
        name: "F18",
        what: "power cut at any instant of an update, in process",
        unit: "violations, states, sectors",
        target: "0 violations in >= 100,000 states and >= 1,000 cuts at random; 0 writes of an ordinary boot, <= 8 of an update",
        peer: "-",
        measure: updates::power_cuts,
    },
    Figure {
        name: "F19",
        what: "early boot: from the kernel's hand-over to the next init, in QEMU without acceleration, least of 5",
        unit: "ms",
        target: "<= 150 ms where the kernel has its drivers built in",
        peer: "-",
        measure: boot::own_time,
    },
    Figure {
        name: "image",
        what: "a slot of the disk of `make image`",
        unit: "bytes",
        target: "<= 24 MiB with BusyBox on x86_64",
        peer: "-",
        measure: image::slots,
    },
    Figure {
        name: "boot",
        what: "power-on to a component running, x86_64 with BusyBox init, in QEMU without acceleration, median of 3",
        unit: "s",
        target: "<= 30 s",
        peer: "-",
        measure: image::busybox,
    },
    Figure {
        name: "boot-systemd",
        what: "the same, x86_64 with systemd",
        unit: "s",
        target: "<= 30 s",
        peer: "-",
        measure: image::systemd,
    },
    Figure {
        name: "boot-aarch64",
        what: "the same, aarch64 with BusyBox init",
        unit: "s",
        target: "<= 30 s",
        peer: "-",
        measure: image::aarch64,
    },
];

fn median(sorted: &[Duration]) -> Duration {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1000.0)
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// A static binary asks for no interpreter.
pub(crate) fn is_static(binary: &Path) -> io::Result<bool> {
    let listed = Command::new("readelf").args(["--program-headers", "--wide"]).arg(binary).output()?;
    Ok(!String::from_utf8_lossy(&listed.stdout).contains("INTERP"))
}
