//! Kills the daemon with SIGKILL at seeded random instants through deployments, again and again on one root,
//! and checks that no component is lost, doubled or half-installed.
//!
//! `KILLS=1000 cargo test --test kill` makes it longer, `SEED=n` chooses another series.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Core, eventually, processes_with};

/// Kills in one run of the test, unless `KILLS` says otherwise.
const KILLS: u64 = 200;

/// The latest instant of a kill after the request began, in microseconds: a deployment takes about as long.
const LATEST: u64 = 400_000;

/// Every fourth kill falls before this, around the acknowledgement.
const EARLY: u64 = 20_000;

/// Files in the archive of each version; one missing is a half-installed component.
const MEMBERS: usize = 20;

#[test]
fn nothing_is_lost_doubled_or_half_installed_when_the_daemon_is_killed() {
    let kills = from_environment("KILLS", KILLS);
    let seed = from_environment("SEED", 1);
    let mut random = Random(seed);
    let mut device = Device::new();
    // Every change of the series is deployed; what was acknowledged must hold whatever happens to the daemon.
    for round in 0..kills {
        device.deploy_and_kill(round, &mut random);
        device.recover();
        device.check(round);
    }
    println!("{kills} kills, {} of them after the deployment was acknowledged", device.acknowledged);
    assert!(
        0 < device.acknowledged && device.acknowledged < kills,
        "the instants fall on both sides of the acknowledgement"
    );
    assert_eq!(device.core.stop(), Some(0), "{}", device.core.log());
    eventually("no process is left after the stop", || processes_with(&device.marker).is_empty());
}

/// A core, and what we know it must hold.
struct Device {
    core: Core,
    /// In the environment of every component's process.
    marker: String,
    /// The version of `com.example.Killed` that runs, none when it is removed.
    present: Option<u64>,
    /// The deployment in doubt: acknowledged or perhaps not, and what it leads to.
    pending: Option<(Option<String>, Option<u64>)>,
    acknowledged: u64,
}

impl Device {
    fn new() -> Self {
        let mut core = Core::new();
        let marker = format!("marker-{}", std::process::id());
        let base = recipe(
            "com.example.Base",
            "1.0.0",
            &json!({}),
            &json!({"Setenv": {"MARKER": format!("{marker}-base")}, "Run": "exec sleep 100000"}),
            &json!([]),
        );
        fs::write(core.directory("recipes").join("base.json"), base.to_string()).unwrap();
        core.start();
        Self { core, marker, present: None, pending: None, acknowledged: 0 }
    }

    /// Submits the next change and kills the daemon at some instant between before the request and after the end.
    fn deploy_and_kill(&mut self, round: u64, random: &mut Random) {
        let target = if self.present.is_some() && random.below(5) == 0 { None } else { Some(round + 1) };
        let arguments = match target {
            Some(number) => {
                self.write_version(number);
                let update = json!({"com.example.Killed": {"MERGE": {"number": number}}});
                vec![
                    "--merge".into(),
                    format!("com.example.Killed=1.0.{number}"),
                    "--update-config".into(),
                    update.to_string(),
                ]
            }
            None => vec!["--remove".to_owned(), "com.example.Killed".to_owned()],
        };
        let recipes = self.core.directory("recipes");
        let artifacts = self.core.directory("artifacts");
        let latest = if random.below(4) == 0 { EARLY } else { LATEST };
        let delay = Duration::from_micros(random.below(latest));
        let daemon = self.core.pid();
        let killer = thread::spawn(move || {
            thread::sleep(delay);
            let _ = std::process::Command::new("kill").arg("-KILL").arg(daemon.to_string()).status();
        });
        let mut all = vec!["--output", "json", "deployment", "create", "--failure-handling-policy", "ROLLBACK"];
        all.extend(["--recipeDir", recipes.to_str().unwrap(), "--artifactDir", artifacts.to_str().unwrap()]);
        all.extend(arguments.iter().map(String::as_str));
        let output = self.core.cli(&all);
        killer.join().unwrap();
        self.core.kill();
        let id = output.status.success().then(|| {
            let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            answer["deploymentId"].as_str().expect("deployment id").to_owned()
        });
        self.acknowledged += u64::from(id.is_some());
        self.pending = Some((id, target));
    }

    /// Starts the daemon again and waits until it has answered what was pending.
    fn recover(&mut self) {
        self.core.start();
        let core = &self.core;
        eventually("every deployment has ended", || {
            let list = core.json(&["deployment", "list"]);
            list["deployments"]
                .as_array()
                .expect("deployments")
                .iter()
                .all(|d| !matches!(d["status"].as_str(), Some("QUEUED" | "IN_PROGRESS")))
        });
    }

