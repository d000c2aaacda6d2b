//! Deployments that bring a new version of the daemon itself, with executables that are good and bad in every way.
//!
//! The tests stand for the service manager: whatever the daemon ends of, the executable of the image is started again.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::device::{Device, say, stay};
use crate::support::{GREENGRASS, PATIENCE, eventually};

const NUCLEUS: &str = "aws.greengrass.Nucleus";
const APP: &str = "com.example.App";
/// What a component never gets over.
const BROKEN: &str = "exit 7";
const NEW: &str = "aws.greengrass.Nucleus=2.19.0";

/// Version 1.0.0 of the component runs below the image's daemon.
fn device() -> Device {
    let device = Device::new();
    recipe(&device, "1.0.0", &stay("run 1.0.0"));
    device.succeed(&["-m", &format!("{APP}=1.0.0")]);
    device
}

fn recipe(device: &Device, version: &str, run: &str) {
    // Not by Run: on a busy machine one that is about to end may count as running.
    let lifecycle = if run == BROKEN { json!({ "Install": BROKEN }) } else { json!({ "Run": run }) };
    device.recipe(APP, version, &lifecycle, &json!({}));
}

/// Offers version 2.19.0 of the daemon; who fills in the executable?
fn offer(device: &Device) -> PathBuf {
    device.recipe(NUCLEUS, "2.19.0", &json!({}), &json!({"ComponentType": "aws.greengrass.nucleus"}));
    let directory = device.core.directory("artifacts").join(NUCLEUS).join("2.19.0");
    fs::create_dir_all(&directory).unwrap();
    directory.join("greengrass")
}

/// The executable that `GREENGRASS_OTHER` names, such as one of another release; else that under test, without what only a
/// debugger needs: it is copied often.
fn offer_itself(device: &Device) {
    if let Some(other) = env::var_os("GREENGRASS_OTHER") {
        fs::copy(other, offer(device)).unwrap();
        return;
    }
    static SMALL: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, small) = SMALL.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("greengrass");
        let stripped = Command::new("strip").arg("-o").arg(&path).arg(GREENGRASS).status();
        if !stripped.is_ok_and(|status| status.success()) {
            fs::copy(GREENGRASS, &path).unwrap();
        }
        (directory, path)
    });
    fs::copy(small, offer(device)).unwrap();
}

/// One that passes its self-check, and then does this.
fn offer_script(device: &Device, script: &str) {
    let text = format!("#!/bin/sh\ncase \" $* \" in *' --self-check '*) echo loader 1; exit ;; esac\n{script}\n");
    fs::write(offer(device), text).unwrap();
}

fn alts(device: &Device) -> PathBuf {
    device.core.root().join("alts")
}

fn has(device: &Device, name: &str) -> bool {
    alts(device).join(name).symlink_metadata().is_ok()
}

/// Names in a directory of links, in order.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The daemon ends with this code.
fn leaves(device: &mut Device, code: i32) {
    eventually(&format!("the daemon ends with {code}"), || !device.core.is_alive());
    assert_eq!(device.core.wait(), Some(code), "{}", device.core.log());
}

/// Deploys the new daemon and version 2.0.0 of the component, up to the hand-over.
fn deploy(device: &mut Device, run: &str) -> String {
    recipe(device, "2.0.0", run);
    let id = device.submit(&["-m", NEW, "-m", &format!("{APP}=2.0.0"), "-fp", "ROLLBACK"]);
    leaves(device, 100);
    id
}

fn executable(device: &Device) -> PathBuf {
    fs::read_link(format!("/proc/{}/exe", device.core.pid())).unwrap()
}

/// The new daemon runs, and nothing else is left of the former one but the image's.
fn is_new(device: &Device, id: &str) {
    let program = alts(device).canonicalize().unwrap().join(id).join("greengrass");
    assert_eq!(executable(device), program);
    assert_eq!(device.config(&format!("services.{NUCLEUS}.version")), Some(json!("2.19.0")));
    assert_eq!(fs::read_link(alts(device).join("current")).unwrap(), Path::new(id));
    eventually("what is not needed is removed", || {
        names(&alts(device)).len() == 3 && names(&alts(device).join(id)) == ["greengrass", "launch"]
    });
    device.runs(APP, "2.0.0");
}

/// The image's daemon runs with what was before, and tells why.
fn is_old(device: &Device, record: &Value, why: &str) {
    assert_eq!(record["details"]["detailedStatus"], "FAILED_ROLLBACK_COMPLETE", "{record}");
    let cause = record["details"]["failureCause"].as_str().unwrap();
    assert!(cause.contains(why), "{cause}");
    assert_eq!(executable(device), Path::new(GREENGRASS).canonicalize().unwrap());
    assert_eq!(device.config(&format!("services.{NUCLEUS}.version")), Some(json!("2.18.0")));
    device.runs(APP, "1.0.0");
    eventually("what is not needed is removed", || names(&alts(device)) == ["current", "init"]);
    assert_eq!(fs::read_link(alts(device).join("current")).unwrap(), Path::new("init"));
}

