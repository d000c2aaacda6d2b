//! Every operation: success, each error that its model declares, denial. What the SDK for Python was answered is held
//! against the model of the SDKs that are installed; what is never answered stands in one list, each with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use gg_wire::ipc::Operation;
use serde_json::json;

use crate::stage::{Role, Stage, sdk};
use crate::updates::submit_with_consent;

/// An operation and what it answers: `Response`, or an error.
type Outcomes = BTreeSet<(String, String)>;

#[test]
fn every_outcome_of_the_model_is_seen_or_has_a_reason_not_to_be() {
    let Some(mut stage) = Stage::new() else { return };
    // Of this name: no other component may have tokens looked at, or put every metric.
    let (name, denied, client) = ("aws.greengrass.StreamManager", "com.example.Denied", "client");
    stage.deploy(&[Role::sleeper()]);
    let freezer = stage.has_freezer();
    let arguments = format!("{name} {}", if freezer { "freezer" } else { "none" });
    let holds_up = json!({"Shutdown": {"Script": "while [ ! -e said ]; do sleep 0.05; done", "Timeout": 60}});
    stage.deploy(&[
        Role::python(name, "outcomes.py").arguments(&arguments).may_everything().lifecycle(&holds_up),
        Role::python(denied, "denied.py"),
    ]);
    stage.play_local_client(client, "outcomes_of_client.py");
    stage.good_end(denied);

    stage.wait_for(name, "may be updated");
    submit_with_consent(&stage, "com.example.Bystander");
    stage.wait_for(name, "disks may go");
    let disks = ["config", "telemetry"].map(|directory| stage.device.core.root().join(directory));
    for disk in &disks {
        fs::remove_dir_all(disk).unwrap();
        fs::write(disk, "a file is in the way").unwrap();
    }
    stage.cue(name, "disks have gone");
    stage.wait_for(name, "disks may come back");
    for disk in &disks {
        fs::remove_file(disk).unwrap();
    }
    stage.cue(name, "disks are back");
    stage.wait_for(name, "may go down");
    assert_eq!(stage.device.core.stop(), Some(0), "{}", stage.story(name));
    stage.good_end(name);

    let log = stage.device.core.log_of("greengrass");
    for operation in Operation::ALL.into_iter().filter(|operation| operation.service().is_some()) {
        let said = |line: &str| {
            [denied, "not authorized", operation.policy_name(), "on resource "].iter().all(|word| line.contains(word))
        };
        assert!(log.lines().any(said), "no line of the log tells that {operation} was denied\n{log}");
    }

    let mut seen = Outcomes::new();
    for part in [name, denied, client] {
        let verdicts = stage.verdicts(part);
        let checks = verdicts.iter().filter_map(|verdict| verdict["check"].as_str()?.split_once(": "));
        seen.extend(checks.map(|(operation, outcome)| (operation.to_owned(), outcome.to_owned())));
    }
    hold_against_the_model(&seen, freezer);
}

fn hold_against_the_model(seen: &Outcomes, freezer: bool) {
    let declared = declared();
    let mut expected = declared.clone();
    for operation in Operation::ALL {
        let outcome = |outcome: &str| (operation.to_string(), outcome.to_owned());
        expected.insert(outcome("Response"));
        if operation.service().is_some() {
            expected.insert(outcome("UnauthorizedError"));
        }
    }
    let list = |list: &[(&str, &[&str], &str)]| -> Outcomes {
        let each = list.iter().flat_map(|(outcome, operations, _)| operations.iter().map(move |of| (*of, *outcome)));
        each.map(|(operation, outcome)| (operation.to_owned(), outcome.to_owned())).collect()
    };
    let mut never = list(NEVER);
    if !freezer {
        never.extend(list(&[("Response", &["PauseComponent", "ResumeComponent"], "")]));
    }
    let missing: Outcomes = expected.difference(seen).cloned().collect();
    assert_eq!(missing, never, "left: what was not seen; right: what is said never to be");
    let undeclared: Outcomes =
        seen.difference(&declared).filter(|(_, outcome)| outcome != "Response").cloned().collect();
    assert_eq!(undeclared, list(UNDECLARED), "left: errors seen that the model does not declare; right: those meant");
    println!("{} outcomes seen, {} never", seen.len(), never.len());
}

