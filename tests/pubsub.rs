//! `greengrass-cli pubsub` and `logs follow` against a real core.

mod support;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};

use serde_json::{Value, json};
use support::{Core, GREENGRASS, eventually};

/// A `greengrass-cli` that goes on until it is told to end.
struct Follower {
    process: Child,
    lines: BufReader<ChildStdout>,
    notes: BufReader<ChildStderr>,
}

impl Follower {
    /// Returns when the subscription is in place.
    fn subscribe(core: &Core, arguments: &[&str]) -> Self {
        Self::start(core, arguments, "subscribed")
    }

    /// Returns when it has said so on standard error.
    fn start(core: &Core, arguments: &[&str], said: &str) -> Self {
        // Scripts have what they run in the background ignore Ctrl-C, and that is inherited.
        let mut command = Command::new("env");
        command.args(["--default-signal=INT", GREENGRASS]);
        command.arg("greengrass-cli").arg("--ggcRootPath").arg(core.root()).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("start greengrass-cli");
        let lines = BufReader::new(process.stdout.take().expect("piped"));
        let mut notes = BufReader::new(process.stderr.take().expect("piped"));
        let mut note = String::new();
        while !note.contains(said) {
            note.clear();
            assert!(notes.read_line(&mut note).expect("a note") > 0, "{arguments:?} ended\n{}", core.log());
        }
        Self { process, lines, notes }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        line
    }

