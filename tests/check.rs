//! `greengrass check` on trees that stand for machines, on real kernel configurations, and on this machine.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use greengrass::boot::kernel::{Configuration, Value as Setting, requirements};
use serde_json::Value;
use tempfile::TempDir;

fn check(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greengrass"));
    command.arg("check").args(arguments).env_remove("GGC_ROOT_PATH").output().unwrap()
}

fn json(arguments: &[&str]) -> (Value, i32) {
    let output = check(&[arguments, &["--output", "json"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let document = serde_json::from_str(&text);
    let document = document.unwrap_or_else(|e| panic!("{e}: {text} {}", String::from_utf8_lossy(&output.stderr)));
    (document, output.status.code().unwrap())
}

/// Name to verdict; of several with one name, the last.
fn verdicts(document: &Value) -> BTreeMap<&str, &str> {
    let findings = document["findings"].as_array().unwrap();
    findings.iter().map(|one| (one["name"].as_str().unwrap(), one["verdict"].as_str().unwrap())).collect()
}

/// A machine as files below a directory.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn link(&self, path: &str, target: &str) -> &Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        self
    }

    fn directory(&self, path: &str) -> &Self {
        fs::create_dir_all(self.0.path().join(path)).unwrap();
        self
    }

    fn program(&self, path: &str) -> &Self {
        self.file(path, "#!/bin/sh\n");
        fs::set_permissions(self.0.path().join(path), fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// What every Linux machine has.
    fn common(&self, release: &str) -> &Self {
        self.file("proc/sys/kernel/osrelease", format!("{release}\n"))
            .file("proc/sys/fs/protected_hardlinks", "1\n")
            .file("proc/sys/fs/protected_symlinks", "1\n")
            .file("proc/meminfo", "MemTotal: 512000 kB\nMemFree: 1 kB\nMemAvailable: 400000 kB\n")
            .file("etc/passwd", "root:x:0:0::/:/bin/sh\nggc_user:x:990:990::/:/bin/sh\n")
            .file("etc/group", "root:x:0:\nggc_group:x:990:\n")
            .link("dev/stdin", "/proc/self/fd/0")
            .link("dev/stdout", "/proc/self/fd/1")
            .link("dev/stderr", "/proc/self/fd/2")
            .directory("run")
            .link("var/run", "/run")
            .program("bin/busybox")
            .link("bin/sh", "/bin/busybox")
    }
}

fn all_options() -> String {
    requirements().iter().map(|requirement| format!("{}=y\n", requirement.option)).collect()
}

#[test]
fn board_with_version_1_is_read_from_its_files() {
    let tree = Tree::new();
    tree.common("4.19.66-v7+")
        .file("boot/config-4.19.66-v7", all_options())
        .file("proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\nmemory\t0\t1\t0\npids\t2\t1\t1\n")
        .file(
            "proc/mounts",
            "/dev/root / ext4 rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0\n",
        )
        .file("sys/class/watchdog/watchdog0/identity", "Broadcom BCM2835 Watchdog timer\n")
        .file("etc/ssl/certs/ca-certificates.crt", "-----BEGIN CERTIFICATE-----\n");
    let (document, code) = json(&["--sysroot", tree.path()]);
    let verdicts = verdicts(&document);
    assert_eq!(document["kernel"]["configuration"], "/boot/config-4.19.66-v7", "the plus is taken off");
    assert_eq!((verdicts["memory"], verdicts["cpu"], verdicts["devices"]), ("degraded", "ok", "degraded"));
    for name in ["streams", "/var/run", "sh", "watchdog", "certificates", "ggc_user", "ggc_group", "hardlinks", "ram"] {
        assert_eq!(verdicts[name], "ok", "{name}: {document:#}");
    }
    assert_eq!((verdicts["python3"], verdicts["overlay"]), ("degraded", "ok"));
    assert_eq!((document["verdict"].as_str().unwrap(), code), ("degraded", 0));
    assert_eq!(json(&["--sysroot", tree.path(), "--strict"]).1, 1);
    let skip = "memory,devices,freezer,release,python3,node,java,privileges";
    let (document, code) = json(&["--sysroot", tree.path(), "--strict", "--skip", skip]);
    assert_eq!((document["degraded"].as_u64(), code), (Some(0), 0), "{document:#}");
}

#[test]
fn empty_tree_gets_a_verdict_on_everything() {
    let tree = Tree::new();
    let (document, code) = json(&["--sysroot", tree.path()]);
    let verdicts = verdicts(&document);
    assert_eq!((document["verdict"].as_str(), code), (Some("failed"), 1), "there is no shell");
    for name in ["release", "mounted", "streams", "/var/run", "watchdog", "ram", "ggc_user", "symlinks"] {
        assert_eq!(verdicts[name], "degraded", "{name}");
    }
    assert_eq!(document["kernel"]["configuration"], "probed");
}

#[test]
fn damaged_configuration_is_named_and_the_next_source_is_taken() {
    let tree = Tree::new();
    tree.common("6.6.1").file("proc/config.gz", b"\x1f\x8b\x08garbage").file("boot/config-6.6.1", all_options());
    let (document, _) = json(&["--sysroot", tree.path(), "--only", "kernel"]);
    let findings = document["findings"].as_array().unwrap();
    let source = findings.iter().find(|one| one["name"] == "configuration").unwrap();
    let what = source["what"].as_str().unwrap();
    assert!(
        what.contains("/boot/config-6.6.1") && what.contains("/proc/config.gz: cannot unpack it: the gzip header"),
        "{what}"
    );
    assert!(findings.iter().all(|one| one["group"] == "kernel"));
}

#[test]
fn hostile_trees_do_not_stop_the_check() {
    let tree = Tree::new();
    tree.common("\u{1b}[2J not a release")
        .link("etc/ssl/cert.pem", "/etc/ssl/cert.pem")
        .file("proc/cgroups", b"\xff\xfe\x00\n#\n\nmemory\nmemory 1 1\n")
        .file("proc/mounts", "cgroup\ncgroup2 /sys/fs/cgroup cgroup2\n x\n\n")
        .file("proc/filesystems", "\0\0\0".repeat(100_000))
        .directory("proc/config.gz")
        .directory("lib/modules/x/modules.dep");
    fs::write(tree.0.path().join("proc/meminfo"), "MemTotal: 99999999999999999999 kB\n").unwrap();
    let output = check(&["--sysroot", tree.path(), "--verbose"]);
    assert_eq!(output.status.code(), Some(1), "there is a /proc/filesystems, and sysfs is not in it");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\u{1b}'), "what a file says commands no terminal: {text:?}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn given_configuration_is_judged_alone() {
    let tree = Tree::new();
    let full = tree.0.path().join("config");
    fs::write(&full, format!("#\n# Linux/arm 3.10.14 Kernel Configuration\n#\n{}", all_options())).unwrap();
    let path = full.to_str().unwrap();
    let (document, code) = json(&["--only", "kernel", "--kernel-config", path]);
    assert_eq!((document["kernel"]["release"].as_str(), code), (Some("3.10"), 1), "older than 3.17");

    fs::write(&full, "hello\n").unwrap();
    let (document, code) = json(&["--only", "kernel", "--kernel-config", path]);
    assert_eq!((verdicts(&document)["configuration"], code), ("failed", 1));
    for hopeless in ["/", "/does/not/exist", "/dev/zero"] {
        let output = check(&["--only", "kernel", "--kernel-config", hopeless]);
        assert_eq!(output.status.code(), Some(1), "{hopeless}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("configuration"), "{hopeless}");
    }
}

/// Debian's cloud kernel, taken out of its package by `.ci/debian-kernel.sh`, and the one that `.ci/kernel.sh` makes of
/// the fragments alone.
#[test]
fn every_option_is_known_to_a_kernel_of_today() {
    for (file, by) in
        [("target/debian-kernel/config", ".ci/debian-kernel.sh"), ("target/kernel/config", ".ci/kernel.sh")]
    {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        if !file.exists() {
            eprintln!("SKIPPED: no {}: run {by} first", file.display());
            continue;
        }
        let configuration = Configuration::load(&file).unwrap();
        for requirement in requirements() {
            let setting = configuration.value(requirement.option);
            assert_ne!(setting, Setting::Unmentioned, "{} is no option of {}", requirement.option, file.display());
        }
        let (document, code) = json(&["--only", "kernel", "--strict", "--kernel-config", file.to_str().unwrap()]);
        assert_eq!((document["verdict"].as_str(), code), (Some("ok"), 0), "{document:#}");
    }
}

#[test]
fn this_machine_is_checked_and_nothing_is_left() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let (document, _) = json(&["--root", path, "--data", path]);
    let overlay = document["findings"].as_array().unwrap().iter().find(|one| one["name"] == "overlay").unwrap();
    if greengrass::sys::account::is_root() {
        assert!(!overlay["what"].as_str().unwrap().contains("not tried"), "{overlay}");
    } else {
        eprintln!("the overlay itself: SKIPPED, only root can mount");
        assert!(overlay["what"].as_str().unwrap().contains("only root"), "{overlay}");
    }
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0, "something was left");
    assert_eq!(fs::read_to_string("/proc/self/mounts").unwrap(), mounts);
    assert_eq!(verdicts(&document)["clock"], "ok");
}

/// A comma, a colon and a space in the path must not end an option of the mount.
#[test]
fn overlay_is_tried_in_directories_of_any_name() {
    if !greengrass::sys::account::is_root() {
        eprintln!("SKIPPED: only root can mount");
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let plain = json(&["--data", data.path().to_str().unwrap(), "--only", "resources"]).0;
    let odd = data.path().join("a,upperdir=b:c d");
    fs::create_dir(&odd).unwrap();
    let odd = json(&["--data", odd.to_str().unwrap(), "--only", "resources"]).0;
    assert_eq!(verdicts(&odd)["overlay"], verdicts(&plain)["overlay"], "{odd:#}");
    let absent = json(&["--data", "/does/not/exist", "--only", "resources"]).0;
    assert_eq!(verdicts(&absent)["overlay"], "degraded");
}

#[test]
fn boot_report_is_shown_or_said_to_be_absent() {
    let tree = Tree::new();
    let output = check(&["--boot", "--sysroot", tree.path()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no boot report"), "{output:?}");

    tree.file("data/boot/report.old", "greengrass-boot 1\nstep\tslot\t10\t5\tfailed\tcannot mount gg-a\tgg-b\n");
    tree.file(
        "run/greengrass/boot",
        "greengrass-boot 1\nstep\twatchdog\t1000\t300\tdegraded\tno /dev/watchdog\tnone is fed\n\
         step\tslot\t2000\t4200\tok\tgg-a, squashfs\t\nfact\tslot\ta\nend\t9300\n",
    );
    let output = check(&["--boot", "--sysroot", tree.path()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for part in
        ["watchdog        0.3 ms: no /dev/watchdog", "-> none is fed", "slot: a", "8.3 ms of gg-init's own time"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (document, code) = json(&["--boot", "--sysroot", tree.path(), "--strict"]);
    assert_eq!((document["own"].as_u64(), document["facts"]["slot"].as_str(), code), (Some(8300), Some("a"), 1));

    let (document, code) = json(&["--boot", "--former", "--sysroot", tree.path()]);
    assert_eq!((document["verdict"].as_str(), document["end"].is_null(), code), (Some("failed"), true, 1));

    tree.file("broken", "greengrass-boot 1\nstep\tx\n");
    let output = check(&[&format!("--boot={}/broken", tree.path())]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 2"), "{output:?}");
}

#[test]
fn wrong_command_lines_end_with_2() {
    for line in [&["--bogus"][..], &["--only", "nothing"], &["extra"], &["--former"], &["--output", "xml"]] {
        let output = check(line);
        assert_eq!(output.status.code(), Some(2), "{line:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{line:?}");
    }
    let help = check(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("Exit codes"));
}
