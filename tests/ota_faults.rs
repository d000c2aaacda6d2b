//! Faults of an installation by the real program: killed, stopped, out of memory, no room, a damaged bundle. Whatever
//! happens, the slot is what it was, or nothing to anybody, or holds the whole image; and the next installation succeeds.
//!
//! `FAULTS=300` does so many of each kind.

#![cfg(feature = "ota")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "ota/matrix.rs"]
mod matrix;
#[path = "support/memory_group.rs"]
mod memory_group;
#[path = "ota/install_stage.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod stage;

use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use greengrass::boot::slot::Slot;
use greengrass::boot::state::grubenv;
use greengrass::boot::state::machine::Phase;
use greengrass::boot::state::variables::Variables;
use matrix::{Random, Row};
use memory_group::MemoryGroup;
use stage::Stage;

/// Of the image, which is no multiple of anything.
const SIZE: usize = (6 << 20) + 12_345;
/// What is written last.
const FIRST: usize = 1 << 20;

#[test]
fn slot_is_old_or_nothing_or_whole_after_every_fault() {
    let Some(ground) = Ground::new() else { return };
    for (id, what, fault) in FAULTS {
        let seed = matrix::seed();
        let mut row = Row::new(id, what, seed);
        // Who is stopped takes no processor.
        let jobs = if what.starts_with("SIGSTOP") { 50 } else { matrix::jobs() };
        row.run(matrix::wanted().unwrap_or(12), jobs, |case| {
            fault(&ground.seat(case), &mut Random::new(seed ^ ((case + 1) << 20)))
        });
        row.end();
    }
    ground.out_of_memory();
    matrix::verdict();
}

type Fault = fn(&Seat<'_>, &mut Random) -> Result<(), String>;

const FAULTS: [(&str, &str, Fault); 5] = [
    ("X4", "kill -9 at any time", |seat, random| seat.killed(random)),
    ("X4", "SIGSTOP at any time, then SIGCONT", |seat, random| seat.stopped(random)),
    ("X5", "a bit of the bundle flipped", |seat, random| seat.damaged(random)),
    ("X5", "the bundle cut short", |seat, random| seat.truncated(random)),
    ("X8", "writes fail behind any byte", |seat, random| seat.without_room(random)),
];

/// A bundle, who is trusted with it, and a slot with something old in it.
struct Ground {
    folder: tempfile::TempDir,
    bundle: PathBuf,
    image: Vec<u8>,
    old: Vec<u8>,
    /// What an installation without a fault takes.
    uncut: Duration,
}

impl Ground {
    fn new() -> Option<Self> {
        if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
            eprintln!("skipped: openssl is not there (apt-get install openssl)");
            return None;
        }
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (key, root, request, cert) = (path("key.pem"), path("root.pem"), path("request"), path("cert.pem"));
        let root_key = path("root-key.pem");
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let authority = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"];
        let own = ["req", "-x509", "-days", "3650", "-subj", "/CN=root", "-keyout", &root_key, "-out", &root];
        openssl(&[&own[..], &new_key, &authority].concat());
        openssl(&[&["req", "-subj", "/CN=signer", "-keyout", &key, "-out", &request][..], &new_key].concat());
        fs::write(
            path("extensions"),
            "keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning,emailProtection\n",
        )
        .unwrap();
        let sign =
            ["x509", "-req", "-in", &request, "-CA", &root, "-CAkey", &root_key, "-CAcreateserial", "-days", "3650"];
        openssl(&[&sign[..], &["-extfile", &path("extensions"), "-out", &cert]].concat());
        let mut random = Random::new(7);
        // A third of it packs well, so that there are packed and stored blocks.
        let image: Vec<u8> =
            (0..SIZE).map(|at| if at % 0x6_0000 < 0x2_0000 { b'x' } else { random.next() as u8 }).collect();
        fs::create_dir(path("content")).unwrap();
        fs::write(path("content/image.img"), &image).unwrap();
        fs::write(path("content/manifest.raucm"), "[update]\ncompatible=board\n[image.rootfs]\nfilename=image.img\n")
            .unwrap();
        fs::write(path("ota.conf"), "[system]\ncompatible=board\n[keyring]\npath=root.pem\n").unwrap();
        let bundle = path("bundle");
        let create = ["ota", "bundle", "create", "--key", &key, "--cert", &cert, &path("content"), &bundle];
        let made = Command::new(env!("CARGO_BIN_EXE_greengrass")).args(create).status().unwrap();
        assert!(made.success());
        let old = vec![0xee; SIZE.next_multiple_of(4096)];
        let mut ground = Self { bundle: bundle.into(), image, old, folder, uncut: Duration::ZERO };
        let start = Instant::now();
        let seat = ground.seat(0);
        assert!(seat.install(&ground.bundle, None), "the bundle is not installed");
        drop(seat);
        ground.uncut = start.elapsed();
        Some(ground)
    }

    fn seat(&self, case: u64) -> Seat<'_> {
        Seat { ground: self, slot: self.folder.path().join(format!("slot-{case}")) }
    }

    /// X4: the kernel kills it, as soon as it has more memory than this.
    fn out_of_memory(&self) {
        let seed = matrix::seed();
        let (mut row, mut random) = (Row::new("X4", "killed for want of memory", seed), Random::new(seed));
        let Some(group) = MemoryGroup::new() else { return };
        let (seat, mut killed) = (self.seat(0), 0);
        for _ in 0..matrix::wanted().unwrap_or(12) {
            group.limit((256 + random.next() % 6_000) << 10);
            let inner = seat.command(&self.bundle, None);
            let mut command = group.command();
            command.arg(inner.get_program()).args(inner.get_args());
            let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            killed += u32::from(ended.signal() == Some(9));
            row.case(seat.judge(Some(ended.success())));
        }
        println!("X4: {killed} were killed for want of memory");
        assert!(killed > 0, "no limit was too low for it");
        row.end();
    }
}

