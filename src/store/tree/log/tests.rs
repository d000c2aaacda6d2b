use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::base::clock::Timestamp;
use crate::store::tree::tests::Random;
use crate::store::tree::{Edit, Finding, Given, KeyPath, Opened, open};

fn start(directory: &Path) -> Opened {
    open(directory, &Given::Nothing).unwrap()
}

fn log_of(directory: &Path) -> PathBuf {
    directory.join("config.tlog")
}

fn write(pointer: &str, value: serde_json::Value, time: u64) -> Edit {
    Edit::Write { at: KeyPath::from_pointer(pointer).unwrap(), value, time: Timestamp(time) }
}

fn commit(opened: &mut Opened, edits: &[Edit]) {
    let entries: Vec<Entry> = edits.iter().flat_map(|edit| opened.tree.apply(edit)).collect();
    opened.log.append([entries.as_slice()], &opened.tree).unwrap();
}

fn put(directory: &Path, name: &str, content: &[u8]) {
    std::fs::write(directory.join(name), content).unwrap();
}

/// What a tree keeps: its dump. Two trees that dump the same are the same after a restart.
fn kept(tree: &Tree) -> Vec<Entry> {
    let mut entries = Vec::new();
    let Ok(()) = tree.dump(&mut |entry| {
        entries.push(entry);
        Ok::<(), std::convert::Infallible>(())
    });
    entries
}

#[test]
fn log_replays_to_the_tree_whatever_was_edited() {
    for seed in 0..60 {
        let scratch = crate::store::scratch();
        let mut random = Random(seed);
        let mut opened = start(scratch.path());
        for _ in 0..20 {
            let edits: Vec<Edit> = (0..random.below(4)).map(|_| random.edit()).collect();
            commit(&mut opened, &edits);
            if random.below(8) == 0 {
                opened.log.rewrite(&opened.tree).unwrap();
            }
        }
        let again = start(scratch.path());
        assert_eq!(kept(&again.tree), kept(&opened.tree), "seed {seed}");
        assert!(again.findings.is_empty(), "{:?}", again.findings);
    }
}

#[test]
fn log_cut_anywhere_reads_as_a_prefix_of_whole_batches() {
    let scratch = crate::store::scratch();
    let mut random = Random(7);
    let mut opened = start(scratch.path());
    let path = log_of(scratch.path());
    // The tree after each batch, by the length of the log that holds it.
    let mut states = vec![(std::fs::metadata(&path).unwrap().len(), kept(&opened.tree))];
    for _ in 0..12 {
        let edits: Vec<Edit> = (0..3).map(|_| random.edit()).collect();
        commit(&mut opened, &edits);
        states.push((std::fs::metadata(&path).unwrap().len(), kept(&opened.tree)));
    }
    let whole = std::fs::read(&path).unwrap();
    let first = usize::try_from(states[0].0).unwrap();
    for length in first..=whole.len() {
        let cut = crate::store::scratch();
        put(cut.path(), "config.tlog", &whole[..length]);
        let mut again = start(cut.path());
        // A line that lacks nothing but its end counts.
        let of = |length: usize| &states.iter().rev().find(|(end, _)| *end <= length as u64).unwrap().1;
        let found = kept(&again.tree);
        assert!(&found == of(length) || &found == of(length + 1), "{length} bytes");
        commit(&mut again, &[write("/after", json!(length), 99)]);
        let last = start(cut.path());
        assert_eq!(kept(&last.tree), kept(&again.tree), "{length} bytes");
        assert!(last.findings.is_empty(), "{:?}", last.findings);
    }
}

