//! One function per figure: how it is measured. Targets and peers are those of `docs/SPECIFICATION.md`.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::core::{Core, PATIENCE};
use crate::proc::{Cost, pss_kib};
use crate::size;

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
    /// A number, or an object of sub-figures.
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
        measure: size_on_disk,
    },
    Figure {
        name: "F3",
        what: "idle PSS of the whole runtime",
        unit: "KiB",
        target: "<= 6 MB",
        peer: "lite 15.4 MB (9 processes); classic >= 96 MB",
        measure: idle_memory,
    },
    Figure {
        name: "F4",
        what: "idle cost of a minute",
        unit: "context switches, ms of CPU",
        target: "<= 20 and <= 1.1 ms",
        peer: "lite 20 and 1.1 ms",
        measure: idle_cost,
    },
    Figure {
        name: "F5",
        what: "cold start to all doors open, median",
        unit: "ms",
        target: "<= 50 ms",
        peer: "lite 361 ms",
        measure: start_to_doors,
    },
    Figure {
        name: "F6",
        what: "cold start to first component running, median",
        unit: "ms",
        target: "<= 100 ms",
        peer: "lite > 1 s",
        measure: start_to_component,
    },
    Figure {
        name: "F7",
        what: "local deployment of a one-line component, median",
        unit: "s",
        target: "<= 0.5 s",
        peer: "lite 17.3 s; offline: crash, deployment lost",
        measure: local_deployment,
    },
    Figure {
        name: "F11",
        what: "components running at once",
        unit: "components",
        target: "1000, cost linear",
        peer: "lite 50",
        measure: many_components,
    },
];

fn size_on_disk(binary: &Path) -> io::Result<Measured> {
    let bytes = fs::metadata(binary)?.len();
    let note = if is_static(binary)? { "one static file" } else { "NOT static: build it with make dist" };
    Ok(Measured { value: json!(bytes), met: bytes <= size::LARGEST && is_static(binary)?, note: note.to_owned() })
}

fn idle_memory(binary: &Path) -> io::Result<Measured> {
    let mut core = Core::new(binary)?;
    core.start()?;
    thread::sleep(SETTLING);
    let kib = pss_kib(core.pid())?;
    Ok(Measured { value: json!(kib), met: kib * 1024 <= 6_000_000, note: NO_CLOUD.to_owned() })
}

fn idle_cost(binary: &Path) -> io::Result<Measured> {
    let mut core = Core::new(binary)?;
    core.start()?;
    thread::sleep(SETTLING);
    let before = Cost::of(core.pid())?;
    thread::sleep(Duration::from_secs(60));
    let spent = Cost::of(core.pid())? - before;
    let cpu_ms = spent.cpu_ns as f64 / 1e6;
    Ok(Measured {
        value: json!({ "context_switches_per_min": spent.switches, "cpu_ms_per_min": rounded(cpu_ms) }),
        met: spent.switches <= 20 && cpu_ms <= 1.1,
        note: NO_CLOUD.to_owned(),
    })
}

fn start_to_doors(binary: &Path) -> io::Result<Measured> {
    let mut core = Core::new(binary)?;
    let times = repeat(STARTS, || {
        let time = core.start()?;
        core.stop()?;
        Ok(time)
    })?;
    let ms = milliseconds(median(&times));
    Ok(Measured { value: json!(ms), met: ms <= 50.0, note: spread(&times) })
}

fn start_to_component(binary: &Path) -> io::Result<Measured> {
    let mut core = Core::new(binary)?;
    let up = core.path("up");
    Command::new("mkfifo").arg("--mode=666").arg(&up).status()?;
    core.write_recipe("com.example.First", "1.0.0", &format!("echo up >'{}'; exec sleep 100000", up.display()))?;
    core.start()?;
    until_spoken(&up, || core.deploy(&["com.example.First=1.0.0".to_owned()]))?;
    core.stop()?;
    let times = repeat(STARTS, || {
        let running = until_spoken(&up, || core.start())?;
        core.stop()?;
        Ok(running)
    })?;
    let ms = milliseconds(median(&times));
    Ok(Measured { value: json!(ms), met: ms <= 100.0, note: spread(&times) })
}

