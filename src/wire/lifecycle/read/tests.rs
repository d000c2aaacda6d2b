use std::time::Duration;

use serde_json::{Value, json};

use crate::lifecycle::{Lifecycle, SkipTest, Skipif, Step, StepError, StepName};

fn read(value: &Value) -> Lifecycle {
    Lifecycle::from_value(value.as_object().unwrap())
}

fn run(section: &Value) -> Option<Result<Step, StepError>> {
    read(&json!({ "Run": section })).run
}

#[test]
fn lifecycle_reads_every_step_whatever_its_case() {
    let lifecycle = read(&json!({
        "SETENV": {"A": "1", "N": 5, "F": 1.0, "B": true, "L": ["x", 1], "none": null, "map": {}},
        "bootstrap": {"script": "b", "bootstrapONrollback": "true"},
        "INSTALL": "i", "Startup": "s", "rUN": "r", "shutdown": "d", "Recover": "c", "uninstall": "u",
        "errorResetTime": "60", "Unknown": {"Script": "x"},
    }));
    let environment: Vec<(&str, &str)> = lifecycle.setenv.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(environment, [("A", "1"), ("B", "true"), ("F", "1.0"), ("L", "[x, 1]"), ("N", "5")]);
    let bootstrap = lifecycle.bootstrap.unwrap().unwrap();
    assert_eq!((bootstrap.step.script.as_str(), bootstrap.on_rollback), ("b", true));
    let steps = [
        (lifecycle.install, "i"),
        (lifecycle.startup, "s"),
        (lifecycle.run, "r"),
        (lifecycle.shutdown, "d"),
        (lifecycle.recover, "c"),
        (lifecycle.uninstall, "u"),
    ];
    for (step, script) in steps {
        assert_eq!(step.unwrap().unwrap().script, script);
    }
    assert_eq!(lifecycle.error_reset_time, Some(Duration::from_secs(60)));
}

#[test]
fn step_reads_every_field() {
    let section = json!({
        "SCRIPT": "echo", "requiresprivilege": true, "skipif": "! onpath  git lfs", "timeout": 5, "setenv": {"K": "v"},
    });
    let step = run(&section).unwrap().unwrap();
    let skipif = Skipif { negated: true, test: SkipTest::OnPath("git lfs".into()) };
    assert_eq!(step.skipif, Some(skipif));
    assert!(step.requires_privilege);
    assert_eq!(step.timeout, Some(Duration::from_secs(5)));
    assert_eq!(step.setenv["K"], "v");
}

#[test]
fn step_is_absent_when_its_script_is_empty() {
    for section in [json!(null), json!(""), json!({"Script": ""}), json!({"Script": null})] {
        assert_eq!(run(&section), None, "{section}");
    }
    assert_eq!(run(&json!(5)).unwrap().unwrap().script, "5");
}

#[test]
fn step_keeps_its_error_when_it_cannot_be_run() {
    let table = [
        json!({}),
        json!({"Scrip": "x"}),
        json!({"Script": {"linux": "x"}}),
        json!({"Script": ["a"]}),
        json!(["a"]),
        json!({"Script": "x", "Skipif": "onpath"}),
        json!({"Script": "x", "Skipif": "onPath git"}),
        json!({"Script": "x", "Skipif": "exists  "}),
        json!({"Script": "x", "Skipif": null}),
        json!({"Script": "x", "Timeout": "soon"}),
        json!({"Script": "x", "Timeout": -1}),
        json!({"Script": "x", "Timeout": null}),
        json!({"Script": "x", "Timeout": [1]}),
    ];
    for section in table {
        let error = run(&section).unwrap().unwrap_err();
        assert_eq!(error.step, StepName::Run, "{section}");
    }
}

#[test]
fn timeout_is_read_as_the_reference_does() {
    let table = [
        (json!(120), 120),
        (json!(1.9), 1),
        (json!("120"), 120),
        (json!(" 30s"), 30),
        (json!("0x10"), 16),
        (json!("010"), 8),
        (json!("0"), 0),
        (json!(true), 1),
        (json!(u64::MAX), i32::MAX as u64),
        (json!("99999999999999999999999"), i32::MAX as u64),
    ];
    for (timeout, seconds) in table {
        let step = run(&json!({"Script": "x", "Timeout": timeout})).unwrap().unwrap();
        assert_eq!(step.timeout, Some(Duration::from_secs(seconds)), "{timeout}");
    }
}

#[test]
fn privilege_is_asked_for_by_the_words_of_the_reference() {
    for yes in [json!(true), json!("true"), json!("yes"), json!("on"), json!("t"), json!("y"), json!("Y"), json!(1)] {
        assert!(run(&json!({"Script": "x", "RequiresPrivilege": yes})).unwrap().unwrap().requires_privilege, "{yes}");
    }
    for no in [json!(false), json!("TRUE"), json!("False"), json!(0), json!(null), json!({}), json!("")] {
        assert!(!run(&json!({"Script": "x", "RequiresPrivilege": no})).unwrap().unwrap().requires_privilege, "{no}");
    }
}

#[test]
fn system_update_is_a_bootstrap_step_that_installs_the_bundle() {
    for update in [json!("/u.raucb"), json!({"bundle": "/u.raucb", "Timeout": 60})] {
        let bootstrap = read(&json!({"systemUpdate": update, "Run": "r"})).bootstrap.unwrap().unwrap();
        assert_eq!(bootstrap.step.setenv["GREENGRASS_BUNDLE"], "/u.raucb");
        assert!(bootstrap.step.requires_privilege && !bootstrap.on_rollback && bootstrap.is_system_update());
        assert!(bootstrap.step.script.ends_with("exit 101"), "{}", bootstrap.step.script);
        let timeout = if update.is_object() { 60 } else { 86_400 };
        assert_eq!(bootstrap.step.timeout, Some(Duration::from_secs(timeout)));
    }
    let bad = [json!({}), json!(""), json!(true), json!({"Bundle": 7}), json!({"Bundle": "/u", "Timeout": "soon"})];
    for update in bad {
        let StepError { step, fault } = read(&json!({ "SystemUpdate": update })).bootstrap.unwrap().unwrap_err();
        assert_eq!(step, StepName::Bootstrap, "{fault}");
    }
    let both = read(&json!({"SystemUpdate": "/u.raucb", "Bootstrap": "true"})).bootstrap.unwrap();
    assert!(both.unwrap_err().fault.contains("leave one of them out"));
    assert_eq!(
        read(&json!({"SystemUpdate": null, "Bootstrap": "true"})).bootstrap.unwrap().unwrap().step.script,
        "true"
    );
}
