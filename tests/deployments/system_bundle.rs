//! A component that brings a real, signed bundle: from a server, into slots that are files, up to the end of the trial.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use greengrass::boot::slot::Slot;
use greengrass::boot::state::record::ImageState;
use serde_json::{Value, json};

use crate::device::stay;
use crate::range_server::{Server, Turn};
use crate::stage::{MIB, Stage, noise};
use crate::support::eventually;
use crate::system_update::{APP, Machine, PATIENT, SYSTEM};

/// A machine that trusts the signer of the stage, and whose slots are there.
struct Scene {
    machine: Machine,
    stage: Stage,
}

impl Scene {
    fn new() -> Self {
        let stage = Stage::new();
        let mut more = format!("{PATIENT}[keyring]\npath={}\n", stage.path("cert.pem").display());
        for (number, slot) in [(0, "a"), (1, "b")] {
            let device = stage.path(&format!("rootfs-{slot}"));
            more += &format!("[slot.rootfs.{number}]\ndevice={}\nbootname={slot}\n", device.display());
        }
        Self { machine: Machine::with(&more), stage }
    }

    fn bundle(&self, image: &[u8]) -> String {
        self.stage.bundle("update", "version=2", "tries=5", &[("rootfs", image)])
    }

    fn recipe(&self, version: &str, lifecycle: &Value) {
        self.machine.device.recipe(SYSTEM, version, lifecycle, &json!({}));
    }

    fn submit(&self, version: &str) -> String {
        self.machine.device.submit(&["-m", &format!("{SYSTEM}={version}")])
    }

    fn status(&self) -> Value {
        let conf = self.machine.path("ota.conf");
        let said = std::process::Command::new(env!("CARGO_BIN_EXE_greengrass"))
            .args(["ota", "status", "-o", "json", "--conf"])
            .arg(conf)
            .output()
            .unwrap();
        serde_json::from_slice(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }

    /// The bundle is in slot b, which the next boots try for this deployment.
    fn is_armed(&self, id: &str, image: &[u8]) {
        assert!(self.stage.slot("rootfs", Slot::B).starts_with(image));
        let status = self.status();
        assert_eq!(status["trial"], json!({"slot": "b", "left": 5, "tries": 5, "deployment": id}), "{status}");
        assert_eq!((&status["slots"]["b"]["version"], &status["percent"]), (&json!("2"), &Value::Null));
        assert_eq!(status["slots"]["b"]["installed"]["deployment"], id, "{status}");
    }
}

/// A server that keeps the end of the bundle back until the gate is open.
fn server(bundle: &str) -> (Server, Arc<AtomicBool>) {
    let gate = Arc::new(AtomicBool::new(false));
    let (open, asked_for) = (Arc::clone(&gate), AtomicU64::new(0));
    let server = Server::begin(Arc::new(fs::read(bundle).unwrap()), move |_, asked| {
        let (from, to) = asked.range;
        if asked_for.fetch_add(to - from, Ordering::SeqCst) > 2 * MIB as u64 {
            while !open.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(5));
            }
        }
        Turn::Good
    });
    (server, gate)
}

#[test]
fn signed_bundle_is_installed_tried_and_kept() {
    let mut scene = Scene::new();
    let image = noise(4 * MIB, 7);
    let (server, gate) = server(&scene.bundle(&image));
    scene.recipe("2.0.0", &json!({"SystemUpdate": {"Bundle": server.url, "Timeout": 4000}}));
    let id = scene.submit("2.0.0");
    let told = Mutex::new(0);
    eventually("the deployment tells how far the installation is", || {
        let record = scene.machine.device.record(&id);
        assert_eq!(record["status"], "IN_PROGRESS", "{record}\n{}", scene.machine.device.core.log_of(SYSTEM));
        let text = record["progress"].as_str().unwrap();
        let percent = text.strip_suffix(" %").and_then(|text| text.rsplit(' ').next()?.parse().ok());
        *told.lock().unwrap() = percent.unwrap_or(0);
        percent.is_some_and(|percent: u64| percent > 9) && text.contains("installing")
    });
    let status = scene.status();
    assert_eq!((&status["phase"], status["percent"].as_u64() > Some(9)), (&json!("writing"), true), "{status}");
    assert!((10..100).contains(&*told.lock().unwrap()));
    gate.store(true, Ordering::SeqCst);
    scene.machine.leaves();
    scene.is_armed(&id, &image);
    scene.machine.boot(Slot::B);
    assert_eq!(scene.machine.device.ended(&id)["status"], "SUCCEEDED", "{}", scene.machine.device.core.log());
    let record = scene.machine.record();
    assert_eq!((record.ok, record.trial, record.installs, record.rollbacks), (Slot::B, None, 1, 0));
    assert_eq!(scene.machine.device.details(SYSTEM)["version"], "2.0.0");
    // A bundle that runs already is not installed again, and there is no reboot.
    scene.recipe("3.0.0", &json!({"SystemUpdate": {"Bundle": server.url}}));
    scene.machine.device.succeed(&["-m", &format!("{SYSTEM}=3.0.0")]);
    assert_eq!(scene.machine.record().installs, 1);
}

#[test]
fn signed_bundle_goes_back_and_is_kept_another_time() {
    let mut scene = Scene::new();
    let image = noise(2 * MIB, 8);
    let bundle = scene.bundle(&image);
    // What somebody else's recipe says: nothing of the deployment.
    let install =
        format!("\"$GREENGRASS_BINARY\" ota install --conf \"$GREENGRASS_OTA_CONF\" {bundle} || exit 9; exit 101");
    scene.recipe("2.0.0", &json!({"Bootstrap": {"Script": install, "RequiresPrivilege": true, "Timeout": 4000}}));
    scene.machine.device.recipe(APP, "2.0.0", &json!({ "Run": stay("run 2.0.0") }), &json!({}));
    let bad = scene.machine.path("bad");
    fs::write(&bad, "").unwrap();
    scene.machine.check("required", "20-modem", &format!("[ ! -e {} ]", bad.display()));
    let deploy = ["-m", &format!("{APP}=2.0.0"), "-m", &format!("{SYSTEM}=2.0.0")];
    let id = scene.machine.device.submit(&deploy);
    scene.machine.leaves();
    scene.is_armed(&id, &image);
    scene.machine.boot(Slot::B);
    scene.machine.leaves();
    scene.machine.boot(Slot::A);
    let ended = scene.machine.device.ended(&id);
    assert_eq!(ended["details"]["detailedStatus"], "FAILED_ROLLBACK_COMPLETE", "{ended}");
    let cause = ended["details"]["failureCause"].as_str().unwrap();
    assert!(cause.contains("the new system was given up") && cause.contains("20-modem: exit code 1"), "{cause}");
    scene.machine.device.runs(APP, "1.0.0");
    assert_eq!(scene.machine.record().image(Slot::B).state, ImageState::Bad);

    fs::remove_file(bad).unwrap();
    let id = scene.machine.device.submit(&deploy);
    scene.machine.leaves();
    scene.is_armed(&id, &image);
    scene.machine.boot(Slot::B);
    assert_eq!(scene.machine.device.ended(&id)["status"], "SUCCEEDED", "{}", scene.machine.device.core.log());
    scene.machine.device.runs(APP, "2.0.0");
    let record = scene.machine.record();
    assert_eq!((record.ok, record.installs, record.rollbacks), (Slot::B, 1, 1));
}
