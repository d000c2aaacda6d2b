//! A core with recipes and artifacts beside it, and the questions these tests ask of it.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Core, PATIENCE, eventually, processes_with};

pub struct Device {
    pub core: Core,
}

impl Device {
    /// The daemon runs.
    pub fn new() -> Self {
        let mut device = Self::stopped();
        device.core.start();
        device
    }

    pub fn stopped() -> Self {
        let core = Core::new();
        core.directory("recipes");
        core.directory("artifacts");
        Self { core }
    }

    /// A recipe for every Linux; `more` is laid over its outermost fields.
    pub fn recipe(&self, name: &str, version: &str, lifecycle: &Value, more: &Value) {
        let mut recipe = json!({
            "RecipeFormatVersion": "2020-01-25", "ComponentName": name, "ComponentVersion": version,
            "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": lifecycle}],
        });
        recipe.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fs::write(self.core.directory("recipes").join(format!("{name}-{version}.json")), recipe.to_string()).unwrap();
    }

    /// Submits without waiting; the deployment's id.
    pub fn submit(&self, options: &[&str]) -> String {
        let words = self.create(options);
        let answer = self.core.json(&words.iter().map(String::as_str).collect::<Vec<_>>());
        answer["deploymentId"].as_str().unwrap().to_owned()
    }

    /// Deploys and waits for the end; the record.
    pub fn deploy(&self, options: &[&str]) -> Value {
        let mut words = vec!["--output".to_owned(), "json".to_owned()];
        words.extend(self.create(options));
        words.push("--wait".to_owned());
        let output = self.core.cli(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{options:?}: {e}\n{errors}"))
    }

    pub fn succeed(&self, options: &[&str]) {
        let record = self.deploy(options);
        assert_eq!(record["status"], "SUCCEEDED", "{options:?}: {record}\n{}", self.core.log());
    }

    /// The deployment fails, to this detailed status; why.
    pub fn fail(&self, detailed: &str, options: &[&str]) -> String {
        let record = self.deploy(options);
        assert_eq!(record["status"], "FAILED", "{options:?}: {record}\n{}", self.core.log());
        assert_eq!(record["details"]["detailedStatus"], detailed, "{record}");
        assert_eq!(record["details"]["errorStack"][0], "DEPLOYMENT_FAILURE", "{record}");
        record["details"]["failureCause"].as_str().unwrap().to_owned()
    }

    /// Waits until the deployment has ended; its record.
    pub fn ended(&self, id: &str) -> Value {
        let mut record = Value::Null;
        eventually("the deployment has ended", || {
            record = self.record(id);
            !matches!(record["status"].as_str().unwrap(), "QUEUED" | "IN_PROGRESS")
        });
        record
    }

    pub fn record(&self, id: &str) -> Value {
        self.core.json(&["deployment", "status", "-i", id])
    }

    /// Null while the component is not installed.
    pub fn details(&self, name: &str) -> Value {
        let output = self.core.cli(&["--output", "json", "component", "details", "-n", name]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    pub fn state(&self, name: &str) -> String {
        self.core.states().remove(name).unwrap_or_default()
    }

    /// Waits until this version is RUNNING.
    pub fn runs(&self, name: &str, version: &str) {
        eventually(&format!("{name} {version} runs"), || {
            let details = self.details(name);
            details["version"] == version && details["state"] == "RUNNING"
        });
    }

    pub fn pid(&self, name: &str) -> i64 {
        self.details(name)["pid"].as_i64().unwrap_or_else(|| panic!("{name} has no process\n{}", self.core.log()))
    }

    /// The value at a key path, none when there is nothing.
    pub fn config(&self, path: &str) -> Option<Value> {
        let output = self.core.cli(&["--output", "json", "config", "get", path]);
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    pub fn configuration(&self, name: &str) -> Value {
        self.config(&format!("services.{name}.configuration")).unwrap_or_default()
    }

    pub fn work(&self, name: &str) -> PathBuf {
        self.core.root().join("work").join(name)
    }

    /// What the component's steps wrote with [`say`].
    pub fn diary(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.work(name).join("diary")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until the diary ends with `last`: a component is RUNNING before its script says anything.
    pub fn diary_ends(&self, name: &str, last: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let diary = self.diary(name);
            if diary.len() >= last.len() && diary[diary.len() - last.len()..] == *last {
                return;
            }
            assert!(Instant::now() < deadline, "{name} wrote {diary:?}, not {last:?}\n{}", self.core.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn restart(&mut self) {
        assert_eq!(self.core.stop(), Some(0), "{}", self.core.log());
        self.core.start();
    }

    fn create(&self, options: &[&str]) -> Vec<String> {
        let directory = |name| self.core.directory(name).to_str().unwrap().to_owned();
        let mut words: Vec<String> = ["deployment", "create", "-r"].map(str::to_owned).into();
        words.extend([directory("recipes"), "-a".to_owned(), directory("artifacts")]);
        words.extend(options.iter().map(|&option| option.to_owned()));
        words
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        if let Some(code) = self.core.stop() {
            assert_eq!(code, 0, "{}", self.core.log());
        }
        // Every component's environment names the socket below the root.
        let root = format!("={}/", self.core.root().display());
        eventually("no process is left after the stop", || processes_with(&root).is_empty());
    }
}

/// A step that writes a word into the diary of its component.
pub fn say(words: &str) -> String {
    format!("echo {words} >> diary")
}

/// Says the word, then stays until it is ended.
pub fn stay(words: &str) -> String {
    format!("{}; exec sleep 100000", say(words))
}
