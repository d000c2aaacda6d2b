//! A device in QEMU without acceleration, from the boot loader's choice to the power cut. The boot loader is played here,
//! by the rules of `init/image/grub.cfg`, with `grub-editenv` on the environment of the disk.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use greengrass::boot::slot::Slot;

use crate::disk::Disk;

/// Longer than any boot takes, however busy this machine is.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// What a device is made of: the files of `tests/power/ground.sh`.
#[derive(Debug)]
pub struct Ground {
    pub folder: PathBuf,
}

impl Ground {
    /// With updates that fail in these ways. `None` where there are no static binaries, and says so.
    pub fn new(faults: &[&str]) -> Option<Self> {
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        let binaries = top.join("target/dist/x86_64-unknown-linux-musl");
        for program in ["greengrass", "gg-init"] {
            if !binaries.join(program).exists() {
                eprintln!("skipped: {} is not there (make dist)", binaries.join(program).display());
                return None;
            }
        }
        if Command::new("qemu-system-x86_64").arg("--version").stdout(Stdio::null()).status().is_err() {
            eprintln!("skipped: qemu-system-x86_64 is not there (make setup)");
            return None;
        }
        let made = Command::new(top.join("tests/power/ground.sh")).args(faults).current_dir(top).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Some(Self { folder: top.join("target/power") })
    }

    pub fn device(&self, name: &str) -> Device {
        let folder = self.folder.join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let disk = folder.join("disk.img");
        copy(&self.folder.join("disk.img"), &disk);
        let kernel = ["target/kernel/bzImage", "target/debian-kernel/vmlinuz"];
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        let small = top.join(kernel[0]).exists();
        let (kernel, initramfs) = if small { (kernel[0], "small.gz") } else { (kernel[1], "debian.gz") };
        let (kernel, initramfs) = (top.join(kernel), self.folder.join(initramfs));
        Device {
            folder,
            disk,
            kernel,
            initramfs,
            update: PathBuf::new(),
            cache: "writeback",
            arguments: String::new(),
            watchdog: 60,
            log: None,
            told: 0,
        }
    }

    /// A case on a device of its own, of which nothing is left where it went well.
    pub fn case(&self, name: &str, case: impl FnOnce(Device) -> Result<(), String>) -> Result<(), String> {
        let device = self.device(name);
        let folder = device.folder.clone();
        let outcome = case(device);
        if outcome.is_ok() {
            let _ = fs::remove_dir_all(folder);
        }
        outcome
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

pub fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("--sparse=always").args([from, to]).status().unwrap().success());
}

/// A device, on or off.
#[derive(Debug)]
pub struct Device {
    pub folder: PathBuf,
    pub disk: PathBuf,
    kernel: PathBuf,
    initramfs: PathBuf,
    /// The second disk.
    pub update: PathBuf,
    /// How QEMU keeps the disk.
    pub cache: &'static str,
    /// More arguments for the kernel.
    pub arguments: String,
    /// Its watchdog's timeout in seconds. On a busy machine an emulated processor stands still for longer than a real one.
    pub watchdog: u32,
    /// Where each write of a boot is kept.
    pub log: Option<PathBuf>,
    /// The highest mark that it said was synced.
    pub told: u64,
}

/// When the power goes.
#[derive(Clone, Debug)]
pub enum Until {
    /// Not before the machine ends by itself.
    End,
    After(Duration),
    /// After it has said the word of [`Boot::times`], so many times as long as this boot took to be up.
    Within(&'static str, f64),
    /// So long after the boot loader's block on the disk has this slot as confirmed, which is the first write of a commit.
    Confirmed(Duration),
    /// Once the console says this, and so long after.
    Console(String, Duration),
    /// Before the first instruction, as a machine that hangs there and is reset.
    Hung,
}

/// What a boot said.
#[derive(Debug, Default)]
pub struct Boot {
    pub slot: Option<Slot>,
    pub words: String,
    pub console: String,
    pub was_cut: bool,
    /// When it said `up`, `install` and `kept`.
    times: [Option<Duration>; 3],
}

const TIMED: [&str; 3] = ["up", "install", "kept"];

/// How long parts of a life take, in times of what the boot before them took to be up: this machine is slow now and then.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From its begin to the end of the machine.
    pub install: f64,
    /// From being up to being kept.
    pub trial: f64,
}

