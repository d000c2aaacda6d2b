//! Deployments that bring a new system: the deployment is in hand until its trial ends, and goes back with it.
//!
//! The state of the slots lies in files. A reboot is a daemon that is started again with another slot in its settings and
//! an empty `/run`; a boot loader that gave up has written its environment.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use greengrass::boot::slot::Slot;
use greengrass::boot::state::grubenv;
use greengrass::boot::state::machine::Candidate;
use greengrass::boot::state::record::{ImageState, Record};
use greengrass::boot::state::slots::Moment;
use greengrass::boot::state::variables::Variables;
use greengrass::service::ota::device::Device as Slots;
use greengrass::service::ota::settings::Settings;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::device::{Device, say, stay};
use crate::support::eventually;

pub const SYSTEM: &str = "com.example.System";
pub const APP: &str = "com.example.App";

/// Deadlines count from the start of this machine, which is not started for the test.
pub const PATIENT: &str = "health-stable=0\nhealth-deadline=4000000000\nhealth-daemon-deadline=4000000000\n\
    health-network-deadline=4000000000\nhealth-components-deadline=4000000000\nhealth-check-timeout=4000000000\n";

pub struct Machine {
    pub device: Device,
    disk: TempDir,
    more: String,
}

impl Machine {
    /// Slot a runs with version 1.0.0 of both components.
    pub fn new() -> Self {
        Self::with(PATIENT)
    }

    pub fn with(more: &str) -> Self {
        // Where files keep their blocks.
        let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut machine = Self { device: Device::stopped(), disk, more: more.to_owned() };
        machine.environment(&[("gg_ok", "a")]);
        let conf = machine.path("ota.conf").display().to_string();
        machine.device.core.options.extend(["--ota-conf".to_owned(), conf]);
        machine.boot(Slot::A);
        let _ = machine.slots().slots().settle(Moment::at(1)).unwrap();
        machine.recipes("1.0.0", "exit 0", &stay("run 1.0.0"));
        machine.device.succeed(&["-m", &format!("{APP}=1.0.0"), "-m", &format!("{SYSTEM}=1.0.0")]);
        machine
    }

    pub fn recipes(&self, version: &str, bootstrap: &str, run: &str) {
        let bootstrap = format!("{}; {bootstrap}", say(&format!("bootstrap {version}")));
        self.device.recipe(SYSTEM, version, &json!({"Bootstrap": {"Script": bootstrap}}), &json!({}));
        self.device.recipe(APP, version, &json!({ "Run": run }), &json!({}));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.disk.path().join(name)
    }

    fn environment(&self, variables: &[(&str, &str)]) {
        let mut all = Variables::default();
        for (name, value) in variables {
            all.set(name, value);
        }
        let path = self.path("grubenv");
        fs::write(&path, grubenv::encode(&all).unwrap()).unwrap();
        fs::File::open(path).unwrap().sync_all().unwrap();
    }

    /// What comes before the daemon.
    fn reboot(&self, slot: Slot) {
        let (run, health) = (self.path("run"), self.path("health.d"));
        let text = format!(
            "[system]\ncompatible=board\nbootloader=grub\ngrubenv={}\n[greengrass]\nstate=files\nbooted={}\ndata-directory={}\n\
             lock={}\nhealth-directory={}\n{}",
            self.path("grubenv").display(),
            slot.name(),
            self.path("data").display(),
            run.join("ota.lock").display(),
            health.display(),
            self.more,
        );
        fs::write(self.path("ota.conf"), text).unwrap();
        let _ = fs::remove_dir_all(run);
    }

    pub fn boot(&mut self, slot: Slot) {
        self.reboot(slot);
        self.device.core.start();
    }

