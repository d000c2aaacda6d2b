//! The command line from one end to the other.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Failure, Told, parse, run};
use crate::applet::USAGE;
use crate::boot::slot::Slot;
use crate::boot::state::device::{DeviceSlots, Kind, open_files};
use crate::boot::state::grubenv;
use crate::boot::state::machine::Candidate;
use crate::boot::state::slots::Moment;
use crate::boot::state::variables::Variables;
use crate::service::ota::trust::mint::{Draft, Identity, KeyKind, NOW};
use crate::store::update_lock::{Busy, UpdateLock};
use crate::wire::bundle::pem;

fn call(words: &[&str]) -> ExitCode {
    run(words.iter().map(OsString::from).collect())
}

/// A folder with an image, a key and its certificates. They are valid now and for as long as anybody runs this.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let valid = (NOW - 10 * 365 * 86_400, NOW + 50 * 365 * 86_400);
    let root = Identity::self_signed(&Draft { valid, ..Draft::authority("root") }, KeyKind::P256);
    let signer = root.issue(&Draft { valid, ..Draft::signer("signer") }, KeyKind::Ed25519);
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("root.pem", &pem::encode("CERTIFICATE", &root.certificate));
    write("key.pem", &pem::encode("PRIVATE KEY", &signer.key.pkcs8));
    write("cert.pem", &pem::encode("CERTIFICATE", &signer.certificate));
    write("manifest.raucm", "[update]\ncompatible=board\n[image.rootfs]\nfilename=a.img\n[meta.greengrass]\nfloor=3\n");
    write("a.img", &"an image ".repeat(5_000));
    write(
        "ota.conf",
        "[system]\ncompatible=board\nbootloader=grub\n[keyring]\npath=root.pem\n[slot.rootfs.0]\ndevice=/dev/null\n",
    );
    write("slot", "");
    folder
}

#[test]
fn bundle_is_made_verified_and_installed() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (bundle, conf) = (path("a.raucb"), path("ota.conf"));
    let create = ["bundle", "create", "--key", &path("key.pem"), "--cert", &path("cert.pem"), &path(""), &bundle];
    assert_eq!(call(&create), ExitCode::SUCCESS);
    for words in [
        vec!["bundle", "info", "--conf", &conf, &bundle],
        vec!["bundle", "info", "--conf", &conf, "-o", "json", &bundle],
        vec!["bundle", "info", "--no-verify", "--manifest", &bundle],
        vec!["bundle", "verify", "--conf", &conf, "-o", "json", &bundle],
        vec!["bundle", "verify", "--conf", &conf, &bundle],
    ] {
        assert_eq!(call(&words), ExitCode::SUCCESS, "{words:?}");
    }
    let slot = format!("rootfs={}", path("slot"));
    let install = ["install", "--conf", &conf, "--slot", &slot, "-o", "json"];
    for (more, expected) in [
        (vec!["--floor", "4"], ExitCode::FAILURE),
        (vec!["--compatible", "other"], ExitCode::FAILURE),
        (vec!["--require", "2"], ExitCode::FAILURE),
        (vec!["--floor", "3"], ExitCode::SUCCESS),
    ] {
        let words = [&install[..], &more, &[&bundle]].concat();
        assert_eq!(call(&words), expected, "{more:?}");
    }
    let written = std::fs::read(path("slot")).unwrap();
    assert!(written.starts_with(&std::fs::read(path("a.img")).unwrap()));
    damage(Path::new(&bundle));
    assert_eq!(call(&["bundle", "info", "--conf", &conf, &bundle]), ExitCode::SUCCESS);
    assert_eq!(call(&["bundle", "verify", "--conf", &conf, &bundle]), ExitCode::FAILURE);
}

fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[200] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn refusals_and_nonsense_differ() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (key, cert, out) = (path("key.pem"), path("cert.pem"), path("out"));
    for words in [
        vec!["bundle", "info", "/nonexistent"],
        vec!["bundle", "info", &key],
        vec!["bundle", "create", "--key", &cert, "--cert", &cert, &path(""), &out],
        vec!["bundle", "create", "--key", &key, "--cert", &path("root.pem"), &path(""), &out],
        vec!["bundle", "create", "--key", &key, "--cert", &cert, "/nonexistent", &out],
    ] {
        assert_eq!(call(&words), ExitCode::FAILURE, "{words:?}");
        assert!(!Path::new(&out).exists());
    }
    for words in [
        vec![],
        vec!["bundle"],
        vec!["bundle", "info"],
        vec!["bundle", "create", &key, &out],
        vec!["bundle", "create", "--key", &key, "--key", &key, "--cert", &cert, &path(""), &out],
        vec!["install", &out],
        vec!["install", "--slot", "rootfs", &out],
        vec!["install", "--slot", "rootfs=x", &out],
    ] {
        assert_eq!(call(&words), ExitCode::from(USAGE), "{words:?}");
    }
    for words in [vec!["status", "-o", "xml"], vec!["mark", "so"], vec!["commit", "b"], vec!["rollback", "--hard"]] {
        assert_eq!(call(&words), ExitCode::from(USAGE), "{words:?}");
    }
    assert_eq!(call(&["--help"]), ExitCode::SUCCESS);
    assert_eq!(call(&["bundle", "create", "--help"]), ExitCode::SUCCESS);
}

