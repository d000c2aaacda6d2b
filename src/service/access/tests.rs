use std::path::Path;

use serde_json::{Value, json};

use super::state::State;
use super::*;
use crate::base::clock::Timestamp;
use crate::service::config;
use crate::store::tree::{Edit, Given, KeyPath, Tree, open};
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

#[tokio::test]
async fn change_is_news_without_any_check() {
    let scratch = tempfile::tempdir().unwrap();
    let (config, access, task) = start(scratch.path());
    let mut news = access.changed();
    let before = *news.borrow_and_update();
    config.edit(vec![write("a", policies(&["x"]), 10)]).await.unwrap();
    news.changed().await.unwrap();
    assert!(*news.borrow_and_update() > before);
    access.check(&component("a"), Operation::SubscribeToTopic, Some("x")).unwrap();
    config.close().await.unwrap();
    drop(config);
    task.await.unwrap();
    access.check(&component("a"), Operation::SubscribeToTopic, Some("x")).unwrap();
}

#[tokio::test]
async fn other_edits_are_no_news() {
    let scratch = tempfile::tempdir().unwrap();
    let (config, access, _task) = start(scratch.path());
    config.edit(vec![write("a", policies(&["x"]), 10)]).await.unwrap();
    access.refresh();
    let generation = *access.changed().borrow();
    let at = KeyPath::service("a").join("configuration");
    let same = policies(&["x"]);
    for edit in [
        Edit::Write { at: at.join("interval"), value: json!(5), time: Timestamp(11) },
        Edit::Write { at: KeyPath::service("b").join("version"), value: json!("1.0.0"), time: Timestamp(11) },
        Edit::Write { at: KeyPath::new(["system", "thingName"]), value: json!("t"), time: Timestamp(11) },
        // The same policies with a newer time.
        Edit::Merge { at, value: json!({"accessControl": same}), time: Timestamp(12) },
    ] {
        config.edit(vec![edit]).await.unwrap();
        access.refresh();
    }
    assert_eq!(*access.changed().borrow(), generation);
}

#[tokio::test]
async fn burst_of_edits_ends_with_the_last_one_in_force() {
    let scratch = tempfile::tempdir().unwrap();
    let (config, access, _task) = start(scratch.path());
    let mut edits = tokio::task::JoinSet::new();
    for number in 0..300_u64 {
        let config = config.clone();
        let edit = write(&format!("c{}", number % 3), policies(&[&number.to_string()]), 10 + number);
        edits.spawn(async move { config.edit(vec![edit]).await.unwrap() });
    }
    edits.join_all().await;
    for number in 297..300 {
        let name = format!("c{}", number % 3);
        access.check(&component(&name), Operation::PublishToTopic, Some(&number.to_string())).unwrap();
        assert!(access.check(&component(&name), Operation::PublishToTopic, Some(&(number - 3).to_string())).is_err());
    }
    assert!(*access.changed().borrow() <= 300);
}

#[tokio::test]
async fn policies_of_an_earlier_run_are_in_force_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    let (config, _access, _task) = start(scratch.path());
    let as_text = json!(policies(&["x"]).to_string());
    config.edit(vec![write("a", as_text, 10)]).await.unwrap();
    config.close().await.unwrap();
    let (_config, access, _task) = start(scratch.path());
    access.check(&component("a"), Operation::PublishToTopic, Some("x")).unwrap();
}

#[tokio::test]
async fn going_back_takes_policies_back() {
    let scratch = tempfile::tempdir().unwrap();
    let (config, access, _task) = start(scratch.path());
    config.edit(vec![write("a", policies(&["x"]), 10)]).await.unwrap();
    let earlier = config.snapshot();
    let wider = [write("a", policies(&["*"]), 11), write("b", policies(&["*"]), 11)];
    config.edit(wider.into()).await.unwrap();
    access.check(&component("b"), Operation::PublishToTopic, Some("y")).unwrap();
    config.restore(earlier).await.unwrap();
    for name in ["a", "b"] {
        assert!(access.check(&component(name), Operation::PublishToTopic, Some("y")).is_err());
    }
    access.check(&component("a"), Operation::PublishToTopic, Some("x")).unwrap();
}

#[test]
fn defects_are_found_once_for_each_change() {
    let mut tree = Tree::default();
    let mut state = State::default();
    let broken = json!({"aws.greengrass.ipc.pubsub": {"p": {"operation": []}}});
    tree.apply(&write("a", broken, 10));
    tree.apply(&write("b", policies(&["?", "x"]), 10));
    assert_eq!(state.take_up(&tree).unwrap().len(), 2);
    assert!(state.is_of(&tree) && state.take_up(&tree).is_none());
    tree.apply(&Edit::Write { at: KeyPath::service("b").join("version"), value: json!("2"), time: Timestamp(11) });
    assert!(!state.is_of(&tree));
    assert!(state.take_up(&tree).is_none());
    tree.apply(&write("b", policies(&["x"]), 12));
    assert_eq!(state.take_up(&tree).unwrap(), []);
    // In a spelling of its own, and for what can be no component.
    let at = KeyPath::new(["Services", "c", "Configuration", "ACCESSCONTROL"]);
    tree.apply(&Edit::Merge { at, value: policies(&["x"]), time: Timestamp(13) });
    tree.apply(&write("no component", policies(&["x"]), 13));
    assert_eq!(state.take_up(&tree).unwrap(), []);
    assert!(state.rules.allows(&component("c"), Operation::PublishToTopic, Some("x")));
}

#[test]
fn denials_name_everything_and_have_an_end() {
    let denied = |resource: Option<&str>| Denied {
        principal: Principal::Client("greengrass-cli#user-0".into()),
        operation: Operation::GetSecretValue,
        resource: resource.map(Into::into),
    };
    let start = "Principal greengrass-cli#user-0 is not authorized to perform \
                 aws.greengrass.SecretManager:aws.greengrass#GetSecretValue on resource ";
    assert_eq!(denied(None).to_string(), format!("{start}null"));
    assert_eq!(denied(Some("ä")).to_string(), format!("{start}ä"));
    assert_eq!(denied(Some(&"ä".repeat(513))).to_string(), format!("{start}{}…", "ä".repeat(512)));
}
