//! A daemon under measurement: the binary itself on a fresh root, spoken to through its own command line.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::client::Door;

pub(crate) struct Core {
    binary: PathBuf,
    directory: TempDir,
    daemon: Option<Child>,
}

impl Core {
    pub(crate) fn new(binary: &Path) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("greengrass-bench-").tempdir()?;
        // As root, components run as another user and must reach their files.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        for folder in ["recipes", "artifacts"] {
            fs::create_dir(directory.path().join(folder))?;
        }
        Ok(Self { binary: binary.to_owned(), directory, daemon: None })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts the daemon; the time until it says that all doors are open and the control door takes a caller.
    pub(crate) fn start(&mut self) -> io::Result<Duration> {
        let notify = self.path("notify.socket");
        let _ = fs::remove_file(&notify);
        let ready = UnixDatagram::bind(&notify)?;
        ready.set_read_timeout(Some(PATIENCE))?;
        let errors = fs::OpenOptions::new().create(true).append(true).open(self.path("stderr"))?;
        let mut command = Command::new(&self.binary);
        command.arg("greengrassd").arg("--root").arg(self.path("root"));
        command.args(["--component-default-user", &default_user()?]);
        command.arg("--cgroup-parent").arg(format!("greengrass-bench-{}", std::process::id()));
        command.env("NOTIFY_SOCKET", &notify).stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let begun = Instant::now();
        self.daemon = Some(command.spawn()?);
        ready.recv(&mut [0; 256]).map_err(|error| self.explain("opens no doors", &error.to_string()))?;
        UnixStream::connect(self.path("root/control.socket"))?;
        Ok(begun.elapsed())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.daemon.as_ref().map_or(0, Child::id)
    }

    /// Asks the daemon to stop and waits for its end.
    pub(crate) fn stop(&mut self) -> io::Result<()> {
        if let Some(mut daemon) = self.daemon.take() {
            Command::new("kill").arg(daemon.id().to_string()).status()?;
            daemon.wait()?;
        }
        Ok(())
    }

    /// A recipe of one line that runs on every Linux.
    pub(crate) fn write_recipe(&self, name: &str, version: &str, run: &str) -> io::Result<()> {
        self.write_recipe_with(name, version, run, &json!({}))
    }

    fn write_recipe_with(&self, name: &str, version: &str, run: &str, configuration: &Value) -> io::Result<()> {
        let recipe = json!({
            "RecipeFormatVersion": "2020-01-25",
            "ComponentName": name,
            "ComponentVersion": version,
            "ComponentConfiguration": { "DefaultConfiguration": configuration },
            "Manifests": [{ "Platform": { "os": "linux" }, "Lifecycle": { "Run": run } }],
        });
        fs::write(self.path("recipes").join(format!("{name}-{version}.json")), recipe.to_string())
    }

    /// Deploys components (`name=version`) from the local folders; the time until the deployment has succeeded.
    pub(crate) fn deploy(&self, components: &[String]) -> io::Result<Duration> {
        let mut command = self.cli();
        command.args(["deployment", "create", "--wait"]);
        command.arg("--recipeDir").arg(self.path("recipes")).arg("--artifactDir").arg(self.path("artifacts"));
        for component in components {
            command.arg("--merge").arg(component);
        }
        let begun = Instant::now();
        let output = command.output()?;
        let taken = begun.elapsed();
        self.succeeded("greengrass-cli deployment create", &output)?;
        Ok(taken)
    }

    /// Deploys a component that may do everything these services (as policies name them) offer, and tells how it would
    /// reach the daemon.
    pub(crate) fn deploy_talker(&self, services: &[&str]) -> io::Result<Door> {
        const NAME: &str = "com.example.Talker";
        let policy = |service| {
            let policy = json!({"policyDescription": "all of it", "operations": ["*"], "resources": ["*"]});
            json!({ format!("{NAME}:{service}:1"): policy })
        };
        let access: Map<_, _> = services.iter().map(|&service| (service.to_owned(), policy(service))).collect();
        let tell = "echo \"$AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT\" >door.new
            echo \"$SVCUID\" >>door.new
            mv door.new door
            exec sleep 100000";
        self.write_recipe_with(NAME, "1.0.0", tell, &json!({ "accessControl": access }))?;
        self.deploy(&[format!("{NAME}=1.0.0")])?;
        let work = self.path("root/work").join(NAME);
        let begun = Instant::now();
        while !work.join("door").exists() && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
        let told = fs::read_to_string(work.join("door"))?;
        let [socket, token] = told.lines().collect::<Vec<_>>()[..] else {
            return Err(io::Error::other(format!("the component tells {told:?}, not its socket and its token")));
        };
        Ok(Door { socket: work.join(socket), token: token.to_owned() })
    }

    /// How many components are in this state.
    pub(crate) fn count(&self, state: &str) -> io::Result<usize> {
        let output = self.cli().args(["--output", "json", "component", "list"]).output()?;
        self.succeeded("greengrass-cli component list", &output)?;
        let answer: Value = serde_json::from_slice(&output.stdout)?;
        let components = answer["components"].as_array().map_or(&[][..], Vec::as_slice);
        Ok(components.iter().filter(|component| component["state"] == state).count())
    }

    fn cli(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("greengrass-cli").arg("--ggcRootPath").arg(self.path("root")).stdin(Stdio::null());
        command
    }

    fn succeeded(&self, what: &str, output: &Output) -> io::Result<()> {
        if output.status.success() {
            return Ok(());
        }
        Err(self.explain(what, &String::from_utf8_lossy(&output.stderr)))
    }

    fn explain(&self, what: &str, reason: &str) -> io::Error {
        let log = fs::read_to_string(self.path("root/logs/greengrass.log")).unwrap_or_default();
        let errors = fs::read_to_string(self.path("stderr")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().chain(errors.lines()).collect();
        let last = lines[lines.len().saturating_sub(20)..].join("\n");
        io::Error::other(format!("the daemon: {what}: {reason}\n{last}"))
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// As root, components run as `nobody`; otherwise as whoever measures.
fn default_user() -> io::Result<String> {
    let uid = fs::metadata("/proc/self")?.uid();
    Ok(if uid == 0 { "nobody".to_owned() } else { uid.to_string() })
}

/// After this, a daemon that says nothing is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
