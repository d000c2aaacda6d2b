//! The daemon by itself: its size, memory, idle cost, starts, deployments and components.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Measured, is_static, median, milliseconds, rounded};
use crate::core::{Core, PATIENCE};
use crate::proc::{Cost, pss_kib};
use crate::size;

pub(super) fn size_on_disk(binary: &Path) -> io::Result<Measured> {
    let bytes = fs::metadata(binary)?.len();
    let note = if is_static(binary)? { "one static file" } else { "NOT static: build it with make dist" };
    Ok(Measured { value: json!(bytes), met: bytes <= size::LARGEST && is_static(binary)?, note: note.to_owned() })
}

pub(super) fn idle_memory(binary: &Path) -> io::Result<Measured> {
    let mut core = Core::new(binary)?;
    core.start()?;
    thread::sleep(SETTLING);
    let kib = pss_kib(core.pid())?;
    Ok(Measured { value: json!(kib), met: kib * 1024 <= 6_000_000, note: NO_CLOUD.to_owned() })
}

pub(super) fn idle_cost(binary: &Path) -> io::Result<Measured> {
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

pub(super) fn start_to_doors(binary: &Path) -> io::Result<Measured> {
    let mut core = Core::new(binary)?;
    let times = repeat(STARTS, || {
        let time = core.start()?;
        core.stop()?;
        Ok(time)
    })?;
    let ms = milliseconds(median(&times));
    Ok(Measured { value: json!(ms), met: ms <= 50.0, note: spread(&times) })
}

pub(super) fn start_to_component(binary: &Path) -> io::Result<Measured> {
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

pub(super) fn local_deployment(binary: &Path) -> io::Result<Measured> {
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

pub(super) fn many_components(binary: &Path) -> io::Result<Measured> {
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

fn spread(sorted: &[Duration]) -> String {
    let ends = sorted.first().zip(sorted.last());
    ends.map_or_else(String::new, |(low, high)| {
        format!("{} runs, {} to {} ms", sorted.len(), milliseconds(*low), milliseconds(*high))
    })
}

/// What a start leaves behind (page cache, timers) has calmed down after this.
const SETTLING: Duration = Duration::from_secs(5);
/// Starts or deployments per median.
const STARTS: usize = 11;
/// A component among a thousand may cost this many times what it costs among 250.
const LINEAR: f64 = 1.5;
const NO_CLOUD: &str = "the IPC is open; no cloud link or MQTT yet; no component";
