//! Who gets in at the IPC door of a real core, and as whom.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[allow(dead_code, reason = "the tests of deployments use the rest")]
#[path = "deployments/device.rs"]
mod device;
#[path = "admission/ipc.rs"]
mod ipc;
mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use device::Device;
use greengrass::sys::limit;
use ipc::Client;
use serde_json::{Value, json};
use support::eventually;

/// A component that leaves its token where the test finds it, and stays.
fn deploy(device: &Device, name: &str) -> String {
    let script = "umask 077; echo $SVCUID > token.new; mv token.new token; exec sleep 1000";
    device.recipe(name, "1.0.0", &json!({"Run": script}), &json!({}));
    device.succeed(&["--merge", &format!("{name}=1.0.0")]);
    let file = device.work(name).join("token");
    eventually("the component has said its token", || file.exists());
    fs::read_to_string(file).unwrap().trim().to_owned()
}

fn info(device: &Device, file: &str) -> (PathBuf, String) {
    let text = fs::read_to_string(device.core.root().join("cli_ipc_info").join(file)).unwrap();
    let info: Value = serde_json::from_str(&text).unwrap();
    let text = |key: &str| info[key].as_str().unwrap().to_owned();
    (text("domain_socket_path").into(), text("cli_auth_token"))
}

#[test]
fn local_client_gets_in_with_the_token_of_its_file() {
    let mut device = Device::new();
    let own = fs::metadata("/proc/self").unwrap();
    let user = format!("user-{}", own.uid());
    let directory = device.core.root().join("cli_ipc_info");
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::metadata(directory.join(&user)).unwrap().permissions().mode() & 0o777, 0o600);
    let (socket, before) = info(&device, &user);
    assert_eq!(socket, device.core.root().join("ipc.socket"));
    let mut client = Client::connect(&socket, &before).unwrap();
    assert_eq!(client.call("ListLocalDeployments", &json!({})), Ok(json!({"localDeployments": []})));
    let refused = client.call("ValidateAuthorizationToken", &json!({ "token": before }));
    assert_eq!(refused, Err("UnauthorizedError".into()));

    // A group is named: it gets a file, and all tokens are fresh.
    let group = format!("group-{}", own.gid());
    let named = json!({"AuthorizedPosixGroups": format!("no-such-group, {}", own.gid())});
    let update = json!({"aws.greengrass.Cli": {"MERGE": named}}).to_string();
    device.succeed(&["--merge", "aws.greengrass.Cli=2.18.0", "--update-config", &update]);
    eventually("the group has a file", || directory.join(&group).exists());
    eventually("the old token is good no more", || Client::connect(&socket, &before).is_none());
    assert_eq!(fs::metadata(directory.join(&group)).unwrap().permissions().mode() & 0o777, 0o640);
    for file in [&user, &group] {
        assert!(Client::connect(&socket, &info(&device, file).1).is_some(), "{file}");
    }
    for odd in ["", "x", &"A".repeat(16)] {
        assert!(Client::connect(&socket, odd).is_none(), "{odd}");
    }

    let (_, before) = info(&device, &user);
    fs::write(directory.join("user-4000000"), "stale").unwrap();
    device.core.stop();
    device.core.start();
    assert!(Client::connect(&socket, &before).is_none());
    assert!(Client::connect(&socket, &info(&device, &user).1).is_some());
    assert!(!directory.join("user-4000000").exists());
    assert!(!device.core.log().contains(&before), "a token is in the log");
}

#[test]
fn only_the_stream_manager_validates_tokens() {
    let device = Device::new();
    let socket = device.core.root().join("ipc.socket");
    let other = deploy(&device, "com.example.Other");
    let own = deploy(&device, "aws.greengrass.StreamManager");
    let mut manager = Client::connect(&socket, &own).unwrap();
    let mut validate = |request: Value| manager.call("ValidateAuthorizationToken", &request);
    for token in [&own, &other] {
        assert_eq!(validate(json!({ "token": token })), Ok(json!({"isValid": true})));
    }
    for odd in [json!({}), json!({"token": null}), json!({"token": ""}), json!({"token": other.to_lowercase()})] {
        assert_eq!(validate(odd), Err("InvalidTokenError".into()));
    }
    assert_eq!(validate(json!({"token": 7})), Err("ServiceError".into()));
    device.succeed(&["--remove", "com.example.Other"]);
    assert_eq!(validate(json!({ "token": other })), Err("InvalidTokenError".into()));
    let other = deploy(&device, "com.example.Other");
    let mut client = Client::connect(&socket, &other).unwrap();
    let refused = client.call("ValidateAuthorizationToken", &json!({ "token": own }));
    assert_eq!(refused, Err("UnauthorizedError".into()));
}

#[test]
fn component_gets_the_descriptors_the_daemon_was_started_with() {
    let before = limit::open_files();
    limit::set_open_files(Some(777)).unwrap();
    let device = Device::new();
    limit::set_open_files(before).unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", device.core.pid())).unwrap();
    let mut words = limits.lines().find(|line| line.starts_with("Max open files")).unwrap().split_whitespace().skip(3);
    assert_eq!(words.next(), words.next(), "the daemon takes what it may have");
    let script = "ulimit -n > limit.new; mv limit.new limit; exec sleep 1000";
    device.recipe("com.example.Limited", "1.0.0", &json!({"Run": script}), &json!({}));
    device.succeed(&["--merge", "com.example.Limited=1.0.0"]);
    let file = device.work("com.example.Limited").join("limit");
    eventually("the component has said its limit", || file.exists());
    assert_eq!(fs::read_to_string(file).unwrap().trim(), "777");
}
