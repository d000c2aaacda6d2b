use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::api::control::tests::scene::{Scene, record};
use crate::wire::state::DeploymentStatus;

/// Runs one command line against a root directory: what it printed, and how it ended.
fn run_at(root: &Path, line: &str) -> (String, Result<(), Failure>) {
    let mut words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    words.extend(["--ggcRootPath".into(), root.into()]);
    let arguments = arguments::parse(words).unwrap();
    let mut printed = Vec::new();
    let outcome = execute(&arguments, &mut Printer::new(&mut printed, arguments.output));
    (String::from_utf8(printed).unwrap(), outcome)
}

fn prints(scene: &Scene, line: &str, expected: &str) {
    let (printed, outcome) = run_at(scene.root(), line);
    outcome.unwrap_or_else(|failure| panic!("{line}: {failure}"));
    assert_eq!(printed, expected, "{line}");
}

fn document(scene: &Scene, line: &str) -> Value {
    let (printed, outcome) = run_at(scene.root(), &format!("{line} --output json"));
    outcome.unwrap_or_else(|failure| panic!("{line}: {failure}"));
    assert_eq!(printed.lines().count(), 1, "{line}: one document on one line");
    serde_json::from_str(&printed).unwrap()
}

fn fails(root: &Path, line: &str, code: u8, part: &str) {
    let (_, outcome) = run_at(root, line);
    let failure = outcome.expect_err(line);
    let message = failure.message().unwrap_or_default();
    assert!(failure.exit_code() == code && message.contains(part), "{line}: {} {message}", failure.exit_code());
}

#[test]
fn component_commands_print_what_scripts_of_the_aws_cli_read() {
    let scene = Scene::open();
    let list = "Components currently running in Greengrass:\n\
                Component Name: com.example.Broken\n    Version: 1.0.0\n    State: BROKEN\n    Configuration: null\n\
                Component Name: com.example.Hello\n    Version: 1.0.0\n    State: RUNNING\n    \
                Configuration: {\"name\":\"you\",\"times\":3}\n";
    prints(&scene, "component list", list);
    let details = "Component Name: com.example.Broken\n    Version: 1.0.0\n    State: BROKEN\n    \
                   Configuration: null\n    Reason: Run ended with 3\n";
    prints(&scene, "component details -n com.example.Broken", details);
    prints(&scene, "component restart --names com.example.Hello", "Component com.example.Hello restarted.\n");
    let both = "Component com.example.Hello stopped.\nComponent com.example.Broken stopped.\n";
    prints(&scene, "component stop -n com.example.Hello,com.example.Broken", both);
    prints(&scene, "component resume -n com.example.Hello", "Component com.example.Hello resumed.\n");
    fails(scene.root(), "component details -n x", 2, "component x is not installed");
    fails(scene.root(), "component pause -n com.example.Hello", 2, "");
    let (printed, outcome) = run_at(scene.root(), "component restart -n x,com.example.Hello");
    assert_eq!(printed, "Component com.example.Hello restarted.\n", "one refusal does not keep the others");
    assert_eq!(outcome.unwrap_err().exit_code(), 2);
}

#[test]
fn component_documents_have_their_shape() {
    let scene = Scene::open();
    let hello = json!({"name": "com.example.Hello", "version": "1.0.0", "state": "RUNNING", "statusCode": "NONE",
        "paused": false, "pid": 42, "configuration": {"name": "you", "times": 3}});
    assert_eq!(document(&scene, "component details -n com.example.Hello"), hello);
    assert_eq!(document(&scene, "component list")["components"][1], hello);
    let (printed, outcome) = run_at(scene.root(), "component stop -n com.example.Hello,x --output json");
    assert!(outcome.is_err());
    let expected = json!({"results": [{"name": "com.example.Hello", "ok": true},
        {"name": "x", "ok": false, "error": "component x is not installed"}]});
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), expected);
}

#[test]
fn deployment_commands_print_what_scripts_of_the_aws_cli_read() {
    let scene = Scene::open();
    let submitted = "Local deployment submitted! Deployment Id: running\n";
    prints(&scene, "deployment create --merge com.example.Hello=1.0.0", submitted);
    prints(&scene, "deployment status -i running", "running: QUEUED\nCreated on: 21-11-2026 22:19:51 UTC\n");
    let failed = "failed: FAILED\nCreated on: 21-11-2026 22:19:51 UTC\nDetailed Status: FAILED_NO_STATE_CHANGE\n\
                  Deployment Error Stack: DEPLOYMENT_FAILURE, NO_AVAILABLE_COMPONENT_VERSION\n\
                  Deployment Error Types: REQUEST_ERROR\n\
                  Deployment Failure Cause: there is no version 9.0.0 of A\n";
    prints(&scene, "deployment status --deploymentId failed", failed);
    let list = "Deployment ID: running\nCreated on: 21-11-2026 22:19:51 UTC\nStatus: QUEUED\n\n\
                Deployment ID: failed\nCreated on: 21-11-2026 22:19:51 UTC\nStatus: FAILED\n";
    prints(&scene, "deployment list", list);
    prints(&scene, "deployment cancel -i running", "Cancel request submitted. Deployment ID: running\n");
    fails(scene.root(), "deployment cancel -i failed", 2, "deployment failed has ended");
    fails(scene.root(), "deployment status -i x", 2, "there is no deployment x");
}