/// A slot of its own, so that several are installed at once.
struct Seat<'a> {
    ground: &'a Ground,
    slot: PathBuf,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.slot);
        let _ = fs::remove_file(self.damaged_bundle());
    }
}

impl Seat<'_> {
    fn damaged_bundle(&self) -> PathBuf {
        self.slot.with_extension("damaged")
    }

    /// Into an old slot; `limit` is the longest file that it may write, in blocks of 512 bytes.
    fn command(&self, bundle: &Path, limit: Option<usize>) -> Command {
        fs::write(&self.slot, &self.ground.old).unwrap();
        let slot = format!("rootfs={}", self.slot.display());
        // Ignored, the signal becomes an error of the write.
        let limit = limit.map_or("unlimited".to_owned(), |blocks| blocks.to_string());
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &limit]);
        command.args([env!("CARGO_BIN_EXE_greengrass"), "ota", "install", "--conf"]);
        command.arg(self.ground.folder.path().join("ota.conf")).args(["--slot", &slot]).arg(bundle);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn install(&self, bundle: &Path, limit: Option<usize>) -> bool {
        self.command(bundle, limit).status().unwrap().success()
    }

    fn killed(&self, random: &mut Random) -> Result<(), String> {
        let mut child = self.command(&self.ground.bundle, None).spawn().unwrap();
        sleep(self.ground.uncut.mul_f64(random.share() * 1.1));
        child.kill().unwrap();
        child.wait().unwrap();
        self.judge(None)
    }

    fn stopped(&self, random: &mut Random) -> Result<(), String> {
        let mut child = self.command(&self.ground.bundle, None).spawn().unwrap();
        sleep(self.ground.uncut.mul_f64(random.share() * 1.1));
        let signal = |name: &str| {
            Command::new("kill").args([name, &child.id().to_string()]).stderr(Stdio::null()).status().unwrap()
        };
        // It may have ended before.
        signal("-STOP");
        sleep(if matrix::wanted().is_some() { Duration::from_secs(60) } else { Duration::from_millis(50) });
        signal("-CONT");
        let ended = child.wait().unwrap();
        self.judge(Some(ended.success()))?;
        if ended.success() { Ok(()) } else { Err("it did not go on".to_owned()) }
    }

    fn damaged(&self, random: &mut Random) -> Result<(), String> {
        let path = self.copied();
        let file = fs::File::options().read(true).write(true).open(&path).unwrap();
        let at = random.next() % file.metadata().unwrap().len();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1 << (random.next() % 8)], at).unwrap();
        let succeeded = self.install(&path, None);
        self.judge(Some(succeeded)).map_err(|why| format!("byte {at}: {why}"))
    }

    fn truncated(&self, random: &mut Random) -> Result<(), String> {
        let path = self.copied();
        let file = fs::File::options().write(true).open(&path).unwrap();
        let length = random.next() % file.metadata().unwrap().len();
        file.set_len(length).unwrap();
        if self.install(&path, None) {
            return Err(format!("{length} bytes were installed"));
        }
        self.judge(Some(false))
    }

    fn without_room(&self, random: &mut Random) -> Result<(), String> {
        let blocks = random.next() as usize % (SIZE / 512);
        if self.install(&self.ground.bundle, Some(blocks)) {
            return Err(format!("it wrote more than {blocks} blocks"));
        }
        self.judge(Some(false))
    }

    fn copied(&self) -> PathBuf {
        let path = self.damaged_bundle();
        fs::copy(&self.ground.bundle, &path).unwrap();
        path
    }

    /// O1 and O5. `succeeded` is what the program said, where it could.
    fn judge(&self, succeeded: Option<bool>) -> Result<(), String> {
        let slot = fs::read(&self.slot).unwrap();
        let is_whole = slot.get(..SIZE) == Some(&self.ground.image[..]);
        // Cut off while the beginning was wiped, nothing else has changed yet.
        let wiped = slot.iter().take_while(|byte| **byte == 0).count();
        let is_nothing = wiped >= FIRST || slot[wiped..] == self.ground.old[wiped..];
        if !is_whole && !is_nothing {
            return Err("a slot with a beginning is not whole".to_owned());
        }
        if succeeded == Some(true) && !is_whole {
            return Err("it said that it succeeded".to_owned());
        }
        let again = self.install(&self.ground.bundle, None);
        let whole = fs::read(&self.slot).unwrap().get(..SIZE) == Some(&self.ground.image[..]);
        if again && whole { Ok(()) } else { Err("the next installation failed".to_owned()) }
    }
}