    /// As `ota install` leaves the slots, called by a script that does not say for whom.
    pub fn install(&self) {
        let slots = self.slots();
        let candidate =
            Candidate { version: "2".to_owned(), manifest: [2; 32], transaction: 1, level: 0, floor: 0, key_epoch: 0 };
        let _ = slots.slots().plan_install(candidate, 1).unwrap();
        slots.slots().mark_written(1).unwrap();
        slots.slots().arm(3, [0; 36], 1).unwrap();
    }

    fn slots(&self) -> Slots {
        Slots::open(&Settings::load(Some(&self.path("ota.conf"))).unwrap()).unwrap()
    }

    pub fn record(&self) -> Record {
        self.slots().slots().status().unwrap().record
    }

    /// Deploys version 2.0.0 of both, up to the reboot into slot b.
    fn deploy(&mut self, run: &str) -> String {
        self.install();
        self.recipes("2.0.0", "exit 101", run);
        let id = self.device.submit(&["-m", &format!("{APP}=2.0.0"), "-m", &format!("{SYSTEM}=2.0.0")]);
        self.leaves();
        id
    }

    /// The daemon asks for a reboot.
    pub fn leaves(&mut self) {
        assert_eq!(self.device.core.wait(), Some(101), "{}", self.device.core.log());
    }

