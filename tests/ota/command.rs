//! The life of an update by the words of RAUC and of `greengrass ota`, as scripts have it.

use std::process::{Command, Output};

use greengrass::boot::slot::Slot;
use serde_json::{Value, json};

use crate::stage::{MIB, Stage, noise};

fn say(stage: &Stage, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_greengrass")).args(words).current_dir(stage.path("")).output().unwrap()
}

fn status(stage: &Stage) -> (Value, i32) {
    let output = say(stage, &["ota", "status", "--conf", "ota.conf", "--exit-code", "-o", "json"]);
    (serde_json::from_slice(&output.stdout).unwrap(), output.status.code().unwrap())
}

/// What a published component of AWS's does, but for jq(1): is the bundle what runs?
fn runs(stage: &Stage, bundle: &str) -> bool {
    let json = |words: &[&str]| -> Value {
        let output = say(stage, &[&["rauc", "-c", "ota.conf", "--output-format=json-pretty"], words].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let slots = json(&["status", "--detailed"])["slots"].take();
    let mut slots = slots.as_array().unwrap().iter().flat_map(|slot| slot.as_object().unwrap().values());
    let booted = slots.find(|slot| slot["state"] == "booted").unwrap();
    let hash = json(&["info", bundle])["hash"].take();
    assert!(hash.is_string());
    booted["slot_status"]["bundle"]["hash"] == hash
}

#[test]
fn update_lives_by_the_words_of_rauc() {
    let stage = Stage::new();
    let bundle = stage.bundle("one", "version=1", "floor=4", &[("rootfs", &noise(MIB, 3))]);
    let done = say(&stage, &["rauc", "-c", "ota.conf", "install", &bundle]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(said.ends_with(&format!("Installing `{bundle}` succeeded\n")), "{said}");
    assert!(done.stderr.is_empty(), "no bar without a terminal");
    let (told, code) = status(&stage);
    assert_eq!((told["phase"].as_str(), told["next"].as_str(), code), (Some("armed"), Some("b"), 2));
    assert_eq!(told["slots"]["b"]["installed"]["bundle"]["version"], "1");
    assert!(told["totals"]["last-duration-milliseconds"].is_u64());
    assert!(!runs(&stage, &bundle));
    stage.boots(Slot::B);
    assert_eq!(status(&stage).1, 3);
    assert!(runs(&stage, &bundle));
    assert!(say(&stage, &["rauc", "-c", "ota.conf", "status", "mark-good"]).status.success());
    let (told, code) = status(&stage);
    assert_eq!((&told["confirmed"], &told["floor"], code), (&json!("b"), &json!(4), 0));
    let failed = say(&stage, &["rauc", "-c", "ota.conf", "install", "nothing.raucb"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("Installing `nothing.raucb` failed"));
}
