//! The daemon of `greengrass dev`: a child process on a root directory of its own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{DevError, Options, Screen};
use crate::store::paths::Paths;
use crate::store::scratch;
use crate::sys::{account, process, signal, spawn};

/// A running daemon.
#[derive(Debug)]
pub struct Core {
    pid: i32,
    paths: Paths,
}

impl Core {
    /// How long the daemon may take to open its doors.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Starts the daemon and returns when it has opened its doors.
    pub fn start(options: &Options, screen: &Screen) -> Result<Self, DevError> {
        let root = std::path::absolute(&options.root).map_err(DevError::Start)?;
        prepare(&root, options.fresh)?;
        let user = options.component_default_user.clone().or_else(|| default_user(&root));
        screen.say(&format!("core      {}", root.display()));
        if let Some(user) = &user {
            screen.say(&format!("run as    {user}, in cgroups; RequiresPrivilege steps as root"));
        } else {
            screen.say("run as    you: without root there are no run-as users, cgroups or resource limits");
        }
        let (ready, name) = notify_socket().map_err(DevError::Start)?;
        let pid = daemon(&root, user.as_deref(), name).map_err(DevError::Start)?;
        let core = Self { pid, paths: Paths::new(root) };
        core.wait_until_ready(&ready)?;
        Ok(core)
    }

    pub fn socket(&self) -> PathBuf {
        self.paths.control_socket()
    }

    /// Asks the daemon to stop everything.
    pub fn terminate(&self) -> Result<(), DevError> {
        signal::send(self.pid, signal::Send::Terminate).map_err(DevError::Stop)?;
        Ok(())
    }

    /// Asks again, in case nobody did, and waits until the daemon has ended.
    pub fn stop(self) -> Result<(), DevError> {
        self.terminate()?;
        while process::reap(self.pid).map_err(DevError::Stop)?.is_none() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn wait_until_ready(&self, ready: &UnixDatagram) -> Result<(), DevError> {
        let deadline = Instant::now() + Self::PATIENCE;
        let mut message = [0; 64];
        while ready.recv(&mut message).is_err() {
            if process::reap(self.pid).map_err(DevError::Start)?.is_some() {
                return Err(DevError::NotReady);
            }
            if Instant::now() > deadline {
                let _ = signal::send(self.pid, signal::Send::Kill);
                return Err(DevError::Slow { timeout: Self::PATIENCE });
            }
        }
        Ok(())
    }
}

/// Makes the root directory; a fresh one only where nothing of anybody else's is lost.
fn prepare(root: &Path, fresh: bool) -> Result<(), DevError> {
    match scratch::prepare(root, if fresh { scratch::Content::Empty } else { scratch::Content::Keep }) {
        Ok(()) => Ok(()),
        Err(scratch::ScratchError::NotOurs { .. }) => Err(DevError::NotOurs { root: root.into() }),
        Err(cause) => Err(DevError::Fresh { root: root.into(), cause }),
    }
}

/// As root: `nobody` where that user can reach the root directory, otherwise root itself.
fn default_user(root: &Path) -> Option<String> {
    if !account::is_root() {
        return None;
    }
    let open = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|m| std::os::unix::fs::PermissionsExt::mode(&m.permissions()) & 0o001 != 0)
    };
    let reachable = root.ancestors().all(open) && account::resolve("nobody", None).is_ok();
    Some(if reachable { "nobody".into() } else { "root".into() })
}

/// A socket in the abstract namespace, read with short waits so that the child's end is noticed.
fn notify_socket() -> io::Result<(UnixDatagram, OsString)> {
    let name = format!("greengrass-dev-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    Ok((socket, format!("@{name}").into()))
}

fn daemon(root: &Path, user: Option<&str>, notify: OsString) -> io::Result<i32> {
    let mut arguments: Vec<OsString> = vec!["greengrassd".into(), "--root".into(), root.into()];
    // A core of its own beside the one that may run on this machine.
    arguments.extend(["--cgroup-parent".into(), format!("greengrass-dev-{}", std::process::id()).into()]);
    if let Some(user) = user {
        arguments.extend(["--component-default-user".into(), user.into()]);
    }
    let mut environment: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    environment.insert("NOTIFY_SOCKET".into(), notify);
    let null = || std::fs::File::options().read(true).write(true).open("/dev/null").map(OwnedFd::from);
    spawn::Spawn {
        program: std::env::current_exe()?.into_os_string(),
        arguments,
        environment,
        directory: std::env::current_dir()?,
        stdin: null()?,
        stdout: null()?,
        stderr: std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned()?,
        inherit: Vec::new(),
        account: None,
        cgroups: Vec::new(),
        // Ctrl-C reaches only us, and if we are killed the daemon must not stay behind.
        parent_death: Some(spawn::ParentDeath::Terminate),
        open_files: None,
        oom_score: None,
    }
    .start()
}
