//! While a system is on trial, deployments wait: it is judged by the components that it found.

use std::fs;

use greengrass::boot::slot::Slot;

use crate::device::stay;
use crate::support::eventually;
use crate::system_update::{APP, Machine, SYSTEM};

/// Slot b is on trial by hand, and its check waits for [`end_trial`].
fn on_trial() -> Machine {
    let mut machine = Machine::new();
    let [over, bad] = ["over", "bad"].map(|name| machine.path(name).display().to_string());
    machine.check("required", "10-wait", &format!("until [ -e {over} ]; do sleep 0.05; done; [ ! -e {bad} ]"));
    machine.recipes("2.0.0", &format!("[ -e {over} ] || echo early >> diary"), &stay("run 2.0.0"));
    machine.install();
    assert_eq!(machine.device.core.stop(), Some(0));
    machine.boot(Slot::B);
    machine
}

fn end_trial(machine: &Machine, is_good: bool) {
    if !is_good {
        fs::write(machine.path("bad"), "").unwrap();
    }
    fs::write(machine.path("over"), "").unwrap();
}

fn submit(machine: &Machine) -> String {
    machine.device.submit(&["-m", &format!("{APP}=2.0.0"), "-m", &format!("{SYSTEM}=2.0.0")])
}

fn waits(machine: &Machine, id: &str) {
    eventually("the deployment waits for the trial", || {
        let record = machine.device.record(id);
        assert!(matches!(record["status"].as_str().unwrap(), "QUEUED" | "IN_PROGRESS"), "{record}");
        record["progress"].as_str().unwrap().contains("waiting for the trial of the system")
    });
    machine.device.runs(APP, "1.0.0");
}

/// The deployment changed the components, and none of it before the end of the trial.
fn went_on(machine: &Machine, id: &str) {
    assert_eq!(machine.device.ended(id)["status"], "SUCCEEDED", "{}", machine.device.core.log());
    machine.device.runs(APP, "2.0.0");
    let diary = machine.device.diary(SYSTEM);
    assert!(diary.ends_with(&["bootstrap 2.0.0".to_owned()]), "{diary:?}");
}

#[test]
fn deployment_waits_for_a_trial_and_goes_on_with_the_new_system() {
    let mut machine = on_trial();
    let id = submit(&machine);
    waits(&machine, &id);
    let next = machine.device.submit(&["--remove", APP]);
    // It waits in the next life of the daemon, too.
    machine.device.core.kill();
    machine.device.core.start();
    waits(&machine, &id);
    assert_eq!(machine.device.record(&next)["status"], "QUEUED");
    assert_eq!((machine.record().ok, machine.record().trial), (Slot::A, Some(Slot::B)));
    end_trial(&machine, true);
    assert_eq!(machine.device.ended(&id)["status"], "SUCCEEDED", "{}", machine.device.core.log());
    assert_eq!(machine.device.ended(&next)["status"], "SUCCEEDED", "{}", machine.device.core.log());
    assert_eq!((machine.record().ok, machine.record().trial), (Slot::B, None));
    assert_eq!(machine.device.state(APP), "");
    assert_eq!(machine.device.diary(SYSTEM), ["bootstrap 1.0.0", "bootstrap 2.0.0"]);
}

#[test]
fn deployment_waits_for_a_trial_and_goes_on_with_the_former_system() {
    let mut machine = on_trial();
    let id = submit(&machine);
    waits(&machine, &id);
    end_trial(&machine, false);
    machine.leaves();
    machine.boot(Slot::A);
    went_on(&machine, &id);
    assert_eq!((machine.record().ok, machine.record().trial), (Slot::A, None));
}

#[test]
fn deployment_that_waits_for_a_trial_can_be_cancelled() {
    let machine = on_trial();
    let id = submit(&machine);
    waits(&machine, &id);
    machine.device.core.json(&["deployment", "cancel", "-i", &id]);
    assert_eq!(machine.device.record(&id)["status"], "CANCELED");
    let next = submit(&machine);
    waits(&machine, &next);
    end_trial(&machine, true);
    went_on(&machine, &next);
    assert_eq!(machine.device.record(&id)["status"], "CANCELED");
}