    fn json(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Exit code and what it still had to say.
    fn end(mut self) -> (Option<i32>, String, String) {
        let (mut out, mut errors) = (String::new(), String::new());
        self.lines.read_to_string(&mut out).expect("standard output");
        self.notes.read_to_string(&mut errors).expect("standard error");
        (self.process.wait().expect("wait").code(), out, errors)
    }
}

fn publish(core: &Core, arguments: &[&str]) -> Output {
    let mut all = vec!["pubsub", "pub"];
    all.extend(arguments);
    core.cli(&all)
}

fn published(core: &Core, arguments: &[&str]) -> String {
    let output = publish(core, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn what_is_published_is_heard_in_order_and_as_it_was_written() {
    let mut core = Core::new();
    core.start();
    assert_eq!(published(&core, &["a/1", "early"]), "Published; nobody is subscribed to this topic.\n");
    let mut text = Follower::subscribe(&core, &["pubsub", "sub", "a/#", "--count", "3"]);
    let mut json = Follower::subscribe(&core, &["--output", "json", "pubsub", "sub", "a/+", "b", "-c", "4"]);
    assert_eq!(published(&core, &["a/1", "{\"n\":  1.50}"]), "Published to 2 subscriptions.\n");
    assert_eq!(published(&core, &["a/2/x", "deep"]), "Published to 1 subscription.\n");
    published(&core, &["a/2", "two\nlines"]);
    published(&core, &["b", "--binary", "{}"]);
    assert_eq!(core.json(&["pubsub", "pub", "b", "[1]"]), json!({"subscriptions": 1}));

    assert_eq!(text.line(), "a/1 {\"n\":  1.50}\n");
    assert_eq!(text.line(), "a/2/x deep\n");
    assert_eq!(text.line(), "a/2 two\u{fffd}lines\n");
    assert_eq!(text.end().0, Some(0), "three were wanted");
    let first = json.line();
    assert!(first.contains("\"json\":{\"n\":  1.50}"), "{first}");
    let first: Value = serde_json::from_str(&first).expect("JSON");
    assert!(first["from"].as_str().expect("from").starts_with("greengrass-cli#user-"), "{first}");
    let second = json.json();
    assert_eq!((&second["topic"], &second["binary"]), (&json!("a/2"), &json!("dHdvCmxpbmVz")));
    assert_eq!(json.json()["binary"], "e30=");
    assert_eq!(json.json()["binary"], "WzFd", "a list is no JSON message");
    assert_eq!(json.end().0, Some(0));
}

#[test]
fn message_comes_from_a_file_or_standard_input() {
    let mut core = Core::new();
    core.start();
    let mut heard = Follower::subscribe(&core, &["--output", "json", "pubsub", "sub", "#", "-c", "3"]);
    let file = core.directory("files").join("message");
    fs::write(&file, "{\n\"a\": 1\n}\n").expect("a file");
    let file = file.to_str().expect("UTF-8");
    published(&core, &["t", "--json", "--file", file]);
    published(&core, &["t", "--binary", "--file", file]);
    let mut command = Command::new(GREENGRASS);
    command.arg("greengrass-cli").arg("--ggcRootPath").arg(core.root()).args(["pubsub", "pub", "t", "--file", "-"]);
    let mut piped = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("start");
    piped.stdin.take().expect("piped").write_all(b"\xff\x00").expect("a pipe");
    assert!(piped.wait().expect("wait").success());
    assert_eq!(heard.json()["json"], json!({"a": 1}));
    assert_eq!(heard.json()["binary"], "ewoiYSI6IDEKfQo=");
    assert_eq!(heard.json()["binary"], "/wA=");

    let large = core.directory("files").join("large");
    fs::write(&large, vec![b'x'; (1 << 20) + 1]).expect("a file");
    for (file, code, part) in [
        (large.to_str().expect("UTF-8"), 64, "larger than 1048576 bytes"),
        ("/nowhere/at/all", 2, "--file /nowhere/at/all: cannot read it"),
        ("/", 2, "cannot read it"),
    ] {
        let output = publish(&core, &["t", "--file", file]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{errors}");
        assert!(errors.contains(part), "{errors}");
    }
}

#[test]
fn hostile_arguments_are_refused_by_name() {
    let mut core = Core::new();
    core.start();
    let long = "x".repeat(65_536);
    let deep = "a/".repeat(300);
    let nested = "[".repeat(10_000);
    let refused: &[(&[&str], &str)] = &[
        (&["pub"], "TOPIC"),
        (&["pub", "t"], "MESSAGE"),
        (&["pub", "", "m"], "empty"),
        (&["pub", "/", "m"], "slashes"),
        (&["pub", "a/#", "m"], "contains '#'"),
        (&["pub", "a/*", "m"], "contains '*'"),
        (&["pub", &long, "m"], "65536 bytes"),
        (&["pub", "t", "--json", "[1]"], "no JSON object"),
        (&["pub", "t", "--json", "{\"a\":1,\"a\":2}"], "given twice"),
        (&["pub", "t", "--json", &nested], "no JSON object"),
        (&["sub"], "FILTER"),
        (&["sub", ""], "empty"),
        (&["sub", &deep], "300 levels"),
        (&["sub", "a", "--count", "0"], "--count"),
        (&["sub", "a", "--timeout", "never"], "number of seconds"),
    ];
    for (arguments, part) in refused {
        let mut all = vec!["pubsub"];
        all.extend(*arguments);
        let output = core.cli(&all);
        let errors = String::from_utf8_lossy(&output.stderr);
        let shown = &arguments[..arguments.len().min(2)];
        assert_eq!(output.status.code(), Some(64), "{}: {errors}", shown.concat().len());
        assert!(errors.contains(part), "{part}: {errors}");
    }
    let bytes = OsStr::from_bytes(b"a/\xff");
    let mut command = Command::new(GREENGRASS);
    command.arg("greengrass-cli").arg("--ggcRootPath").arg(core.root()).args(["pubsub", "pub"]);
    assert_eq!(command.arg(bytes).arg("m").output().expect("start").status.code(), Some(64), "topics are UTF-8");
    let many = vec!["f"; 65];
    let output = core.cli(&[&["pubsub", "sub"], &many[..]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("65 filters"));
    let output = publish(&core, &["t", "{\"a\":"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("published as text"));
    assert!(core.is_alive());
}

#[test]
fn subscriber_ends_when_its_time_is_over() {
    let mut core = Core::new();
    core.start();
    let output = core.cli(&["pubsub", "sub", "t", "--timeout", "0.05"]);
    assert_eq!(output.status.code(), Some(0), "nothing was wanted by then");
    let output = core.cli(&["pubsub", "sub", "t", "--timeout", "0.05", "--count", "2"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("0 of 2 messages came"));
    let output = core.cli(&["pubsub", "sub", "a/b#", "--timeout", "0.05"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no topic matches \"a/b#\""));
}

#[test]
fn interrupted_subscriber_leaves_nothing_behind() {
    let mut core = Core::new();
    core.start();
    let follower = Follower::subscribe(&core, &["pubsub", "sub", "t"]);
    let id = follower.process.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    let mut process = follower.process;
    assert_eq!(process.wait().expect("wait").signal(), Some(2), "as the shell expects of Ctrl-C");
    eventually("nobody is subscribed", || published(&core, &["t", "m"]).contains("nobody"));
}

#[test]
fn daemon_that_stops_tells_its_followers() {
    let mut core = Core::new();
    core.start();
    let follower = Follower::subscribe(&core, &["pubsub", "sub", "#"]);
    assert_eq!(core.stop(), Some(0));
    let (code, _, errors) = follower.end();
    assert_eq!(code, Some(69), "{errors}");
    assert!(errors.contains("the daemon is shutting down"), "{errors}");
    let output = publish(&core, &["t", "m"]);
    assert_eq!(output.status.code(), Some(69));
}

#[test]
fn follower_that_never_reads_holds_up_nobody() {
    let mut core = Core::new();
    core.start();
    let mut slow = UnixStream::connect(core.root().join("control.socket")).expect("connect");
    slow.write_all(b"{\"followTopics\":{\"filters\":[\"#\"]}}\n").expect("ask");
    eventually("the slow one is subscribed", || published(&core, &["t", "m"]).contains("1 subscription"));
    let file = core.directory("files").join("large");
    fs::write(&file, vec![b'x'; 1 << 20]).expect("a file");
    let mut quick = Follower::subscribe(&core, &["pubsub", "sub", "done"]);
    for _ in 0..20 {
        published(&core, &["t", "--file", file.to_str().expect("UTF-8")]);
    }
    published(&core, &["done", "yes"]);
    assert_eq!(quick.line(), "done yes\n");
    quick.process.kill().expect("kill");
    quick.process.wait().expect("reap");
    assert!(core.is_alive());
    drop(slow);
}

#[test]
fn logs_are_followed_through_the_daemon() {
    let mut core = Core::new();
    core.start();
    let recipes = core.directory("recipes");
    for name in ["com.example.Loud", "com.example.Other"] {
        let recipe = json!({
            "RecipeFormatVersion": "2020-01-25",
            "ComponentName": name,
            "ComponentVersion": "1.0.0",
            "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": {
                "Run": format!("while true; do echo \"line of {name}\"; sleep 0.05; done")
            }}],
        });
        fs::write(recipes.join(format!("{name}-1.0.0.json")), recipe.to_string()).expect("a recipe");
    }
    let arguments = ["--output", "json", "logs", "follow", "com.example.Loud", "-f", "line of"];
    let mut follower = Follower::start(&core, &arguments, "there is no component com.example.Loud");
    let recipes = recipes.to_str().expect("UTF-8");
    let deployed = core.cli(&[
        "deployment",
        "create",
        "--wait",
        "-r",
        recipes,
        "-m",
        "com.example.Other=1.0.0",
        "-m",
        "com.example.Loud=1.0.0",
    ]);
    assert!(deployed.status.success(), "{}\n{}", String::from_utf8_lossy(&deployed.stderr), core.log());
    for _ in 0..3 {
        let line = follower.json();
        assert_eq!(line["message"], "line of com.example.Loud", "{line}");
    }
    assert_eq!(core.stop(), Some(0));
    let (code, _, errors) = follower.end();
    assert_eq!(code, Some(69), "{errors}");
    assert!(errors.contains("the daemon is shutting down"), "{errors}");

    assert_eq!(core.cli(&["logs", "follow", "-f", "("]).status.code(), Some(64));
    assert_eq!(core.cli(&["logs", "follow", "a/b"]).status.code(), Some(64));
    assert_eq!(core.cli(&["logs", "follow"]).status.code(), Some(69));
}

#[test]
fn debug_password_is_made_and_never_logged() {
    let mut core = Core::new();
    core.start();
    let made = core.json(&["get-debug-password"]);
    assert_eq!(made["username"], "debug");
    let password = made["password"].as_str().expect("a password");
    assert!(password.len() >= 32, "{made}");
    assert!(made["passwordExpiration"].as_u64().expect("milliseconds") > 1_700_000_000_000);
    let text = String::from_utf8(core.cli(&["get-debug-password"]).stdout).expect("text");
    let lines: Vec<_> = text.lines().map(|line| line.split_once(": ").expect("a key").0).collect();
    assert_eq!(lines, ["Username", "Password", "Password expires at"]);
    assert!(!core.log().contains(password));
}