/// The errors of the model, which ours must agree with.
fn declared() -> Outcomes {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/model.py");
    let output = Command::new(sdk("python/bin/python")).args(["-B", script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let model: BTreeMap<String, Vec<String>> = serde_json::from_slice(&output.stdout).unwrap();
    let pair = |operation: &str, error: &str| (operation.to_owned(), error.to_owned());
    let model: Outcomes =
        model.iter().flat_map(|(operation, errors)| errors.iter().map(move |error| pair(operation, error))).collect();
    let of = |operation: Operation| operation.errors().iter().map(move |error| pair(operation.name(), error.name()));
    assert_eq!(Operation::ALL.into_iter().flat_map(of).collect::<Outcomes>(), model, "left: ours; right: the SDKs'");
    model
}

/// What no caller is answered: the outcome, of which operations, and why.
const NEVER: &[(&str, &[&str], &str)] = &[
    ("Response", LATER, "their services come with later work, and say so in a ServiceError"),
    ("ResourceNotFoundError", &["GetSecretValue"], "as above: there is no secret to look for"),
    (
        "ResourceNotFoundError",
        &["GetThingShadow", "DeleteThingShadow", "ListNamedShadowsForThing"],
        "as above: there is no shadow to look for",
    ),
    ("ConflictError", &["UpdateThingShadow"], "as above: there is no shadow with another version"),
    ("InvalidCredentialError", &["GetClientDeviceAuthToken"], "as above: nobody judges a credential"),
    ("InvalidClientDeviceAuthTokenError", &["AuthorizeClientDeviceAction"], "as above: nobody has a session"),
    (
        "ComponentNotFoundError",
        &["RestartComponent", "StopComponent"],
        "the reference answers ResourceNotFoundError, which components were written for",
    ),
    (
        "ConflictError",
        &["UpdateConfiguration"],
        "the reference answers it nowhere: what comes too late is FailedUpdateConditionCheckError",
    ),
    (
        "UnauthorizedError",
        &["UpdateConfiguration"],
        "the reference answers it nowhere: a component can only mean its own, and policies are InvalidArgumentsError",
    ),
    (
        "ServiceError",
        &["SubscribeToTopic", "SendConfigurationValidityReport"],
        "the reference has it for what it did not expect, and here nothing is left to go wrong: \
         both end in memory, and what is wrong with a request is InvalidArgumentsError",
    ),
    ("ServiceError", &["CreateDebugPassword"], "a password is kept in memory alone, until after the last caller"),
    ("ServiceError", &["ListComponents"], "the list is there until after the last component, and always fits"),
];

/// Errors that the model does not declare for the operation: the reference answers them, and components count on it.
const UNDECLARED: &[(&str, &[&str], &str)] = &[
    (
        "UnauthorizedError",
        &[
            "CancelLocalDeployment",
            "CreateLocalDeployment",
            "GetComponentDetails",
            "GetLocalDeploymentStatus",
            "ListComponents",
            "ListLocalDeployments",
            "RestartComponent",
            "StopComponent",
        ],
        "the service aws.greengrass.Cli refuses whom no policy lets",
    ),
    (
        "InvalidArgumentsError",
        &[
            "GetLocalDeploymentStatus",
            "PauseComponent",
            "PublishToIoTCore",
            "PublishToTopic",
            "ResumeComponent",
            "SubscribeToIoTCore",
        ],
        "what is wrong with a request is said so",
    ),
    ("ResourceNotFoundError", &["RestartComponent", "StopComponent"], "in place of ComponentNotFoundError"),
];

/// Operations whose services come with later work.
const LATER: &[&str] = &[
    "AuthorizeClientDeviceAction",
    "DeleteThingShadow",
    "GetClientDeviceAuthToken",
    "GetSecretValue",
    "GetThingShadow",
    "ListNamedShadowsForThing",
    "PublishToIoTCore",
    "SubscribeToCertificateUpdates",
    "SubscribeToIoTCore",
    "SubscribeToIoTCoreConnectionStatus",
    "UpdateThingShadow",
    "VerifyClientDeviceIdentity",
];
