//! Beside the real one, where there is one.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::super::tests::DeviceScene;
use super::*;
use crate::service::ota::installed::{BundleFacts, Installed, InstalledImage};
use crate::service::ota::trust::mint::{Draft, Identity, KeyKind, NOW};
use crate::wire::bundle::manifest::hex;
use crate::wire::bundle::pem;

fn said(words: &[&str]) -> Result<String, Failure> {
    answer(words.iter().map(OsString::from).collect()).map(|(text, _)| text)
}

/// Whether the programs are there; which is not, is said.
fn have(programs: &[&str]) -> bool {
    let is_there = |name: &&str| {
        std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|at| at.join(name).exists()))
    };
    let missing: Vec<&&str> = programs.iter().filter(|name| !is_there(name)).collect();
    if !missing.is_empty() {
        eprintln!("skipped: the comparison with RAUC needs {missing:?}");
    }
    missing.is_empty()
}

fn theirs(words: &[&str]) -> String {
    let output = Command::new("rauc").args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// All that they say, we say; we may say more.
fn assert_says(ours: &Value, theirs: &Value, at: &str) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in theirs {
                assert_says(ours.get(key).unwrap_or(&json!("missing")), value, &format!("{at}.{key}"));
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            ours.iter().zip(theirs).for_each(|(ours, theirs)| assert_says(ours, theirs, at));
        }
        _ => assert_eq!(ours, theirs, "{at}"),
    }
}

#[test]
fn line_is_taken_apart_as_rauc_does() {
    let parse = |words: &[&str]| Line::parse(words.iter().map(OsString::from).collect());
    let line = parse(&["-c", "x", "status", "--detailed", "--output-format=json"]).unwrap();
    assert_eq!((line.words, line.flags), (vec![OsString::from("status")], vec!["--detailed"]));
    assert_eq!(line.values, [("--conf", "x".into()), ("--output-format", "json".into())]);
    for words in [&["info", "--odd"][..], &["info", "--keyring"], &["info", "--detailed=1"], &["-x"]] {
        assert!(parse(words).is_err(), "{words:?}");
    }
    for words in [&[][..], &["odd"], &["info"], &["status", "mark-odd"], &["info", "--output-format", "xml", "x"]] {
        assert!(matches!(said(words), Err(Failure::Usage(_))), "{words:?}");
    }
    assert!(said(&["--version"]).unwrap().starts_with("rauc 1."));
    assert!(said(&["info", "--help"]).unwrap().contains("mark-good"));
    assert_eq!(run(vec!["odd".into()]), ExitCode::FAILURE);
}