#[test]
fn new_daemon_is_kept_when_its_deployment_succeeds() {
    let mut device = device();
    offer_itself(&device);
    let bootstrap = format!("{}; exit 100", say("bootstrap"));
    device.recipe("com.example.Boot", "1.0.0", &json!({"Bootstrap": {"Script": bootstrap}}), &json!({}));
    recipe(&device, "2.0.0", &stay("run 2.0.0"));
    let id = device.submit(&["-m", NEW, "-m", &format!("{APP}=2.0.0"), "-m", "com.example.Boot=1.0.0"]);
    // One restart for the Bootstrap step, one for the daemon.
    leaves(&mut device, 100);
    assert!(!has(&device, "new"));
    device.core.start();
    leaves(&mut device, 100);
    assert_eq!(fs::read_link(alts(&device).join("new")).unwrap(), Path::new(&id));
    device.core.start();
    assert_eq!(device.ended(&id)["status"], "SUCCEEDED", "{}", device.core.log());
    is_new(&device, &id);
    assert_eq!(device.diary("com.example.Boot"), ["bootstrap"]);

    let before = fs::metadata(alts(&device)).unwrap().modified().unwrap();
    device.restart();
    is_new(&device, &id);
    assert_eq!(fs::metadata(alts(&device)).unwrap().modified().unwrap(), before, "an ordinary start writes nothing");
    // It is the version that runs: nothing is handed over again, and a reboot is still a reboot.
    device.recipe("com.example.Boot", "2.0.0", &json!({"Bootstrap": {"Script": "exit 101"}}), &json!({}));
    let again = device.submit(&["-m", NEW, "-m", "com.example.Boot=2.0.0"]);
    leaves(&mut device, 101);
    device.core.start();
    assert_eq!(device.ended(&again)["status"], "SUCCEEDED", "{}", device.core.log());
    is_new(&device, &id);

    // What cannot be started gives way to the executable of the image.
    assert_eq!(device.core.stop(), Some(0));
    fs::remove_file(alts(&device).join(&id).join("greengrass")).unwrap();
    device.core.start();
    assert_eq!(executable(&device), Path::new(GREENGRASS).canonicalize().unwrap());
    assert_eq!(device.config(&format!("services.{NUCLEUS}.version")), Some(json!("2.18.0")));
    device.runs(APP, "2.0.0");
}

#[test]
fn new_daemon_that_cannot_be_one_is_never_started() {
    let device = device();
    let mut machine = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0".to_vec();
    // No machine has this number.
    machine.extend([0xfe, 0xfe]);
    let others: [(&[u8], &str); 4] = [
        (b"nothing that the kernel knows", "it cannot be started"),
        (&machine, "another kind of machine"),
        (b"#!/bin/sh\nexit 0\n", "its self-check does not say so"),
        (b"#!/bin/sh\necho loader 2\n", "its self-check does not say so"),
    ];
    let path = offer(&device);
    let detailed = "FAILED_NO_STATE_CHANGE";
    let cause = device.fail(detailed, &["-m", NEW, "-fp", "DO_NOTHING"]);
    assert!(cause.contains("brings no file with the name greengrass"), "{cause}");
    for (content, why) in others {
        fs::write(&path, content).unwrap();
        let cause = device.fail(detailed, &["-m", NEW, "-fp", "DO_NOTHING"]);
        assert!(cause.contains(NUCLEUS) && cause.contains(why), "{cause}");
        device.runs(APP, "1.0.0");
    }
    eventually("nothing is left", || !has(&device, "new") && names(&alts(&device)).is_empty());
}

#[test]
fn new_daemon_that_ends_is_given_up() {
    let mut device = device();
    offer_script(&device, "exit 7");
    let id = deploy(&mut device, &stay("run 2.0.0"));
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let launch = alts(&device).join(&id);
    assert_eq!((mode(alts(&device)), mode(launch.clone()), mode(launch.join("greengrass"))), (0o700, 0o700, 0o755));
    for _ in 0..3 {
        device.core.spawn(&[]);
        leaves(&mut device, 7);
    }
    device.core.start();
    let record = device.ended(&id);
    is_old(&device, &record, "it was started 3 times; the last time it ended before it was up");
    assert!(record["details"]["errorStack"].to_string().contains("NUCLEUS_RESTART_FAILURE"), "{record}");
}

#[test]
fn new_daemon_that_hangs_is_ended_and_given_up() {
    let mut device = device();
    device.core.options.extend(["--start-deadline".to_owned(), "1".to_owned()]);
    device.restart();
    offer_script(&device, "exec sleep 100000");
    let id = deploy(&mut device, &stay("run 2.0.0"));
    device.core.spawn(&[]);
    eventually("the kernel ends it", || !device.core.is_alive());
    assert_eq!(device.core.wait(), None, "by a signal");
    device.core.start();
    let record = device.ended(&id);
    is_old(&device, &record, "it was not up within 1 s");
}

