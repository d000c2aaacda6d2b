//! `greengrass ota install` from a bundle to an armed slot: real bundles, real files for slots and state, real kills.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "ota/command.rs"]
mod command;
#[path = "ota/install_stage.rs"]
mod stage;

use std::fs;

use greengrass::boot::slot::Slot;
use greengrass::boot::state::machine::Phase;
use greengrass::boot::state::record::{ImageState, Reason};
use greengrass::boot::state::slots::Moment;
use serde_json::Value;
use stage::{MIB, Stage, noise};

fn outcome(lines: &[Value]) -> &str {
    lines.last().and_then(|line| line["outcome"].as_str()).unwrap_or("nothing")
}

#[test]
fn bundle_is_installed_armed_committed_and_then_runs() {
    let stage = Stage::new();
    let image = noise(3 * MIB + 5_000, 1);
    let bundle = stage.bundle("one", "version=1", "floor=4\ndata_min_reader=2\ntries=2", &[("rootfs", &image)]);
    let done = stage.install(&["--deployment", "d-1", &bundle]);
    assert_eq!((done.code, outcome(&done.lines)), (0, "armed"), "{}", done.stderr);
    assert!(stage.slot("rootfs", Slot::B).starts_with(&image));
    let status = stage.slots(Slot::A).status().unwrap();
    assert_eq!(status.phase, Phase::Armed(Slot::B, 2));
    assert_eq!((status.record.image(Slot::B).version().as_str(), &status.record.deployment[..4]), ("1", &b"d-1\0"[..]));
    let noted: Value = serde_json::from_slice(&fs::read(stage.path("data/slot-b.json")).unwrap()).unwrap();
    assert_eq!(noted["bundle"]["hash"], done.lines.last().unwrap()["manifest"]);
    assert_eq!((&noted["images"][0]["slot"], &noted["images"][0]["class"]), (&"rootfs.1".into(), &"rootfs".into()));
    // Again, before the reboot: there is nothing to write.
    let again = stage.install(&[&bundle]);
    assert_eq!((outcome(&again.lines), again.events("planned")), ("armed", 0));
    // Another one must wait for the end of the trial.
    let other = stage.bundle("two", "version=2", "floor=4\ndata_min_reader=2", &[("rootfs", &image)]);
    assert_eq!(stage.install(&[&other]).failure(), "busy");
    stage.boots(Slot::B);
    assert_eq!(outcome(&stage.install(&[&bundle]).lines), "on-trial");
    stage.slots(Slot::B).confirm(7).unwrap();
    assert_eq!(outcome(&stage.install(&[&bundle]).lines), "runs");
    // What was committed to holds from now on.
    for policy in ["floor=3\ndata_min_reader=2", "floor=4\ndata_min_reader=1"] {
        let old = stage.bundle("old", "version=0", policy, &[("rootfs", &image)]);
        let refused = stage.install(&[&old]);
        assert_eq!(refused.failure(), "refused", "{policy}: {}", refused.stderr);
    }
    assert_eq!(outcome(&stage.install(&["--force", &bundle]).lines), "armed");
    assert!(stage.slot("rootfs", Slot::A).starts_with(&image));
}

#[test]
fn bundle_is_kept_and_armed_later_by_the_same_command() {
    let stage = Stage::new();
    let bundle = stage.bundle("one", "version=1", "", &[("rootfs", &noise(MIB, 1))]);
    assert_eq!(outcome(&stage.install(&["--no-arm", &bundle]).lines), "installed");
    assert_eq!(stage.slots(Slot::A).status().unwrap().phase, Phase::Valid(Slot::B));
    let armed = stage.install(&["--tries", "5", &bundle]);
    assert_eq!((outcome(&armed.lines), armed.events("progress")), ("armed", 0));
    assert_eq!(stage.slots(Slot::A).status().unwrap().phase, Phase::Armed(Slot::B, 5));
    // Called off, it stays installed; a trial that failed is written anew, where it differs.
    stage.slots(Slot::A).cancel(9).unwrap();
    assert_eq!(outcome(&stage.install(&[&bundle]).lines), "armed");
    stage.boots(Slot::B);
    let _ = stage.slots(Slot::B).rollback(Reason::Health, 9).unwrap();
    stage.boots(Slot::A);
    assert_eq!(stage.slots(Slot::A).status().unwrap().record.image(Slot::B).state, ImageState::Bad);
    let again = stage.install(&[&bundle]);
    assert_eq!(outcome(&again.lines), "armed", "{}", again.stderr);
}

