//! A device that ran the reference nucleus starts with its configuration.

use std::fs;

use serde_json::json;

use crate::device::{Device, stay};

#[test]
fn classic_configuration_file_is_taken_over() {
    let mut device = Device::stopped();
    let user = device.core.options.pop().unwrap();
    device.core.options.clear();
    let file = device.core.directory("classic").join("config.yaml");
    let yaml = format!(
        "---\nsystem:\n  certificateFilePath: \"\"\n  privateKeyPath: \"\"\n  rootCaPath: \"\"\n  thingName: \"MyThing\"\n\
         services:\n  aws.greengrass.Nucleus:\n    componentType: \"NUCLEUS\"\n    configuration:\n\
         \x20     awsRegion: \"eu-central-1\"\n      runWithDefault:\n        posixUser: \"{user}\"\n\
         \x20     logging:\n        format: \"JSON\"\n        level: \"DEBUG\"\n"
    );
    fs::write(&file, yaml).unwrap();
    device.core.options.extend(["--init-config".to_owned(), file.to_str().unwrap().to_owned()]);
    device.core.start();
    assert_eq!(device.config("system.thingName"), Some(json!("MyThing")));
    let nucleus = device.configuration("aws.greengrass.Nucleus");
    assert_eq!(nucleus["runWithDefault"]["posixUser"], json!(user));
    assert_eq!(nucleus["logging"], json!({"format": "JSON", "level": "DEBUG"}));
    let log = device.core.log_of("greengrass");
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");

    let script = stay("$AWS_IOT_THING_NAME {iot:thingName} $AWS_REGION $AWS_DEFAULT_REGION $GGC_VERSION");
    device.recipe("com.example.A", "1.0.0", &json!({"Run": script}), &json!({}));
    device.succeed(&["-m", "com.example.A=1.0.0"]);
    // Scripts are told the version of the reference nucleus whose behaviour they get.
    let line = "MyThing MyThing eu-central-1 eu-central-1 2.18.0";
    device.diary_ends("com.example.A", &[line]);
    // A dependency on the nucleus does not change the answer.
    let needs = json!({"ComponentDependencies": {"aws.greengrass.Nucleus": {"VersionRequirement": ">=2.0.0 <3.0.0"}}});
    device.recipe("com.example.B", "1.0.0", &json!({"Run": "exec sleep 100000"}), &needs);
    device.succeed(&["-m", "com.example.B=1.0.0"]);
    device.restart();
    device.diary_ends("com.example.A", &[line, line]);
}

#[test]
fn classic_transaction_log_is_taken_over() {
    let mut device = Device::stopped();
    let config = device.core.root().join("config");
    fs::create_dir_all(&config).unwrap();
    let lines = [
        json!({"TS": 1_600_000_000_000_u64, "TP": ["system", "thingName"], "W": "changed", "V": "Old"}),
        json!({"TS": 1_600_000_000_001_u64, "TP": ["system", "thingName"], "W": "changed", "V": "MyThing"}),
        json!({"TS": 1_600_000_000_000_u64, "TP": ["services", "main", "dependencies"], "W": "changed",
               "V": ["com.example.A", "aws.greengrass.Nucleus:SOFT"]}),
        json!({"TS": 1_600_000_000_000_u64, "TP": ["services", "com.example.A", "version"], "W": "changed", "V": "1.0.0"}),
        json!({"TS": 1_600_000_000_000_u64, "TP": ["services", "com.example.A", "dependencies"], "W": "changed", "V": []}),
        json!({"TS": 1_600_000_000_000_u64, "TP": ["services", "com.example.A", "lifecycle", "run"], "W": "changed",
               "V": stay("run")}),
        json!({"TS": 1, "TP": ["services", "com.example.A", "configuration", "word"], "W": "changed", "V": "one"}),
        json!({"TS": 1_600_000_000_000_u64, "TP": ["services", "com.example.A", "runtime"], "W": "interiorAdded", "V": null}),
        json!({"TS": 1_600_000_000_000_u64,
               "TP": ["services", "DeploymentService", "GroupToRootComponents", "LOCAL_DEPLOYMENT", "com.example.A", "version"],
               "W": "changed", "V": "1.0.0"}),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(config.join("config.tlog"), text).unwrap();
    device.core.start();
    assert_eq!(device.config("system.thingName"), Some(json!("MyThing")));
    device.diary_ends("com.example.A", &["run"]);
    assert_eq!(device.configuration("com.example.A"), json!({"word": "one"}));
    // The next version takes over what was configured.
    let defaults = json!({"ComponentConfiguration": {"DefaultConfiguration": {"word": "other", "more": 1}}});
    device.recipe("com.example.A", "2.0.0", &json!({"Run": stay("{configuration:/word}")}), &defaults);
    device.succeed(&["-m", "com.example.A=2.0.0"]);
    device.diary_ends("com.example.A", &["run", "one"]);
    assert_eq!(device.configuration("com.example.A"), json!({"word": "one", "more": 1}));
}