fn openssl(arguments: &[&str]) {
    let ran = Command::new("openssl").args(arguments).output().unwrap();
    assert!(ran.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// X8: a slot that can only be read, one whose medium is full, and data without room for what is to be noted there. The
/// slot that runs is what it was, nothing incomplete is on trial, and with room it is installed.
#[test]
fn media_that_fail_leave_the_device_as_it_was() {
    let mut row = Row::new("X8", "read-only slot, slot on a full disk", 0);
    let stage = Stage::new();
    let image = stage::noise(3 * stage::MIB, 1);
    let bundle = stage.bundle("one", "version=1", "", &[("rootfs", &image)]);
    let slot = stage.path("rootfs-b").display().to_string();
    let Some(device) = LoopDevice::new(&["--read-only", &slot]) else { return };
    stage.set(&format!("device={slot}"), &format!("device={}", device.0));
    row.case(refuses(&stage, &bundle));
    stage.set(&device.0, &slot);
    drop(device);

    // A disk of 2 MiB behind a slot that says it has 9.
    let full = stage.path("full");
    fs::create_dir(&full).unwrap();
    let Some(_mount) = Mount::new(&["-t", "tmpfs", "-o", "size=2m", "none"], &full) else { return };
    let behind = full.join("slot");
    fs::File::create(&behind).unwrap().set_len(9 << 20).unwrap();
    let Some(device) = LoopDevice::new(&[behind.to_str().unwrap()]) else { return };
    stage.set(&format!("device={slot}"), &format!("device={}", device.0));
    row.case(refuses(&stage, &bundle));
    stage.set(&device.0, &slot);
    row.case(installs(&stage, &bundle, &image));
    row.end();
    matrix::verdict();
}

fn refuses(stage: &Stage, bundle: &str) -> Result<(), String> {
    let before = stage.slot("rootfs", Slot::A);
    let failed = stage.install(&[bundle]);
    let status = stage.slots(Slot::A).status().map_err(|cause| cause.to_string())?;
    let is_quiet = status.view.trial.is_none() && matches!(status.phase, Phase::Idle | Phase::Writing(Slot::B));
    if failed.code == 0 || failed.stderr.is_empty() || !is_quiet || stage.slot("rootfs", Slot::A) != before {
        return Err(format!("{failed:?}, {:?}", status.phase));
    }
    Ok(())
}

fn installs(stage: &Stage, bundle: &str, image: &[u8]) -> Result<(), String> {
    let done = stage.install(&[bundle]);
    let is_there = stage.slot("rootfs", Slot::B).starts_with(image);
    if done.code == 0 && is_there { Ok(()) } else { Err(format!("O5: {}", done.stderr)) }
}

/// X8: data become full at each write of an installation, from no room at all to enough.
#[test]
fn data_without_room_leave_the_device_as_it_was() {
    let stage = Stage::new();
    let image = stage::noise(stage::MIB, 1);
    let bundle = stage.bundle("one", "version=1", "", &[("rootfs", &image)]);
    let (disk, data) = (stage.path("data.img"), stage.path("data"));
    fs::create_dir_all(&data).unwrap();
    let mut row = Row::new("X8", "data full at each write", 0);
    let mut installed = 0;
    for blocks in 0..if matrix::wanted().is_some() { 100 } else { 24 } {
        let _ = fs::remove_file(&disk);
        fs::File::create(&disk).unwrap().set_len(4 << 20).unwrap();
        let options = [
            "-q",
            "-F",
            "-t",
            "ext4",
            "-b",
            "4096",
            "-m",
            "0",
            "-O",
            "^has_journal,^resize_inode,^inline_data",
            "-N",
            "32",
        ];
        stage.tool("mke2fs", &options, &[disk.to_str().unwrap()]);
        let Some(mount) = Mount::new(&["-o", "loop", disk.to_str().unwrap()], &data) else { return };
        stage.boots(Slot::A);
        // All the room there is, but for so many blocks.
        let mut room = fs::File::create(data.join("others")).unwrap();
        while room.write_all(&[1; 4096]).is_ok() {}
        let length = room.metadata().unwrap().len();
        room.set_len(length.saturating_sub(blocks * 4096)).unwrap();
        room.sync_all().unwrap();
        drop(room);
        let outcome = match stage.install(&[&bundle]).code {
            0 => {
                installed += 1;
                Ok(())
            }
            _ => refuses_still(&stage),
        };
        fs::remove_file(data.join("others")).unwrap();
        row.case(
            outcome.and_then(|()| installs(&stage, &bundle, &image)).map_err(|why| format!("{blocks} blocks: {why}")),
        );
        drop(mount);
        let mut variables = Variables::default();
        variables.set("gg_ok", "a");
        fs::write(stage.path("grubenv"), grubenv::encode(&variables).unwrap()).unwrap();
        fs::File::open(stage.path("grubenv")).unwrap().sync_all().unwrap();
    }
    assert!(installed > 0, "there never was room enough");
    row.end();
    matrix::verdict();
}

/// After a failure: nothing incomplete is on trial, and what runs is confirmed.
fn refuses_still(stage: &Stage) -> Result<(), String> {
    let status = stage.slots(Slot::A).status().map_err(|cause| cause.to_string())?;
    let is_lawful = match status.phase {
        Phase::Idle | Phase::Writing(Slot::B) | Phase::Valid(Slot::B) | Phase::Prepared(Slot::B) => {
            status.view.trial.is_none()
        }
        _ => false,
    };
    if is_lawful { Ok(()) } else { Err(format!("it failed and is {:?}", status.phase)) }
}

/// A loop device.
struct LoopDevice(String);

impl LoopDevice {
    fn new(arguments: &[&str]) -> Option<Self> {
        let made = Command::new("losetup").args(["--find", "--show"]).args(arguments).output();
        let path = made.ok().filter(|made| made.status.success()).map(|made| String::from_utf8(made.stdout).unwrap());
        let Some(path) = path else {
            eprintln!("skipped: no loop device can be made (it takes root, and losetup)");
            return None;
        };
        Some(Self(path.trim().to_owned()))
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

/// A file system that is mounted for a while.
struct Mount(PathBuf);

impl Mount {
    fn new(arguments: &[&str], at: &Path) -> Option<Self> {
        let done = Command::new("mount").args(arguments).arg(at).stderr(Stdio::null()).status();
        if !done.is_ok_and(|done| done.success()) {
            eprintln!("skipped: nothing can be mounted (it takes root)");
            return None;
        }
        Some(Self(at.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
