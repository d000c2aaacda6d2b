//! Updates: an installation beside RAUC's in the same run, and what power cuts leave behind.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use gg_boot::state::simulator::{Effort, Loader, run, run_random};
use serde_json::{Map, Value, json};

use super::{Measured, rounded};
use crate::target;

const IMAGE: f64 = 256.0 * 1024.0 * 1024.0;
const GIB: f64 = 1024.0 * 1024.0 * 1024.0;
const SLOT: u64 = 320 << 20;
/// Of each; the median counts.
const RUNS: usize = 3;
const SAMPLE: Duration = Duration::from_millis(4);
/// In KiB.
const MOST_RSS: u64 = 10 * 1024;
/// As [`MOST_RSS`], of page cache.
const MOST_CACHE: u64 = 16 * 1024;
/// Sectors of record and environment that an update writes, where GRUB is the boot loader.
const MOST_WRITES: usize = 8;

/// Ours with verity bundles, RAUC with plain ones, which need no device-mapper; the same images, packed the same. What counts
/// is the worse of squashfs and ext4 as `rauc bundle` packs them, by gzip. Stored, the disk is most of what both wait for: that
/// is reported beside it.
pub(super) fn install(binary: &Path) -> io::Result<Measured> {
    if let Some(why) = missing() {
        return Ok(Measured { value: Value::Null, met: false, note: why });
    }
    let ground = Ground::new()?;
    let (mut value, mut notes) = (Map::new(), Vec::new());
    let (mut rss, mut cache, mut met) = (0, None, true);
    for (packed, prefix, counts) in [("gzip", "", true), ("stored", "stored_", false)] {
        let (mut rate_ratio, mut cpu_ratio) = (f64::INFINITY, 0.0_f64);
        for image in ["squashfs", "ext4"] {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..RUNS {
                ours.push(ground.ours(binary, &format!("{image}-{packed}-verity.raucb"))?);
                theirs.push(ground.rauc(&format!("{image}-{packed}-plain.raucb"))?);
            }
            rss = ours.iter().map(|cost| cost.rss_kib).fold(rss, u64::max);
            cache = ours.iter().filter_map(|cost| cost.cache_kib).fold(cache, |most, kib| most.max(Some(kib)));
            let (ours, theirs) = (Median::of(&ours), Median::of(&theirs));
            let beside = if packed == "stored" { ground.swupdate(image)? } else { None };
            for (who, median) in [("ours", &ours), ("rauc", &theirs)]
                .into_iter()
                .chain(beside.as_ref().map(|median| ("swupdate", median)))
            {
                value.insert(format!("{who}_{image}_{packed}_mb_s"), json!(rounded(median.rate)));
                value.insert(format!("{who}_{image}_{packed}_cpu_s_gib"), json!(rounded(median.cpu)));
            }
            let (rate, cpu) = (ours.rate / theirs.rate, ours.cpu / theirs.cpu);
            notes.push(format!("{image} {packed}: {rate:.1} times the rate, {cpu:.2} of the CPU"));
            (rate_ratio, cpu_ratio) = (rate_ratio.min(rate), cpu_ratio.max(cpu));
        }
        value.insert(format!("{prefix}rate_ratio_rauc"), json!(rounded(rate_ratio)));
        value.insert(format!("{prefix}cpu_ratio_rauc"), json!(rounded(cpu_ratio)));
        met &= !counts || rate_ratio >= 2.0 && cpu_ratio <= 0.5;
    }
    value.insert("rss_kib".to_owned(), json!(rss));
    value.insert("cache_kib".to_owned(), json!(cache));
    notes
        .push("from a file on disk, cold, into a loop device; flushed and read back by us, flushed by RAUC".to_owned());
    Ok(Measured {
        value: Value::Object(value),
        met: met && rss <= MOST_RSS && cache.is_none_or(|kib| kib <= MOST_CACHE),
        note: notes.join("; "),
    })
}