#[test]
fn group_is_written_with_the_system_last() {
    let stage = Stage::new();
    let (system, app) = (noise(MIB, 1), noise(2 * MIB, 2));
    let bundle = stage.bundle("both", "version=1", "", &[("rootfs", &system), ("app", &app)]);
    let done = stage.install(&[&bundle]);
    assert_eq!(outcome(&done.lines), "armed", "{}", done.stderr);
    let order: Vec<_> = done.lines.iter().filter(|line| line["event"] == "image").collect();
    assert_eq!((&order[0]["slot-class"], &order[1]["slot-class"]), (&"app".into(), &"rootfs".into()));
    assert!(stage.slot("app", Slot::B).starts_with(&app) && stage.slot("rootfs", Slot::B).starts_with(&system));
    let percents: Vec<_> = done.lines.iter().filter_map(|line| line["percent"].as_u64()).collect();
    assert_eq!((percents.is_sorted(), percents.last()), (true, Some(&100)));
}

#[test]
fn what_cannot_be_installed_is_refused_before_anything_is_written() {
    let stage = Stage::new();
    let image = noise(MIB, 1);
    let good = stage.bundle("good", "version=1", "", &[("rootfs", &image)]);
    let without_system = stage.bundle("app", "version=1", "", &[("app", &image)]);
    let unknown = stage.bundle("unknown", "version=1", "", &[("rootfs", &image), ("dtb", &image)]);
    let before = stage.slot("rootfs", Slot::B);
    for bundle in [&without_system, &unknown] {
        let refused = stage.install(&[bundle]);
        assert_eq!((refused.code, refused.failure()), (1, "refused"), "{}", refused.stderr);
    }
    assert_eq!(stage.install(&["--compatible", "other", &good]).failure(), "refused");
    // A slot that is the running one under another name.
    let (slot, link) = (stage.path("rootfs-b"), stage.path("kept"));
    fs::rename(&slot, &link).unwrap();
    std::os::unix::fs::symlink(stage.path("rootfs-a"), &slot).unwrap();
    let refused = stage.install(&[&good]);
    assert_eq!(refused.failure(), "refused");
    assert!(refused.stderr.contains("which runs"), "{}", refused.stderr);
    fs::rename(&link, &slot).unwrap();
    fs::remove_file(stage.path("rootfs-b")).unwrap();
    assert_eq!(stage.install(&[&good]).failure(), "refused", "a slot that is not there");
    fs::write(&slot, &before).unwrap();
    // A bundle that was changed at its very end of data is found while it is written: nothing boots it.
    let mut bytes = fs::read(&good).unwrap();
    bytes[MIB / 2] ^= 1;
    fs::write(stage.path("bad.raucb"), bytes).unwrap();
    let status = stage.slots(Slot::A).status().unwrap();
    assert_eq!(status.phase, Phase::Idle);
    assert_eq!(stage.slot("rootfs", Slot::B), before);
    let failed = stage.install(&[stage.path("bad.raucb").to_str().unwrap()]);
    assert_eq!(failed.failure(), "unusable", "{}", failed.stderr);
    assert_eq!(stage.slots(Slot::A).status().unwrap().phase, Phase::Writing(Slot::B));
    assert!(stage.slot("rootfs", Slot::B)[..MIB].iter().all(|byte| *byte == 0));
    assert_eq!(outcome(&stage.install(&[&good]).lines), "armed");
}

#[test]
fn second_installation_is_told_of_the_first_or_waits() {
    let stage = Stage::new();
    let bundle = stage.bundle("one", "version=1", "", &[("rootfs", &noise(4 * MIB, 1))]);
    let mut first = stage.start(&["--rate-limit", "4000000", &bundle]);
    first.until("planned");
    let second = stage.install(&[&bundle]);
    assert_eq!((second.code, second.failure()), (1, "busy"));
    assert!(second.stderr.contains("install of"), "{}", second.stderr);
    let third = stage.start(&["--wait", &bundle]);
    assert_eq!(outcome(&first.finish().lines), "armed");
    assert_eq!(outcome(&third.finish().lines), "armed");
}

