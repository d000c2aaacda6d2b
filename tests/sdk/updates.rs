//! Components are asked before they change, judge their configuration, and deploy.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;

use serde_json::{Value, json};

use crate::stage::{Role, Stage};
use crate::support::{PATIENCE, eventually};

/// A deployment with policies, which only programs at the control socket can give; its id.
fn submit(stage: &Stage, request: &Value) -> String {
    let stream = UnixStream::connect(stage.device.core.root().join("control.socket")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answers = BufReader::new(&stream);
    let mut next = || {
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        serde_json::from_str::<Value>(&line).unwrap()
    };
    next();
    writeln!(&stream, "{}", json!({"createDeployment": request})).unwrap();
    let answer = next();
    answer["submitted"]["id"].as_str().unwrap_or_else(|| panic!("{request}: {answer}")).to_owned()
}

/// Adds a component nobody knows yet, once all agree.
pub fn submit_with_consent(stage: &Stage, bystander: &str) -> String {
    stage.device.recipe(bystander, "1.0.0", &json!({"Run": "exec sleep 100000"}), &json!({}));
    let policy = json!({"action": "NOTIFY_COMPONENTS", "timeout": 3600});
    let recipes = stage.device.core.directory("recipes");
    let request = json!({"add": {bystander: "1.0.0"}, "recipeDirectory": recipes, "componentUpdatePolicy": policy});
    submit(stage, &request)
}

fn ends(stage: &Stage, id: &str, status: &str) -> Value {
    let record = stage.device.ended(id);
    assert_eq!(record["status"], status, "{record}\n{}", stage.device.core.log());
    record
}

#[test]
fn two_components_defer_an_update_and_let_it_go() {
    let Some(stage) = Stage::new() else { return };
    let names = ["com.example.Patient", "com.example.Hasty"];
    let roles =
        [Role::python(names[0], "updates.py").arguments("5000"), Role::python(names[1], "updates.py").arguments("200")];
    stage.deploy(&roles);
    for name in names {
        stage.wait_for(name, "subscribed");
    }
    let id = submit_with_consent(&stage, "com.example.Bystander");
    ends(&stage, &id, "SUCCEEDED");
    for name in names {
        stage.good_end(name);
    }
}

#[test]
fn cancel_ends_a_deferral_and_the_next_deployment_asks_again() {
    let Some(stage) = Stage::new() else { return };
    let name = "com.example.Busy";
    stage.deploy(&[Role::python(name, "updates.py").arguments("outlasted")]);
    stage.wait_for(name, "subscribed");
    let id = submit_with_consent(&stage, "com.example.Bystander");
    stage.wait_for(name, "deferred");
    assert_eq!(stage.device.record(&id)["status"], "IN_PROGRESS");
    assert!(stage.device.core.cli(&["deployment", "cancel", "-i", &id]).status.success());
    assert_eq!(stage.device.record(&id)["status"], "CANCELED");
    let id = submit_with_consent(&stage, "com.example.Bystander");
    ends(&stage, &id, "SUCCEEDED");
    stage.good_end(name);
}

#[test]
fn component_that_dies_before_it_answers_has_no_objection() {
    let Some(stage) = Stage::new() else { return };
    let name = "com.example.Mortal";
    stage.deploy(&[Role::python(name, "updates.py").arguments("killed")]);
    stage.wait_for(name, "subscribed");
    let id = submit_with_consent(&stage, "com.example.Bystander");
    stage.wait_for(name, "asked");
    assert_eq!(stage.device.record(&id)["status"], "IN_PROGRESS");
    let pid = stage.device.pid(name).to_string();
    assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    ends(&stage, &id, "SUCCEEDED");
    stage.good_end(name);
}

#[test]
fn component_judges_its_configuration() {
    let Some(stage) = Stage::new() else { return };
    let name = "com.example.Judge";
    let configuration = json!({"level": 0, "kept": "x"});
    stage.deploy(&[Role::python(name, "validation.py").configuration(&configuration)]);
    stage.wait_for(name, "subscribed");
    let change = |update: Value, timeout: u64| {
        submit(&stage, &json!({"configuration": {name: update}, "configurationValidationPolicy": {"timeout": timeout}}))
    };
    let refused = |id: &str| {
        let details = ends(&stage, id, "FAILED")["details"].clone();
        assert_eq!(details["detailedStatus"], "FAILED_NO_STATE_CHANGE", "{details}");
        assert_eq!(details["errorStack"], json!(["DEPLOYMENT_FAILURE", "COMPONENT_CONFIGURATION_NOT_VALID"]));
        assert_eq!(details["errorTypes"], json!(["COMPONENT_ERROR"]));
        details["failureCause"].as_str().unwrap().to_owned()
    };

    ends(&stage, &change(json!({"merge": {"level": 1}}), 3600), "SUCCEEDED");
    let cause = refused(&change(json!({"merge": {"level": 2}}), 3600));
    assert_eq!(cause, format!("{name} rejected its configuration: level 2 is \u{2603} too cold"));
    let cause = refused(&change(json!({"merge": {"level": 3}}), 1));
    assert_eq!(cause, format!("{name} did not report within 1 s whether its configuration is valid"));
    assert_eq!(stage.device.configuration(name), json!({"level": 1, "kept": "x"}));
    stage.cue(name, "late");
    stage.wait_for(name, "a late report");

    ends(&stage, &change(json!({"merge": {"level": 4}}), 3600), "SUCCEEDED");
    let cause = refused(&change(json!({"merge": {"level": 5}}), 3600));
    assert_eq!(cause, format!("{name} ended its subscription before it reported whether its configuration is valid"));
    let _last = change(json!({"merge": {"level": 6}}), 3600);
    stage.good_end(name);
    assert_eq!(stage.device.configuration(name)["level"], 4);
}

#[test]
fn component_deploys_with_permission() {
    let Some(stage) = Stage::new() else { return };
    let root = stage.device.core.root();
    let slow = "touch started; while [ ! -e go ]; do sleep 0.05; done";
    stage.device.recipe("com.example.Made", "1.0.0", &json!({"Run": "exec sleep 100000"}), &json!({}));
    stage.device.recipe("com.example.Slow", "1.0.0", &json!({"Startup": slow}), &json!({}));
    let deployer = Role::python("com.example.Deployer", "local_deployments.py")
        .arguments(&format!("'{}'", root.display()))
        .may("aws.greengrass.Cli", &["*"], &["*"]);
    stage.play(&[deployer]);
    let configuration = stage.device.configuration("com.example.Made");
    assert_eq!(configuration, json!({"a": {}, "c": 3}), "the group still has it");
    let group = "services.DeploymentService.GroupToRootComponents.thinggroup/g";
    eventually("the group has its root", || stage.device.config(group).is_some());
}

#[test]
fn component_without_permission_does_not_deploy() {
    let Some(stage) = Stage::new() else { return };
    let mine = "11111111-1111-4111-8111-111111111111";
    let role = |name: &str| Role::python(name, "local_deployments_denied.py").arguments(&format!("{name} {mine}"));
    let allowed = role("com.example.Curious").may("aws.greengrass.Cli", &["GetLocalDeploymentStatus"], &[mine]);
    stage.play(&[allowed]);
    let log = stage.device.core.log();
    assert!(log.contains("com.example.Curious is not authorized to perform"), "{log}");
}

#[test]
fn node_component_is_asked_and_deploys() {
    let Some(stage) = Stage::new() else { return };
    let name = "com.example.Node";
    stage.deploy(&[Role::node(name, "updates.js").may("aws.greengrass.Cli", &["*"], &["*"])]);
    stage.wait_for(name, "subscribed");
    let policy = json!({"action": "NOTIFY_COMPONENTS", "timeout": 3600});
    let update = json!({name: {"merge": {"level": 1}}});
    let id = submit(&stage, &json!({"configuration": update, "componentUpdatePolicy": policy}));
    ends(&stage, &id, "SUCCEEDED");
    stage.good_end(name);
}

#[test]
fn client_of_the_command_line_deploys_and_is_no_component() {
    let Some(stage) = Stage::new() else { return };
    stage.play_local_client("client", "local_client.py");
}
