use std::ffi::OsString;
use std::fs;
use std::process::ExitCode;

use clap::Parser;
use serde_json::{Value, json};

use super::{Command, RecipeArguments, run};

const GOOD: &str = "RecipeFormatVersion: '2020-01-25'\nComponentName: com.example.A\nComponentVersion: 1.0.0\n\
    Manifests:\n- Platform: {os: linux}\n  Nmae: x\n- Name: rest\n";
const BAD: &str = r#"{"RecipeFormatVersion": "2020-01-25", "ComponentName": "b",
 "ComponentVersion": "one", "Manifests": [{}]}"#;

fn check(words: &[&str]) -> (Value, String) {
    let words = ["greengrass recipe", "check"].iter().chain(words);
    let Command::Check(check) = RecipeArguments::try_parse_from(words).unwrap().command;
    let verdicts = check.verdicts();
    (verdicts.iter().map(super::Verdict::to_json).collect(), check.text(&verdicts))
}

#[test]
fn check_tells_field_line_and_reason_of_every_recipe_in_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), GOOD).unwrap();
    fs::write(directory.path().join("b.json"), BAD).unwrap();
    fs::write(directory.path().join("notes.txt"), "not a recipe").unwrap();
    let (verdicts, text) = check(&[directory.path().to_str().unwrap(), "--platform", "os=windows"]);
    assert_eq!(verdicts.as_array().unwrap().len(), 2);
    assert_eq!(verdicts[0]["verdict"], "accepted");
    assert_eq!(verdicts[0]["component"], "com.example.A");
    assert_eq!(verdicts[0]["manifest"], json!({"index": 1, "name": "rest"}));
    assert_eq!(verdicts[0]["warnings"][0]["field"], "Manifests[0].Nmae");
    assert_eq!(verdicts[0]["warnings"][0]["line"], 6);
    assert_eq!(verdicts[1]["verdict"], "refused");
    assert_eq!(verdicts[1]["component"], Value::Null);
    assert_eq!(verdicts[1]["errors"][0]["field"], "ComponentVersion");
    assert_eq!((&verdicts[1]["errors"][0]["line"], &verdicts[1]["errors"][0]["column"]), (&json!(2), &json!(22)));
    assert!(text.contains("b.json:2:22: ComponentVersion "), "{text}");
}

#[test]
fn check_finds_the_format_of_a_file_without_extension() {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in [("yaml", GOOD), ("json", &BAD.replace("\"one\"", "\"1.0.0\""))] {
        let file = directory.path().join(name);
        fs::write(&file, content).unwrap();
        assert_eq!(check(&[file.to_str().unwrap()]).0[0]["verdict"], "accepted", "{name}");
    }
}

#[test]
fn check_exits_by_the_worst_verdict() {
    let directory = tempfile::tempdir().unwrap();
    let (good, bad) = (directory.path().join("a.yaml"), directory.path().join("b.json"));
    fs::write(&good, GOOD).unwrap();
    fs::write(&bad, BAD).unwrap();
    let absent = directory.path().join("absent.yaml");
    let exit = |words: &[&std::path::Path]| {
        run(["check", "-o", "json"].iter().map(OsString::from).chain(words.iter().map(OsString::from)).collect())
    };
    assert_eq!(exit(&[&good]), ExitCode::SUCCESS);
    assert_eq!(exit(&[&good, &bad]), ExitCode::FAILURE);
    assert_eq!(exit(&[&absent]), ExitCode::FAILURE);
    assert_eq!(exit(&[]), ExitCode::from(64));
    assert_eq!(run(vec!["chek".into()]), ExitCode::from(64));
    assert_eq!(run(vec!["--help".into()]), ExitCode::SUCCESS);
}
