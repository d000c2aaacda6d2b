//! A supervisor in a directory of its own, and words to say what shall run on it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use greengrass::base::log::{LogSettings, Logs};
use greengrass::service::supervisor::jail::{CgroupUse, Cgroups, Children, Jail, JailSettings};
use greengrass::service::supervisor::{
    self, Component, ComponentStatus, DesiredSet, Handle, Identity, RunWith, RunWithDefault, Settlement,
};
use greengrass::store::paths::Paths;
use greengrass::wire::lifecycle::{self, Lifecycle, SkipTest, Skipif, Step, StepName};
use greengrass::wire::name::{ComponentName, ComponentVersion};
use greengrass::wire::run_with::PosixUser;
use greengrass::wire::state::{ComponentState, DependencyType};

/// What hangs is stopped after this; no test comes near it.
const PATIENCE: Duration = Duration::from_secs(180);

pub struct Stage {
    pub handle: Handle,
    pub paths: Paths,
    diary: PathBuf,
    cgroups: CgroupUse,
}

/// Plays once in control groups, if this machine has them, and once under keepers.
pub fn on_every_stage(play: &impl AsyncFn(&Stage)) {
    for cgroups in [CgroupUse::WherePossible, CgroupUse::Never] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::time::timeout(PATIENCE, on_stage(cgroups, play)).await.expect("the play hangs");
        });
    }
}

async fn on_stage(cgroups: CgroupUse, play: &impl AsyncFn(&Stage)) {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::new(root.path().to_path_buf());
    for (directory, _) in paths.directories() {
        fs::create_dir_all(directory).unwrap();
    }
    let settings = JailSettings {
        cgroup_parent: format!("greengrass-test-{}-{}", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed)),
        cgroup_use: cgroups,
        keeper: vec![env!("CARGO_BIN_EXE_greengrass").into(), "keeper".into()],
        children: Children::Shared,
        ..JailSettings::default()
    };
    let jail = Jail::new(&paths, settings, Logs::new(LogSettings::in_directory(paths.logs()))).unwrap();
    if cgroups == CgroupUse::WherePossible && jail.means().cgroups == Cgroups::None {
        return println!("skipped: {}", jail.means());
    }
    jail.sweep().await.unwrap();
    let (handle, task) = supervisor::spawn(jail.clone(), &paths, Identity::default());
    let stage = Stage { handle, diary: root.path().join("diary"), paths, cgroups };
    fs::write(&stage.diary, "").unwrap();
    play(&stage).await;
    // A play may have shut it down itself.
    let _ = stage.handle.shut_down().await;
    task.await.unwrap();
    drop(stage);
    jail.leave();
}

impl Stage {
    pub async fn apply(&self, parts: &[Part]) {
        self.handle.apply(self.set(parts)).await.unwrap();
    }

    pub fn set(&self, parts: &[Part]) -> DesiredSet {
        // The daemon's own user by name: tests run as anyone.
        let own =
            format!("{}", fs::metadata("/proc/self").map(|found| std::os::unix::fs::MetadataExt::uid(&found)).unwrap());
        DesiredSet {
            components: parts.iter().map(|part| (name(&part.name), self.component(part))).collect(),
            environment: BTreeMap::new(),
            identity: Identity::default(),
            run_with_default: RunWithDefault {
                posix_user: Some(PosixUser::parse(&own).unwrap()),
                ..RunWithDefault::default()
            },
        }
    }

    pub fn component(&self, part: &Part) -> Component {
        let mut environment = part.variables.clone();
        environment.insert("DIARY".into(), self.diary.to_str().unwrap().into());
        Component {
            version: ComponentVersion::parse(&part.version).unwrap(),
            dependencies: part.needs.iter().map(|need| (name(need), DependencyType::Hard)).collect(),
            lifecycle: Arc::new(part.lifecycle()),
            environment,
            run_with: RunWith::default(),
        }
    }

