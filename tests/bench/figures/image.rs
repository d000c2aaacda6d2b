//! The disks of `make image`: their size, and the stages of a boot from power-on to a component that runs.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::{Measured, rounded};
use crate::target;

/// Each disk: its folder below `target/image`, and how it is asked for.
const BUSYBOX: Disk = Disk { folder: "x86_64", arch: "x86_64", init: "busybox" };
const SYSTEMD: Disk = Disk { folder: "x86_64-systemd", arch: "x86_64", init: "systemd" };
const AARCH64: Disk = Disk { folder: "aarch64", arch: "aarch64", init: "busybox" };

#[derive(Clone, Copy)]
struct Disk {
    folder: &'static str,
    arch: &'static str,
    init: &'static str,
}

/// A slot with kernel, root and program, in bytes.
const LARGEST_SLOT: u64 = 24 << 20;
/// Seconds, computed by QEMU without acceleration.
const SLOWEST: f64 = 30.0;
const BOOTS: usize = 3;

pub(super) fn slots(_: &Path) -> io::Result<Measured> {
    let mut sizes = Map::new();
    for disk in [BUSYBOX, SYSTEMD, AARCH64] {
        let path = target().join("image").join(disk.folder).join("disk.img");
        if path.is_file() {
            sizes.insert(disk.folder.to_owned(), json!(slot_bytes(&path)?));
        }
    }
    let Some(bytes) = sizes.get(BUSYBOX.folder).and_then(Value::as_u64) else { return Ok(absent(BUSYBOX)) };
    Ok(Measured {
        value: Value::Object(sizes),
        met: bytes <= LARGEST_SLOT,
        note: "squashfs with kernel, modules, userland, the daemon and its components; the disk is 514 MiB".to_owned(),
    })
}

/// What the squashfs of the first slot says of its size.
fn slot_bytes(disk: &Path) -> io::Result<u64> {
    const SLOT: u64 = 66 << 20;
    const BYTES_USED: u64 = 40;
    let (disk, mut magic, mut bytes) = (File::open(disk)?, [0; 4], [0; 8]);
    disk.read_exact_at(&mut magic, SLOT)?;
    if magic != *b"hsqs" {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "slot a of the disk is no squashfs"));
    }
    disk.read_exact_at(&mut bytes, SLOT + BYTES_USED)?;
    Ok(u64::from_le_bytes(bytes))
}

pub(super) fn busybox(_: &Path) -> io::Result<Measured> {
    boots(BUSYBOX)
}

pub(super) fn systemd(_: &Path) -> io::Result<Measured> {
    boots(SYSTEMD)
}

pub(super) fn aarch64(_: &Path) -> io::Result<Measured> {
    boots(AARCH64)
}

/// The median of some first boots, by the time of the whole.
fn boots(disk: Disk) -> io::Result<Measured> {
    if !target().join("image").join(disk.folder).join("disk.img").is_file() {
        return Ok(absent(disk));
    }
    let mut boots = (0..BOOTS).map(|_| boot(disk)).collect::<io::Result<Vec<_>>>()?;
    boots.sort_by(|one, other| one.whole.total_cmp(&other.whole));
    let median = &boots[BOOTS / 2];
    let mut value: Map<String, Value> =
        median.stages.iter().map(|(name, seconds)| (name.clone(), json!(rounded(*seconds)))).collect();
    value.insert("together".to_owned(), json!(rounded(median.whole)));
    let share = |(name, seconds): &(String, f64)| format!("{name} {:.0} %", seconds * 100.0 / median.whole);
    Ok(Measured {
        value: Value::Object(value),
        met: median.whole <= SLOWEST,
        note: format!(
            "a new disk, which deploys its components; {}",
            median.stages.iter().map(share).collect::<Vec<_>>().join(", ")
        ),
    })
}

fn absent(disk: Disk) -> Measured {
    let note = format!("no disk: make image ARCH={} INIT={}", disk.arch, disk.init);
    Measured { value: Value::Null, met: false, note }
}

/// Seconds of each stage, in their order, and of all together.
struct Boot {
    stages: Vec<(String, f64)>,
    whole: f64,
}

/// Ends the machine however the boot ends.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself; nothing on its disk is kept.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn boot(disk: Disk) -> io::Result<Boot> {
    const PATIENCE: Duration = Duration::from_secs(300);
    let start = Instant::now();
    let child = Command::new("init/image/boot.sh")
        .env("ARCH", disk.arch)
        .env("INIT", disk.init)
        .env("ACCEL", "tcg,thread=multi")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut machine = Machine(child);
    let console = machine.0.stdout.take().ok_or_else(|| io::Error::other("the machine has no console"))?;
    let (sender, lines) = mpsc::sync_channel(64);
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
            if sender.send((start.elapsed(), String::from_utf8_lossy(&line).into_owned())).is_err() {
                break;
            }
        }
    });
    let boot = watch(&lines, start + PATIENCE);
    drop((machine, lines));
    // It ends with its pipe.
    let _ = reader.join();
    boot
}

/// The firmware ends where GRUB speaks; GRUB, where the kernel's own clock begins.
fn watch(lines: &mpsc::Receiver<(Duration, String)>, deadline: Instant) -> io::Result<Boot> {
    let (mut firmware, mut stages) = (None, Vec::new());
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let (at, line) = lines.recv_timeout(left).map_err(|_| io::Error::other("the machine did not get there"))?;
        if line.contains("grub: slot ") {
            firmware.get_or_insert(at.as_secs_f64());
        }
        let Some((name, seconds)) = stage(&line) else { continue };
        if name != "together" {
            stages.push((name.to_owned(), seconds));
            continue;
        }
        let firmware = firmware.ok_or_else(|| io::Error::other("GRUB said nothing"))?;
        let whole = at.as_secs_f64();
        stages.insert(0, ("firmware".to_owned(), firmware));
        stages.insert(1, ("grub".to_owned(), whole - firmware - seconds));
        return Ok(Boot { stages, whole });
    }
}

/// A line of `boot-times`: `boot: kernel  2.63 s`.
fn stage(line: &str) -> Option<(&str, f64)> {
    let mut words = line.trim_start().strip_prefix("boot: ")?.split_whitespace();
    Some((words.next()?, words.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watch_counts_from_power_on_to_the_component() {
        let (sender, lines) = mpsc::sync_channel(8);
        for (at, line) in [
            (3000, "\u{1b}[2Jgrub: slot a\r"),
            (3100, "grub: slot b\r"),
            (9500, "boot: kernel        2.00 s\r"),
            (9500, "boot: not a time\r"),
            (9500, "boot: gg-init       3.00 s\r"),
            (10_000, "boot: together      5.00 s from the start of the kernel to a component running\r"),
        ] {
            sender.send((Duration::from_millis(at), line.to_owned())).unwrap();
        }
        let boot = watch(&lines, Instant::now() + Duration::from_secs(60)).unwrap();
        let expected = [("firmware", 3.0), ("grub", 2.0), ("kernel", 2.0), ("gg-init", 3.0)];
        assert_eq!(boot.stages, expected.map(|(name, seconds)| (name.to_owned(), seconds)));
        assert_eq!(boot.whole, 10.0);
    }

    #[test]
    fn watch_gives_up_on_a_machine_that_ended() {
        let (sender, lines) = mpsc::sync_channel::<(Duration, String)>(1);
        drop(sender);
        assert!(watch(&lines, Instant::now() + Duration::from_secs(60)).is_err());
    }
}
