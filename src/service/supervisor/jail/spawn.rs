//! Starts a step: ground, account, environment, channels, and the process itself in its means.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{oneshot, watch};

use super::environment::environment;
use super::keeper::{self, Keeper, Letter, News};
use super::output::{self, Sink, StateCell, Stream};
use super::{Book, Exit, Inner, Jail, JailError, Running, StepId, StepOrder, account, ground, reaper};
use crate::sys;
use crate::sys::account::Account;
use crate::sys::process::Ended;
use crate::sys::spawn::{ParentDeath, Spawn};
use crate::wire::name::ComponentName;

impl Jail {
    /// Starts a step; when this returns its shell runs. Blocks as long as that takes: a few milliseconds, if what is
    /// [`unprepared`](Self::unprepared) was prepared before.
    /// Call it on the main thread, inside the runtime.
    pub fn spawn(&self, order: &StepOrder) -> Result<Running, JailError> {
        let inner = &self.inner;
        let account = account::account_of(order, inner.means.run_as)?;
        let own = sys::account::own();
        let work = ground::prepare(inner, order, account.as_ref())?;
        let (id, state) = inner.enter_in_book(order, account.as_ref().map_or(own.uid, |account| account.uid));
        let (streams, stdout, stderr) = Streams::make()?;
        let plan = Spawn {
            program: OsString::new(),
            arguments: Vec::new(),
            environment: environment(std::env::vars_os(), &own, account.as_ref(), order),
            directory: work,
            stdin: nothing()?,
            stdout,
            stderr,
            inherit: Vec::new(),
            account: None,
            cgroups: Vec::new(),
            parent_death: None,
            open_files: None,
            // A daemon the OOM killer shall spare must not give that to its components.
            oom_score: sys::limit::oom_score().ok().filter(|score| *score < 0).map(|_| 0),
        };
        let (pid, ended) = match &inner.groups {
            Some(groups) => {
                let cage = groups.enter(&order.component, order.step, id, order.limits)?;
                let leaf = cage.leaf.clone();
                let started = start_in_groups(inner, plan, cage.doors, account, order);
                if started.is_err() {
                    // It is empty; should it stay, `remove` takes it along.
                    let _ = leaf.remove();
                }
                let pid = started?;
                (pid, Inner::watch_child(inner, &order.component, id, pid, leaf))
            }
            None => start_under_keeper(inner, plan, account, order, id)?,
        };
        let exit = pump_and_wait(inner, order, &state, streams, ended);
        Ok(Running { pid, id, exit })
    }
}

impl Inner {
    fn enter_in_book(&self, order: &StepOrder, user: u32) -> (StepId, StateCell) {
        let mut book = self.book();
        book.last_step += 1;
        let id = StepId(book.last_step);
        let entry = book.components.entry(order.component.clone()).or_default();
        entry.state.set(order.state);
        if !order.privileged || entry.user.is_none() {
            entry.user = Some(user);
        }
        (id, entry.state.clone())
    }

    /// Waits for a child of ours; its leaf goes with it unless it left others there.
    fn watch_child(
        inner: &Arc<Self>,
        name: &ComponentName,
        id: StepId,
        pid: i32,
        leaf: sys::cgroup::Group,
    ) -> oneshot::Receiver<Exit> {
        inner.book().note_script(name, id, pid);
        let (tell, ended) = oneshot::channel();
        let (inner, name) = (Arc::clone(inner), name.clone());
        let kills = inner.groups.as_ref().map_or(0, |groups| groups.memory_kills(&name));
        tokio::spawn(async move {
            let end = reaper::ended(pid).await;
            inner.book().forget_script(&name, id, pid);
            let _ = leaf.remove();
            let _ = tell.send(inner.explained(&name, end, kills));
        });
        ended
    }

    /// A process that was killed, or a shell that tells so of its child, when the kernel has killed one meanwhile.
    fn explained(&self, name: &ComponentName, end: Ended, kills_before: u64) -> Exit {
        match (&self.groups, end) {
            (Some(groups), Ended::Signal(9) | Ended::Code(SHELL_TELLS_KILLED))
                if groups.memory_kills(name) > kills_before =>
            {
                Exit::OutOfMemory { limit: groups.memory_limit(name) }
            }
            _ => end.into(),
        }
    }
}

