//! Policies change under a component that runs.

use serde_json::{Value, json};

use crate::stage::{Role, Stage};

#[test]
fn policy_that_is_taken_away_ends_a_subscription_and_one_that_is_given_needs_no_restart() {
    let Some(stage) = Stage::new() else { return };
    let (name, pubsub) = ("com.example.Listener", "aws.greengrass.ipc.pubsub");
    let both = ["PublishToTopic", "SubscribeToTopic"];
    stage.deploy(&[Role::python(name, "policies.py").may(pubsub, &both, &["house/*"])]);
    stage.wait_for(name, "listens");
    let pid = stage.device.pid(name);

    set_policy(&stage, name, pubsub, &["aws.greengrass#PublishToTopic"]);
    stage.wait_for(name, "went deaf");
    set_policy(&stage, name, pubsub, &["*"]);
    assert_eq!(stage.device.pid(name), pid, "the component was restarted");
    stage.cue(name, "allowed again");
    stage.good_end(name);
}

/// Changes the operations of the policy the recipe gave.
fn set_policy(stage: &Stage, name: &str, service: &str, operations: &[&str]) {
    let access: Value = json!({service: {format!("{name}:{service}:0"): {"operations": operations}}});
    let update = json!({name: {"MERGE": {"accessControl": access}}}).to_string();
    stage.device.succeed(&["--merge", &format!("{name}=1.0.0"), "--update-config", &update]);
}
