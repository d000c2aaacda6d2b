//! Versions that cannot be had together: refused before anything changes, with all who are part of it named.

use serde_json::{Value, json};

use crate::device::Device;

fn needs(device: &Device, name: &str, version: &str, dependencies: &[(&str, &str)]) {
    let dependencies: serde_json::Map<String, Value> = dependencies
        .iter()
        .map(|(name, range)| (format!("com.example.{name}"), json!({"VersionRequirement": range})))
        .collect();
    let more = json!({ "ComponentDependencies": dependencies });
    device.recipe(&format!("com.example.{name}"), version, &json!({"Run": "exec sleep 100000"}), &more);
}

#[test]
fn what_cannot_be_resolved_is_explained_and_changes_nothing() {
    let device = Device::new();
    needs(&device, "Stays", "1.0.0", &[("Lib", "^1.0.0")]);
    for version in ["1.0.0", "1.4.2", "2.0.0"] {
        needs(&device, "Lib", version, &[]);
    }
    needs(&device, "Wants2", "1.0.0", &[("Lib", ">=2.0.0")]);
    needs(&device, "Lost", "1.0.0", &[("Nowhere", "~3.1.0")]);
    needs(&device, "Ring1", "1.0.0", &[("Ring2", "*")]);
    needs(&device, "Ring2", "1.0.0", &[("Ring3", "*")]);
    needs(&device, "Ring3", "1.0.0", &[("Ring1", "*")]);
    needs(&device, "Self", "1.0.0", &[("Self", "*")]);
    device.succeed(&["-m", "com.example.Stays=1.0.0"]);
    assert_eq!(device.details("com.example.Lib")["version"], "1.4.2");
    let before = device.config("/").unwrap();
    let pid = device.pid("com.example.Stays");

    let cases: [(&[&str], &[&str]); 6] = [
        (
            &["-m", "com.example.Wants2=1.0.0"],
            &[
                "com.example.Lib",
                "com.example.Stays 1.0.0 requires >=1.0.0 <2.0.0",
                "com.example.Wants2 1.0.0 requires >=2.0.0",
                "1.4.2",
            ],
        ),
        (&["-m", "com.example.Lost=1.0.0"], &["com.example.Nowhere", "com.example.Lost 1.0.0 requires >=3.1.0 <3.2.0"]),
        (&["-m", "com.example.Missing=9.9.9"], &["com.example.Missing", "LOCAL_DEPLOYMENT requires exactly 9.9.9"]),
        (&["-m", "com.example.Lib=3.0.0"], &["com.example.Lib", "exactly 3.0.0", "com.example.Stays 1.0.0", "2.0.0"]),
        (
            &["-m", "com.example.Ring1=1.0.0"],
            &["circle", "com.example.Ring1 -> com.example.Ring2 -> com.example.Ring3"],
        ),
        (&["-m", "com.example.Self=1.0.0"], &["circle", "com.example.Self -> com.example.Self"]),
    ];
    for (options, parts) in cases {
        for policy in ["DO_NOTHING", "ROLLBACK"] {
            let mut options = options.to_vec();
            options.extend(["-fp", policy]);
            let cause = device.fail("FAILED_NO_STATE_CHANGE", &options);
            for part in parts {
                assert!(cause.contains(part), "{part}: {cause}");
            }
        }
    }
    assert_eq!(device.config("/").unwrap(), before);
    assert_eq!(device.pid("com.example.Stays"), pid);
    // What runs is kept while it fits, although a newer one is there now.
    needs(&device, "Lib", "1.5.0", &[]);
    device.succeed(&["-m", "com.example.Stays=1.0.0"]);
    assert_eq!(device.details("com.example.Lib")["version"], "1.4.2");
}

#[test]
fn groups_that_want_different_versions_are_both_named() {
    let device = Device::new();
    needs(&device, "A", "1.0.0", &[]);
    needs(&device, "A", "2.0.0", &[]);
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    let cause = device.fail("FAILED_NO_STATE_CHANGE", &["-g", "lamps", "-m", "com.example.A=2.0.0"]);
    for part in ["LOCAL_DEPLOYMENT requires exactly 1.0.0", "thinggroup/lamps requires exactly 2.0.0"] {
        assert!(cause.contains(part), "{cause}");
    }
    assert_eq!(device.details("com.example.A")["version"], "1.0.0");
}