/// A device that keeps its state in files below a folder, and where the kernel's arguments say nothing.
pub(super) struct DeviceScene {
    folder: tempfile::TempDir,
}

impl DeviceScene {
    /// Slot a runs, and nothing was ever settled.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let scene = Self { folder };
        let mut variables = Variables::default();
        variables.set("gg_ok", "a");
        std::fs::write(scene.path("grubenv"), grubenv::encode(&variables).unwrap()).unwrap();
        std::fs::File::open(scene.path("grubenv")).unwrap().sync_all().unwrap();
        scene.boots(Slot::A);
        scene
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// From now on this slot runs.
    pub(super) fn boots(&self, slot: Slot) {
        let conf = format!(
            "[system]\ncompatible=board\nbootloader=grub\ngrubenv={}\n[slot.rootfs.0]\ndevice={}\nbootname=A\n\
             [slot.rootfs.1]\ndevice={}\nbootname=B\n[slot.app.0]\ndevice=/dev/x\nparent=rootfs.0\n\
             [greengrass]\nbooted={}\nstate=files\ndata-directory={}\nlock={}\n",
            self.path("grubenv"),
            self.path("slot-0"),
            self.path("slot-1"),
            slot.name(),
            self.path("data"),
            self.path("ota.lock"),
        );
        std::fs::write(self.path("ota.conf"), conf).unwrap();
    }

    pub(super) fn slots(&self, booted: Slot) -> DeviceSlots {
        let state = self.folder.path().join("data/state");
        std::fs::create_dir_all(&state).unwrap();
        open_files(Kind::Grub, &state, &self.folder.path().join("grubenv"), booted).unwrap()
    }

    pub(super) fn settle(&self, booted: Slot) {
        self.boots(booted);
        let _ = self.slots(booted).settle(Moment::at(1_763_760_000)).unwrap();
    }

    /// Version 2 is in slot b.
    pub(super) fn install(&self) {
        let slots = self.slots(Slot::A);
        let candidate =
            Candidate { version: "2".into(), manifest: [2; 32], transaction: 1, level: 0, floor: 0, key_epoch: 0 };
        slots.plan_install(candidate, 2).unwrap();
        slots.mark_written(1_763_760_001).unwrap();
    }

    fn tell(&self, words: &[&str]) -> Result<Told, Failure> {
        let conf = self.path("ota.conf");
        let words = words.iter().copied().chain(["--conf", &conf]);
        parse(words.map(OsString::from).collect()).unwrap().command.run()
    }