fn local_deployment(binary: &Path) -> io::Result<Measured> {
    let mut core = Core::new(binary)?;
    core.start()?;
    let mut patch = 0;
    let times = repeat(STARTS, || {
        patch += 1;
        core.write_recipe("com.example.OneLine", &format!("1.0.{patch}"), "echo hello")?;
        core.deploy(&[format!("com.example.OneLine=1.0.{patch}")])
    })?;
    let seconds = milliseconds(median(&times)) / 1000.0;
    let note = format!("offline, from greengrass-cli's start to its end; {}", spread(&times));
    Ok(Measured { value: json!({ "offline": seconds }), met: seconds <= 0.5, note })
}

fn many_components(binary: &Path) -> io::Result<Measured> {
    let mut steps = Vec::new();
    for count in [250, 500, 1000] {
        let mut core = Core::new(binary)?;
        core.start()?;
        let empty = pss_kib(core.pid())?;
        let mut components = Vec::new();
        for number in 0..count {
            let name = format!("com.example.Many{number}");
            core.write_recipe(&name, "1.0.0", "exec sleep 100000")?;
            components.push(format!("{name}=1.0.0"));
        }
        let taken = core.deploy(&components)?;
        let running = core.count("RUNNING")?;
        let grown = pss_kib(core.pid())?.saturating_sub(empty);
        steps.push((running, taken, grown));
        eprintln!("bench: F11: {running} of {count} running after {:.1} s, {grown} KiB more", taken.as_secs_f64());
        if running < count {
            break;
        }
    }
    let most = steps.iter().map(|(running, ..)| *running).max().unwrap_or(0);
    let cost = |(running, taken, _): &(usize, Duration, u64)| taken.as_secs_f64() / *running as f64;
    let linear = match steps[..] {
        [ref few, .., ref many] => cost(many) <= cost(few) * LINEAR,
        _ => false,
    };
    let note: Vec<String> = steps
        .iter()
        .map(|(running, taken, kib)| {
            let each = *kib as f64 / *running as f64;
            format!("{running}: {:.1} s, {each:.1} KiB of daemon each", taken.as_secs_f64())
        })
        .collect();
    let note = format!("{}; {}", note.join("; "), if linear { "linear" } else { "NOT linear" });
    Ok(Measured { value: json!({ "components": most }), met: most >= 1000 && linear, note })
}

/// Does `act`; the time from then until someone writes to the FIFO. Opening a FIFO waits for its other end.
fn until_spoken(fifo: &Path, act: impl FnOnce() -> io::Result<Duration>) -> io::Result<Duration> {
    let begun = Instant::now();
    thread::scope(|scope| {
        let listening = scope.spawn(|| fs::read(fifo).map(|_| begun.elapsed()));
        let acted = act();
        while acted.is_ok() && !listening.is_finished() && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
        if !listening.is_finished() {
            fs::write(fifo, "enough")?;
            acted?;
            return Err(io::Error::other("the component never ran"));
        }
        acted?;
        listening.join().unwrap_or_else(|_| Err(io::Error::other("the listener died")))
    })
}

fn repeat(times: usize, mut run: impl FnMut() -> io::Result<Duration>) -> io::Result<Vec<Duration>> {
    let mut taken = (0..times).map(|_| run()).collect::<io::Result<Vec<_>>>()?;
    taken.sort();
    Ok(taken)
}

fn median(sorted: &[Duration]) -> Duration {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn spread(sorted: &[Duration]) -> String {
    let ends = sorted.first().zip(sorted.last());
    ends.map_or_else(String::new, |(low, high)| {
        format!("{} runs, {} to {} ms", sorted.len(), milliseconds(*low), milliseconds(*high))
    })
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

/// What a start leaves behind (page cache, timers) has calmed down after this.
const SETTLING: Duration = Duration::from_secs(5);
/// Starts or deployments per median.
const STARTS: usize = 11;
/// A component among a thousand may cost this many times what it costs among 250.
const LINEAR: f64 = 1.5;
const NO_CLOUD: &str = "no cloud link, IPC or MQTT yet; no component";
