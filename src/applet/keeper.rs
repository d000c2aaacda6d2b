//! Keeps the processes of one step together where there are no control groups. Hidden: the daemon starts it.
//!
//! It adopts every orphan below it, so nothing can fork away; it ends when it has no child left. The words it
//! exchanges with the daemon are in [`jail`](crate::service::supervisor::jail). One thread, no runtime, no log.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::service::supervisor::jail::{KeeperCommand, KeeperLetter, KeeperNews, keeper_line};
use crate::sys::account::Account;
use crate::sys::pipe;
use crate::sys::process::{self, Ended, Reaped};
use crate::sys::signal::{self, Inbox, Received, Send};
use crate::sys::spawn::{self, ParentDeath, Spawn};

/// `keeper <control fd> <lock fd>`, the letter on standard input.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let mut numbers = arguments.into_iter().map(|word| word.to_str().and_then(|word| word.parse().ok()));
    let (Some(Some(control)), Some(Some(lock))) = (numbers.next(), numbers.next()) else {
        eprintln!("keeper: it is started by the daemon, with two descriptors");
        return ExitCode::from(super::USAGE);
    };
    match keep(control, lock) {
        Ok(Ended::Code(code)) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        // As a shell tells it.
        Ok(Ended::Signal(number)) => ExitCode::from(u8::try_from(128 + number).unwrap_or(1)),
        Err(error) => {
            eprintln!("keeper: {error}");
            ExitCode::FAILURE
        }
    }
}

fn keep(control: i32, lock: i32) -> io::Result<Ended> {
    let mut control = UnixStream::from(spawn::inherited(control)?);
    // Held until we end: it says that a keeper lives.
    let _lock = spawn::inherited(lock)?;
    let inbox = Inbox::open()?;
    process::become_subreaper()?;
    process::set_name(c"gg-keeper")?;
    let mut letter = Vec::new();
    io::stdin().read_to_end(&mut letter)?;
    let letter = serde_json::from_slice(&letter).map_err(io::Error::other)?;
    let script = match start(letter) {
        Ok(pid) => pid,
        Err(cause) => {
            say(&mut control, KeeperNews::Failed { errno: cause.raw_os_error() });
            return Ok(Ended::Code(1));
        }
    };
    // From here on the streams are the script's alone: their ends must not wait for ours.
    pipe::let_go_of_standard_streams()?;
    say(&mut control, KeeperNews::Started { pid: script });
    control.set_nonblocking(true)?;
    Keeping { control: Some(control), inbox, script, result: None, end: End::NotAsked, heard: Vec::new() }.until_empty()
}

fn start(letter: KeeperLetter) -> io::Result<i32> {
    Spawn {
        program: letter.shell.into(),
        arguments: vec!["-c".into(), letter.script.into()],
        environment: std::env::vars_os().collect(),
        directory: std::env::current_dir()?,
        stdin: File::open("/dev/null")?.into(),
        stdout: io::stdout().as_fd().try_clone_to_owned()?,
        stderr: io::stderr().as_fd().try_clone_to_owned()?,
        inherit: Vec::new(),
        account: letter.account.map(|(uid, gid, groups)| Account {
            uid,
            gid,
            groups,
            name: String::new(),
            home: "/".into(),
        }),
        cgroups: Vec::new(),
        // Should we be killed, at least the script does not outlive us; the daemon ends the others.
        parent_death: Some(ParentDeath::Kill),
        open_files: letter.open_files,
        oom_score: None,
    }
    .start()
}

/// How far the end of the process set is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    NotAsked,
    /// SIGTERM is sent; SIGKILL follows then.
    Asked {
        kill_at: Instant,
    },
    Killing,
}

struct Keeping {
    /// None once the daemon is gone.
    control: Option<UnixStream>,
    inbox: Inbox,
    script: i32,
    result: Option<Ended>,
    end: End,
    /// Half a command.
    heard: Vec<u8>,
}