    fn json(&self, words: &[&str]) -> Value {
        let (text, _) = self.tell(&[words, &["-o", "json"]].concat()).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    fn code(&self) -> ExitCode {
        self.tell(&["status", "--exit-code"]).unwrap().1
    }
}

#[test]
fn slots_are_told_and_changed_by_hand() {
    let scene = DeviceScene::new();
    let Err(failure) = scene.tell(&["status"]) else { panic!("there is no record yet") };
    assert!(matches!(&failure, Failure::Slots(_)) && failure.advice().is_some(), "{failure:?}");
    scene.settle(Slot::A);
    assert_eq!(scene.code(), ExitCode::SUCCESS);
    assert_eq!(scene.json(&["commit"]), json!({"did": "nothing", "slot": "a", "phase": "idle", "reboot": false}));
    scene.install();
    assert_eq!(scene.code(), ExitCode::from(2));
    assert!(matches!(scene.tell(&["rollback"]), Err(Failure::Change(_))));
    assert_eq!(scene.json(&["mark", "active", "rootfs.1"])["did"], "armed");
    assert_eq!(scene.json(&["status"])["next"], "b");
    scene.settle(Slot::B);
    assert_eq!(scene.code(), ExitCode::from(3));
    let status = scene.json(&["status"]);
    assert_eq!(status["trial"], json!({"slot": "b", "left": 3, "tries": 3, "deployment": null}));
    assert_eq!((&status["slots"]["b"]["version"], &status["slots"]["b"]["state"]), (&json!("2"), &json!("valid")));
    assert_eq!(scene.json(&["rollback"]), json!({"did": "gave-up", "slot": "b", "phase": "trial", "reboot": true}));
    assert!(matches!(scene.tell(&["commit"]), Err(Failure::Change(_))));
    scene.settle(Slot::A);
    assert_eq!(scene.code(), ExitCode::from(4));
    let status = scene.json(&["status"]);
    assert_eq!((&status["rollbacks"], &status["faults"]), (&json!(1), &json!(["no-fallback"])));
    let told: Vec<_> = status["events"].as_array().unwrap().iter().map(|event| event["event"].clone()).collect();
    assert_eq!(told, ["began", "tried", "rolled-back"]);
    scene.install();
    assert_eq!(scene.json(&["cancel"])["did"], "cancelled");
    let (metrics, _) = scene.tell(&["status", "-o", "prometheus"]).unwrap();
    assert!(String::from_utf8(metrics).unwrap().contains("gg_ota_rollbacks_total 1\n"));
    assert!(matches!(scene.tell(&["mark", "good", "c"]), Err(Failure::Usage(_))));
}

#[test]
fn second_change_is_told_who_is_at_work() {
    let scene = DeviceScene::new();
    scene.settle(Slot::A);
    let _held = UpdateLock::take(Path::new(&scene.path("ota.lock")), "install of x", Busy::GiveUp).unwrap();
    let Err(failure) = scene.tell(&["commit"]) else { panic!("somebody is at work") };
    assert!(failure.to_string().contains("install of x"), "{failure}");
    assert_eq!(scene.code(), ExitCode::SUCCESS, "who only looks waits for nobody");
}

#[test]
fn who_may_not_open_the_disk_reads_the_copy() {
    let scene = DeviceScene::new();
    scene.settle(Slot::A);
    scene.install();
    assert_eq!(scene.json(&["status"])["phase"], "valid");
    let denied = Failure::Open { path: "x".to_owned(), cause: std::io::ErrorKind::PermissionDenied.into() };
    assert!(super::status::is_denied(&denied) && denied.advice().is_some());
    if crate::sys::account::is_root() {
        eprintln!("skipped: that the copy is read, because root may open everything");
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let lock_out = |mode| std::fs::set_permissions(scene.path("grubenv"), PermissionsExt::from_mode(mode)).unwrap();
    lock_out(0);
    assert_eq!(scene.json(&["status"])["phase"], "valid");
    lock_out(0o600);
}

#[test]
fn keys_are_judged_at_the_time_that_the_device_has_trusted() {
    let (scene, folder) = (DeviceScene::new(), folder());
    let root = folder.path().join("root.pem");
    let standing = || scene.json(&["keys", "--keyring", root.to_str().unwrap()])["roots"][0]["standing"].clone();
    assert_eq!(standing(), "good");
    scene.settle(Slot::A);
    scene.install();
    assert_eq!(scene.json(&["mark", "active", "other"])["did"], "armed");
    scene.settle(Slot::B);
    assert_eq!(standing(), "good");
    // By then it has expired, whatever the clock says.
    scene.slots(Slot::B).confirm(u64::try_from(NOW).unwrap() + 60 * 365 * 86_400).unwrap();
    assert_eq!(standing(), "refused");
}

#[test]
fn keys_are_listed_and_counted() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let told = |words: &[&str]| -> (Value, ExitCode) {
        let words = [&["keys", "-o", "json"], words].concat();
        let (text, code) = parse(words.iter().map(OsString::from).collect()).unwrap().command.run().unwrap();
        (serde_json::from_slice(&text).unwrap(), code)
    };
    let (keys, code) = told(&["--conf", &path("ota.conf")]);
    assert_eq!((&keys["roots"][0]["name"], &keys["roots"][0]["standing"]), (&json!("root"), &json!("good")));
    assert_eq!((&keys["enough"], code), (&json!(true), ExitCode::SUCCESS));
    let (keys, code) = told(&["--conf", &path("ota.conf"), "--require", "2"]);
    assert_eq!((&keys["usable"], &keys["enough"], code), (&json!(1), &json!(false), ExitCode::FAILURE));
    assert_eq!(call(&["keys", "--conf", &path("ota.conf")]), ExitCode::SUCCESS);
}
