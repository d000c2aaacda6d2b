//! Who may speak in a component's name, with real processes at both ends of a socket.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use greengrass::base::token::Token;
use greengrass::service::supervisor::NotAdmitted;
use greengrass::sys::peer::{Peer, peer};
use greengrass::wire::lifecycle::StepName::Run;
use greengrass::wire::name::ComponentName;
use greengrass::wire::run_with::PosixUser;

use super::stage::{Part, Stage, name, on_every_stage};

/// Where a visitor goes, what it shows, and whether it leaves its connection to a child.
const DOOR: &str = "VISITOR_DOOR";
const SHOWS: &str = "VISITOR_SHOWS";
const LEAVES: &str = "VISITOR_LEAVES";

/// Not a test but a program: scripts and tests start it from this binary to have someone connect.
#[test]
#[expect(clippy::zombie_processes, reason = "who leaves its connection to a child does not wait for it")]
fn visitor() {
    let Some(door) = std::env::var_os(DOOR) else { return };
    let mut stream = UnixStream::connect(door).unwrap();
    let token = std::env::var(SHOWS).or_else(|_| std::env::var("SVCUID")).unwrap();
    if std::env::var_os(LEAVES).is_some() {
        let heir = OwnedFd::from(stream.try_clone().unwrap());
        Command::new("cat").stdin(heir).stdout(Stdio::null()).spawn().unwrap();
    }
    writeln!(stream, "{token}").unwrap();
    if std::env::var_os(LEAVES).is_none() {
        // Until the door has looked at us.
        let _ = stream.read(&mut [0]);
    }
}

/// The command that makes a visitor of a process: this binary, where every user can reach it.
fn program(stage: &Stage) -> PathBuf {
    let program = stage.paths.root().join("visitor");
    if !program.exists() {
        // By another process: a file that is open for writing here cannot be started.
        let copied = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status().unwrap();
        assert!(copied.success());
    }
    program
}

const ARGUMENTS: [&str; 2] = ["--exact", "admit::visitor"];

fn visit(stage: &Stage) -> String {
    format!("{DOOR}={} {} {} > /dev/null", door_of(stage).display(), program(stage).display(), ARGUMENTS.join(" "))
}