#[test]
fn deployment_documents_have_their_shape() {
    let scene = Scene::open();
    assert_eq!(document(&scene, "deployment create --remove A"), json!({"deploymentId": "running"}));
    let status = document(&scene, "deployment status -i failed");
    assert_eq!(status["status"], "FAILED");
    assert_eq!(status["details"]["detailedStatus"], "FAILED_NO_STATE_CHANGE");
    assert_eq!(document(&scene, "deployment list")["deployments"].as_array().unwrap().len(), 2);
    assert_eq!(document(&scene, "deployment cancel -i running")["deploymentId"], "running");
}

#[test]
fn wait_ends_with_the_deployment_and_tells_how() {
    for (status, code) in [
        (DeploymentStatus::Succeeded, 0),
        (DeploymentStatus::Failed, 1),
        (DeploymentStatus::Canceled, 2),
        (DeploymentStatus::Rejected, 2),
    ] {
        let scene = Scene::open();
        scene.running.send(record("running", status, "")).unwrap();
        let (printed, outcome) = run_at(scene.root(), "deployment create -m A=1.0.0 --wait");
        assert_eq!(printed, "Local deployment submitted! Deployment Id: running\n");
        assert_eq!(outcome.map_or_else(|failure| failure.exit_code(), |()| 0), code, "{status}");
        let (printed, _) = run_at(scene.root(), "deployment create -m A=1.0.0 --wait --output json");
        let last: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(last["status"], status.as_str());
    }
}

#[test]
fn config_and_status_are_shown() {
    let scene = Scene::open();
    prints(&scene, "config get services.com.example.Hello.configuration.name", "\"you\"\n");
    let tree = "{\n  \"name\": \"you\",\n  \"times\": 3\n}\n";
    prints(&scene, "config get /services/com.example.Hello/configuration", tree);
    fails(scene.root(), "config get services.none", 2, "nothing at services.none");
    let status = document(&scene, "status");
    assert_eq!(status["components"], json!({"RUNNING": 1, "BROKEN": 1}));
    let (printed, _) = run_at(scene.root(), "status");
    let keys: Vec<_> = printed.lines().filter_map(|line| line.split_once(':')).map(|(key, _)| key).collect();
    assert_eq!(keys, ["Version", "Process", "Root", "Uptime", "Isolation", "Cloud", "Components", "Deployments"]);
    assert!(printed.contains("Components:  1 RUNNING, 1 BROKEN\n"), "{printed}");
}

#[test]
fn absent_daemon_is_told_with_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    for line in ["component list", "deployment list", "deployment create -m A=1.0.0", "status", "config get /"] {
        fails(root.path(), line, 69, "is greengrassd running? Start it with");
    }
    fails(root.path(), "deployment create", 64, "there is nothing to do");
}

#[test]
fn daemon_of_another_protocol_is_told() {
    let root = tempfile::tempdir().unwrap();
    let listener = std::os::unix::net::UnixListener::bind(root.path().join("control.socket")).unwrap();
    let daemon = std::thread::spawn(move || {
        for hello in ["{\"hello\":{\"protocol\":9,\"version\":\"7.0.0\"}}\n", "nonsense\n", ""] {
            listener.accept().unwrap().0.write_all(hello.as_bytes()).unwrap();
        }
    });
    fails(root.path(), "component list", 1, "the daemon (7.0.0) speaks control protocol 9");
    fails(root.path(), "component list", 1, "the daemon's answer makes no sense");
    fails(root.path(), "component list", 69, "the connection to the daemon broke");
    daemon.join().unwrap();
}

fn write_log(root: &Path, name: &str, lines: &[&str]) {
    let directory = root.join("logs");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join(name), lines.join("\n")).unwrap();
}