#[test]
fn new_daemon_that_stands_still_is_ended_and_given_up() {
    /// Longer than a daemon on trial may be silent: four times `PULSE` in `src/service/deploy/own_update.rs`.
    const SILENCE: Duration = Duration::from_secs(125);
    if env::var_os("LONG").is_none() {
        eprintln!("own_update: a daemon that stands still is left out: it takes two minutes; LONG=1");
        return;
    }
    let mut device = device();
    offer_itself(&device);
    // The trial lasts as long as this does.
    let install = json!({"Install": {"Script": "sleep 100000", "Timeout": 100_000}});
    device.recipe("com.example.Slow", "1.0.0", &install, &json!({}));
    let id = device.submit(&["-m", NEW, "-m", "com.example.Slow=1.0.0", "-fp", "ROLLBACK"]);
    leaves(&mut device, 100);
    device.core.start();
    let tries = alts(&device).join(&id).join("tries");
    eventually("its doors are open", || fs::read_to_string(&tries).is_ok_and(|text| text.trim_end().ends_with("up")));
    let pid = device.core.pid().to_string();
    let signal = |name: &str| assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    signal("-STOP");
    thread::sleep(SILENCE);
    signal("-CONT");
    assert_eq!(device.core.wait(), None, "by a signal");
    device.core.start();
    assert_eq!(executable(&device), alts(&device).canonicalize().unwrap().join(&id).join("greengrass"), "a second try");
}

#[test]
fn new_daemon_goes_back_when_its_components_are_broken() {
    let mut device = device();
    offer_itself(&device);
    let id = deploy(&mut device, BROKEN);
    device.core.spawn(&[]);
    leaves(&mut device, 100);
    device.core.start();
    let record = device.ended(&id);
    is_old(&device, &record, &format!("{APP} is BROKEN"));
}

#[test]
fn new_daemon_whose_deployment_is_lost_is_kept() {
    let mut device = device();
    offer_itself(&device);
    let id = deploy(&mut device, &stay("run 2.0.0"));
    for name in names(&device.core.root().join("deployments")).iter().filter(|name| name.starts_with("docket")) {
        fs::remove_file(device.core.root().join("deployments").join(name)).unwrap();
    }
    device.core.start();
    eventually("there is no trial any more", || {
        names(&alts(&device)).len() == 3 && names(&alts(&device).join(&id)) == ["greengrass", "launch"]
    });
    assert_eq!(executable(&device), alts(&device).canonicalize().unwrap().join(&id).join("greengrass"));
    device.runs(APP, "1.0.0");
}

/// Starts the daemon whenever it has ended, until the deployment has; its record.
fn see_through(device: &mut Device, id: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "the deployment does not end\n{}", device.core.log());
        if !device.core.is_alive() {
            device.core.kill();
            device.core.spawn(&[]);
        }
        let output = device.core.cli(&["--output", "json", "deployment", "status", "-i", id]);
        let record: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if record["status"].as_str().is_some_and(|status| !matches!(status, "QUEUED" | "IN_PROGRESS")) {
            return record;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Lets the daemon run, from start to start, until something holds; then kills it.
fn kill_when(device: &mut Device, holds: impl Fn(&Device) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds(device) {
        assert!(Instant::now() < deadline, "the moment does not come\n{}", device.core.log());
        if !device.core.is_alive() {
            device.core.kill();
            device.core.spawn(&[]);
        }
        thread::sleep(Duration::from_millis(1));
    }
    device.core.kill();
}

#[test]
fn killed_at_any_moment_there_is_one_of_the_two_daemons() {
    let mut device = device();
    offer_itself(&device);
    recipe(&device, "2.0.0", &stay("run 2.0.0"));
    let id = device.submit(&["-m", NEW, "-m", &format!("{APP}=2.0.0")]);
    let in_directory =
        |device: &Device, file: &str| names(&alts(device)).iter().any(|name| has(device, &format!("{name}/{file}")));
    // While it is copied, offered, on its first try; and when it is kept, unless that was faster than we are.
    kill_when(&mut device, |device| in_directory(device, "greengrass+") || in_directory(device, "greengrass"));
    kill_when(&mut device, |device| has(device, "new") || has(device, "old"));
    kill_when(&mut device, |device| has(device, "old"));
    kill_when(&mut device, |device| has(device, "current") && !has(device, "old"));
    let record = see_through(&mut device, &id);
    assert_eq!(record["status"], "SUCCEEDED", "{record}\n{}", device.core.log());
    is_new(&device, &id);
}

#[test]
fn killed_while_it_goes_back_the_old_daemon_is_back() {
    let mut device = device();
    offer_itself(&device);
    let id = deploy(&mut device, BROKEN);
    kill_when(&mut device, |device| has(device, "broken"));
    kill_when(&mut device, |device| !has(device, "old"));
    let record = see_through(&mut device, &id);
    is_old(&device, &record, &format!("{APP} is BROKEN"));
}