/// One that is started by the test, and so is of no component.
fn visitor_of_nobody(stage: &Stage, token: &str) -> Command {
    let mut command = Command::new(program(stage));
    command.args(ARGUMENTS).env(DOOR, door_of(stage)).env(SHOWS, token).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn door_of(stage: &Stage) -> PathBuf {
    stage.paths.root().join("door")
}

struct Door(UnixListener);

impl Door {
    fn open(stage: &Stage) -> Self {
        let listener = UnixListener::bind(door_of(stage)).unwrap();
        fs::set_permissions(door_of(stage), fs::Permissions::from_mode(0o666)).unwrap();
        Self(listener)
    }

    /// The next visitor: who, what it shows, and the connection that keeps it here.
    async fn next(&self) -> (Peer, String, UnixStream) {
        let listener = self.0.try_clone().unwrap();
        let meet = move || {
            let (stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            (peer(&stream).unwrap(), line.trim().to_owned(), stream)
        };
        tokio::task::spawn_blocking(meet).await.unwrap()
    }

    async fn judge_next(&self, stage: &Stage) -> (String, Peer, Result<ComponentName, NotAdmitted>) {
        let (peer, token, stream) = self.next().await;
        let judged = stage.handle.admit(Token::shown(token.clone()), peer).await.unwrap();
        drop(stream);
        (token, peer, judged)
    }
}

fn ended(mut child: Child) {
    child.wait().unwrap();
}

#[test]
fn component_is_admitted_by_its_own_processes_and_their_orphans() {
    on_every_stage(&async |stage: &Stage| {
        let door = Door::open(stage);
        let orphan = format!("(setsid sh -c '{0}' &); {0}; exec sleep 1000", visit(stage));
        stage.apply(&[Part::new("a").step(Run, &visit(stage)), Part::new("b").step(Run, &orphan)]).await;
        let mut seen = Vec::new();
        for _ in 0..3 {
            let (_, _, judged) = door.judge_next(stage).await;
            seen.push(judged.unwrap());
        }
        seen.sort();
        assert_eq!(seen, [name("a"), name("b"), name("b")]);
    });
}

#[test]
fn stolen_token_is_refused() {
    on_every_stage(&async |stage: &Stage| {
        let door = Door::open(stage);
        let owner = format!("{}; exec sleep 1000", visit(stage));
        stage.apply(&[Part::new("owner").step(Run, &owner)]).await;
        let (token, _, judged) = door.judge_next(stage).await;
        assert_eq!(judged, Ok(name("owner")));
        let thief = Part::new("thief").step(Run, &format!("{SHOWS}=$LOOT {}; exec sleep 1000", visit(stage)));
        stage.apply(&[Part::new("owner").step(Run, &owner), thief.set("LOOT", &token)]).await;
        let (shown, peer, judged) = door.judge_next(stage).await;
        assert_eq!(shown, token);
        let stolen = NotAdmitted::Stolen { token: name("owner"), peer: name("thief"), pid: peer.pid };
        assert_eq!(judged, Err(stolen));
        // Once the owner is gone, so is its token.
        stage.apply(&[]).await;
        stage.settled(&["owner", "thief"]).await;
        let child = visitor_of_nobody(stage, &token).spawn().unwrap();
        assert_eq!(door.judge_next(stage).await.2, Err(NotAdmitted::UnknownToken));
        ended(child);
    });
}

#[test]
fn process_of_nobody_is_admitted_for_its_user_until_it_ends() {
    on_every_stage(&async |stage: &Stage| {
        let door = Door::open(stage);
        stage.apply(&[Part::new("a").step(Run, &format!("{}; exec sleep 1000", visit(stage)))]).await;
        let (token, ..) = door.judge_next(stage).await;
        let child = visitor_of_nobody(stage, &token).spawn().unwrap();
        assert_eq!(door.judge_next(stage).await.2, Ok(name("a")));
        ended(child);
        // A child of the one who connected still holds the connection, and may be anyone.
        ended(visitor_of_nobody(stage, &token).env(LEAVES, "").spawn().unwrap());
        let (_, peer, judged) = door.judge_next(stage).await;
        assert_eq!(judged, Err(NotAdmitted::Gone { token: name("a"), pid: peer.pid }));
        for odd in [String::new(), "A".into(), format!("{token}A"), token.to_lowercase(), "x".repeat(1 << 20)] {
            assert_eq!(stage.handle.admit(Token::shown(odd), peer).await.unwrap(), Err(NotAdmitted::UnknownToken));
        }
    });
}

#[test]
fn other_user_may_not_speak_for_a_component() {
    if !greengrass::sys::account::is_root() {
        return println!("skipped: only root can start processes of other users");
    }
    on_every_stage(&async |stage: &Stage| {
        fs::set_permissions(stage.paths.root(), fs::Permissions::from_mode(0o755)).unwrap();
        let door = Door::open(stage);
        let owner = Part::new("a").step(Run, &format!("{}; exec sleep 1000", visit(stage)));
        let mut set = stage.set(&[owner]);
        let user = PosixUser::parse("4000000:4000000").unwrap();
        set.components.get_mut(&name("a")).unwrap().run_with.posix_user = Some(user);
        stage.handle.apply(set).await.unwrap();
        let (token, peer, judged) = door.judge_next(stage).await;
        assert_eq!((peer.uid, judged), (4_000_000, Ok(name("a"))));
        for (uid, may) in [(4_000_000, true), (4_000_001, false), (0, true)] {
            let child = visitor_of_nobody(stage, &token).uid(uid).gid(uid).spawn().unwrap();
            let (_, peer, judged) = door.judge_next(stage).await;
            let stranger = NotAdmitted::Stranger { token: name("a"), pid: peer.pid, uid };
            assert_eq!(judged, if may { Ok(name("a")) } else { Err(stranger) });
            ended(child);
        }
    });
}
