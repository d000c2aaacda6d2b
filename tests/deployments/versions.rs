//! New, newer, older, gone.

use serde_json::json;

use crate::device::{Device, say, stay};

fn recipe(device: &Device, version: &str) {
    let lifecycle = json!({
        "Install": say(&format!("install {version}")),
        "Run": stay(&format!("run {version}")),
        "Shutdown": say(&format!("shutdown {version}")),
        "Uninstall": say("uninstall $GREENGRASS_COMPONENT_VERSION"),
    });
    device.recipe("com.example.A", version, &lifecycle, &json!({}));
}

#[test]
fn component_is_deployed_updated_downgraded_and_removed() {
    let mut device = Device::new();
    recipe(&device, "1.0.0");
    recipe(&device, "2.0.0");
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    device.runs("com.example.A", "1.0.0");
    device.diary_ends("com.example.A", &["install 1.0.0", "run 1.0.0"]);

    // Install runs again at each start of the daemon, as in the reference nucleus.
    device.restart();
    device.diary_ends("com.example.A", &["shutdown 1.0.0", "install 1.0.0", "run 1.0.0"]);
    device.runs("com.example.A", "1.0.0");

    device.succeed(&["-m", "com.example.A=2.0.0"]);
    device.runs("com.example.A", "2.0.0");
    device.diary_ends("com.example.A", &["shutdown 1.0.0", "install 2.0.0", "run 2.0.0"]);
    let node = device.config("services.com.example.A").unwrap();
    assert_eq!((&node["version"], &node["previousVersion"]), (&json!("2.0.0"), &json!("1.0.0")));

    device.succeed(&["-m", "com.example.A=1.0.0"]);
    device.runs("com.example.A", "1.0.0");
    device.diary_ends("com.example.A", &["shutdown 2.0.0", "install 1.0.0", "run 1.0.0"]);

    // The same again changes nothing.
    let pid = device.pid("com.example.A");
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    assert_eq!(device.pid("com.example.A"), pid);

    device.succeed(&["--remove", "com.example.A"]);
    assert!(device.work("com.example.A").is_dir());
    let gone = |device: &Device| {
        assert_eq!(device.state("com.example.A"), "");
        assert_eq!(device.config("services.com.example.A"), None);
        device.diary_ends("com.example.A", &["shutdown 1.0.0", "uninstall 1.0.0"]);
    };
    gone(&device);
    let roots = device.config("services.DeploymentService.GroupToRootComponents.LOCAL_DEPLOYMENT");
    assert_eq!(roots, Some(json!({})));
    device.restart();
    gone(&device);
}

#[test]
fn component_of_two_groups_stays_until_both_let_it_go() {
    let device = Device::new();
    recipe(&device, "1.0.0");
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    device.succeed(&["-g", "lamps", "-m", "com.example.A=1.0.0"]);
    let pid = device.pid("com.example.A");
    device.succeed(&["--remove", "com.example.A"]);
    assert_eq!(device.pid("com.example.A"), pid);
    device.succeed(&["-g", "lamps", "--remove", "com.example.A"]);
    assert_eq!(device.state("com.example.A"), "");
}
