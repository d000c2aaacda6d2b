//! A real core for tests: the binary itself, in a fresh root, spoken to through `greengrass-cli`.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The binary under test.
pub const GREENGRASS: &str = env!("CARGO_BIN_EXE_greengrass");

/// How long anything may take before a test calls it hung. Generous: a loaded machine is slow, not wrong.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// One root directory, and the daemon on it while it runs.
pub struct Core {
    directory: TempDir,
    cgroup_parent: String,
    daemon: Option<Child>,
    pub options: Vec<String>,
    /// Variables laid over those of the test, for the daemon and with it for components.
    pub environment: Vec<(String, String)>,
}

impl Core {
    /// A fresh root below the temporary directory; the daemon is not started.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let directory = tempfile::Builder::new().prefix("greengrass-test-").tempdir().expect("temporary directory");
        // Components may run as another user: they must be able to reach their working directory.
        open_to_all(directory.path());
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let cgroup_parent = format!("greengrass-test-{}-{number}", std::process::id());
        let options = vec!["--component-default-user".into(), default_user()];
        Self { directory, cgroup_parent, daemon: None, options, environment: Vec::new() }
    }

    pub fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// A directory beside the root, for recipes and artifacts.
    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::create_dir_all(&path).expect("test directory");
        path
    }

    /// Starts the daemon and returns when it says that all doors are open.
    pub fn start(&mut self) {
        let notify = self.directory.path().join("notify.socket");
        let _ = fs::remove_file(&notify);
        let ready = UnixDatagram::bind(&notify).expect("notify socket");
        ready.set_read_timeout(Some(Duration::from_millis(50))).expect("timeout");
        self.spawn(&[("NOTIFY_SOCKET", notify.as_os_str())]);
        let deadline = Instant::now() + PATIENCE;
        let mut message = [0; 64];
        while ready.recv(&mut message).is_err() {
            let daemon = self.daemon.as_mut().expect("just spawned");
            if let Some(status) = daemon.try_wait().expect("wait") {
                panic!("the daemon ended with {status} instead of opening its doors\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "the daemon does not open its doors\n{}", self.log());
        }
    }

    /// Starts the daemon and returns at once.
    pub fn spawn(&mut self, environment: &[(&str, &std::ffi::OsStr)]) {
        assert!(self.daemon.is_none(), "one daemon at a time");
        let errors = fs::OpenOptions::new().create(true).append(true).open(self.stderr_path()).expect("stderr file");
        let mut command = Command::new(GREENGRASS);
        command.arg("greengrassd").arg("--root").arg(self.root());
        command.arg("--cgroup-parent").arg(&self.cgroup_parent).args(&self.options);
        command.envs(self.environment.iter().cloned());
        command.envs(environment.iter().copied()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        self.daemon = Some(command.spawn().expect("start the daemon"));
    }

    /// The control group above those of the components.
    pub fn cgroup_parent(&self) -> &str {
        &self.cgroup_parent
    }

    pub fn pid(&self) -> u32 {
        self.daemon.as_ref().expect("the daemon runs").id()
    }

    /// Whether the daemon that was started has not ended.
    pub fn is_alive(&mut self) -> bool {
        self.daemon.as_mut().is_some_and(|daemon| matches!(daemon.try_wait(), Ok(None)))
    }

    /// SIGKILL, then reap.
    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            daemon.wait().expect("reap");
        }
    }

    /// SIGTERM; the exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let mut daemon = self.daemon.take()?;
        signal(daemon.id(), "TERM");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = daemon.try_wait().expect("wait") {
                return status.code();
            }
            if Instant::now() > deadline {
                let _ = daemon.kill();
                let _ = daemon.wait();
                panic!("the daemon does not stop\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a daemon that ends by itself; its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        self.daemon.take().and_then(|mut daemon| daemon.wait().expect("wait").code())
    }

    /// A daemon on this root that is expected to end by itself, beside the one that may run: its exit code and what it
    /// wrote to standard error.
    pub fn refused_daemon(&self, options: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(GREENGRASS);
        command.arg("greengrassd").arg("--root").arg(self.root());
        command.arg("--cgroup-parent").arg(&self.cgroup_parent).args(&self.options).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut daemon = command.spawn().expect("start the daemon");
        let deadline = Instant::now() + PATIENCE;
        while daemon.try_wait().expect("wait").is_none() {
            if Instant::now() > deadline {
                let _ = daemon.kill();
                let _ = daemon.wait();
                panic!("the daemon starts with {options:?} although it should not\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = daemon.wait_with_output().expect("wait");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// `greengrass-cli` with these arguments.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(GREENGRASS);
        command.arg("greengrass-cli").arg("--ggcRootPath").arg(self.root()).args(arguments);
        command.stdin(Stdio::null()).output().expect("start greengrass-cli")
    }

    /// `greengrass-cli --output json`; fails the test unless it succeeds.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--output", "json"];
        all.extend(arguments);
        let output = self.cli(&all);
        assert!(
            output.status.success(),
            "greengrass-cli {arguments:?}: {}\n{}{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
        serde_json::from_slice(&output.stdout).expect("JSON from greengrass-cli")
    }

    /// Name and state of every component.
    pub fn states(&self) -> BTreeMap<String, String> {
        let answer = self.json(&["component", "list"]);
        let components = answer["components"].as_array().expect("components");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        components.iter().map(|c| (text(&c["name"]), text(&c["state"]))).collect()
    }

    /// All that the daemon logged, as `greengrass`, or a component, by its name. A log begins anew with every hour, and
    /// a test may run across one.
    pub fn log_of(&self, name: &str) -> String {
        let entries = fs::read_dir(self.root().join("logs")).into_iter().flatten();
        let rotated = |path: &PathBuf| {
            let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
            file.strip_prefix(name).is_some_and(|rest| rest.starts_with("_2"))
        };
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(rotated).collect();
        files.sort();
        files.push(self.root().join(format!("logs/{name}.log")));
        files.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect()
    }

    /// The last of what the daemon wrote, for failure messages.
    pub fn log(&self) -> String {
        let log = self.log_of("greengrass");
        let errors = fs::read_to_string(self.stderr_path()).unwrap_or_default();
        let last = |text: &str| {
            text.lines().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        format!("--- greengrass.log\n{}\n--- stderr\n{}", last(&log), last(&errors))
    }

    fn stderr_path(&self) -> PathBuf {
        self.directory.path().join("stderr")
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            signal(daemon.id(), "TERM");
            let deadline = Instant::now() + Duration::from_secs(10);
            while matches!(daemon.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        for hierarchy in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            remove_groups(&hierarchy.path().join(&self.cgroup_parent));
        }
        remove_groups(&Path::new("/sys/fs/cgroup").join(&self.cgroup_parent));
    }
}

/// Removes control groups; one that somebody is in stays.
fn remove_groups(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_groups(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

/// Live processes whose environment holds `marker`.
pub fn processes_with(marker: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("/proc");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(marker)
    })
    .collect()
}

/// Waits until `holds`, or fails the test with `what`.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").map(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0).unwrap_or(false)
}

/// As root, components run as `nobody`; otherwise as whoever runs the tests.
fn default_user() -> String {
    if is_root() {
        "nobody".into()
    } else {
        std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").expect("/proc")).to_string()
    }
}

fn open_to_all(path: &Path) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
}

fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
}