#[test]
fn rewriting_interrupted_at_any_step_loses_nothing() {
    let scratch = crate::store::scratch();
    let mut opened = start(scratch.path());
    commit(
        &mut opened,
        &[write("/services/x", json!("é\n\"\u{0}"), 5), write("/services/y", json!([1, {"a": null}]), 6)],
    );
    let whole = std::fs::read(log_of(scratch.path())).unwrap();
    let mut dump = Vec::new();
    opened.tree.write_lines(&mut dump).unwrap();
    // Killed while writing config.tlog+, after the first rename, after the second.
    for length in 0..=dump.len() {
        let cut = crate::store::scratch();
        put(cut.path(), "config.tlog", &whole);
        put(cut.path(), "config.tlog+", &dump[..length]);
        assert_eq!(kept(&start(cut.path()).tree), kept(&opened.tree));
    }
    let between = crate::store::scratch();
    put(between.path(), "config.tlog~", &whole);
    put(between.path(), "config.tlog+", &dump);
    let again = start(between.path());
    assert_eq!(kept(&again.tree), kept(&opened.tree));
    assert!(again.findings.is_empty(), "{:?}", again.findings);
    assert_eq!(kept(&start(between.path()).tree), kept(&opened.tree));
}

#[test]
fn garbage_at_the_end_is_cut_and_told() {
    for garbage in [&b"{\"TS\":1"[..], b"\0\0\0\0\0\0\0", b"\xff\xfe\n", b"rubbish\n\n more\n", b"[1,2]\n"] {
        let scratch = crate::store::scratch();
        let mut opened = start(scratch.path());
        commit(&mut opened, &[write("/services/x", json!(1), 5)]);
        let path = log_of(scratch.path());
        let good = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&good[..], garbage].concat()).unwrap();
        let again = start(scratch.path());
        assert_eq!(kept(&again.tree), kept(&opened.tree));
        assert!(matches!(&again.findings[..], [Finding::Torn { .. }]), "{:?}", again.findings);
        assert_eq!(std::fs::read(&path).unwrap(), good);
    }
}

#[test]
fn torn_last_batch_is_not_mistaken_for_damage() {
    let scratch = crate::store::scratch();
    let mut opened = start(scratch.path());
    commit(&mut opened, &[write("/services/x", json!(1), 5)]);
    let before = kept(&opened.tree);
    let start_of_batch = std::fs::metadata(log_of(scratch.path())).unwrap().len() as usize;
    commit(&mut opened, &(0..5).map(|n| write(&format!("/services/n{n}"), json!(n), 6)).collect::<Vec<_>>());
    let mut bytes = std::fs::read(log_of(scratch.path())).unwrap();
    // A page of the batch that never reached the disk, though a later one did.
    bytes[start_of_batch + 10..start_of_batch + 80].fill(0);
    std::fs::write(log_of(scratch.path()), &bytes).unwrap();
    let again = start(scratch.path());
    assert_eq!(kept(&again.tree), before);
    assert!(matches!(&again.findings[..], [Finding::Torn { .. }]), "{:?}", again.findings);
}