impl Keeping {
    fn until_empty(mut self) -> io::Result<Ended> {
        loop {
            let limit = match self.end {
                End::NotAsked => None,
                End::Asked { kill_at } => Some(kill_at.saturating_duration_since(Instant::now())),
                End::Killing => Some(KILL_AGAIN),
            };
            match &self.control {
                Some(control) => pipe::wait_for_either(&self.inbox, control, limit)?,
                None => pipe::wait_for_either(&self.inbox, &self.inbox, limit)?,
            };
            self.listen();
            while let Some(received) = self.inbox.take()? {
                if received == Received::Terminate {
                    self.ask(GRACE_WITHOUT_DAEMON);
                }
            }
            match self.end {
                End::Asked { kill_at } if kill_at <= Instant::now() => self.end = End::Killing,
                _ => {}
            }
            if self.end == End::Killing {
                kill_all();
            }
            if self.reap()? == Children::None {
                return Ok(self.result.unwrap_or(Ended::Signal(9)));
            }
        }
    }

    /// Takes commands; a closed socket is the daemon's death.
    fn listen(&mut self) {
        let Some(control) = &mut self.control else { return };
        let mut bytes = [0; 256];
        match control.read(&mut bytes) {
            Ok(0) => {
                self.control = None;
                self.ask(GRACE_WITHOUT_DAEMON);
            }
            Ok(count) => {
                self.heard.extend_from_slice(&bytes[..count]);
                while let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = self.heard.drain(..=end).collect();
                    if let Ok(KeeperCommand::End { grace }) = serde_json::from_slice(&line) {
                        self.ask(Duration::from_millis(grace));
                    }
                }
            }
            Err(cause) if matches!(cause.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => {
                self.control = None;
                self.ask(GRACE_WITHOUT_DAEMON);
            }
        }
    }

    /// Begins the end; asked again, only an earlier end counts.
    fn ask(&mut self, grace: Duration) {
        let kill_at = Instant::now().checked_add(grace).unwrap_or_else(Instant::now);
        match self.end {
            End::Killing => return,
            End::Asked { kill_at: before } if before <= kill_at => return,
            End::Asked { .. } => {}
            End::NotAsked => {
                for pid in below() {
                    let _ = signal::send(pid, Send::Terminate);
                    // A stopped one would hear it only when it goes on.
                    let _ = signal::send(pid, Send::Continue);
                }
            }
        }
        self.end = if grace.is_zero() { End::Killing } else { End::Asked { kill_at } };
    }

    fn reap(&mut self) -> io::Result<Children> {
        loop {
            match process::reap_any()? {
                Reaped::NoneEnded => return Ok(Children::Some),
                Reaped::Childless => return Ok(Children::None),
                Reaped::Child { pid, end } if pid == self.script => {
                    self.result = Some(end);
                    if let Some(control) = &mut self.control {
                        say(control, KeeperNews::ended(end));
                    }
                }
                Reaped::Child { .. } => {}
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Children {
    None,
    Some,
}

/// Stops everything first, so that nothing forks while it is being killed.
fn kill_all() {
    let mut stopped = Vec::new();
    for _ in 0..STOP_ROUNDS {
        let new: Vec<i32> = below().into_iter().filter(|pid| !stopped.contains(pid)).collect();
        if new.is_empty() {
            break;
        }
        for pid in new {
            let _ = signal::send(pid, Send::Stop);
            stopped.push(pid);
        }
    }
    for pid in stopped {
        let _ = signal::send(pid, Send::Kill);
    }
}

fn below() -> Vec<i32> {
    process::descendants(process::own_pid()).unwrap_or_default()
}

/// A daemon that does not hear us is gone, which the next read tells.
fn say(control: &mut UnixStream, news: KeeperNews) {
    let _ = control.write_all(keeper_line(&news).as_bytes());
}

/// How long the set of a killed daemon gets to end by itself.
const GRACE_WITHOUT_DAEMON: Duration = Duration::from_secs(2);

/// What was forked while we killed is killed next time.
const KILL_AGAIN: Duration = Duration::from_millis(5);

/// A fork bomb is stopped within a few; more would only keep us from killing.
const STOP_ROUNDS: usize = 50;
