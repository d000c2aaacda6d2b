use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::base::clock::Timestamp;
use crate::service::config;
use crate::store::tree::{Edit, Given, KeyPath, open};
use crate::wire::ipc::Operation;
use crate::wire::name::ComponentName;
use crate::wire::principal::Principal;

fn start(directory: &Path) -> (config::Handle, Handle, tokio::task::JoinHandle<()>) {
    let (config, _task) = config::spawn(open(directory, &Given::Nothing).unwrap(), directory.to_owned());
    let (access, task) = spawn(&config);
    (config, access, task)
}

fn component(name: &str) -> Principal {
    Principal::Component(ComponentName::parse(name).unwrap())
}

fn policies(topics: &[&str]) -> Value {
    json!({"aws.greengrass.ipc.pubsub": {"p": {"operations": ["*"], "resources": topics}}})
}

fn write(component: &str, value: Value, time: u64) -> Edit {
    let at = KeyPath::service(component).join_all(["configuration", "accessControl"]);
    Edit::Replace { at, value, time: Timestamp(time) }
}

#[tokio::test]
async fn acknowledged_edit_is_in_force_for_the_next_check() {
    let scratch = tempfile::tempdir().unwrap();
    let (config, access, _task) = start(scratch.path());
    let publish = |topic| access.check(&component("a"), Operation::PublishToTopic, Some(topic));
    assert!(publish("x").is_err());
    config.edit(vec![write("a", policies(&["x"]), 10)]).await.unwrap();
    publish("x").unwrap();
    config.edit(vec![write("a", policies(&["y"]), 11)]).await.unwrap();
    assert!(publish("x").is_err());
    publish("y").unwrap();
    config.edit(vec![Edit::Remove { at: KeyPath::service("a"), time: Timestamp(12) }]).await.unwrap();
    let denied = publish("y").unwrap_err();
    assert_eq!(
        denied.to_string(),
        "Principal a is not authorized to perform aws.greengrass.ipc.pubsub:aws.greengrass#PublishToTopic on resource y"
    );
}