/// As the last boots had it.
static PACE: Mutex<Option<Pace>> = Mutex::new(None);

pub fn pace() -> Pace {
    PACE.lock().unwrap().unwrap_or(Pace { install: 1.0, trial: 1.0 })
}

impl Boot {
    /// Of a boot that ended by itself.
    fn teach(&self, end: Duration) {
        let [up, install, kept] = self.times;
        let Some(up) = up.map(|up| up.as_secs_f64()).filter(|up| *up > 0.0) else { return };
        let mut pace = pace();
        let learn = |known: &mut f64, time: Duration| *known = (*known + time.as_secs_f64() / up) / 2.0;
        install.into_iter().for_each(|install| learn(&mut pace.install, end.saturating_sub(install)));
        kept.into_iter().for_each(|kept| learn(&mut pace.trial, kept.saturating_sub(Duration::from_secs_f64(up))));
        *PACE.lock().unwrap() = Some(pace);
    }

    /// How long it took to be up.
    pub fn up(&self) -> Option<Duration> {
        self.times[0]
    }

    pub fn said(&self, word: &str) -> Option<&str> {
        self.words.lines().find_map(|line| line.strip_prefix(word)).map(str::trim)
    }
}

impl Device {
    /// With another disk, as it is after a cut.
    pub fn take_disk(&mut self, disk: &Path) {
        fs::rename(disk, &self.disk).unwrap();
    }

    pub fn open(&self) -> Rc<Disk> {
        Rc::new(Disk::open(&self.disk))
    }

    /// What GRUB's script does before it loads a kernel.
    pub fn choose(&self) -> (Slot, bool) {
        let disk = self.open();
        let view = disk.environment();
        let ok = view.ok.unwrap_or(Slot::A);
        let Some(trial) = view.trial.filter(|trial| trial.slot != ok) else { return (ok, false) };
        let words = match trial.left {
            0 => vec![format!("gg_failed={}", trial.slot.name()), "gg_try=".to_owned(), "gg_left=".to_owned()],
            left => vec![format!("gg_left={}", left - 1)],
        };
        let (at, block) = (disk.environment_place(), self.folder.join("grubenv"));
        fs::write(&block, disk.bytes(at, 1024)).unwrap();
        assert!(Command::new("grub-editenv").arg(&block).arg("set").args(words).status().unwrap().success());
        disk.file().write_all_at(&fs::read(&block).unwrap(), at).unwrap();
        if trial.left > 0 { (trial.slot, true) } else { (ok, false) }
    }