/// Every cut of the simulator, and a thousand lives with some in a row.
pub(super) fn power_cuts(_: &Path) -> io::Result<Measured> {
    let start = Instant::now();
    let (every, random) = (run(Effort { second_cut_every: 12, seed: 7 }), run_random(1_000, 7));
    for violation in every.violations.iter().chain(&random.violations).take(20) {
        eprintln!("bench: F18: {violation}");
    }
    let violations = every.violations.len() + random.violations.len();
    let writes: Vec<_> =
        every.writes.iter().map(|writes| format!("{:?} {}", writes.loader, writes.of_update)).collect();
    let is_quiet = every.writes.iter().all(|writes| writes.loader.counts_each_boot() || writes.of_boot == 0);
    let grub = every.writes.iter().find(|writes| writes.loader == Loader::Grub);
    Ok(Measured {
        value: json!({
            "violations": violations,
            "states": every.states,
            "cuts_at_random": random.states,
            "writes_of_update": grub.map(|writes| writes.of_update),
            "writes_of_boot": grub.map(|writes| writes.of_boot),
        }),
        met: violations == 0
            && every.states >= 100_000
            && random.states >= 1_000
            && is_quiet
            && grub.is_some_and(|writes| writes.of_update <= MOST_WRITES && writes.of_boot == 0),
        note: format!(
            "{:.0} s; sectors of record and environment per update, the boot loader's own among them: {}",
            start.elapsed().as_secs_f64(),
            writes.join(", ")
        ),
    })
}

fn missing() -> Option<String> {
    let has = |program: &str| {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&paths)
            .chain(["/sbin".into(), "/usr/sbin".into()])
            .any(|path| path.join(program).exists())
    };
    let programs = ["rauc", "dbus-daemon", "losetup", "mksquashfs", "mke2fs", "openssl", "zstd"];
    let missing: Vec<_> = programs.into_iter().filter(|program| !has(program)).collect();
    if !missing.is_empty() {
        return Some(format!("there is no {}", missing.join(", ")));
    }
    // The files of another's process tell who we are.
    let root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    (!root).then(|| "RAUC and loop devices need root".to_owned())
}

/// Bundles, two slots, and a bus of our own.
struct Ground {
    directory: PathBuf,
    slots: [Loop; 2],
    _bus: Service,
}

struct Loop(String);

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", &self.0]).status();
    }
}