#[test]
fn killed_installation_goes_on_where_it_was() {
    let stage = Stage::new();
    let image = noise(8 * MIB, 1);
    let bundle = stage.bundle("one", "version=1", "", &[("rootfs", &image)]);
    let mut kept = 0;
    for percent in [0, 3, 9, 21, 35, 49, 51, 70, 97, 100] {
        let mut run = stage.start(&["--rate-limit", "60000000", &bundle]);
        run.until_percent(percent);
        let lines = run.kill();
        let status = stage.slots(Slot::A).status().unwrap();
        // The slot is on trial with all of it, or cannot be chosen.
        match status.phase {
            Phase::Idle | Phase::Writing(Slot::B) | Phase::Valid(Slot::B) | Phase::Prepared(Slot::B) => {
                assert_eq!(status.view.trial, None);
            }
            Phase::Armed(Slot::B, 3) => assert!(stage.slot("rootfs", Slot::B).starts_with(&image)),
            other => panic!("{other:?} after {lines:?}"),
        }
        // The state is that of an ordinary boot of the slot that runs.
        let _ = stage.slots(Slot::A).settle(Moment::at(5)).unwrap();
    }
    let done = stage.install(&[&bundle]);
    assert_eq!(outcome(&done.lines), "armed", "{}", done.stderr);
    assert!(stage.slot("rootfs", Slot::B).starts_with(&image));
    // Half way, all but the first piece is there when it is called again.
    let second = stage.bundle("two", "version=2", "", &[("rootfs", &noise(8 * MIB, 2))]);
    stage.slots(Slot::A).cancel(5).unwrap();
    let mut run = stage.start(&["--rate-limit", "60000000", &second]);
    run.until_percent(49);
    run.kill();
    for line in stage.install(&[&second]).lines {
        kept += line["kept"].as_u64().unwrap_or(0);
    }
    assert!(kept >= 4 * MIB as u64, "{kept} bytes were there");
}

/// Makes a bundle of one image with a hook program.
fn hooked(stage: &Stage, name: &str, hooks: &str, of_image: &str, script: &str) -> String {
    let folder = stage.path(&format!("{name}.folder"));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("rootfs.img"), noise(MIB + 1, 3)).unwrap();
    fs::write(folder.join("hook"), format!("#!/bin/sh\n{script}\n")).unwrap();
    let manifest = format!(
        "[update]\ncompatible=board\nversion=3\n[hooks]\nfilename=hook\nhooks={hooks}\n\
        [image.rootfs]\nfilename=rootfs.img\nhooks={of_image}\n"
    );
    fs::write(folder.join("manifest.raucm"), manifest).unwrap();
    stage.pack(name)
}

#[test]
fn hooks_are_run_where_the_settings_allow_it() {
    let stage = Stage::new();
    let told = stage.path("told");
    let script = format!("echo \"$1 $(env | grep ^RAUC_ | sort | tr '\\n' ' ')\" >> {}", told.display());
    let bundle = hooked(&stage, "told", "install-check", "pre-install;post-install", &script);
    let refused = stage.install(&[&bundle]);
    assert!(refused.failure() == "refused" && refused.stderr.contains("allow-hooks"), "{}", refused.stderr);
    assert!(!told.exists());
    stage.set("state=files", "state=files\nallow-hooks=true");
    let done = stage.install(&[&bundle]);
    assert_eq!(outcome(&done.lines), "armed", "{}", done.stderr);
    let told = fs::read_to_string(told).unwrap();
    let words: Vec<_> = told.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(words, ["install-check", "slot-pre-install", "slot-post-install"]);
    let device = format!("RAUC_SLOT_DEVICE={}", stage.path("rootfs-b").display());
    for variable in ["RAUC_MF_VERSION=3", "RAUC_SLOT_CLASS=rootfs", "RAUC_SLOT_BOOTNAME=b", &device] {
        assert!(told.lines().last().unwrap().contains(variable), "{variable} in {told}");
    }
    let mut left: Vec<_> = fs::read_dir(stage.path("data")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["slot-b.json", "state", "totals.json"]);
    stage.slots(Slot::A).cancel(3).unwrap();
    stage.slots(Slot::A).mark_bad(Slot::B, 3).unwrap();
    // A bundle that does not want to says why.
    let unwilling = hooked(&stage, "unwilling", "install-check", "", "echo not on a Sunday >&2; exit 10");
    let refused = stage.install(&[&unwilling]);
    assert!(refused.failure() == "refused" && refused.stderr.contains("not on a Sunday"), "{}", refused.stderr);
    let broken = hooked(&stage, "broken", "", "post-install", "echo oops; exit 3");
    let failed = stage.install(&[&broken]);
    assert!(failed.failure() == "unusable" && failed.stderr.contains("code 3: oops"), "{}", failed.stderr);
    assert!(stage.slot("rootfs", Slot::B)[..MIB].iter().all(|byte| *byte == 0));
    let own = hooked(&stage, "own", "", "install", "cp \"$RAUC_IMAGE_NAME\" \"$RAUC_SLOT_DEVICE\"");
    let done = stage.install(&[&own]);
    assert_eq!(outcome(&done.lines), "armed", "{}", done.stderr);
    assert!(stage.slot("rootfs", Slot::B).starts_with(&noise(MIB + 1, 3)));
}

