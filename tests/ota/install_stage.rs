//! A device of files: two slots of two classes, GRUB's environment, the record, and somebody who signs.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use greengrass::boot::slot::Slot;
use greengrass::boot::state::device::{DeviceSlots, Kind, open_files};
use greengrass::boot::state::grubenv;
use greengrass::boot::state::slots::Moment;
use greengrass::boot::state::variables::Variables;
use serde_json::Value;

#[path = "../support/noise.rs"]
mod noise;

pub use noise::noise;

pub const MIB: usize = 1 << 20;
const PROGRAM: &str = env!("CARGO_BIN_EXE_greengrass");

pub struct Stage(tempfile::TempDir);

impl Stage {
    pub fn new() -> Self {
        // Not in memory: the state wants a disk whose blocks stay where they are.
        let stage = Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
        let mut slots = String::new();
        for (class, relation) in [("rootfs", "bootname"), ("app", "parent")] {
            for (number, slot) in [(0, "a"), (1, "b")] {
                let path = stage.path(&format!("{class}-{slot}"));
                fs::write(&path, vec![0xee; 9 * MIB]).unwrap();
                let value = if relation == "parent" { format!("rootfs.{number}") } else { slot.to_owned() };
                slots += &format!("[slot.{class}.{number}]\ndevice={}\n{relation}={value}\n", path.display());
            }
        }
        let text = format!(
            "[system]\ncompatible=board\nbootloader=grub\ngrubenv={0}/grubenv\n[keyring]\npath=cert.pem\n\
            [greengrass]\nbooted=a\nstate=files\ndata-directory={0}/data\nlock={0}/run/ota.lock\nnice=1\nio-priority=low\n\
            {slots}",
            stage.0.path().display()
        );
        fs::write(stage.path("ota.conf"), text).unwrap();
        let mut variables = Variables::default();
        variables.set("gg_ok", "a");
        fs::write(stage.path("grubenv"), grubenv::encode(&variables).unwrap()).unwrap();
        fs::File::open(stage.path("grubenv")).unwrap().sync_all().unwrap();
        stage.tool(
            "openssl",
            &["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "20000"],
            &["-subj", "/CN=signer", "-keyout", "key.pem", "-out", "cert.pem"],
        );
        stage
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a tool in the directory of the stage.
    pub fn tool(&self, program: &str, words: &[&str], more: &[&str]) {
        let done = Command::new(program).args(words).args(more).current_dir(self.0.path()).output().unwrap();
        assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Makes a bundle of one image for each class; returns its path.
    pub fn bundle(&self, name: &str, update: &str, policy: &str, images: &[(&str, &[u8])]) -> String {
        let folder = self.path(&format!("{name}.folder"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        let mut manifest = format!("[update]\ncompatible=board\n{update}\n[meta.greengrass]\n{policy}\n");
        for (class, bytes) in images {
            fs::write(folder.join(format!("{class}.img")), bytes).unwrap();
            manifest += &format!("[image.{class}]\nfilename={class}.img\n");
        }
        fs::write(folder.join("manifest.raucm"), manifest).unwrap();
        self.pack(name)
    }

    /// Makes the bundle of the folder `NAME.folder`, in which a manifest lies.
    pub fn pack(&self, name: &str) -> String {
        let bundle = format!("{name}.raucb");
        let _ = fs::remove_file(self.path(&bundle));
        let create = ["ota", "bundle", "create", "--key", "key.pem", "--cert", "cert.pem"];
        self.tool(PROGRAM, &create, &[&format!("{name}.folder"), &bundle]);
        self.path(&bundle).to_str().unwrap().to_owned()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["ota", "install", "-o", "json", "--conf"]).arg(self.path("ota.conf")).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn start(&self, words: &[&str]) -> Run {
        let mut child = self.command(words).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Run { child, lines, seen: Vec::new() }
    }

    pub fn install(&self, words: &[&str]) -> Done {
        self.start(words).finish()
    }

    /// The state of the slots, as the slot that runs sees it.
    pub fn slots(&self, booted: Slot) -> DeviceSlots {
        open_files(Kind::Grub, &self.path("data/state"), &self.path("grubenv"), booted).unwrap()
    }

    /// The machine comes up again, and from there on this slot runs.
    pub fn boots(&self, slot: Slot) {
        let _ = self.slots(slot).settle(Moment::at(6)).unwrap();
        let text = fs::read_to_string(self.path("ota.conf")).unwrap();
        let (was, is) = (format!("booted={}", slot.other().name()), format!("booted={}", slot.name()));
        fs::write(self.path("ota.conf"), text.replace(&was, &is)).unwrap();
    }

    /// Changes the settings.
    pub fn set(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("ota.conf")).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(self.path("ota.conf"), text.replace(from, to)).unwrap();
    }

    pub fn slot(&self, class: &str, slot: Slot) -> Vec<u8> {
        fs::read(self.path(&format!("{class}-{}", slot.name()))).unwrap()
    }
}

/// A loop device.
pub struct Loop {
    path: String,
    mount_point: PathBuf,
}

impl Stage {
    /// Makes a slot a block device; none where we may not, and says so.
    pub fn block_device(&self, name: &str, size: usize) -> Option<Loop> {
        fs::File::create(self.path(name)).unwrap().set_len(size as u64).unwrap();
        let made = Command::new("losetup").args(["--find", "--show"]).arg(self.path(name)).output();
        let path = made.ok().filter(|made| made.status.success()).map(|made| String::from_utf8(made.stdout).unwrap());
        let Some(path) = path else {
            eprintln!("skipped: no loop device can be made (it takes root, and losetup)");
            return None;
        };
        let (path, mount_point) = (path.trim().to_owned(), self.path("seen"));
        // Below chroot(8) nobody can have a mount table of his own.
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        if !table.lines().any(|line| line.split(' ').nth(4) == Some("/")) {
            eprintln!("skipped: / is not mounted here, so no mount can be kept from others");
            assert!(Command::new("losetup").args(["--detach", &path]).status().unwrap().success());
            return None;
        }
        fs::create_dir(&mount_point).unwrap();
        self.set(&format!("device={}", self.path(name).display()), &format!("device={path}"));
        Some(Loop { path, mount_point })
    }
}

impl Loop {
    pub fn mounted(&self) -> &PathBuf {
        let done = Command::new("mount").args(["-o", "ro", &self.path]).arg(&self.mount_point).status().unwrap();
        assert!(done.success(), "{} can be mounted", self.path);
        &self.mount_point
    }

    pub fn unmount(&self) {
        assert!(Command::new("umount").arg(&self.mount_point).status().unwrap().success());
    }

    pub fn bytes(&self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        fs::File::open(&self.path).unwrap().take(length as u64).read_to_end(&mut bytes).unwrap();
        bytes
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.mount_point).stderr(Stdio::null()).status();
        let _ = Command::new("losetup").args(["--detach", &self.path]).status();
    }
}

/// An installation at work.
pub struct Run {
    child: Child,
    lines: BufReader<ChildStdout>,
    seen: Vec<Value>,
}

/// One that ended.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub lines: Vec<Value>,
    pub stderr: String,
}

impl Run {
    fn next(&mut self) -> Option<&Value> {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        self.seen.push(serde_json::from_str(&line).ok()?);
        self.seen.last()
    }

    pub fn until(&mut self, event: &str) {
        while self.next().is_some_and(|line| line["event"] != event) {}
    }

    /// Reads until so much is done, or all.
    pub fn until_percent(&mut self, percent: u64) {
        while self.next().is_some_and(|line| line["percent"].as_u64().is_none_or(|now| now < percent)) {}
    }

    /// Ends it without a chance to say anything.
    pub fn kill(mut self) -> Vec<Value> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.seen
    }

    pub fn finish(mut self) -> Done {
        while self.next().is_some() {}
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Done { code: self.child.wait().unwrap().code().unwrap(), lines: self.seen, stderr }
    }
}

impl Done {
    pub fn failure(&self) -> &str {
        self.lines.last().and_then(|line| line["failure"].as_str()).unwrap_or("none")
    }

    pub fn events(&self, event: &str) -> usize {
        self.lines.iter().filter(|line| line["event"] == event).count()
    }
}
