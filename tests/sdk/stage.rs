//! A core whose components are scripts on an unmodified SDK, and the verdicts they write.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use gg_wire::ipc::Operation;
use serde_json::{Value, json};

use crate::device::Device;
use crate::support::{PATIENCE, is_root};

/// What the scripts in `tests/sdk` speak through.
#[derive(Clone, Copy)]
pub enum Language {
    Python,
    Node,
}

/// A component that plays a script of `tests/sdk`.
pub struct Role {
    name: String,
    version: String,
    language: Language,
    script: String,
    step: &'static str,
    arguments: String,
    lifecycle: Value,
    configuration: Value,
    recipe: Value,
}

impl Role {
    pub fn python(name: &str, script: &str) -> Self {
        Self::new(name, Language::Python, script)
    }

    pub fn node(name: &str, script: &str) -> Self {
        Self::new(name, Language::Node, script)
    }

    /// The one that `calls.py` asks about, restarts and stops.
    pub fn sleeper() -> Self {
        let sleep = json!({"Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": {"Run": "exec sleep 100000"}}]});
        Self::python("com.example.Sleeper", "").recipe(&sleep)
    }

    fn new(name: &str, language: Language, script: &str) -> Self {
        let [name, script] = [name, script].map(str::to_owned);
        let (version, arguments) = ("1.0.0".to_owned(), String::new());
        let (step, lifecycle) = ("Run", json!({}));
        let (configuration, recipe) = (json!({}), json!({}));
        Self { name, version, language, script, step, arguments, lifecycle, configuration, recipe }
    }

    pub fn version(mut self, version: &str) -> Self {
        self.version = version.to_owned();
        self
    }

    /// The script is the component's Startup instead of its Run.
    pub fn in_startup(mut self) -> Self {
        self.step = "Startup";
        self
    }

    /// Words behind the script's name.
    pub fn arguments(mut self, arguments: &str) -> Self {
        self.arguments = arguments.to_owned();
        self
    }

    /// The component's default configuration; what [`Role::may`] adds is kept.
    pub fn configuration(mut self, configuration: &Value) -> Self {
        lay_over(&mut self.configuration, configuration);
        self
    }

    /// One more policy: these operations (without their namespace) of `service` on these resources.
    pub fn may(mut self, service: &str, operations: &[&str], resources: &[&str]) -> Self {
        let access = &mut self.configuration["accessControl"][service];
        let number = access.as_object().map_or(0, serde_json::Map::len);
        let operations: Vec<String> = operations
            .iter()
            .map(|&name| if name == "*" { name.to_owned() } else { format!("aws.greengrass#{name}") })
            .collect();
        access[format!("{}:{service}:{number}", self.name)] =
            json!({"policyDescription": "for a test", "operations": operations, "resources": resources});
        self
    }

    /// Local publish and subscribe on every topic.
    pub fn may_talk(self) -> Self {
        self.may("aws.greengrass.ipc.pubsub", &["*"], &["*"])
    }

    /// Everything that policies can give.
    pub fn may_everything(self) -> Self {
        let services: BTreeSet<_> = Operation::ALL.into_iter().filter_map(Operation::service).collect();
        services.into_iter().fold(self, |role, service| role.may(service, &["*"], &["*"]))
    }

    /// Further steps.
    pub fn lifecycle(mut self, steps: &Value) -> Self {
        lay_over(&mut self.lifecycle, steps);
        self
    }

    /// Fields laid over the outermost ones of the recipe, such as `ComponentDependencies`.
    pub fn recipe(mut self, fields: &Value) -> Self {
        lay_over(&mut self.recipe, fields);
        self
    }
}

/// A running daemon.
pub struct Stage {
    pub device: Device,
}

impl Stage {
    /// None, and a line that says so, where the SDKs are not installed.
    pub fn new() -> Option<Self> {
        Self::with_environment(&[])
    }

    /// With variables laid over those of the test, which components inherit.
    pub fn with_environment(environment: &[(&str, &str)]) -> Option<Self> {
        for missing in [sdk("python/.made-of"), sdk("node/.made-of")] {
            if !missing.exists() {
                eprintln!("SKIPPED: there are no SDKs in target/sdk; `make sdk` fetches them, `make test` does so");
                return None;
            }
        }
        let mut device = Device::stopped();
        if is_root() && !reachable_for_nobody() {
            eprintln!("components run as root: nobody cannot reach {}", sdk("python").display());
            device.core.options = vec!["--component-default-user".into(), "root".into()];
        }
        device.core.environment = environment.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        device.core.start();
        Some(Self { device })
    }