impl Book {
    fn note_script(&mut self, name: &ComponentName, id: StepId, pid: i32) {
        self.known.insert(pid);
        self.components.entry(name.clone()).or_default().scripts.insert(id, pid);
    }

    fn forget_script(&mut self, name: &ComponentName, id: StepId, pid: i32) {
        self.known.remove(&pid);
        if let Some(entry) = self.components.get_mut(name) {
            entry.scripts.remove(&id);
        }
    }
}

fn start_in_groups(
    inner: &Inner,
    plan: Spawn,
    doors: Vec<OwnedFd>,
    account: Option<Account>,
    order: &StepOrder,
) -> Result<i32, JailError> {
    let plan = Spawn {
        program: OsString::from(&order.shell),
        arguments: ["-c", order.script.as_str()].map(OsString::from).into(),
        account,
        cgroups: doors,
        open_files: inner.open_files_before,
        // On another thread it would be told of that thread's end, which means nothing.
        parent_death: sys::process::on_main_thread().then_some(ParentDeath::Terminate),
        ..plan
    };
    plan.start().map_err(|cause| JailError::Start { shell: order.shell.clone(), cause })
}

/// Returns the script's pid and the promise of its end.
fn start_under_keeper(
    inner: &Arc<Inner>,
    plan: Spawn,
    account: Option<Account>,
    order: &StepOrder,
    id: StepId,
) -> Result<(i32, oneshot::Receiver<Exit>), JailError> {
    let cannot = |cause| JailError::StartKeeper { cause };
    let letter = Letter {
        shell: order.shell.clone(),
        script: order.script.clone(),
        account: account.map(|account| (account.uid, account.gid, account.groups)),
        open_files: inner.open_files_before,
    };
    let letter = serde_json::to_vec(&letter).map_err(|cause| cannot(cause.into()))?;
    let (mut control, theirs) = UnixStream::pair().map_err(cannot)?;
    let theirs = OwnedFd::from(theirs);
    let lock = inner.alive.try_clone().map_err(cannot)?;
    let Some((program, first)) = inner.settings.keeper.split_first() else {
        return Err(cannot(io::ErrorKind::InvalidInput.into()));
    };
    let plan = Spawn {
        program: program.clone(),
        arguments: keeper::arguments(first, &theirs, &lock),
        stdin: sys::pipe::letter(&letter).map_err(cannot)?,
        inherit: vec![theirs, lock],
        ..plan
    };
    let keeper_pid = plan.start().map_err(cannot)?;
    inner.book().known.insert(keeper_pid);
    let (gone, is_gone) = watch::channel(false);
    let (tell, ended) = oneshot::channel();
    let first = keeper::first_news(&mut control, keeper_pid);
    let reader = control.try_clone();
    let keeper = Arc::new(Keeper::new(id, keeper_pid, control, is_gone));
    inner.book().components.entry(order.component.clone()).or_default().keepers.push(Arc::clone(&keeper));
    let task = Arc::clone(inner);
    let name = order.component.clone();
    let news = match (first, reader) {
        (Ok(News::Started { pid }), Ok(reader)) => {
            tokio::spawn(async move {
                follow(&task, reader, keeper_pid, tell).await;
                task.forget_keeper(&name, id);
                let _ = gone.send(true);
            });
            return Ok((pid, ended));
        }
        (Ok(News::Failed { errno }), _) => {
            let cause = errno.map_or_else(|| io::ErrorKind::InvalidInput.into(), io::Error::from_raw_os_error);
            JailError::Start { shell: order.shell.clone(), cause }
        }
        (Ok(_), Ok(_)) => cannot(io::ErrorKind::InvalidData.into()),
        (Err(cause), _) | (_, Err(cause)) => cannot(cause),
    };
    // Killing one that hangs is the same as waiting for one that ends.
    let _ = sys::signal::send(keeper_pid, sys::signal::Send::Kill);
    tokio::spawn(async move {
        reaper::ended(keeper_pid).await;
        task.book().known.remove(&keeper_pid);
        // It may have begun the script and not come to say so.
        task.end_orphans().await;
        task.forget_keeper(&name, id);
        let _ = gone.send(true);
    });
    Err(news)
}

