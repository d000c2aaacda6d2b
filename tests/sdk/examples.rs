//! The example components of `docs/examples` that speak through an SDK.

use std::path::Path;

use crate::stage::Stage;
use crate::support::eventually;

#[test]
fn examples_talk_in_two_languages() {
    let Some(stage) = Stage::new() else { return };
    // Installed already, as after a first run: a test asks no registry.
    stage.lend("python", SDK, "venv");
    stage.lend("node/node_modules", NODE, "node_modules");
    deploy(&stage);
    for (listener, words) in [
        (SUBSCRIBER, ["{'celsius': 2", "on example/temperature"]),
        (SUBSCRIBER, ["{'percent': 5", "on example/humidity"]),
        (NODE, ["{\"celsius\":2", "on example/temperature"]),
    ] {
        let heard = |line: &str| line.contains("heard ") && words.iter().all(|word| line.contains(word));
        eventually(&format!("{listener} hears {words:?}"), || stage.log(listener).lines().any(heard));
    }
    let own = stage.log(NODE).lines().any(|line| line.contains("heard ") && line.contains("humidity"));
    assert!(!own, "a filter with a wildcard hears others only\n{}", stage.story(NODE));
}

#[test]
fn examples_without_a_network_say_so_and_finish() {
    let offline = [("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", ""), ("npm_config_offline", "true")];
    let Some(stage) = Stage::with_environment(&offline) else { return };
    deploy(&stage);
    for name in [SDK, PUBLISHER, SUBSCRIBER, NODE] {
        eventually(&format!("{name} has finished"), || stage.device.state(name) == "FINISHED");
    }
    for name in [SDK, NODE] {
        let log = stage.log(name);
        assert_eq!(log.matches("cannot install ").count(), 1, "{log}");
    }
    for name in [PUBLISHER, SUBSCRIBER, NODE] {
        assert_eq!(stage.log(name).matches("no SDK: ").count(), 1, "{}", stage.log(name));
    }
}

fn deploy(stage: &Stage) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples");
    let roots = [PUBLISHER, SUBSCRIBER, NODE].map(|name| format!("{name}=1.0.0"));
    stage.deploy_from(&folder.join("recipes"), &folder.join("artifacts"), &roots.each_ref().map(String::as_str));
}

const SDK: &str = "com.example.PythonSdk";
const PUBLISHER: &str = "com.example.PythonPublisher";
const SUBSCRIBER: &str = "com.example.PythonSubscriber";
const NODE: &str = "com.example.NodePubSub";