    /// Deploys the roles together and returns when the deployment has succeeded.
    pub fn deploy(&self, roles: &[Role]) {
        let mut options = Vec::new();
        for role in roles {
            self.write_recipe(role);
            options.extend(["--merge".to_owned(), format!("{}={}", role.name, role.version)]);
        }
        self.device.succeed(&options.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Deploys from a folder of recipes and one of artifacts; returns when the deployment has succeeded.
    pub fn deploy_from(&self, recipes: &Path, artifacts: &Path, roots: &[&str]) {
        let [recipes, artifacts] = [recipes, artifacts].map(|path| path.to_str().unwrap());
        let mut words = vec!["deployment", "create", "--wait", "-r", recipes, "-a", artifacts];
        words.extend(roots.iter().flat_map(|root| ["--merge", root]));
        let output = self.device.core.cli(&words);
        assert!(output.status.success(), "{roots:?}: {output:?}\n{}", self.device.core.log());
    }

    /// Puts what `target/sdk` has at `path` into the component's working directory, before the component is deployed.
    pub fn lend(&self, path: &str, component: &str, name: &str) {
        let work = self.device.work(component);
        fs::create_dir_all(&work).unwrap();
        std::os::unix::fs::symlink(sdk(path), work.join(name)).unwrap();
    }

    /// What the component wrote so far.
    pub fn log(&self, name: &str) -> String {
        self.device.core.log_of(name)
    }

    /// Deploys the roles together, waits until each script has ended, and fails the test on any verdict that is not
    /// good.
    pub fn play(&self, roles: &[Role]) {
        self.deploy(roles);
        for role in roles {
            self.good_end(&role.name);
        }
    }

    /// Plays a script of Python as a client of the command line, which is no component. Its argument is the file with
    /// the token; `name` names its directory.
    pub fn play_local_client(&self, name: &str, script: &str) {
        fs::create_dir_all(self.device.work(name)).unwrap();
        let tokens = fs::read_dir(self.device.core.root().join("cli_ipc_info")).unwrap();
        let mut tokens = tokens.map(|file| file.unwrap().path());
        let token = tokens.find(|path| path.to_string_lossy().contains("user-")).unwrap();
        let mut client = Command::new(sdk("python/bin/python"));
        client.args(["-B", "-u"]).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(script)).arg(token);
        assert!(client.current_dir(self.device.work(name)).status().unwrap().success());
        self.good_end(name);
    }

    /// Waits until the script has ended; every verdict it wrote is good.
    pub fn good_end(&self, name: &str) {
        self.wait_for(name, ENDED);
        let verdicts = self.verdicts(name);
        let bad: Vec<String> =
            verdicts.iter().filter(|v| v["ok"] != true).map(|v| format!("  {}: {}", v["check"], v["detail"])).collect();
        assert!(verdicts.len() > 1, "{name} checked nothing\n{}", self.story(name));
        assert!(bad.is_empty(), "{name}:\n{}\n{}", bad.join("\n"), self.story(name));
        eprintln!("{name}: {} checks", verdicts.len() - 1);
    }

    /// Waits until the script has written this check; the verdict.
    pub fn wait_for(&self, name: &str, check: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let verdicts = self.verdicts(name);
            if let Some(verdict) = verdicts.into_iter().rev().find(|verdict| verdict["check"] == check) {
                return verdict;
            }
            assert!(Instant::now() < deadline, "{name} never came to \"{check}\"\n{}", self.story(name));
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Whether components can be paused; a line says why not.
    pub fn has_freezer(&self) -> bool {
        let isolation = self.device.core.json(&["status"])["isolation"].to_string();
        let freezer = isolation.contains("control groups");
        if !freezer {
            eprintln!("SKIPPED in part: nothing is frozen, for components are not in control groups here: {isolation}");
        }
        freezer
    }

    /// Tells a script that waits with `verdict.wait_for_cue`.
    pub fn cue(&self, name: &str, cue: &str) {
        fs::write(self.device.work(name).join(format!("cue-{cue}")), "").unwrap();
    }

    pub fn verdicts(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.device.work(name).join("verdicts")).unwrap_or_default();
        // The last line may still be half written.
        text.split_inclusive('\n').filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// How many operations answered as they should, once the script has ended.
    pub fn good_operations(&self, name: &str) -> usize {
        self.wait_for(name, ENDED);
        let is_operation =
            |verdict: &Value| verdict["check"].as_str().is_some_and(|check| check.starts_with("operation "));
        self.verdicts(name).iter().filter(|verdict| is_operation(verdict) && verdict["ok"] == true).count()
    }

    /// What the component wrote and what the daemon wrote, for failure messages.
    pub fn story(&self, name: &str) -> String {
        let log = self.log(name);
        let checks: Vec<String> = self.verdicts(name).iter().map(|v| v["check"].to_string()).collect();
        format!("--- checks\n{}\n--- {name}.log\n{log}\n{}", checks.join("\n"), self.device.core.log())
    }

    fn write_recipe(&self, role: &Role) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(&role.script);
        let interpreter = match role.language {
            Language::Python => format!("'{}' -B -u", sdk("python/bin/python").display()),
            Language::Node => "node".to_owned(),
        };
        let run = format!("exec {interpreter} '{}' {}", script.display(), role.arguments);
        let mut lifecycle = json!({"Setenv": {"NODE_PATH": sdk("node/node_modules")}, role.step: {"Script": run}});
        lay_over(&mut lifecycle, &role.lifecycle);
        let mut fields = json!({"ComponentConfiguration": {"DefaultConfiguration": role.configuration}});
        lay_over(&mut fields, &role.recipe);
        self.device.recipe(&role.name, &role.version, &lifecycle, &fields);
    }
}

fn lay_over(fields: &mut Value, more: &Value) {
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
}

/// What `make sdk` has fetched.
pub fn sdk(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/sdk").join(path)
}

/// Whether the user of the components, without any group, comes to the SDK, its interpreter and the scripts.
fn reachable_for_nobody() -> bool {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
    command.arg(sdk("python/bin/python")).arg("-c").arg("import awsiot, sys; open(sys.argv[1])");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/verdict.py"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The last verdict of every script.
const ENDED: &str = "ended";