#[test]
fn damage_in_the_middle_falls_back_and_keeps_the_damaged_log() {
    let scratch = crate::store::scratch();
    let mut opened = start(scratch.path());
    commit(&mut opened, &[write("/services/x", json!("one"), 5)]);
    drop(start(scratch.path()));
    opened.log.rewrite(&opened.tree).unwrap();
    let backup = kept(&opened.tree);
    commit(&mut opened, &[write("/services/x", json!("two"), 6)]);
    commit(&mut opened, &[write("/services/x", json!("three"), 7)]);
    let path = log_of(scratch.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(5).position(|w| w == b"\"two\"").unwrap();
    bytes[at] = b'#';
    std::fs::write(&path, &bytes).unwrap();

    let again = start(scratch.path());
    assert_eq!(kept(&again.tree), backup);
    assert!(matches!(&again.findings[..], [Finding::Damaged { .. }, Finding::FellBack { .. }]), "{:?}", again.findings);
    assert!(again.findings[0].to_string().contains("line 2"), "{}", again.findings[0]);
    assert_eq!(std::fs::read(scratch.path().join("config.tlog.bad")).unwrap(), bytes);
    assert!(start(scratch.path()).findings.is_empty());

    // Both damaged: the bootstrap log, written at the second start, stands in.
    std::fs::write(&path, "").unwrap();
    std::fs::write(scratch.path().join("config.tlog~"), "\0\0\0\0").unwrap();
    assert_eq!(kept(&start(scratch.path()).tree), backup);
}

#[test]
fn hostile_logs_are_refused_without_harm() {
    let deep = format!("{{\"TS\":1,\"TP\":[{}\"a\"],\"W\":\"changed\",\"V\":1}}\n", "\"a\",".repeat(100_000));
    let nested = format!("{{\"TS\":1,\"TP\":[\"a\"],\"W\":\"changed\",\"V\":{}}}\n", "[".repeat(100_000));
    let long = format!("{{\"TS\":1,\"TP\":[\"a\"],\"W\":\"changed\",\"V\":\"{}\"}}\n", "x".repeat(line::MAX_LENGTH));
    let good = "{\"TS\":1,\"TP\":[\"a\"],\"W\":\"changed\",\"V\":1}\n";
    for bad in ["", "\n\n", "\0\0\0\n", "{}\n", &deep, &nested, &long] {
        assert!(matches!(crate::store::tree::scan::scan_from(bad.as_bytes()), Err(ScanError::Empty)));
        let scanned = crate::store::tree::scan::scan_from([good, bad].concat().as_bytes()).unwrap();
        assert_eq!(scanned.good, good.len() as u64);
        let wrapped = [good, bad, good].concat();
        let damaged = crate::store::tree::scan::scan_from(wrapped.as_bytes());
        assert_eq!(damaged.is_err(), !bad.trim().is_empty(), "{bad:.40?}");
    }
}

#[test]
fn classic_log_is_read_unchanged() {
    let scratch = crate::store::scratch();
    let classic = concat!(
        r#"{"TS":1700000000000,"TP":["system","thingName"],"W":"changed","V":"thing"}"#,
        "\n",
        r#"{"TS":1700000000000,"TP":["services"],"W":"interiorAdded","V":null}"#,
        "\n",
        r#"{"TS":1700000000000,"TP":["services","main"],"W":"initialized","V":null}"#,
        "\n",
        r#"{"TS":1700000000001,"TP":["services","Main","dependencies"],"W":"changed","V":["a:HARD"]}"#,
        "\n",
        r#"{"TS":1700000000000,"TP":["services","main","Dependencies"],"W":"changed","V":["older"]}"#,
        "\n",
        r#"{"TS":1700000000009,"TP":["services","main","dependencies"],"W":"timestampUpdated","V":null}"#,
        "\n",
        r#"{"TS":1700000000002,"TP":["services","gone","k"],"W":"changed","V":1.5}"#,
        "\n",
        r#"{"TS":1700000000003,"TP":["services","gone"],"W":"removed","V":null}"#,
        "\n",
        r#"{"TS":1700000000003,"TP":["services","x","_State"],"W":"changed","V":"RUNNING"}"#,
        "\n",
        r#"{"TS":1700000000003,"TP":["services","x","k"],"W":"somethingNew","V":1}"#,
        "\n",
    );
    put(scratch.path(), "config.tlog.old", classic.as_bytes());
    put(scratch.path(), "config.tlog", b"half a trunc");
    put(scratch.path(), "config.tlog+", b"half");
    let opened = start(scratch.path());
    assert!(opened.findings.is_empty(), "{:?}", opened.findings);
    let value = opened.tree.value(&KeyPath::root()).unwrap();
    assert_eq!(value, json!({"system": {"thingName": "thing"}, "services": {"Main": {"dependencies": ["a:HARD"]}}}));
    let at = KeyPath::new(["services", "main", "dependencies"]);
    assert_eq!(opened.tree.modified(&at), Some(Timestamp(1_700_000_000_009)));
    assert!(scratch.path().join("bootstrap.tlog").exists() && !scratch.path().join("config.tlog.old").exists());
}

#[test]
fn long_log_is_rewritten_and_a_deleted_one_comes_back() {
    let scratch = crate::store::scratch();
    let mut opened = start(scratch.path());
    let edits: Vec<Edit> = (0..=Log::REWRITE_AFTER).map(|n| write("/services/x", json!(n), n + 1)).collect();
    commit(&mut opened, &edits);
    assert!(opened.log.is_long());
    assert!(start(scratch.path()).log.is_long(), "a restart does not forget");
    opened.log.rewrite(&opened.tree).unwrap();
    assert!(!opened.log.is_long());
    std::fs::remove_file(log_of(scratch.path())).unwrap();
    commit(&mut opened, &[write("/services/y", json!(1), 1)]);
    assert_eq!(kept(&start(scratch.path()).tree), kept(&opened.tree));
}

#[test]
fn deleted_directory_comes_back_and_a_deleted_root_does_not() {
    let scratch = crate::store::scratch();
    let directory = scratch.path().join("root/config");
    std::fs::create_dir_all(&directory).unwrap();
    let mut opened = start(&directory);
    commit(&mut opened, &[write("/services/x", json!(1), 1)]);
    std::fs::remove_dir_all(&directory).unwrap();
    commit(&mut opened, &[write("/services/y", json!(1), 1)]);
    assert_eq!(kept(&start(&directory).tree), kept(&opened.tree));
    std::fs::remove_dir_all(scratch.path().join("root")).unwrap();
    let entries = opened.tree.apply(&write("/services/z", json!(1), 1));
    let refused = opened.log.append([entries.as_slice()], &opened.tree).unwrap_err();
    assert!(crate::base::report::Report(&refused).to_string().contains("root/config"), "{refused}");
    assert!(!scratch.path().join("root").exists());
}

#[test]
fn snapshot_comes_back_as_it_was() {
    let scratch = crate::store::scratch();
    let path = scratch.path().join("rollback_snapshot.tlog");
    let mut random = Random(3);
    let mut tree = Tree::default();
    (0..50).for_each(|_| drop(tree.apply(&random.edit())));
    for tree in [Tree::default(), tree] {
        tree.save(&path).unwrap();
        assert_eq!(kept(&Tree::load(&path).unwrap()), kept(&tree));
    }
    assert!(Tree::load(&scratch.path().join("none")).is_err());
}

/// On a real file system without room; needs root for the mount.
#[test]
fn full_disk_refuses_the_edit_and_keeps_what_was() {
    let scratch = crate::store::scratch();
    let size = ["-t", "tmpfs", "-o", "size=64k", "none"];
    let mounted = std::process::Command::new("mount").args(size).arg(scratch.path()).output();
    if !mounted.is_ok_and(|mounted| mounted.status.success()) {
        eprintln!("skipped: mounting a small file system needs root");
        return;
    }
    let checked = std::panic::catch_unwind(|| {
        let mut opened = start(scratch.path());
        commit(&mut opened, &[write("/services/x", json!(1), 5)]);
        let before = kept(&opened.tree);
        let mut after = opened.tree.clone();
        let entries = after.apply(&write("/services/big", json!("x".repeat(1 << 20)), 6));
        let refused = opened.log.append([entries.as_slice()], &after).unwrap_err();
        let report = crate::base::report::Report(&refused).to_string();
        assert!(report.contains("config.tlog") && report.contains("No space"), "{report}");
        assert!(opened.log.rewrite(&after).is_err());
        assert_eq!(kept(&start(scratch.path()).tree), before);
        commit(&mut opened, &[write("/services/y", json!(2), 7)]);
        assert_eq!(kept(&start(scratch.path()).tree), kept(&opened.tree));
        let names = std::fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let names: BTreeSet<String> = names.map(|name| name.into_string().unwrap()).collect();
        assert!(!names.contains("config.tlog+"), "{names:?}");
    });
    let _ = std::process::Command::new("umount").arg(scratch.path()).status();
    if let Err(panic) = checked {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn log_is_long_when_large_values_filled_it() {
    let scratch = crate::store::scratch();
    let mut opened = start(scratch.path());
    let large = "x".repeat(1 << 20);
    for time in 1..=15 {
        commit(&mut opened, &[write("/a", json!(format!("{time}{large}")), time)]);
        assert!(!opened.log.is_long(), "after {time} MiB");
    }
    commit(&mut opened, &[write("/a", json!(format!("16{large}")), 16)]);
    assert!(opened.log.is_long());
    opened.log.rewrite(&opened.tree).unwrap();
    assert!(!opened.log.is_long());
    assert!(std::fs::metadata(log_of(scratch.path())).unwrap().len() < 2 << 20);
}
