//! Real processes in real jails: under a keeper always, in control groups where the machine lets us.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use greengrass::base::log::{LogSettings, Logs};
use greengrass::service::supervisor::jail::{
    CgroupUse, Cgroups, Children, Exit, Jail, JailError, JailSettings, RunAs, StepOrder,
};
use greengrass::store::paths::Paths;
use greengrass::sys;
use greengrass::wire::lifecycle::StepName;
use greengrass::wire::name::{ComponentName, ComponentVersion};
use greengrass::wire::run_with::{PosixUser, SystemResourceLimits};
use greengrass::wire::state::ComponentState;
use tempfile::TempDir;

const GRACE: Duration = Duration::from_secs(5);
/// How long anything may take before a test calls it hung. Generous: a loaded machine is slow, not wrong.
const PATIENCE: Duration = Duration::from_secs(180);
/// For what ignores SIGTERM: a test need not wait as long as a device does.
const SHORT: Duration = Duration::from_millis(100);

/// A jail over a root of its own.
struct Rig {
    root: PathBuf,
    /// Removed at the end, unless it is someone else's.
    _directory: Option<TempDir>,
    jail: Jail,
    group: PathBuf,
}

impl Rig {
    fn new(cgroup_use: CgroupUse) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Other users must find their way in.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut rig = Self::at(directory.path(), cgroup_use, Children::Shared);
        rig._directory = Some(directory);
        rig
    }

    fn at(root: &Path, cgroup_use: CgroupUse, children: Children) -> Self {
        Self::kept_by(vec![env!("CARGO_BIN_EXE_greengrass").into(), "keeper".into()], root, cgroup_use, children)
    }

    fn kept_by(keeper: Vec<OsString>, root: &Path, cgroup_use: CgroupUse, children: Children) -> Self {
        let paths = Paths::new(root.into());
        for (directory, _) in paths.directories() {
            fs::create_dir_all(directory).unwrap();
        }
        let parent = format!("gg-test-{}", root.file_name().unwrap().to_string_lossy().replace('.', ""));
        let settings =
            JailSettings { cgroup_parent: parent.clone(), cgroup_use, keeper, children, ..JailSettings::default() };
        let logs = Logs::new(LogSettings::in_directory(paths.logs()));
        let jail = Jail::new(&paths, settings, logs).unwrap();
        Self { jail, group: parent.into(), root: root.into(), _directory: None }
    }

    /// One per means this machine gives; says which are left out.
    fn all() -> Vec<Self> {
        let grouped = Self::new(CgroupUse::WherePossible);
        let keeper = Self::new(CgroupUse::Never);
        if grouped.jail.means().cgroups == Cgroups::None {
            eprintln!("SKIPPED with control groups: {}", grouped.jail.means());
            return vec![keeper];
        }
        vec![grouped, keeper]
    }

    async fn run(&self, script: &str) -> Exit {
        self.jail.spawn(&order("c", script)).unwrap().wait().await
    }

    fn work(&self, file: &str) -> PathBuf {
        self.root.join("work/c").join(file)
    }

    fn log(&self, component: &str) -> String {
        let mut files: Vec<_> = fs::read_dir(self.root.join("logs"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(component))
            .collect();
        files.sort();
        files.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    /// The pids a script wrote, once there are so many.
    async fn pids(&self, file: &str, count: usize) -> Vec<i32> {
        eventually(|| {
            let text = fs::read_to_string(self.work(file)).unwrap_or_default();
            let pids: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
            (pids.len() >= count && text.ends_with('\n')).then_some(pids)
        })
        .await
    }

    async fn end(&self, grace: Duration) {
        self.jail.end_all(&name("c"), grace).await;
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.jail.remove(&name("c")).unwrap();
        for hierarchy in ["", "freezer", "memory", "cpu", "cpu,cpuacct", "unified"] {
            let group = PathBuf::from("/sys/fs/cgroup").join(hierarchy).join(&self.group);
            if group.exists() {
                fs::remove_dir(&group).unwrap();
            }
        }
    }
}

fn name(text: &str) -> ComponentName {
    ComponentName::parse(text).unwrap()
}

fn order(component: &str, script: &str) -> StepOrder {
    StepOrder {
        component: name(component),
        version: ComponentVersion::parse("1.0.0").unwrap(),
        step: StepName::Run,
        script: script.into(),
        shell: "sh".into(),
        privileged: true,
        user: None,
        limits: SystemResourceLimits::default(),
        environment: BTreeMap::new(),
        state: ComponentState::Running,
    }
}

/// Looks again until there is something; the test runner's own time limit is the only one.
async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "it never came true");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn lives(pid: i32) -> bool {
    !matches!(sys::process::state(pid), None | Some('Z' | 'X'))
}