    /// One boot, until the machine ends or its power is cut. `want` is the version that shall run.
    pub fn boot(&mut self, want: u32, until: &Until) -> Result<Boot, String> {
        let (slot, on_trial) = self.choose();
        if let Until::Hung = until {
            return Ok(Boot { slot: Some(slot), was_cut: true, ..Boot::default() });
        }
        let (console, words) = (self.folder.join("console.log"), self.folder.join("words.log"));
        for file in [&console, &words] {
            fs::write(file, "").unwrap();
        }
        let mut arguments = format!(
            "console=ttyS0 quiet no_timer_check reboot=t panic=-1 watchdog_thresh=60 gg.unsettled=0 \
             gg.watchdog={} gg.loaded={} want={want} {}",
            self.watchdog,
            slot.name(),
            self.arguments
        );
        if on_trial {
            arguments += " oops=panic softlockup_panic=1 hung_task_panic=1";
        }
        let start = Instant::now();
        let mut machine = self.start(&arguments, &console, &words);
        let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).replace('\r', "");
        let mut seen = None;
        let mut boot = Boot { slot: Some(slot), ..Boot::default() };
        boot.was_cut = loop {
            if machine.0.try_wait().unwrap().is_some() {
                break false;
            }
            let now = start.elapsed();
            let said = text(&words);
            for (word, time) in TIMED.into_iter().zip(&mut boot.times) {
                if time.is_none() && said.lines().any(|line| line.split(' ').next() == Some(word)) {
                    *time = Some(now);
                }
            }
            match until {
                Until::Within(word, times) => {
                    let from = TIMED.iter().position(|timed| timed == word).and_then(|index| boot.times[index]);
                    if from.zip(boot.up()).is_some_and(|(from, up)| now >= from + up.mul_f64(*times)) {
                        break true;
                    }
                }
                Until::After(limit) if start.elapsed() >= *limit => break true,
                Until::Confirmed(more) => {
                    if seen.is_none() && self.open().environment().ok == Some(slot) {
                        seen = Some(Instant::now());
                    }
                    if seen.is_some_and(|seen| seen.elapsed() >= *more) {
                        break true;
                    }
                }
                Until::Console(word, more) => {
                    if seen.is_none() && text(&console).contains(word.as_str()) {
                        seen = Some(Instant::now());
                    }
                    if seen.is_some_and(|seen| seen.elapsed() >= *more) {
                        break true;
                    }
                }
                _ => {}
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("the machine does not end: {}\n{}", text(&words), tail(&text(&console))));
            }
            sleep(Duration::from_millis(20));
        };
        if !boot.was_cut {
            boot.teach(start.elapsed());
        }
        drop(machine);
        (boot.words, boot.console) = (text(&words), text(&console));
        self.remember(&boot)?;
        Ok(boot)
    }

    /// O3, by the machine's own eyes.
    fn remember(&mut self, boot: &Boot) -> Result<(), String> {
        let number = |word| boot.said(word).and_then(|text| text.parse::<u64>().ok());
        if number("found ").is_some_and(|found| found < self.told) {
            return Err(format!("O3: {} marks were synced, found: {}", self.told, boot.words));
        }
        if boot.said("data ").is_some_and(|said| said == "CHANGED") {
            return Err("O3: files of a component were changed".to_owned());
        }
        self.told = self.told.max(number("synced ").unwrap_or(0));
        Ok(())
    }

    fn start(&self, arguments: &str, console: &Path, words: &Path) -> Machine {
        let mut command = Command::new("qemu-system-x86_64");
        command.args(["-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1", "-m", "192"]);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        for file in [console, words] {
            command.arg("-serial").arg(format!("file:{}", file.display()));
        }
        let direct = if self.cache == "none" { "on" } else { "off" };
        let file = format!("driver=file,node-name=file,filename={},cache.direct={direct}", self.disk.display());
        command.args(["-blockdev", &file, "-blockdev", "driver=raw,node-name=raw,file=file"]);
        let drive = match &self.log {
            None => "raw",
            Some(log) => {
                fs::write(log, "").unwrap();
                let log = format!("driver=file,node-name=log,filename={}", log.display());
                command.args(["-blockdev", &log, "-blockdev", "driver=blklogwrites,node-name=logged,file=raw,log=log"]);
                "logged"
            }
        };
        command.args(["-device", &format!("virtio-blk-pci,drive={drive}")]);
        if !self.update.as_os_str().is_empty() {
            command.arg("-drive").arg(format!("file={},format=raw,if=virtio,readonly=on", self.update.display()));
        }
        command.arg("-kernel").arg(&self.kernel).arg("-initrd").arg(&self.initramfs).args(["-append", arguments]);
        Machine(command.stdin(Stdio::null()).spawn().unwrap())
    }
}

/// Its power is cut when nobody holds it any more.
#[derive(Debug)]
pub struct Machine(pub Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}