    fn check(&mut self, round: u64) {
        let (id, target) = self.pending.take().expect("a deployment was made");
        let list = self.core.json(&["deployment", "list"]);
        let records = list["deployments"].as_array().expect("deployments").clone();
        let took_effect = match &id {
            Some(id) => {
                let mine: Vec<&Value> = records.iter().filter(|d| d["deploymentId"] == **id).collect();
                assert_eq!(mine.len(), 1, "round {round}: acknowledged {id} is there once\n{list}");
                assert_eq!(mine[0]["status"], "SUCCEEDED", "round {round}: {list}\n{}", self.core.log());
                true
            }
            // Not acknowledged: it may have been recorded just before the kill, or not.
            None => self.running_version() == target.map(|n| format!("1.0.{n}")),
        };
        if took_effect {
            self.present = target;
        }
        assert_eq!(
            self.running_version(),
            self.present.map(|n| format!("1.0.{n}")),
            "round {round}\n{}",
            self.core.log()
        );
        self.check_processes(round);
        self.check_files(round);
    }

    /// The version that `component list` shows, once it runs.
    fn running_version(&self) -> Option<String> {
        let answer = self.core.json(&["component", "list"]);
        let components = answer["components"].as_array().expect("components");
        let mine = components.iter().find(|c| c["name"] == "com.example.Killed")?;
        mine["version"].as_str().map(Into::into)
    }

    /// Exactly one process for each component that shall run, and of the right version.
    fn check_processes(&self, round: u64) {
        let expected = match self.present {
            Some(number) => vec![format!("{}-base", self.marker), format!("{}-{number}-", self.marker)],
            None => vec![],
        };
        eventually(&format!("round {round}: the right processes run, and only they: {expected:?}"), || {
            processes_with(&self.marker).len() == expected.len()
                && expected.iter().all(|m| processes_with(m).len() == 1)
        });
    }

    /// All members of the archive, the configuration of the version, and nothing temporary.
    fn check_files(&self, round: u64) {
        let Some(number) = self.present else { return };
        let unpacked =
            self.core.root().join(format!("packages/artifacts-unarchived/com.example.Killed/1.0.{number}/bundle"));
        let found = fs::read_dir(&unpacked).map(Iterator::count).unwrap_or(0);
        assert_eq!(found, MEMBERS, "round {round}: {} is complete", unpacked.display());
        let details = self.core.json(&["component", "details", "--name", "com.example.Killed"]);
        assert_eq!(details["configuration"]["number"], number, "round {round}: {details}");
    }

    /// Recipe and archive of one version, where `deployment create` looks for them.
    fn write_version(&self, number: u64) {
        let version = format!("1.0.{number}");
        let run = format!(
            "test \"$(ls {{artifacts:decompressedPath}}/bundle | wc -l)\" = {MEMBERS} || exit 3; exec sleep 100000"
        );
        let marker = json!({"MARKER": format!("{}-{number}-", self.marker)});
        let lifecycle = json!({"Setenv": marker, "Install": "test -d .", "Run": run});
        let artifacts = json!([{"Uri": "s3://bucket/bundle.zip", "Unarchive": "ZIP", "Permission": {"Read": "ALL"}}]);
        let recipe = recipe("com.example.Killed", &version, &json!({"number": 0}), &lifecycle, &artifacts);
        for old in fs::read_dir(self.core.directory("recipes")).unwrap().flatten() {
            if old.file_name().to_string_lossy().starts_with("killed") {
                fs::remove_file(old.path()).unwrap();
            }
        }
        fs::write(self.core.directory("recipes").join(format!("killed-{version}.json")), recipe.to_string()).unwrap();
        let _ = fs::remove_dir_all(self.core.directory("artifacts").join("com.example.Killed"));
        write_archive(
            &self.core.directory(&format!("artifacts/com.example.Killed/{version}")).join("bundle.zip"),
            number,
        );
    }
}

fn recipe(name: &str, version: &str, configuration: &Value, lifecycle: &Value, artifacts: &Value) -> Value {
    let dependencies = match name {
        "com.example.Base" => json!({}),
        _ => json!({"com.example.Base": {"VersionRequirement": "^1.0.0", "DependencyType": "HARD"}}),
    };
    json!({
        "RecipeFormatVersion": "2020-01-25", "ComponentName": name, "ComponentVersion": version,
        "ComponentConfiguration": {"DefaultConfiguration": configuration},
        "ComponentDependencies": dependencies,
        "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": lifecycle, "Artifacts": artifacts}],
    })
}

fn write_archive(path: &Path, number: u64) {
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for member in 0..MEMBERS {
        archive.start_file(format!("member-{member}"), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(format!("{number} {member}\n").repeat(500).as_bytes()).unwrap();
    }
    archive.finish().unwrap();
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// SplitMix64: the same seed, the same series.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}