#[test]
fn logs_of_all_files_and_formats_come_in_order_of_time() {
    let root = tempfile::tempdir().unwrap();
    write_log(
        root.path(),
        "A_2026_01_01_09_1.log",
        &["2026-01-01T09:00:00.000Z [INFO] (t) A: stdout. first. {serviceName=A}"],
    );
    write_log(
        root.path(),
        "A.log",
        &[
            "2026-01-01T10:00:00.000Z [INFO] (t) A: stdout. third. {serviceName=A}",
            "  a line of its own",
            "2026-01-01T12:00:00.000Z [ERROR] (t) A: stderr. last. {serviceName=A}",
        ],
    );
    let b = r#"{"thread":"t","level":"WARN","eventType":null,"message":"second","contexts":{"serviceName":"B"},"loggerName":"B","timestamp":1767259800000,"cause":null}"#;
    write_log(root.path(), "B.log", &[b]);
    let all = "2026-01-01 09:00:00 UTC [INFO] A: stdout. first. {serviceName=A}\n\
               2026-01-01 09:30:00 UTC [WARN] B: second. {serviceName=B}\n\
               2026-01-01 10:00:00 UTC [INFO] A: stdout. third. {serviceName=A}\n  a line of its own\n\
               2026-01-01 12:00:00 UTC [ERROR] A: stderr. last. {serviceName=A}\n";
    let (printed, outcome) = run_at(root.path(), "logs get");
    outcome.unwrap();
    assert_eq!(printed, all);
    let get = |options: &str| run_at(root.path(), &format!("logs get {options}")).0;
    assert_eq!(get("-f level=WARN"), [all.lines().nth(1).unwrap(), all.lines().nth(4).unwrap(), ""].join("\n"));
    assert_eq!(get("-f third -b 1 -a 1").lines().count(), 3);
    assert_eq!(get("-t 2026-01-01T09:15:00,2026-01-01T10:00:00 -f serviceName=A,serviceName=B").lines().count(), 2);
    let documents = get("-f last --output json");
    assert_eq!(serde_json::from_str::<Value>(&documents).unwrap()["contexts"]["serviceName"], "A");
    assert!(get("-v -f last").starts_with("2026-01-01T12:00:00.000Z [ERROR] (t) A: stderr. last. {serviceName=A}"));

    let (printed, _) = run_at(root.path(), "logs list-log-files");
    assert!(printed.ends_with("B.log\nTotal 3 files found.\n"), "{printed}");
    fails(root.path(), "logs get -f (", 64, "is no regular expression");
    fails(root.path(), "logs get -t tomorrow", 64, "is no time");
    fails(root.path(), "logs get -lf no-such.log", 2, "cannot read the log file no-such.log");
    fails(root.path(), "logs get -ld no-such", 2, "cannot read the log directory no-such");
}

#[test]
fn no_logs_and_keywords_are_told() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("logs")).unwrap();
    assert_eq!(run_at(root.path(), "logs list-log-files").0, "No log file found.\n");
    fails(root.path(), "logs get", 2, "there is no log file in");
    let keywords = "Suggested keywords for Greengrass log format:\nlevel=$str\nthread=$str\nloggerName=$str\n\
                    eventType=$str\nserviceName=$str\nerror=$str\n";
    assert_eq!(run_at(root.path(), "logs list-keywords").0, keywords);
    let syslog = "Suggested keywords for syslog format:\npriority=$int\nhost=$str\nlogger=$str\nclass=$str\n";
    assert_eq!(run_at(root.path(), "logs list-keywords -s").0, syslog);
}

/// Prints into a channel, so that a test can wait for lines of a command that does not end.
struct Lines(std::sync::mpsc::SyncSender<String>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let line = String::from_utf8_lossy(bytes).into_owned();
        // A test that has enough ends the command as a closed pipe would.
        self.0.send(line).map_err(|_| std::io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn follow_shows_growth_rotation_and_new_logs() {
    let root = tempfile::tempdir().unwrap();
    write_log(root.path(), "A.log", &["one", ""]);
    let (sender, lines) = std::sync::mpsc::sync_channel(0);
    let words = ["logs", "get", "--follow", "--ggcRootPath", root.path().to_str().unwrap()];
    let arguments = arguments::parse(words.map(OsString::from).to_vec()).unwrap();
    let command = std::thread::spawn(move || execute(&arguments, &mut Printer::new(Lines(sender), Default::default())));
    let directory = root.path().join("logs");
    let append = |name: &str, text: &str| {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(directory.join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    assert_eq!(lines.recv().unwrap(), "one\n");
    append("A.log", "two\nhalf");
    assert_eq!(lines.recv().unwrap(), "two\n");
    append("A.log", " and half\n");
    assert_eq!(lines.recv().unwrap(), "half and half\n");
    std::fs::rename(directory.join("A.log"), directory.join("A_2026_01_01_09_1.log")).unwrap();
    append("A.log", "after rotation\n");
    assert_eq!(lines.recv().unwrap(), "after rotation\n");
    append("B.log", "another log\n");
    assert_eq!(lines.recv().unwrap(), "another log\n");
    drop(lines);
    append("B.log", "nobody reads\n");
    assert_eq!(command.join().unwrap().unwrap_err().exit_code(), 0);
}