    pub async fn settled(&self, tracked: &[&str]) -> Settlement {
        self.handle.settled(tracked.iter().map(|text| name(text)).collect()).await.unwrap()
    }

    pub async fn status(&self, who: &str) -> ComponentStatus {
        self.handle.components().await.unwrap().remove(&name(who)).unwrap()
    }

    pub async fn state(&self, who: &str) -> ComponentState {
        self.status(who).await.state
    }

    pub async fn until_state(&self, who: &str, wanted: ComponentState) -> ComponentState {
        let mut news = self.handle.news();
        while self.state(who).await != wanted {
            let _ = news.recv().await.unwrap();
        }
        wanted
    }

    pub async fn until_pid(&self, who: &str) {
        while self.status(who).await.pid.is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// What happened, one word per line.
    pub fn diary(&self) -> Vec<String> {
        fs::read_to_string(&self.diary).unwrap().lines().map(Into::into).collect()
    }

    /// A script's own word may come a moment after its process lives.
    pub async fn until_diary_has(&self, words: usize) {
        while self.diary().len() < words {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The text of a file in the component's working directory.
    pub fn work_file(&self, who: &str, file: &str) -> String {
        fs::read_to_string(self.paths.work(&name(who)).join(file)).unwrap().trim().into()
    }

    /// How many components are many here: keepers cost a process each.
    pub fn many(&self) -> usize {
        if self.cgroups == CgroupUse::Never { 50 } else { 200 }
    }
}

/// One component, in the making.
#[derive(Clone)]
pub struct Part {
    name: String,
    version: String,
    needs: Vec<String>,
    steps: BTreeMap<StepName, Step>,
    variables: BTreeMap<String, String>,
}

impl Part {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            version: "1.0.0".into(),
            needs: Vec::new(),
            steps: BTreeMap::new(),
            variables: BTreeMap::new(),
        }
    }

    pub fn version(mut self, version: &str) -> Self {
        self.version = version.into();
        self
    }

    pub fn needs(mut self, need: &str) -> Self {
        self.needs.push(need.into());
        self
    }

    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.variables.insert(key.into(), value.into());
        self
    }

    pub fn step(mut self, which: StepName, script: &str) -> Self {
        let step = Step {
            script: script.into(),
            requires_privilege: false,
            skipif: None,
            timeout: None,
            setenv: BTreeMap::new(),
        };
        self.steps.insert(which, step);
        self
    }

    pub fn limit(mut self, which: StepName, limit: Duration) -> Self {
        self.steps.get_mut(&which).unwrap().timeout = Some(limit);
        self
    }

    pub fn skip(mut self, which: StepName, condition: &str) -> Self {
        let (negated, rest) = condition.strip_prefix('!').map_or((false, condition), |rest| (true, rest));
        let test = match rest.split_once(' ').unwrap() {
            ("onpath", program) => SkipTest::OnPath(program.into()),
            (_, file) => SkipTest::Exists(file.into()),
        };
        self.steps.get_mut(&which).unwrap().skipif = Some(Skipif { negated, test });
        self
    }

    fn lifecycle(&self) -> Lifecycle {
        let step = |which| self.steps.get(&which).cloned().map(Ok);
        Lifecycle {
            bootstrap: self
                .steps
                .get(&StepName::Bootstrap)
                .map(|step| Ok(lifecycle::Bootstrap { step: step.clone(), on_rollback: false })),
            install: step(StepName::Install),
            startup: step(StepName::Startup),
            run: step(StepName::Run),
            shutdown: step(StepName::Shutdown),
            recover: step(StepName::Recover),
            uninstall: step(StepName::Uninstall),
            ..Lifecycle::default()
        }
    }
}

pub fn name(text: &str) -> ComponentName {
    ComponentName::parse(text).unwrap()
}

/// Whether a process with this number lives. An orphan's zombie waits for the init of the machine: tests share their
/// process with others and so adopt nobody; the daemon does.
pub fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
