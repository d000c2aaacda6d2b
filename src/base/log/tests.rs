//! Logs in directories of their own.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::*;

fn say(logs: &Logs, log: &str, message: &str) {
    let entry = Entry {
        time: SystemTime::now(),
        level: Level::Info,
        thread: "main",
        logger: log,
        event: None,
        message: message.into(),
        contexts: &[],
        cause: None,
    };
    logs.write(log, &[entry]);
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn file_rotates_by_size_and_the_oldest_goes() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = LogSettings::in_directory(directory.path().into());
    settings.file_size = 1024;
    settings.total_size = 4096;
    let logs = Logs::new(settings);
    for number in 0..200 {
        say(&logs, "c", &format!("line {number:04}"));
        say(&logs, "c_2", "other");
    }
    let mine: Vec<_> =
        files(directory.path()).into_iter().filter(|name| !name.starts_with("c_2_2") && *name != "c_2.log").collect();
    assert!((3..=5).contains(&mine.len()), "{mine:?}");
    let mut text = String::new();
    let mut total = 0;
    let mut rotated: Vec<_> = mine.iter().filter(|name| *name != "c.log").collect();
    rotated.sort_by_key(|name| name.len());
    for name in rotated.into_iter().chain([&"c.log".to_string()]) {
        let part = fs::read_to_string(directory.path().join(name)).unwrap();
        assert!(part.len() <= 1024, "{name}");
        total += part.len();
        text.push_str(&part);
    }
    assert!(total <= 4096);
    assert!(text.contains("line 0199") && !text.contains("line 0000"));
}

#[test]
fn many_logs_need_few_descriptors() {
    let directory = tempfile::tempdir().unwrap();
    let logs = Logs::new(LogSettings::in_directory(directory.path().into()));
    for round in 0..2 {
        for number in 0..300 {
            say(&logs, &format!("c{number}"), &format!("round {round}"));
        }
    }
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let ours = open.filter(|fd| fs::read_link(fd.path()).is_ok_and(|to| to.starts_with(directory.path()))).count();
    assert!(ours <= 48, "{ours}");
    assert_eq!(fs::read_to_string(directory.path().join("c7.log")).unwrap().lines().count(), 2);
}

#[test]
fn directory_that_vanishes_comes_back_and_losses_are_told() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("logs");
    let logs = Logs::new(LogSettings::in_directory(directory.clone()));
    say(&logs, "c", "one");
    fs::remove_dir_all(&directory).unwrap();
    say(&logs, "c", "two");
    assert!(fs::read_to_string(directory.join("c.log")).unwrap().contains("two"));
    // A file where the directory should be stands in for a disk that refuses, whoever runs the test.
    fs::remove_dir_all(&directory).unwrap();
    fs::write(&directory, "").unwrap();
    say(&logs, "c", "three");
    say(&logs, "c", "four");
    fs::remove_file(&directory).unwrap();
    say(&logs, "c", "five");
    let text = fs::read_to_string(directory.join("c.log")).unwrap();
    assert!(text.contains("2 lines could not be written here") && text.contains("five"), "{text}");
}

#[test]
fn reconfigure_counts_from_the_next_line() {
    let directory = tempfile::tempdir().unwrap();
    let logs = Logs::new(LogSettings::in_directory(directory.path().into()));
    say(&logs, "c", "text");
    let mut settings = (*logs.settings()).clone();
    settings.format = Format::Json;
    settings.levels.insert("quiet".into(), Level::Error);
    logs.reconfigure(settings);
    say(&logs, "c", "json");
    say(&logs, "quiet", "unheard");
    let text = fs::read_to_string(directory.path().join("c.log")).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].ends_with("c: text. {}") && lines[1].starts_with("{\"thread\":\"main\""), "{text}");
    assert!(!directory.path().join("quiet.log").exists());
}

#[test]
fn slow_reader_is_told_what_it_missed() {
    let directory = tempfile::tempdir().unwrap();
    let logs = Logs::new(LogSettings::in_directory(directory.path().into()));
    let mut live = logs.subscribe();
    for number in 0..Logs::LIVE_LINES + 10 {
        say(&logs, "c", &number.to_string());
    }
    assert!(matches!(live.try_recv(), Err(broadcast::error::TryRecvError::Lagged(10))));
    let line = live.try_recv().unwrap();
    assert!(line.log == "c" && line.text.ends_with("c: 10. {}"), "{line:?}");
}