/// Ends with the measurement.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ground {
    fn new() -> io::Result<Self> {
        let directory = target().join("bench/updates");
        fs::create_dir_all(&directory)?;
        let directory = directory.canonicalize()?;
        eprintln!("bench: F16: making images and bundles in {}, once", directory.display());
        run_to_end(Command::new("tests/bench/updates.sh").arg(&directory))?;
        let slots = [directory.join("a.img"), directory.join("b.img")];
        for slot in &slots {
            // Written, so that no run pays for finding room.
            run_to_end(Command::new("fallocate").args(["-l", &SLOT.to_string()]).arg(slot))?;
        }
        let [first, second] = slots.each_ref().map(|slot| attach(slot));
        let slots = [first?, second?];
        let socket = directory.join("bus");
        let rules = "<allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/>";
        let policy = format!("<policy context=\"default\">{rules}</policy>");
        let bus = format!(
            "<busconfig><type>system</type><listen>unix:path={}</listen>{policy}</busconfig>\n",
            socket.display()
        );
        fs::write(directory.join("bus.conf"), bus)?;
        let mut system = "[system]\ncompatible=ota-bench\nbootloader=noop\nbundle-formats=plain verity\n".to_owned();
        system += &format!("statusfile={0}/status\n[keyring]\npath={0}/ca.pem\n", directory.display());
        for (index, (slot, name)) in slots.iter().zip(["A", "B"]).enumerate() {
            system += &format!("[slot.rootfs.{index}]\ndevice={}\ntype=raw\nbootname={name}\n", slot.0);
        }
        fs::write(directory.join("system.conf"), system)?;
        fs::write(directory.join("ota.conf"), "[system]\ncompatible=ota-bench\n[keyring]\npath=ca.pem\n")?;
        let config = format!("--config-file={}", directory.join("bus.conf").display());
        let bus = Service(
            Command::new("dbus-daemon").arg(config).args(["--nofork", "--nopidfile"]).stderr(Stdio::null()).spawn()?,
        );
        let start = Instant::now();
        while !socket.exists() && start.elapsed() < Duration::from_secs(20) {
            sleep(SAMPLE);
        }
        Ok(Self { directory, slots, _bus: bus })
    }

    fn ours(&self, binary: &Path, bundle: &str) -> io::Result<Cost> {
        let bundle = self.cold(bundle)?;
        let group = Group::new();
        let slot = format!("rootfs={}", self.slots[1].0);
        let conf = self.directory.join("ota.conf");
        let mut command = group.command(binary);
        command.args(["ota", "install", "--conf"]).arg(conf).args(["--slot", &slot]).arg(bundle);
        let start = Instant::now();
        let child = command.stdout(Stdio::null()).spawn()?;
        let mut cost = watch(child, start, None, || group.cache_kib())?;
        cost.cache_kib = group.is_there.then_some(cost.cache_kib).flatten();
        Ok(cost)
    }

    fn rauc(&self, bundle: &str) -> io::Result<Cost> {
        let bundle = self.cold(bundle)?;
        let address = format!("unix:path={}", self.directory.join("bus").display());
        let rauc = || {
            let mut command = Command::new("rauc");
            command.env("DBUS_SYSTEM_BUS_ADDRESS", &address).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let conf = format!("--conf={}", self.directory.join("system.conf").display());
        let service = Service(rauc().args([&conf, "--override-boot-slot=A", "service"]).spawn()?);
        // It says nothing when it is ready; asking it does.
        let start = Instant::now();
        while !rauc().arg("status").status()?.success() {
            if start.elapsed() > Duration::from_secs(20) {
                return Err(io::Error::other("the service of RAUC does not answer"));
            }
            sleep(SAMPLE);
        }
        let start = Instant::now();
        let client = rauc().arg("install").arg(bundle).spawn()?;
        watch(client, start, Some(service.0.id()), || None)
    }

    /// The image as it is, written while it is hashed, and not flushed. None where there is no `swupdate`.
    fn swupdate(&self, image: &str) -> io::Result<Option<Median>> {
        let name = format!("{image}.swu");
        if !self.directory.join(&name).exists() {
            return Ok(None);
        }
        let slot = self.directory.join("slot");
        let _ = fs::remove_file(&slot);
        std::os::unix::fs::symlink(&self.slots[1].0, slot)?;
        let mut costs = Vec::new();
        for _ in 0..RUNS {
            let image = self.cold(&name)?;
            let mut command = Command::new("swupdate");
            command.env("TMPDIR", &self.directory).args(["-H", "bench:1", "-k"]).arg(self.directory.join("ca.pem"));
            command.arg("-i").arg(image).stdout(Stdio::null()).stderr(Stdio::null());
            costs.push(watch(command.spawn()?, Instant::now(), None, || None)?);
        }
        Ok(Some(Median::of(&costs)))
    }

    /// A bundle that no page cache has.
    fn cold(&self, bundle: &str) -> io::Result<PathBuf> {
        let path = self.directory.join(bundle);
        let of = format!("of={}", path.display());
        let arguments = [of.as_str(), "oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none"];
        run_to_end(Command::new("dd").args(arguments))?;
        Ok(path)
    }
}

fn attach(file: &Path) -> io::Result<Loop> {
    let attached = Command::new("losetup").args(["-f", "--show"]).arg(file).output()?;
    let name = String::from_utf8_lossy(&attached.stdout).trim().to_owned();
    if attached.status.success() { Ok(Loop(name)) } else { Err(io::Error::other("cannot attach a loop device")) }
}