    pub fn check(&self, kind: &str, name: &str, script: &str) {
        let directory = self.path("health.d").join(kind);
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The former version is back, and its deployment tells why.
    fn is_rolled_back(&mut self, id: &str, why: &str) {
        let record = self.device.ended(id);
        assert_eq!(record["status"], "FAILED", "{record}");
        assert_eq!(record["details"]["detailedStatus"], "FAILED_ROLLBACK_COMPLETE", "{record}");
        let cause = record["details"]["failureCause"].as_str().unwrap();
        assert!(cause.contains("the new system was given up") && cause.contains(why), "{cause}");
        self.device.runs(APP, "1.0.0");
        assert_eq!(self.device.details(SYSTEM)["version"], "1.0.0");
        let diary = self.device.diary(SYSTEM);
        assert_eq!(diary.iter().filter(|line| *line == "bootstrap 2.0.0").count(), 1, "it is not installed again");
    }
}

#[test]
fn system_update_is_in_progress_until_the_health_checks_have_passed() {
    let mut machine = Machine::new();
    let go = machine.path("go");
    machine.check("required", "10-go", &format!("until [ -e {} ]; do sleep 0.05; done", go.display()));
    machine.check("wanted", "10-moan", "echo something is odd; exit 3");
    let id = machine.deploy(&stay("run 2.0.0"));
    machine.boot(Slot::B);
    let in_trial = |machine: &Machine| {
        machine.device.runs(APP, "2.0.0");
        eventually("the deployment waits for the health checks", || {
            let record = machine.device.record(&id);
            assert_eq!(record["status"], "IN_PROGRESS", "{record}");
            record["progress"].as_str().unwrap().contains("health checks")
        });
    };
    in_trial(&machine);
    // The trial goes on with the next daemon of the same boot.
    machine.device.core.kill();
    machine.device.core.start();
    in_trial(&machine);
    assert_eq!((machine.record().ok, machine.record().trial), (Slot::A, Some(Slot::B)));
    fs::write(go, "").unwrap();
    assert_eq!(machine.device.ended(&id)["status"], "SUCCEEDED", "{}", machine.device.core.log());
    assert_eq!((machine.record().ok, machine.record().trial), (Slot::B, None));
    eventually("the check that is only wanted is told of", || {
        machine.device.core.log_of("_health").contains("something is odd")
    });
    assert_eq!(machine.device.core.stop(), Some(0));
    machine.boot(Slot::B);
    machine.device.runs(APP, "2.0.0");
}

#[test]
fn system_update_goes_back_when_a_required_check_fails() {
    let mut machine = Machine::new();
    machine.check("required", "20-modem", "[ \"$GREENGRASS_SLOT\" = a ]");
    let id = machine.deploy(&stay("run 2.0.0"));
    machine.boot(Slot::B);
    machine.leaves();
    machine.boot(Slot::A);
    machine.is_rolled_back(&id, "20-modem: exit code 1");
    assert_eq!(machine.record().image(Slot::B).state, ImageState::Bad);
}

#[test]
fn system_update_goes_back_when_a_component_is_broken_on_it() {
    let mut machine = Machine::new();
    let id = machine.deploy("exit 7");
    machine.boot(Slot::B);
    machine.leaves();
    machine.boot(Slot::A);
    machine.is_rolled_back(&id, &format!("{APP} is BROKEN"));
}

#[test]
fn system_update_is_kept_although_a_component_was_broken_before_it() {
    let mut machine = Machine::new();
    machine.device.recipe("com.example.Old", "1.0.0", &json!({"Run": "exit 9"}), &json!({}));
    machine.device.fail("FAILED_ROLLBACK_NOT_REQUESTED", &["-m", "com.example.Old=1.0.0"]);
    machine.install();
    assert_eq!(machine.device.core.stop(), Some(0));
    machine.boot(Slot::B);
    eventually("the new system is kept", || machine.record().ok == Slot::B);
    eventually("what was broken is so again", || machine.device.state("com.example.Old") == "BROKEN");
}

#[test]
fn system_update_goes_back_when_the_boot_loader_gave_it_up() {
    let mut machine = Machine::new();
    let id = machine.deploy(&stay("run 2.0.0"));
    machine.environment(&[("gg_ok", "a"), ("gg_failed", "b")]);
    machine.boot(Slot::A);
    machine.is_rolled_back(&id, "hung");
}

#[test]
fn system_update_goes_back_when_the_daemon_starts_again_and_again() {
    let mut machine = Machine::with(&format!("{PATIENT}health-starts=2\n").replace("stable=0", "stable=3600"));
    let id = machine.deploy(&stay("run 2.0.0"));
    machine.boot(Slot::B);
    machine.device.core.kill();
    machine.device.core.start();
    machine.device.core.kill();
    machine.device.core.spawn(&[]);
    machine.leaves();
    machine.boot(Slot::A);
    machine.is_rolled_back(&id, "it started 3 times");
}

#[test]
fn system_update_goes_back_when_the_daemon_is_late() {
    let mut machine = Machine::new();
    let id = machine.deploy(&stay("run 2.0.0"));
    machine.more = "health-deadline=0\n".to_owned();
    machine.reboot(Slot::B);
    machine.device.core.spawn(&[]);
    machine.leaves();
    machine.boot(Slot::A);
    machine.is_rolled_back(&id, "daemon: not within 0 s");
}

#[test]
fn system_update_is_called_off_when_the_device_does_not_reboot() {
    let mut machine = Machine::new();
    let id = machine.deploy(&stay("run 2.0.0"));
    for _ in 0..3 {
        machine.device.core.spawn(&[]);
        machine.leaves();
    }
    machine.device.core.start();
    machine.is_rolled_back(&id, "asked to start again, and did not");
    assert_eq!(machine.record().trial, None);
}

#[test]
fn bundle_that_cannot_be_installed_fails_its_deployment() {
    let machine = Machine::new();
    let recipe = |update: &Value| {
        machine.device.recipe(SYSTEM, "2.0.0", &json!({ "SystemUpdate": update }), &json!({}));
    };
    recipe(&json!({"Bundle": "{artifacts:path}/update.raucb"}));
    let deploy = ["-m", &format!("{SYSTEM}=2.0.0")];
    let cause = machine.device.fail("FAILED_NO_STATE_CHANGE", &deploy);
    assert!(cause.contains("exit code 1"), "{cause}");
    let log = machine.device.core.log_of(SYSTEM);
    assert!(log.contains("update.raucb"), "{log}");
    recipe(&json!({}));
    let cause = machine.device.fail("FAILED_NO_STATE_CHANGE", &deploy);
    assert!(cause.contains("SystemUpdate names no Bundle"), "{cause}");
}
