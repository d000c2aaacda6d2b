//! Configuration files and logs that are damaged when the daemon starts.

use std::fs::{self, OpenOptions};
use std::io::Write;

use serde_json::json;

use super::device::{Device, KEPT};
use super::support::eventually;

#[test]
fn bad_configuration_file_is_refused_by_name_and_changes_nothing() {
    let mut device = Device::new();
    assert_eq!(device.core.stop(), Some(0));
    let deep = format!("services: {}", "{a: ".repeat(10_000));
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("malformed.yaml", b"services: [\n".to_vec(), "line"),
        ("malformed.json", b"{\"services\": nonsense}".to_vec(), "line 1"),
        ("truncated.json", b"{\"services\": {\"aws.greengr".to_vec(), "line 1"),
        ("large.yaml", [b"a: ".to_vec(), vec![b'x'; 1_400_000]].concat(), "larger than 1310720 bytes"),
        ("deep.yaml", deep.into_bytes(), "nested deeper"),
        ("twice.yaml", b"services:\n  a: {}\n  a: {}\n".to_vec(), "given twice"),
        ("bytes.yaml", b"services: \"\xff\"\n".to_vec(), "not UTF-8"),
        ("nul.yaml", vec![0; 100], "line 1"),
        ("list.yaml", b"- a\n- b\n".to_vec(), "must be a map"),
        ("empty.yaml", Vec::new(), "is empty"),
    ];
    let missing = device.path("documents").join("missing.yaml");
    for option in ["--init-config", "--config"] {
        for (name, content, fault) in &cases {
            let path = device.path("documents").join(name);
            fs::write(&path, content).unwrap();
            let (code, said) = device.core.refused_daemon(&[option, path.to_str().unwrap()]);
            assert_eq!(code, Some(1), "{said}");
            assert!(said.contains(name) && said.contains(fault), "{fault:?} is missing in: {said}");
        }
        let (code, said) = device.core.refused_daemon(&[option, missing.to_str().unwrap()]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("missing.yaml"), "{said}");
    }
    device.core.start();
    device.came_back();
    device.check_next();
    device.end();
}

#[test]
fn configuration_file_with_hostile_content_does_not_keep_the_daemon_down() {
    let mut device = Device::new();
    assert_eq!(device.core.stop(), Some(0));
    let path = device.path("documents").join("hostile.yaml");
    let content = json!({"services": {"../../etc": {"version": [], "lifecycle": "x"}, "a": 1}, "system": []});
    fs::write(&path, content.to_string()).unwrap();
    device.core.options.extend(["--init-config".into(), path.to_str().unwrap().into()]);
    device.core.start();
    device.came_back();
    device.check_next();
    device.end();
}

#[test]
fn torn_end_of_the_configuration_log_is_cut_off() {
    let mut device = Device::new();
    let log = device.core.root().join("config/config.tlog");
    let torn: [&[u8]; 4] = [&[0; 4096], b"{\"TS\":17", b"garbage \xff\xfe\n", b"\n\n"];
    for tail in torn {
        device.core.kill();
        OpenOptions::new().append(true).open(&log).unwrap().write_all(tail).unwrap();
        device.core.start();
        device.came_back();
        device.check_next();
    }
    device.core.kill();
    let file = OpenOptions::new().write(true).open(&log).unwrap();
    file.set_len(file.metadata().unwrap().len() - 10).unwrap();
    device.core.start();
    assert!(device.core.log().contains("cut off"), "{}", device.core.log());
    device.came_back();
    device.check_next();
    device.end();
}

#[test]
fn damaged_configuration_log_is_kept_and_its_backup_takes_over() {
    let mut device = Device::new();
    let config = device.core.root().join("config");
    let log = config.join("config.tlog");
    // In the last batch damage would look like an interruption.
    for _ in 0..5 {
        device.check_next();
    }
    let shown = device.core.json(&["component", "details", "--name", KEPT]);
    assert_eq!(device.core.stop(), Some(0));
    let good = fs::read(&log).unwrap();
    fs::write(config.join("config.tlog~"), &good).unwrap();
    let half = good.len() / 2;
    let cases: [(&str, Vec<u8>); 5] = [
        ("garbage", b"\xde\xad\xbe\xef".repeat(5000)),
        ("empty", Vec::new()),
        ("nul", vec![0; good.len()]),
        ("nul in the middle", [&good[..half], &[0; 512], &good[half..]].concat()),
        ("beginning lost", good[half..].to_vec()),
    ];
    for (what, content) in cases {
        fs::write(&log, &content).unwrap();
        fs::write(config.join("config.tlog~"), &good).unwrap();
        device.core.start();
        assert!(device.core.states().contains_key(KEPT), "{what}: {}", device.core.log());
        device.came_back();
        assert_eq!(device.core.json(&["component", "details", "--name", KEPT])["version"], shown["version"], "{what}");
        let told = device.core.log_of("greengrass");
        assert!(told.contains("config.tlog is damaged, kept as"), "{what}: {}", device.core.log());
        assert_eq!(fs::read(config.join("config.tlog.bad")).unwrap(), content, "{what}");
        device.check_next();
        assert_eq!(device.core.stop(), Some(0));
        fs::remove_file(config.join("config.tlog.bad")).unwrap();
        fs::remove_dir_all(device.core.root().join("logs")).unwrap();
    }
    device.core.start();
    device.came_back();
    device.end();
}

#[test]
fn daemon_starts_without_any_configuration_that_can_be_read() {
    let mut device = Device::new();
    assert_eq!(device.core.stop(), Some(0));
    let config = device.core.root().join("config");
    for name in ["config.tlog", "config.tlog~", "bootstrap.tlog", "config.yaml", "effectiveConfig.yaml"] {
        fs::write(config.join(name), b"\0garbage\xff\n").unwrap();
    }
    let deployments = device.core.root().join("deployments");
    for entry in fs::read_dir(&deployments).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        fs::write(entry.path(), b"\0garbage\xff\n").unwrap();
    }
    device.core.start();
    assert!(device.core.log().contains("config.tlog is damaged"), "{}", device.core.log());
    // Nothing says any more what ran; its recipe is in the store yet.
    let output = device.core.cli(&super::device::create(&["--merge", "com.example.Kept=1.0.0"]));
    assert!(output.status.success(), "{}\n{}", super::device::said(&output), device.core.log());
    eventually("it runs again", || device.core.states().get(KEPT).is_some_and(|state| state == "RUNNING"));
    device.remember();
    device.check_next();
    device.end();
}

#[test]
fn second_daemon_on_a_root_is_refused_with_the_pid_of_the_first() {
    let mut device = Device::new();
    let (code, said) = device.core.refused_daemon(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("(pid {})", device.core.pid())), "{said}");
    assert!(said.contains(device.core.root().to_str().unwrap()), "{said}");
    device.check_next();
    device.end();
}