fn run_to_end(command: &mut Command) -> io::Result<()> {
    let ended = command.status()?;
    if ended.success() { Ok(()) } else { Err(io::Error::other(format!("{command:?}: {ended}"))) }
}

struct Cost {
    seconds: f64,
    cpu: f64,
    rss_kib: u64,
    cache_kib: Option<u64>,
}

struct Median {
    rate: f64,
    /// Seconds per GiB.
    cpu: f64,
}

impl Median {
    fn of(costs: &[Cost]) -> Self {
        let median = |field: fn(&Cost) -> f64| {
            let mut all: Vec<f64> = costs.iter().map(field).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        Self { rate: IMAGE / 1e6 / median(|cost| cost.seconds), cpu: median(|cost| cost.cpu) * GIB / IMAGE }
    }
}

/// Until the child ends. A process that has ended and was not waited for still says what it cost.
fn watch(mut child: Child, start: Instant, service: Option<u32>, sample: impl Fn() -> Option<u64>) -> io::Result<Cost> {
    let before = service.map_or(Ok(0.0), |pid| Ok::<_, io::Error>(Stat::of(pid)?.seconds))?;
    let (mut rss_kib, mut cache_kib) = (0, None);
    let (own, seconds) = loop {
        let stat = Stat::of(child.id())?;
        if stat.has_ended {
            break (stat.seconds, start.elapsed().as_secs_f64());
        }
        rss_kib = rss_kib.max(peak_kib(service.unwrap_or(child.id())));
        cache_kib = cache_kib.max(sample());
        sleep(SAMPLE);
    };
    let after = service.map_or(Ok(0.0), |pid| Ok::<_, io::Error>(Stat::of(pid)?.seconds))?;
    let ended = child.wait()?;
    if !ended.success() {
        return Err(io::Error::other(format!("the installation: {ended}")));
    }
    Ok(Cost { seconds, cpu: own + after - before, rss_kib, cache_kib })
}

/// `/proc/<pid>/stat`, see `proc(5)`.
struct Stat {
    has_ended: bool,
    /// Of processor, with all threads and the children that were waited for.
    seconds: f64,
}

impl Stat {
    fn of(pid: u32) -> io::Result<Self> {
        const TICKS: f64 = 100.0;
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let fields: Vec<&str> = text.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
        let seconds = (11..=14).map(ticks).sum::<f64>() / TICKS;
        Ok(Self { has_ended: fields.first() == Some(&"Z"), seconds })
    }
}

fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// A control group that counts the page cache of one installation, where the machine has one to give.
struct Group {
    directory: PathBuf,
    is_there: bool,
}

impl Group {
    fn new() -> Self {
        let roots = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"];
        let root = roots.into_iter().find(|root| Path::new(root).join("cgroup.procs").exists()).unwrap_or(roots[1]);
        let directory = Path::new(root).join(format!("gg-bench-{}", std::process::id()));
        let is_there = fs::create_dir_all(&directory).is_ok() && File::open(directory.join("memory.stat")).is_ok();
        Self { directory, is_there }
    }

    fn command(&self, binary: &Path) -> Command {
        if !self.is_there {
            return Command::new(binary);
        }
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$ >\"$0/cgroup.procs\" && exec \"$@\""]).arg(&self.directory).arg(binary);
        command
    }

    fn cache_kib(&self) -> Option<u64> {
        let stat = fs::read_to_string(self.directory.join("memory.stat")).ok()?;
        let names = ["cache", "file"];
        let line = stat.lines().filter_map(|line| line.split_once(' ')).find(|(name, _)| names.contains(name));
        Some(line?.1.trim().parse::<u64>().ok()? / 1024)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What it holds of the page cache goes to the group above.
        let _ = fs::remove_dir(&self.directory);
    }
}