#[test]
fn info_says_what_rauc_says() {
    if !have(&["rauc", "openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let valid = (NOW - 10 * 365 * 86_400, NOW + 50 * 365 * 86_400);
    let root = Identity::self_signed(&Draft { valid, ..Draft::authority("root") }, KeyKind::P256);
    let signer = root.issue(&Draft { valid, ..Draft::signer("signer") }, KeyKind::P256);
    let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
    write("root.pem", pem::encode("CERTIFICATE", &root.certificate).as_bytes());
    write("key.pem", pem::encode("PRIVATE KEY", &signer.key.pkcs8).as_bytes());
    write("cert.pem", pem::encode("CERTIFICATE", &signer.certificate).as_bytes());
    std::fs::create_dir(folder.path().join("in")).unwrap();
    write("in/a.img", &[7; 8192]);
    write("in/b.tar", &[8; 512]);
    write("in/hook.sh", b"#!/bin/sh\n");
    let manifest = "[update]\ncompatible=it's \"odd\"\nversion=1 $x\nbuild=7\n[bundle]\nformat=verity\n\
        [hooks]\nfilename=hook.sh\nhooks=install-check;\n\
        [image.rootfs]\nfilename=a.img\nhooks=post-install;pre-install;\nadaptive=block-hash-index\n\
        [image.app]\nfilename=b.tar\n[meta.greengrass]\nfloor=3\n";
    write("in/manifest.raucm", manifest.as_bytes());
    let bundle = path("x.raucb");
    let made = answer(
        ["bundle", "--cert", &path("cert.pem"), "--key", &path("key.pem"), &path("in"), &bundle]
            .map(OsString::from)
            .to_vec(),
    );
    assert_eq!(made.unwrap().1, ExitCode::SUCCESS);
    let root = path("root.pem");
    let both = |format: &str| {
        let words = ["info", "--keyring", &root, format, &bundle];
        (said(&words).unwrap(), theirs(&words))
    };
    let (ours, rauc) = both("--output-format=json-pretty");
    let (ours, rauc): (Value, Value) = (serde_json::from_str(&ours).unwrap(), serde_json::from_str(&rauc).unwrap());
    assert_says(&ours, &rauc, "");
    assert_eq!(ours["hash"].as_str().unwrap().len(), 64);
    let (ours, rauc) = both("--output-format=shell");
    for line in rauc.lines().filter(|line| !line.is_empty()) {
        assert!(ours.lines().any(|ours| ours == line), "{line} in\n{ours}");
    }
    let (ours, rauc) = both("--output-format=readable");
    for word in ["Compatible:", "Version:", "'1 $x'", "Bundle Format:", "verity"] {
        assert!(ours.contains(word) && rauc.contains(word), "{word} in\n{ours}");
    }
    assert!(said(&["info", "--no-verify", &bundle]).unwrap().contains("unverified"));
    assert!(said(&["info", &bundle]).is_err(), "nobody is trusted");
}

/// What a component of AWS's asks at its start, to see whether its bundle is what runs.
#[test]
fn status_has_the_hash_of_what_runs() {
    let scene = DeviceScene::new();
    scene.settle(Slot::A);
    scene.install();
    let conf = scene.path("ota.conf");
    let status = |more: &[&str]| said(&[&["status", "-c", &conf], more].concat()).unwrap();
    assert_eq!(
        status(&["mark-active", "other"]),
        "rauc status: activated slot rootfs.1 (slot b boots next, on trial, 3 times at most)\n"
    );
    scene.settle(Slot::B);
    assert!(status(&["mark-good"]).starts_with("rauc status: marked slot rootfs.1 as good"));
    let document: Value = serde_json::from_str(&status(&["--detailed", "--output-format=json-pretty"])).unwrap();
    let slots = document["slots"].as_array().unwrap().iter().flat_map(|slot| slot.as_object().unwrap());
    let booted: Vec<_> = slots.filter(|(_, slot)| slot["state"] == "booted").collect();
    let [(name, slot)] = booted[..] else { panic!("one runs: {document}") };
    assert_eq!((name.as_str(), &slot["slot_status"]["bundle"]["hash"]), ("rootfs.1", &json!(hex(&[2; 32]))));
    assert!(status(&["mark-bad", "other"]).contains("rootfs.0 as bad"));
    assert!(matches!(said(&["status", "-c", &conf, "mark-active", "rootfs.7"]), Err(Failure::Usage(_))));
    assert!(matches!(said(&["status", "-c", &conf, "mark-active", "other"]), Err(Failure::Change(_))));
    assert!(!status(&[]).contains("hash="));
    assert!(status(&["--detailed"]).contains(&format!("bundle.hash={}", hex(&[2; 32]))));
}

#[test]
fn status_says_what_rauc_says() {
    if !have(&["rauc", "dbus-run-session", "grub-editenv"]) {
        return;
    }
    let scene = DeviceScene::new();
    scene.settle(Slot::A);
    let sha256 = hex(&[9; 32]);
    let facts = BundleFacts {
        compatible: "board".into(),
        version: Some("2".into()),
        description: Some("it's".into()),
        build: Some("7".into()),
        hash: hex(&[2; 32]),
    };
    let image = InstalledImage {
        slot: "rootfs.1".into(),
        class: "rootfs".into(),
        sha256: sha256.clone(),
        size: 4096,
        ..InstalledImage::default()
    };
    let installed = Installed { bundle: facts, images: vec![image], ..Installed::default() };
    installed.write(Path::new(&scene.path("data")), Slot::B).unwrap();
    scene.install();
    let conf = std::fs::read_to_string(scene.path("ota.conf")).unwrap();
    let theirs = conf.split("[greengrass]").next().unwrap().replace(
        &scene.path("grubenv"),
        &format!("{}\nstatusfile={}", scene.path("raucenv"), scene.path("slots.status")),
    );
    std::fs::write(scene.path("system.conf"), format!("{theirs}[keyring]\npath={}\n", scene.path("none.pem"))).unwrap();
    let status = format!(
        "[slot.rootfs.1]\nbundle.compatible=board\nbundle.version=2\nbundle.description=it's\nbundle.build=7\n\
         status=ok\nsha256={sha256}\nsize=4096\ninstalled.timestamp=2025-11-21T21:20:01Z\ninstalled.count=1\n"
    );
    std::fs::write(scene.path("slots.status"), status).unwrap();
    for name in ["slot-0", "slot-1"] {
        std::fs::write(scene.path(name), [0; 4096]).unwrap();
    }
    let script = "set -eu\ngrub-editenv \"$1/raucenv\" create\n\
        grub-editenv \"$1/raucenv\" set ORDER='A B' A_OK=1 B_OK=1 A_TRY=0 B_TRY=0\nexport DBUS_STARTER_BUS_TYPE=session\n\
        rauc -c \"$1/system.conf\" --override-boot-slot=A service 2> \"$1/log\" &\n\
        n=0; until rauc status > /dev/null 2>&1; do n=$((n + 1)); [ $n -lt 300 ]; sleep 0.1; done\n\
        for form in json shell; do rauc status --detailed --output-format=$form > \"$1/$form\"; done\n\
        kill $!\n";
    let mut session = Command::new("dbus-run-session");
    session.args(["--", "sh", "-c", script, "sh", &scene.path("")]).stdin(Stdio::null()).stderr(Stdio::null());
    if !session.status().unwrap().success() {
        eprintln!("skipped: no session bus or no service of RAUC can be had here");
        return;
    }
    let ours = |form| said(&["status", "-c", &scene.path("ota.conf"), "--detailed", "--output-format", form]).unwrap();
    let read = |form| std::fs::read_to_string(scene.path(form)).unwrap();
    let [ours_json, their_json] = [ours("json"), read("json")].map(|text| {
        let mut document: Value = serde_json::from_str(&text).unwrap();
        // Their slots are in no order.
        let slots = document["slots"].take();
        let slots = slots.as_array().unwrap().iter().flat_map(|slot| slot.as_object().unwrap().clone());
        document["slots"] = Value::Object(slots.collect());
        // Which we do not count.
        if let Some(installed) = document.pointer_mut("/slots/rootfs.1/slot_status/installed") {
            installed.as_object_mut().unwrap().remove("count");
        }
        document
    });
    assert_says(&ours_json, &their_json, "");
    assert_eq!(ours_json["slots"]["rootfs.1"]["slot_status"]["bundle"]["hash"], hex(&[2; 32]));
    let [ours, theirs] = [ours("shell"), read("shell")].map(|text| by_slot(&text));
    for ((slot, key), value) in &theirs {
        // Which we do not count.
        if !key.contains("ACTIVATED") && !key.contains("COUNT") {
            assert_eq!(ours.get(&(slot.clone(), key.clone())), Some(value), "{slot} {key}");
        }
    }
}

/// Assignments of `status --output-format=shell`, by the name of the slot instead of its number.
fn by_slot(text: &str) -> BTreeMap<(String, String), String> {
    let lines: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let names = lines.iter().find(|(key, _)| *key == "RAUC_SYSTEM_SLOTS").unwrap().1.trim_matches('\'');
    let names: Vec<&str> = names.split(' ').collect();
    let of_slots = lines.iter().filter(|(key, _)| !["RAUC_SLOTS", "RAUC_SYSTEM_SLOTS"].contains(key));
    of_slots
        .map(|(key, value)| {
            let (slot, key) =
                match key.rsplit_once('_').and_then(|(key, number)| Some((key, number.parse::<usize>().ok()?))) {
                    Some((key, number)) => (names[number - 1], key),
                    None => ("", *key),
                };
            ((slot.to_owned(), key.to_owned()), (*value).to_owned())
        })
        .collect()
}