/// Not even as a zombie.
fn exists(pid: i32) -> bool {
    sys::process::state(pid).is_some()
}

#[tokio::test]
async fn script_tells_its_exit_code_or_its_signal() {
    for rig in Rig::all() {
        assert_eq!(rig.run("exit 0").await, Exit::Code(0));
        assert_eq!(rig.run("exit 42").await, Exit::Code(42));
        assert_eq!(rig.run("kill -9 $$").await, Exit::Signal(9));
        assert_eq!(rig.run("kill -TERM $$; sleep 60").await, Exit::Signal(15));
        rig.end(GRACE).await;
    }
}

#[tokio::test]
async fn script_gets_a_clean_process() {
    for rig in Rig::all() {
        // The shell reads its own status: while it waits for a child it blocks signals itself.
        let script = "pwd; readlink /proc/self/fd/0; ls /proc/self/fd | wc -w; umask; \
                      while read -r line; do case $line in Sig*) echo \"$line\";; esac; done < /proc/$$/status";
        assert!(rig.run(script).await.success());
        let log = rig.log("c");
        let work = rig.root.join("work/c");
        assert!(log.contains(&format!("stdout. {}.", work.display())), "{log}");
        assert!(log.contains("stdout. /dev/null."), "{log}");
        // 0, 1, 2 and the directory `ls` reads.
        assert!(log.contains("stdout. 4."), "{log}");
        assert!(log.contains("stdout. 0022."), "{log}");
        assert!(log.contains("SigBlk:\t0000000000000000"), "{log}");
        // 32 and 33 belong to the C library, which lets nobody change them.
        let ignored = log.split("SigIgn:\t").nth(1).and_then(|rest| u64::from_str_radix(&rest[..16], 16).ok());
        assert_eq!(ignored.map(|set| set & !0x1_8000_0000), Some(0), "{log}");
        assert_eq!(fs::metadata(work).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[tokio::test]
async fn lines_carry_their_stream_script_and_state() {
    for rig in Rig::all() {
        let script = "echo out; while [ ! -e go ]; do sleep 0.01; done; echo err >&2; printf last";
        let running = rig.jail.spawn(&order("c", script)).unwrap();
        eventually(|| rig.log("c").contains("out").then_some(())).await;
        rig.jail.note_state(&name("c"), ComponentState::Stopping);
        fs::write(rig.work("go"), "").unwrap();
        assert!(running.wait().await.success());
        let log = rig.log("c");
        let contexts = "{scriptName=services.c.lifecycle.Run.Script, serviceName=c, currentState=";
        assert!(log.contains(&format!("[INFO] (Copier) c: stdout. out. {contexts}RUNNING}}")), "{log}");
        assert!(log.contains(&format!("[WARN] (Copier) c: stderr. err. {contexts}STOPPING}}")), "{log}");
        assert!(log.contains("stdout. last. "), "{log}");
    }
}

#[tokio::test]
async fn environment_of_the_order_wins() {
    for rig in Rig::all() {
        let mut order = order("c", r#"echo "$GREETING from $USER in $PATH""#);
        order.environment = [("GREETING", "hello"), ("USER", "me")].map(|(k, v)| (k.into(), v.into())).into();
        rig.jail.spawn(&order).unwrap().wait().await;
        let log = rig.log("c");
        assert!(log.contains("stdout. hello from me in ") && log.contains("/usr/local/sbin"), "{log}");
    }
}

#[tokio::test]
async fn shell_that_is_missing_is_told_at_once() {
    for rig in Rig::all() {
        let mut order = order("c", "true");
        order.shell = "/no-such-shell".into();
        let error = rig.jail.spawn(&order).unwrap_err();
        let JailError::Start { shell, cause } = error else { panic!("{error}") };
        assert_eq!((shell.as_str(), cause.kind()), ("/no-such-shell", std::io::ErrorKind::NotFound));
        rig.end(GRACE).await;
    }
}

#[tokio::test]
async fn script_that_cannot_be_an_argument_is_refused() {
    for rig in Rig::all() {
        for script in ["echo \0", &"x".repeat(200 * 1024)] {
            let error = rig.jail.spawn(&order("c", script)).unwrap_err();
            assert!(matches!(error, JailError::Start { .. }), "{error}");
        }
        rig.end(GRACE).await;
    }
}

#[tokio::test]
async fn what_forks_away_ends_with_its_component() {
    // Each leaves the script in its own way; the second is a daemon by the book, without any environment.
    let script = "sleep 1000 & echo $! > one
        (setsid env -i sh -c '(sleep 1000 & echo $! > two) &' &)
        trap '' TERM; sh -c \"trap '' TERM HUP INT; echo \\$\\$ > three; while :; do sleep 1000; done\"";
    for rig in Rig::all() {
        let running = rig.jail.spawn(&order("c", script)).unwrap();
        let mut pids = vec![running.pid];
        for file in ["one", "two", "three"] {
            pids.extend(rig.pids(file, 1).await);
        }
        assert!(pids.iter().all(|pid| lives(*pid)));
        rig.end(SHORT).await;
        for pid in &pids {
            assert!(!lives(*pid), "{pid} lives with {}", rig.jail.means());
        }
        assert_eq!(running.wait().await, Exit::Signal(9));
        assert!(!exists(pids[0]), "the script is a zombie");
    }
}

#[tokio::test]
async fn daemon_left_by_a_startup_script_lives_until_the_end() {
    for rig in Rig::all() {
        let mut order = order(
            "c",
            "(setsid sh -c 'echo $$ > pid; while [ ! -e go ]; do sleep 0.01; done; echo late; sleep 1000' &)",
        );
        order.step = StepName::Startup;
        // The daemon holds the pipes: the exit is told all the same.
        assert!(rig.jail.spawn(&order).unwrap().wait().await.success());
        let pid = rig.pids("pid", 1).await[0];
        assert!(lives(pid));
        fs::write(rig.work("go"), "").unwrap();
        eventually(|| rig.log("c").contains("stdout. late. ").then_some(())).await;
        rig.end(GRACE).await;
        assert!(!lives(pid));
    }
}

#[tokio::test]
async fn process_that_heeds_sigterm_gets_its_time() {
    for rig in Rig::all() {
        let script = "trap 'echo goodbye; exit 7' TERM; echo $$ > pid; while :; do sleep 0.01; done";
        let running = rig.jail.spawn(&order("c", script)).unwrap();
        rig.pids("pid", 1).await;
        rig.end(Duration::from_secs(60)).await;
        assert_eq!(running.wait().await, Exit::Code(7));
        assert!(rig.log("c").contains("stdout. goodbye. "));
    }
}

#[tokio::test]
async fn fork_bomb_ends() {
    // Up to 200 processes, each ignoring SIGTERM and forking on.
    let script = "trap '' TERM
        cat > bomb <<'EOF'
trap '' TERM
[ \"$(ls seen | wc -l)\" -lt 200 ] || { sleep 1000; exit; }
: > seen/$$
sh bomb & sh bomb & wait
EOF
        mkdir seen; sh bomb";
    for rig in Rig::all() {
        let running = rig.jail.spawn(&order("c", script)).unwrap();
        eventually(|| (fs::read_dir(rig.work("seen")).map_or(0, Iterator::count) >= 50).then_some(())).await;
        rig.end(SHORT).await;
        running.wait().await;
        for entry in fs::read_dir(rig.work("seen")).unwrap() {
            let pid = entry.unwrap().file_name().to_string_lossy().parse().unwrap();
            assert!(!lives(pid));
        }
    }
}

#[tokio::test]
async fn end_step_leaves_other_steps_alone() {
    for rig in Rig::all() {
        let stays = rig.jail.spawn(&order("c", "sleep 1000")).unwrap();
        let mut shutdown = order("c", "trap '' TERM; echo $$ > deaf; while :; do sleep 1000; done");
        shutdown.step = StepName::Shutdown;
        let hangs = rig.jail.spawn(&shutdown).unwrap();
        let id = hangs.id;
        rig.pids("deaf", 1).await;
        rig.jail.end_step(&name("c"), id, SHORT).await;
        assert_eq!(hangs.wait().await, Exit::Signal(9));
        assert!(lives(stays.pid));
        rig.end(GRACE).await;
        assert_eq!(stays.wait().await, Exit::Signal(15));
    }
}

#[tokio::test]
async fn twenty_writers_lose_and_tear_no_line() {
    const LINES: usize = 10_000;
    for rig in Rig::all() {
        // `echo` of a shell writes each line at once, so whatever is torn, we tore.
        let script = format!(
            "for w in 0 1 2 3 4 5 6 7 8 9; do for s in 1 2; do
               ( i=0; while [ $i -lt {} ]; do echo $w-$s-$i-end >&$s; i=$((i + 1)); done ) &
             done; done; wait",
            LINES / 20
        );
        assert!(rig.run(&script).await.success());
        let mut seen = std::collections::BTreeSet::new();
        for line in rig.log("c").lines() {
            let (_, rest) = line.split_once("(Copier) c: std").expect("a whole line");
            let message = rest.split(". ").nth(1).unwrap();
            assert!(message.ends_with("-end") && line.ends_with('}'), "{line}");
            assert!(seen.insert(message.to_owned()), "{message} twice");
        }
        assert_eq!(seen.len(), LINES);
    }
}

#[tokio::test]
async fn flood_is_logged_whole_and_within_the_limits() {
    for rig in Rig::all() {
        assert!(rig.run("head -c 12000000 /dev/zero | tr '\\0' x; echo; echo done").await.success());
        let files: Vec<_> = fs::read_dir(rig.root.join("logs")).unwrap().flatten().collect();
        let total: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
        assert!(files.len() > 5 && total <= 10_240 * 1024, "{} files, {total} bytes", files.len());
        assert!(files.iter().all(|file| file.metadata().unwrap().len() <= 1024 * 1024));
        let last = fs::read_to_string(rig.root.join("logs/c.log")).unwrap();
        assert!(last.contains("continues=true") && last.contains("stdout. done. "));
    }
}

#[tokio::test]
async fn keeper_that_is_killed_takes_the_script_along() {
    let rig = Rig::new(CgroupUse::Never);
    let running = rig.jail.spawn(&order("c", "exec sleep 1000")).unwrap();
    let pid = running.pid;
    let keeper = parent_of(pid);
    assert!(sys::signal::send(keeper, sys::signal::Send::Kill).unwrap());
    assert_eq!(running.wait().await, Exit::Signal(9));
    eventually(|| (!lives(pid)).then_some(())).await;
    rig.end(GRACE).await;
}

#[tokio::test]
async fn component_that_stops_its_keeper_still_ends() {
    let rig = Rig::new(CgroupUse::Never);
    let running = rig.jail.spawn(&order("c", "kill -STOP $PPID; echo $$ > pid; sleep 1000")).unwrap();
    rig.pids("pid", 1).await;
    rig.end(GRACE).await;
    assert!(!lives(running.pid));
}

/// Run in a process of its own by the tests below, which kill it: does nothing when the test runner calls it.
#[tokio::test]
async fn helper_daemon() {
    let (Ok(root), Ok(means)) = (std::env::var("JAIL_TEST_ROOT"), std::env::var("JAIL_TEST_MEANS")) else { return };
    if means == "mute keeper" {
        let keeper = [std::env::current_exe().unwrap().into(), "--exact".into(), "helper_keeper".into()];
        let rig = Rig::kept_by(keeper.to_vec(), Path::new(&root), CgroupUse::Never, Children::AllOurs);
        rig.jail.sweep().await.unwrap();
        let environment = BTreeMap::from([("JAIL_TEST_MUTE".into(), "yes".into())]);
        let refused = rig.jail.spawn(&StepOrder { environment, ..order("c", "true") });
        assert!(matches!(refused, Err(JailError::StartKeeper { .. })), "{refused:?}");
        return std::future::pending().await;
    }
    let cgroup_use = if means == "groups" { CgroupUse::WherePossible } else { CgroupUse::Never };
    let rig = Rig::at(Path::new(&root), cgroup_use, Children::AllOurs);
    rig.jail.sweep().await.unwrap();
    let script = "trap '' TERM HUP; echo $$ > one; (setsid env -i sh -c \"trap '' TERM; echo \\$\\$ > two; while :; do sleep 1; done\" &)
        while :; do sleep 1; done";
    let running = rig.jail.spawn(&order("c", script)).unwrap();
    fs::write(rig.work("begun"), "").unwrap();
    running.wait().await;
    fs::write(rig.work("told"), "").unwrap();
    std::future::pending::<()>().await;
}

/// A keeper that has begun a script and dies before it says so.
#[test]
fn helper_keeper() {
    if std::env::var("JAIL_TEST_MUTE").is_err() {
        return;
    }
    let numbers = std::env::args().filter_map(|word| word.parse().ok());
    // Held until the end, and not handed on.
    let _ours: Vec<_> = numbers.map(|number| sys::spawn::inherited(number).unwrap()).collect();
    let script = "echo $$ > two; exec sleep 1000";
    Command::new("setsid").args(["sh", "-c", script]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !fs::read("two").is_ok_and(|two| two.ends_with(b"\n")) {
        std::thread::sleep(SHORT / 10);
    }
    std::process::abort();
}

fn helper(root: &Path, means: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "helper_daemon"])
        .env("JAIL_TEST_ROOT", root)
        .env("JAIL_TEST_MEANS", means)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn killed_daemon_leaves_nothing_behind() {
    for rig in Rig::all() {
        let grouped = rig.jail.means().cgroups != Cgroups::None;
        let mut daemon = helper(&rig.root, if grouped { "groups" } else { "keeper" });
        let pids = [rig.pids("one", 1).await[0], rig.pids("two", 1).await[0]];
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        rig.jail.sweep().await.unwrap();
        for pid in pids {
            assert!(!lives(pid), "{pid} lives with {}", rig.jail.means());
        }
    }
}

#[tokio::test]
async fn daemon_ends_what_a_killed_keeper_left() {
    let rig = Rig::new(CgroupUse::Never);
    let mut daemon = helper(&rig.root, "keeper");
    let pids = [rig.pids("one", 1).await[0], rig.pids("two", 1).await[0]];
    eventually(|| rig.work("begun").exists().then_some(())).await;
    assert!(sys::signal::send(parent_of(pids[0]), sys::signal::Send::Kill).unwrap());
    eventually(|| rig.work("told").exists().then_some(())).await;
    for pid in pids {
        assert!(!exists(pid), "{pid}");
    }
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

#[tokio::test]
async fn daemon_ends_what_a_keeper_left_that_never_spoke() {
    let rig = Rig::new(CgroupUse::Never);
    let mut daemon = helper(&rig.root, "mute keeper");
    let pid = rig.pids("two", 1).await[0];
    eventually(|| (!exists(pid)).then_some(())).await;
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

fn parent_of(pid: i32) -> i32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("PPid:\t")).unwrap().parse().unwrap()
}

#[tokio::test]
async fn component_that_is_frozen_stands_still_and_still_ends() {
    for rig in Rig::all() {
        let script = "while :; do echo x >> count; sleep 0.005; done";
        let running = rig.jail.spawn(&order("c", script)).unwrap();
        let count = || fs::metadata(rig.work("count")).map_or(0, |file| file.len());
        eventually(|| (count() > 4).then_some(())).await;
        if rig.jail.means().cgroups == Cgroups::None {
            assert!(matches!(rig.jail.freeze(&name("c")), Err(JailError::NoControlGroups)));
            rig.end(GRACE).await;
            continue;
        }
        rig.jail.freeze(&name("c")).unwrap();
        // Freezing takes a moment; then nothing moves.
        let mut before = count();
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if count() == before {
                break;
            }
            before = count();
        }
        rig.jail.thaw(&name("c")).unwrap();
        eventually(|| (count() > before).then_some(())).await;
        rig.jail.freeze(&name("c")).unwrap();
        rig.end(GRACE).await;
        assert!(!running.wait().await.success());
    }
}

#[tokio::test]
async fn limits_are_in_the_groups() {
    for rig in Rig::all() {
        let limits = SystemResourceLimits { memory: Some(65_536), cpus: Some(0.5) };
        let mut order = order("c", "sleep 1000");
        order.limits = limits;
        let running = rig.jail.spawn(&order).unwrap();
        match rig.jail.means().cgroups {
            Cgroups::None => {
                assert!(matches!(rig.jail.set_limits(&name("c"), limits), Err(JailError::NoControlGroups)));
            }
            Cgroups::V1 => {
                let read = |path: &str| {
                    fs::read_to_string(format!("/sys/fs/cgroup/{}", path.replace('@', &rig.group.to_string_lossy())))
                        .unwrap()
                };
                assert_eq!(read("memory/@/c/memory.limit_in_bytes").trim(), "67108864");
                assert_eq!(read("cpu/@/c/cpu.cfs_quota_us").trim(), "50000");
                assert!(read("memory/@/c/cgroup.procs").contains(&running.pid.to_string()));
                rig.jail.set_limits(&name("c"), SystemResourceLimits { memory: None, cpus: Some(2.0) }).unwrap();
                assert!(read("memory/@/c/memory.limit_in_bytes").trim().len() > 15);
                assert_eq!(read("cpu/@/c/cpu.cfs_quota_us").trim(), "200000");
            }
            Cgroups::V2 => {
                let read = |file: &str| {
                    fs::read_to_string(PathBuf::from("/sys/fs/cgroup").join(&rig.group).join("c").join(file)).unwrap()
                };
                assert_eq!(read("memory.max").trim(), "67108864");
                assert_eq!(read("cpu.max").trim(), "50000 100000");
            }
        }
        rig.end(GRACE).await;
    }
}

#[tokio::test]
async fn root_switches_to_the_user_of_run_with() {
    for rig in Rig::all() {
        if rig.jail.means().run_as == RunAs::SameUser {
            eprintln!("SKIPPED: switching users needs root");
            return;
        }
        let artifacts = rig.root.join("packages/artifacts/c/1.0.0");
        fs::create_dir_all(artifacts.join("below")).unwrap();
        fs::write(artifacts.join("below/file"), "").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", artifacts.join("link")).unwrap();
        let mut order = order("c", "id -un; id -u; id -G; echo $HOME; touch mine; stat -c %U . mine");
        order.privileged = false;
        assert!(matches!(rig.jail.spawn(&order).unwrap_err(), JailError::MissingDefaultRunWith));
        order.user = Some(PosixUser::parse("no-such-user").unwrap());
        assert!(matches!(rig.jail.spawn(&order).unwrap_err(), JailError::Account { .. }));
        order.user = Some(PosixUser::parse("nobody").unwrap());
        assert!(rig.jail.spawn(&order).unwrap().wait().await.success());
        let log = rig.log("c");
        assert!(log.contains("stdout. nobody. ") && log.contains("stdout. 65534. "), "{log}");
        assert!(!log.contains("stdout. root. ") && !log.contains("stdout. 0. "), "{log}");
        use std::os::unix::fs::MetadataExt;
        assert_eq!(fs::metadata(artifacts.join("below/file")).unwrap().uid(), 65534);
        assert_eq!(fs::metadata(&artifacts).unwrap().uid(), 0);
        assert_eq!(fs::metadata("/etc/passwd").unwrap().uid(), 0);
        rig.end(GRACE).await;
    }
}

#[tokio::test]
async fn artifacts_change_hands_ahead_and_once() {
    use std::os::unix::fs::MetadataExt;
    for rig in Rig::all() {
        if rig.jail.means().run_as == RunAs::SameUser {
            assert!(rig.jail.unprepared(&order("c", "true")).is_none(), "nothing changes hands");
            eprintln!("SKIPPED: switching users needs root");
            return;
        }
        let file = rig.root.join("packages/artifacts-unarchived/c/1.0.0/below/file");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "").unwrap();
        let mut order = order("c", "true");
        order.privileged = false;
        order.user = Some(PosixUser::parse("nobody").unwrap());
        rig.jail.unprepared(&order).unwrap().prepare().await.unwrap();
        assert_eq!(fs::metadata(&file).unwrap().uid(), 65534);
        assert_eq!(fs::metadata(rig.root.join("work/c")).unwrap().uid(), 65534);
        assert!(rig.jail.unprepared(&order).is_none());
        fs::remove_dir(rig.root.join("work/c")).unwrap();
        order.script = "touch mine".into();
        assert!(rig.jail.spawn(&order).unwrap().wait().await.success(), "a directory made again is given again");
        order.version = ComponentVersion::parse("2.0.0").unwrap();
        assert!(rig.jail.unprepared(&order).is_some(), "another version is another ground");
        fs::remove_dir_all(rig.root.join("work")).unwrap();
        fs::write(rig.root.join("work"), "in the way").unwrap();
        let refused = rig.jail.unprepared(&order).unwrap().prepare().await.unwrap_err();
        assert!(matches!(refused, JailError::Ground { .. }), "{refused}");
    }
}

/// The directories of the rig's own group; the one that holds its processes together first.
fn groups_of(rig: &Rig) -> Vec<PathBuf> {
    let mounts = ["freezer", "", "unified", "memory", "cpu", "cpu,cpuacct"];
    let all = mounts.map(|mount| PathBuf::from("/sys/fs/cgroup").join(mount).join(&rig.group));
    all.into_iter().filter(|group| group.exists()).collect()
}

#[tokio::test]
async fn group_that_someone_removed_is_made_again() {
    let rig = Rig::new(CgroupUse::WherePossible);
    if rig.jail.means().cgroups == Cgroups::None {
        return eprintln!("SKIPPED: {}", rig.jail.means());
    }
    for group in groups_of(&rig) {
        // On a machine that has several names for one mount it is gone already.
        let _ = fs::remove_dir(group);
    }
    assert!(groups_of(&rig).is_empty());
    assert!(rig.run("true").await.success());
    rig.end(GRACE).await;
}

#[tokio::test]
async fn script_that_leaves_its_group_still_ends() {
    let rig = Rig::new(CgroupUse::WherePossible);
    if rig.jail.means().cgroups == Cgroups::None {
        return eprintln!("SKIPPED: {}", rig.jail.means());
    }
    let outside = groups_of(&rig)[0].parent().unwrap().join("cgroup.procs");
    let script = format!("echo $$ >{} && echo $$ >out && exec sleep 1000", outside.display());
    let running = rig.jail.spawn(&order("c", &script)).unwrap();
    let pid = rig.pids("out", 1).await[0];
    rig.end(GRACE).await;
    assert_eq!(running.wait().await, Exit::Signal(9));
    assert!(!lives(pid));
}

/// Takes memory until it is killed: `tail` keeps what has no line end.
const GLUTTON: &str = "tail /dev/zero";

#[tokio::test]
async fn process_killed_for_its_memory_is_told_from_one_that_was_killed() {
    for rig in Rig::all() {
        if !counts_memory(&rig) {
            println!("SKIPPED: memory is not counted: {}", rig.jail.means());
            continue;
        }
        let mut order = order("c", &format!("exec {GLUTTON}"));
        order.limits = SystemResourceLimits { memory: Some(16_384), cpus: None };
        assert_eq!(rig.jail.spawn(&order).unwrap().wait().await, Exit::OutOfMemory { limit: Some(16_384) });
        // The shell lives and says so of its child.
        order.script = format!("{GLUTTON}; exit $?");
        assert_eq!(rig.jail.spawn(&order).unwrap().wait().await, Exit::OutOfMemory { limit: Some(16_384) });
        // Once does not mean always.
        order.script = "kill -9 $$".into();
        assert_eq!(rig.jail.spawn(&order).unwrap().wait().await, Exit::Signal(9));
        rig.end(GRACE).await;
    }
}

fn counts_memory(rig: &Rig) -> bool {
    let means = rig.jail.means();
    means.cgroups != Cgroups::None && !means.lacks.iter().any(|lack| lack.contains("memory"))
}