impl Inner {
    fn forget_keeper(&self, name: &ComponentName, id: StepId) {
        if let Some(entry) = self.book().components.get_mut(name) {
            entry.keepers.retain(|keeper| keeper.id != id);
        }
    }
}

/// Reads a keeper's news until it ends; then nothing of its process set is left.
async fn follow(inner: &Arc<Inner>, control: UnixStream, keeper_pid: i32, tell: oneshot::Sender<Exit>) {
    let mut tell = Some(tell);
    let reading = control.set_nonblocking(true).and_then(|()| tokio::net::UnixStream::from_std(control));
    if let Ok(stream) = reading {
        let mut lines = BufReader::with_capacity(keeper::LONGEST_NEWS, stream.take(1024)).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let exit = match serde_json::from_str(&line) {
                Ok(News::Exited { code }) => Exit::Code(code),
                Ok(News::Signalled { number }) => Exit::Signal(number),
                _ => continue,
            };
            tell = tell.and_then(|tell| tell.send(exit).err().and(None));
        }
    }
    let end = reaper::ended(keeper_pid).await;
    inner.book().known.remove(&keeper_pid);
    if tell.is_some() || matches!(end, Ended::Signal(_)) {
        // It was killed: its process set is nobody's now.
        inner.end_orphans().await;
    }
    let _ = tell.map(|tell| tell.send(end.into()));
}

/// The daemon's ends of a step's standard output and error.
struct Streams {
    stdout: OwnedFd,
    stderr: OwnedFd,
}

impl Streams {
    fn make() -> Result<(Self, OwnedFd, OwnedFd), JailError> {
        let cannot = |cause| JailError::Channels { cause };
        let (stdout, their_stdout) = sys::pipe::pipe().map_err(cannot)?;
        let (stderr, their_stderr) = sys::pipe::pipe().map_err(cannot)?;
        Ok((Self { stdout, stderr }, their_stdout, their_stderr))
    }
}

/// Follows both streams; the promise is kept when the script has ended and both are drained.
fn pump_and_wait(
    inner: &Inner,
    order: &StepOrder,
    state: &StateCell,
    streams: Streams,
    ended: oneshot::Receiver<Exit>,
) -> oneshot::Receiver<Exit> {
    let (tell_pumps, has_ended) = watch::channel(false);
    let sink = |stream| Sink {
        logs: inner.logs.clone(),
        component: order.component.to_string(),
        script: format!("services.{}.lifecycle.{}.Script", order.component, order.step),
        state: state.clone(),
        stream,
    };
    let start = |pipe: OwnedFd, stream| {
        let (drained, is_drained) = oneshot::channel();
        match Receiver::from_owned_fd(pipe) {
            Ok(pipe) => {
                drop(tokio::spawn(output::pump(pipe, sink(stream), inner.dam.clone(), has_ended.clone(), drained)));
            }
            // The pipe closes and the script's writes fail; better than a script that cannot run.
            Err(cause) => {
                tracing::error!(component = %order.component, %cause, "A script's output cannot be followed.");
            }
        }
        is_drained
    };
    let stdout = start(streams.stdout, Stream::Stdout);
    let stderr = start(streams.stderr, Stream::Stderr);
    let (tell, exit) = oneshot::channel();
    tokio::spawn(async move {
        let end = ended.await.unwrap_or(Exit::Signal(9));
        let _ = tell_pumps.send(true);
        // A stream that is gone is drained.
        let _ = stdout.await;
        let _ = stderr.await;
        let _ = tell.send(end);
    });
    exit
}

/// The exit code of a shell whose last command was ended by SIGKILL.
const SHELL_TELLS_KILLED: i32 = 128 + 9;

fn nothing() -> Result<OwnedFd, JailError> {
    let null = File::open("/dev/null");
    null.map(Into::into).map_err(|cause| JailError::Channels { cause })
}
