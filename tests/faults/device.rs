//! A core on which one component runs, which no fault may touch.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::support::{Core, eventually, processes_with};

/// The component that was deployed before the fault.
pub const KEPT: &str = "com.example.Kept";

pub struct Device {
    pub core: Core,
    /// In the environment of every process of this device.
    pub marker: String,
    /// Of the daemon and of what runs of [`KEPT`]: a fault must not even restart them.
    lives: (u32, Vec<u32>),
    deployments: u32,
}

impl Device {
    /// A fresh core with [`KEPT`] 1.0.0 running.
    pub fn new() -> Self {
        let mut core = Core::new();
        core.start();
        Self::on(core)
    }

    /// As [`Self::new`], on a core that runs already.
    pub fn on(core: Core) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let marker = format!("faults-{}-{}-", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut device = Self { core, marker, lives: (0, Vec::new()), deployments: 0 };
        let run = device.stay("kept");
        device.recipe(KEPT, "1.0.0", &json!({"Lifecycle": {"Run": run}}));
        device.deploy(&["--merge", "com.example.Kept=1.0.0"]);
        device.remember();
        device
    }

    /// A script that stays, with the marker and `word` in its environment.
    pub fn stay(&self, word: &str) -> String {
        format!("export MARK={}{word}; exec sleep 100000", self.marker)
    }

    /// Waits for the end of what was started with this `word`.
    pub fn gone(&self, word: &str) {
        let marker = format!("{}{word}", self.marker);
        eventually(&format!("nothing of {word} runs"), || processes_with(&marker).is_empty());
    }

    /// What runs now is what must go on running.
    pub fn remember(&mut self) {
        let marker = format!("{}kept", self.marker);
        eventually("the component that is to be kept runs", || !processes_with(&marker).is_empty());
        self.lives = (self.core.pid(), processes_with(&marker));
    }

    /// After a start of the daemon: the component came back by itself.
    pub fn came_back(&mut self) {
        let runs = || self.core.states().get(KEPT).is_some_and(|state| state == "RUNNING");
        eventually("the component of before runs again", runs);
        self.remember();
        self.check_kept();
    }

    /// The component of before still runs, in the same version and process, under the same daemon.
    pub fn check_kept(&mut self) {
        assert!(self.core.is_alive(), "the daemon is alive\n{}", self.core.log());
        let kept = self.core.json(&["component", "details", "--name", KEPT]);
        assert_eq!((&kept["version"], &kept["state"]), (&json!("1.0.0"), &json!("RUNNING")), "{kept}");
        let found = (self.core.pid(), processes_with(&format!("{}kept", self.marker)));
        assert_eq!(found, self.lives, "daemon and processes are those of before\n{}", self.core.log());
    }

    /// The daemon takes and carries out another deployment.
    pub fn check_next(&mut self) {
        self.deployments += 1;
        let version = format!("1.0.{}", self.deployments);
        let scratch = self.core.directory("next");
        let recipe = recipe("com.example.Next", &version, &json!({"Lifecycle": {"Install": "true"}}));
        fs::write(scratch.join("next.json"), recipe.to_string()).unwrap();
        let merge = format!("com.example.Next={version}");
        let output = self.core.cli(&create(&["--recipeDir", scratch.to_str().unwrap(), "--merge", &merge]));
        assert!(output.status.success(), "the next deployment: {}\n{}", said(&output), self.core.log());
        self.check_kept();
    }

    /// As [`Self::check_next`], after the removal of a component that is broken.
    pub fn check_next_beside(&mut self, broken: &str) {
        let output = self.core.cli(&create(&["--remove", broken]));
        assert!(output.status.success(), "removing {broken}: {}\n{}", said(&output), self.core.log());
        self.check_next();
    }

    /// A deployment from the directories `recipes` and `artifacts`, which must succeed.
    pub fn deploy(&self, arguments: &[&str]) {
        let output = self.try_deploy(arguments);
        assert!(output.status.success(), "{arguments:?}: {}\n{}", said(&output), self.core.log());
    }

    /// The same, and whatever comes of it.
    pub fn try_deploy(&self, arguments: &[&str]) -> Output {
        let (recipes, artifacts) = (self.path("recipes"), self.path("artifacts"));
        let mut all = vec!["--recipeDir", recipes.to_str().unwrap(), "--artifactDir", artifacts.to_str().unwrap()];
        all.extend(arguments);
        self.core.cli(&create(&all))
    }

    /// A deployment that must fail, and say each of `words`. Nothing else may change.
    pub fn refused(&mut self, arguments: &[&str], words: &[&str]) {
        let output = self.try_deploy(arguments);
        self.check_refusal(&output, words);
    }

    pub fn check_refusal(&mut self, output: &Output, words: &[&str]) {
        let said = said(output);
        assert!(matches!(output.status.code(), Some(1 | 2 | 64)), "{said}\n{}", self.core.log());
        for word in words {
            assert!(said.contains(word), "{word:?} is missing in: {said}");
        }
        assert!(said.len() < 4000, "an error is no dump: {} bytes", said.len());
        self.check_kept();
    }

    /// A directory beside the root.
    pub fn path(&self, name: &str) -> PathBuf {
        self.core.directory(name)
    }

    /// A recipe in the directory that deployments take recipes from, with one manifest.
    pub fn recipe(&self, name: &str, version: &str, manifest: &Value) -> PathBuf {
        let path = self.path("recipes").join(format!("{name}.json"));
        fs::write(&path, recipe(name, version, manifest).to_string()).unwrap();
        path
    }

    /// An artifact in the directory that deployments take artifacts from.
    pub fn artifact(&self, name: &str, version: &str, file: &str, content: &[u8]) -> PathBuf {
        let path = self.path(&format!("artifacts/{name}/{version}")).join(file);
        fs::write(&path, content).unwrap();
        path
    }

    /// No recipe and no artifact wait to be taken.
    pub fn clear(&self) {
        for directory in ["recipes", "artifacts"] {
            fs::remove_dir_all(self.path(directory)).unwrap();
        }
    }

    /// Stops the daemon; nothing of it may be left. Its directories go with the core.
    pub fn end(mut self) -> Core {
        assert_eq!(self.core.stop(), Some(0), "{}", self.core.log());
        let left = processes_with(&self.marker);
        assert!(left.is_empty(), "processes are left after the stop: {left:?}");
        self.core
    }
}

pub fn recipe(name: &str, version: &str, manifest: &Value) -> Value {
    json!({
        "RecipeFormatVersion": "2020-01-25", "ComponentName": name, "ComponentVersion": version,
        "Manifests": [manifest],
    })
}

/// `deployment create --wait` with these options.
pub fn create<'a>(options: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["deployment", "create", "--wait"];
    all.extend(options);
    all
}

/// What greengrass-cli wrote, without the progress.
pub fn said(output: &Output) -> String {
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let lines = errors.lines().filter(|line| !line.starts_with("IN_PROGRESS") && !line.starts_with("QUEUED"));
    format!("{}: {out}{}", output.status, lines.collect::<Vec<_>>().join("\n"))
}

/// Says why a test does not run here.
pub fn skipped(test: &str, reason: &str) {
    eprintln!("SKIPPED {test}: {reason}");
}

/// Every file below, for searches of what should not be there.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found
}
