//! Disks that are full, read-only or have lost a directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::device::{Device, create, said, skipped};
use super::support::{Core, is_root};

/// Unmounted at the end, even while somebody is in it.
struct Mount(PathBuf);

impl Mount {
    fn new(arguments: &[&str], target: &Path) -> Result<Self, String> {
        if !is_root() {
            return Err("only root can mount".into());
        }
        fs::create_dir_all(target).unwrap();
        run("mount", arguments, target).map(|()| Self(target.to_owned()))
    }

    fn memory(target: &Path, size: &str) -> Result<Self, String> {
        Self::new(&["-t", "tmpfs", "-o", &format!("mode=755,size={size}"), "tmpfs"], target)
    }

    /// What is opened from now on below `target` can only be read.
    fn read_only(target: &Path) -> Result<Self, String> {
        let mount = Self::new(&["--bind", target.to_str().unwrap()], target)?;
        run("mount", &["-o", "remount,bind,ro"], target)?;
        Ok(mount)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = run("umount", &["-l"], &self.0);
    }
}

fn run(program: &str, arguments: &[&str], target: &Path) -> Result<(), String> {
    let output = Command::new(program).args(arguments).arg(target).output().map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().into()) }
}

#[test]
fn full_disk_fails_the_deployment_and_freeing_space_lets_the_next_succeed() {
    let core = Core::new();
    let mount = match Mount::memory(&core.root(), "32m") {
        Ok(mount) => mount,
        Err(reason) => return skipped("a full disk", &reason),
    };
    let mut core = core;
    core.start();
    let mut device = Device::on(core);
    device.artifact("com.example.Large", "1.0.0", "large.bin", &vec![b'x'; 20 << 20]);
    device.recipe("com.example.Large", "1.0.0", &json!({"Lifecycle": {"Install": "true"}}));
    device.refused(&["--merge", "com.example.Large=1.0.0"], &["large.bin", "room"]);
    device.clear();
    device.check_next();

    // Less and less is left, so that it is another write each time that finds no room.
    let filler = device.core.root().join("filler");
    for left in [96, 48, 32, 24, 16, 12, 8, 4, 0] {
        fill(&filler, left << 10);
        device.recipe("com.example.Small", &format!("1.0.{left}"), &json!({"Lifecycle": {"Install": "true"}}));
        let output = device.try_deploy(&["--merge", &format!("com.example.Small=1.0.{left}")]);
        if !output.status.success() {
            device.check_refusal(&output, &["No space left on device"]);
        } else {
            assert!(left > 0, "a deployment that nothing holds: {}", said(&output));
        }
        device.check_kept();
        fs::remove_file(&filler).unwrap();
        device.check_next();
    }

    // Full at the start, too: what runs runs.
    fill(&filler, 0);
    device.core.kill();
    device.core.start();
    device.came_back();
    fs::remove_file(&filler).unwrap();
    device.check_next();
    // A directory that is mounted upon cannot be removed.
    let core = device.end();
    drop(mount);
    drop(core);
}

/// Takes all space but so many bytes.
fn fill(filler: &Path, left: u64) {
    let mut content = Vec::new();
    let whole = 64 << 20;
    content.resize(whole, 0u8);
    // As much as there is room for.
    let _ = fs::write(filler, &content);
    let length = fs::metadata(filler).unwrap().len();
    let file = fs::OpenOptions::new().write(true).open(filler).unwrap();
    file.set_len(length.saturating_sub(left)).unwrap();
}

#[test]
fn root_that_becomes_read_only_fails_the_deployment_until_it_is_writable_again() {
    let mut device = Device::new();
    let root = device.core.root();
    let mount = match Mount::read_only(&root) {
        Ok(mount) => mount,
        Err(reason) => return skipped("a root that becomes read-only", &reason),
    };
    let merge = ["--merge", "com.example.Kept=1.0.0"];
    let output = device.core.cli(&create(&merge));
    device.check_refusal(&output, &["cannot be recorded", "deployments", "Read-only file system"]);
    drop(mount);
    device.check_next();

    device.core.kill();
    let mount = Mount::read_only(&root).unwrap();
    let (code, said) = device.core.refused_daemon(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Read-only file system") && said.contains(root.to_str().unwrap()), "{said}");
    drop(mount);
    device.core.start();
    device.came_back();
    device.check_next();
    device.end();
}

#[test]
fn root_that_cannot_be_made_or_written_is_named() {
    let core = Core::new();
    let root = core.root();
    fs::write(&root, "a file").unwrap();
    let (code, told) = core.refused_daemon(&[]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains(root.to_str().unwrap()), "{told}");
    fs::remove_file(&root).unwrap();
    if is_root() {
        return skipped("a root without permission to write", "root may write anywhere");
    }
    fs::create_dir(&root).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o555)).unwrap();
    let (code, told) = core.refused_daemon(&[]);
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains(root.to_str().unwrap()) && told.contains("Permission denied"), "{told}");
}

#[test]
fn directories_that_vanish_fail_a_deployment_at_most_and_come_back_with_a_start() {
    let mut device = Device::new();
    let root = device.core.root();
    for gone in ["deployments", "packages/recipes", "packages/artifacts", "packages", "config", "work", "run", "logs"] {
        fs::remove_dir_all(root.join(gone)).unwrap();
        device.recipe("com.example.Other", "1.0.0", &json!({"Lifecycle": {"Install": "true"}}));
        let output = device.try_deploy(&["--merge", "com.example.Other=1.0.0"]);
        if !output.status.success() {
            let last = gone.rsplit('/').next().unwrap();
            device.check_refusal(&output, &[last]);
        }
        device.check_kept();
        assert_eq!(device.core.stop(), Some(0), "{gone}: {}", device.core.log());
        device.core.start();
        assert!(device.core.states().contains_key(super::device::KEPT), "{gone}: {}", said(&output));
        // Of a store that has lost its recipes the configuration still knows how to run what was installed.
        device.came_back();
        // The next deployment brings them again; that it must is what the error says.
        device.deploy(&["--merge", "com.example.Other=1.0.0"]);
        device.check_kept();
    }
    device.end();
}