#[test]
fn archive_becomes_a_file_system_and_a_mounted_slot_is_refused() {
    let stage = Stage::new();
    let Some(device) = stage.block_device("rootfs-b", 48 * MIB) else { return };
    stage.set("[slot.rootfs.1]\n", "[slot.rootfs.1]\ntype=ext4\n");
    stage.set("bootloader=grub\n", &format!("bootloader=grub\nmountprefix={}\n", stage.path("mnt").display()));
    let tree = stage.path("tree");
    fs::create_dir_all(tree.join("usr/bin")).unwrap();
    fs::write(tree.join("usr/bin/tool"), noise(3 * MIB, 5)).unwrap();
    std::os::unix::fs::symlink("usr/bin", tree.join("bin")).unwrap();
    for (name, words) in [("plain.tar", "-cf"), ("packed.tar.gz", "-czf"), ("packed.tar.zst", "-c --zstd -f")] {
        let folder = stage.path(&format!("{name}.folder"));
        fs::create_dir(&folder).unwrap();
        let archive = folder.join(name);
        let words: Vec<_> = words.split(' ').collect();
        stage.tool("tar", &words, &[archive.to_str().unwrap(), "--owner=1234", "-C", tree.to_str().unwrap(), "."]);
        let text = format!("[update]\ncompatible=board\nversion={name}\n[image.rootfs]\nfilename={name}\n");
        fs::write(folder.join("manifest.raucm"), text).unwrap();
        let bundle = stage.pack(name);
        let done = stage.install(&["--no-arm", &bundle]);
        assert_eq!(outcome(&done.lines), "installed", "{name}: {}", done.stderr);
        let mounted = device.mounted();
        let found = mounted.join("usr/bin/tool");
        assert!(fs::read(&found).unwrap() == noise(3 * MIB, 5), "{name}");
        let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(&found).unwrap());
        assert_eq!((owner, fs::read_link(mounted.join("bin")).unwrap().to_str()), (1234, Some("usr/bin")));
        // Whoever mounts it has it: nothing is written under them.
        let other = stage.bundle("other", "version=9", "", &[("rootfs", &noise(MIB, 1))]);
        let refused = stage.install(&[&other]);
        assert!(refused.failure() == "refused" && refused.stderr.contains("in use"), "{}", refused.stderr);
        device.unmount();
    }
    // A bundle that does not fit what is there, and one that does.
    let large = stage.bundle("large", "version=9", "", &[("rootfs", &vec![1; 49 * MIB])]);
    let refused = stage.install(&[&large]);
    assert!(refused.failure() == "refused" && refused.stderr.contains("bytes, and the image"), "{}", refused.stderr);
    let image = stage.path("squash.folder");
    fs::create_dir(&image).unwrap();
    let target = image.join("rootfs.squashfs");
    stage.tool("mksquashfs", &[tree.to_str().unwrap(), target.to_str().unwrap()], &["-quiet", "-no-progress"]);
    let text = "[update]\ncompatible=board\nversion=8\n[image.rootfs]\nfilename=rootfs.squashfs\n";
    fs::write(image.join("manifest.raucm"), text).unwrap();
    let done = stage.install(&[&stage.pack("squash")]);
    assert_eq!(outcome(&done.lines), "armed", "{}", done.stderr);
    let squashfs = fs::read(target).unwrap();
    assert!(device.bytes(squashfs.len()) == squashfs);
}
