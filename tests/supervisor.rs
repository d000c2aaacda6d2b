//! The supervisor with real scripts in real jails: control groups where the machine gives them, and keepers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "supervisor/admit.rs"]
mod admit;
#[path = "supervisor/stage.rs"]
mod stage;

use std::collections::BTreeMap;
use std::time::Duration;

use greengrass::base::token::Token;
use greengrass::service::supervisor::{BootstrapFault, DesiredSet, Refused, Settlement};
use greengrass::wire::lifecycle::StepName::{Bootstrap, Install, Recover, Run, Shutdown, Startup, Uninstall};
use greengrass::wire::state::{ComponentState, StatusCode};
use stage::{Part, Stage, name, on_every_stage};

/// Appends a word to the log of what happened, in one write.
fn say(word: &str) -> String {
    format!("echo {word} >> $DIARY")
}

/// Says the word, then stays.
fn stay(word: &str) -> String {
    format!("{}; exec sleep 1000", say(word))
}

#[test]
fn steps_run_in_order_from_install_to_uninstall() {
    on_every_stage(&async |stage: &Stage| {
        let a = Part::new("a")
            .step(Install, &say("install"))
            .step(Run, &stay("run"))
            .step(Shutdown, &say("shutdown"))
            .step(Uninstall, &say("uninstall-$GREENGRASS_COMPONENT_VERSION"));
        stage.apply(&[a]).await;
        assert_eq!(stage.settled(&["a"]).await, Settlement::Reached);
        assert_eq!(stage.state("a").await, ComponentState::Running);
        assert!(stage.status("a").await.pid.is_some());
        stage.apply(&[]).await;
        assert_eq!(stage.settled(&["a"]).await, Settlement::Reached);
        assert_eq!(stage.diary(), ["install", "run", "shutdown", "uninstall-1.0.0"]);
        assert!(stage.handle.components().await.unwrap().is_empty());
    });
}

#[test]
fn components_start_after_and_stop_before_their_dependency() {
    on_every_stage(&async |stage: &Stage| {
        let chain = [
            Part::new("a").step(Startup, "sleep 0.1; echo a >> $DIARY").step(Shutdown, "sleep 0.1; echo a- >> $DIARY"),
            Part::new("b").needs("a").step(Startup, &say("b")).step(Shutdown, "sleep 0.1; echo b- >> $DIARY"),
            Part::new("c").needs("b").step(Run, &stay("c")).step(Shutdown, &say("c-")),
        ];
        stage.apply(&chain).await;
        assert_eq!(stage.settled(&["c"]).await, Settlement::Reached);
        stage.until_diary_has(3).await;
        stage.handle.shut_down().await.unwrap();
        assert_eq!(stage.diary(), ["a", "b", "c", "c-", "b-", "a-"]);
        assert_eq!(stage.handle.restart(name("a")).await, Err(Refused::GoingDown));
    });
}

#[test]
fn dependents_restart_with_their_dependency() {
    on_every_stage(&async |stage: &Stage| {
        let parts = [
            Part::new("a").step(Run, &stay("a")),
            Part::new("b").needs("a").step(Run, &stay("b")),
            Part::new("c").step(Run, &stay("c")),
        ];
        stage.apply(&parts).await;
        assert_eq!(stage.settled(&["a", "b", "c"]).await, Settlement::Reached);
        stage.handle.restart(name("a")).await.unwrap();
        assert_eq!(stage.settled(&["a", "b"]).await, Settlement::Reached);
        stage.until_diary_has(5).await;
        let diary = stage.diary();
        assert_eq!(diary[3..], ["a", "b"], "{diary:?}");
    });
}

#[test]
fn run_that_fails_is_broken_after_three_tries_and_retried_by_a_new_set() {
    on_every_stage(&async |stage: &Stage| {
        let a = [Part::new("a").step(Run, "echo run >> $DIARY; exit 7").step(Recover, &say("recover"))];
        stage.apply(&a).await;
        let reason = "the Run step exited with code 7, for the 3rd time";
        assert_eq!(stage.settled(&["a"]).await, Settlement::Broken(vec![(name("a"), reason.into())]));
        assert_eq!(stage.diary(), ["run", "recover", "run", "recover", "run"]);
        let status = stage.status("a").await;
        assert_eq!((status.state, status.status_code), (ComponentState::Broken, StatusCode::RunError));
        stage.apply(&a).await;
        assert!(matches!(stage.settled(&["a"]).await, Settlement::Broken(_)));
        assert_eq!(stage.diary().iter().filter(|word| *word == "run").count(), 6);
    });
}

#[test]
fn one_shot_components_finish() {
    on_every_stage(&async |stage: &Stage| {
        let parts = [
            Part::new("install").step(Install, &say("i")),
            Part::new("run").needs("install").step(Run, &say("r")),
            Part::new("nothing"),
        ];
        stage.apply(&parts).await;
        assert_eq!(stage.settled(&["install", "run", "nothing"]).await, Settlement::Reached);
        for who in ["install", "run", "nothing"] {
            let state = stage.until_state(who, ComponentState::Finished).await;
            assert_eq!(state, ComponentState::Finished, "{who}");
        }
        assert_eq!(stage.diary(), ["i", "r"]);
    });
}

#[test]
fn steps_that_take_too_long_are_ended() {
    on_every_stage(&async |stage: &Stage| {
        let limit = Duration::from_millis(150);
        let parts = [
            Part::new("install").step(Install, "sleep 1000 & wait").limit(Install, limit),
            Part::new("startup").step(Startup, "sh -c 'exec sleep 1000'; true").limit(Startup, limit),
            Part::new("run").step(Run, "exec sleep 1000").limit(Run, limit),
        ];
        stage.apply(&parts).await;
        for (who, code) in [
            ("install", StatusCode::InstallTimeout),
            ("startup", StatusCode::StartupTimeout),
            ("run", StatusCode::RunTimeout),
        ] {
            stage.until_state(who, ComponentState::Broken).await;
            let status = stage.status(who).await;
            assert_eq!(status.status_code, code);
            assert!(status.reason.contains("did not end within 0.15 s"), "{}", status.reason);
        }
        stage.handle.shut_down().await.unwrap();
    });
}

#[test]
fn shell_that_does_not_exist_and_script_that_does_not_exist() {
    on_every_stage(&async |stage: &Stage| {
        let mut set = stage.set(&[Part::new("a").step(Run, "exec true")]);
        set.run_with_default.posix_shell = "/no/such/shell".into();
        stage.handle.apply(set).await.unwrap();
        assert!(matches!(stage.settled(&["a"]).await, Settlement::Broken(_)));
        let status = stage.status("a").await;
        assert_eq!(status.status_code, StatusCode::RunIoError);
        assert!(status.reason.contains("/no/such/shell"), "{}", status.reason);
        stage.apply(&[Part::new("b").step(Startup, "/no/such/script")]).await;
        let reason =
            "the Startup step exited with code 127 (a command is not found; its log says which), for the 3rd time"
                .to_owned();
        assert_eq!(stage.settled(&["b"]).await, Settlement::Broken(vec![(name("b"), reason)]));
    });
}

#[test]
fn startup_that_leaves_a_daemon_runs_until_it_is_stopped() {
    on_every_stage(&async |stage: &Stage| {
        let daemon = "setsid sh -c 'echo $$ > daemon.pid; trap \"\" HUP; exec sleep 1000' > /dev/null 2>&1 &
            while [ ! -s daemon.pid ]; do sleep 0.01; done";
        stage.apply(&[Part::new("a").step(Startup, daemon)]).await;
        assert_eq!(stage.settled(&["a"]).await, Settlement::Reached);
        let pid = stage.work_file("a", "daemon.pid");
        assert!(stage::lives(&pid), "the daemon {pid} lives");
        stage.handle.stop(name("a")).await.unwrap();
        assert_eq!(stage.settled(&["a"]).await, Settlement::Reached);
        assert_eq!(stage.state("a").await, ComponentState::Finished);
        assert!(!stage::lives(&pid), "the daemon {pid} is gone");
    });
}

#[test]
fn stop_while_starting_and_apply_during_apply() {
    on_every_stage(&async |stage: &Stage| {
        stage
            .apply(&[Part::new("a")
                .step(Startup, "echo start >> $DIARY; exec sleep 1000")
                .step(Shutdown, &say("stop"))])
            .await;
        stage.until_diary_has(1).await;
        stage.handle.stop(name("a")).await.unwrap();
        assert_eq!(stage.settled(&["a"]).await, Settlement::Reached);
        assert_eq!(stage.diary(), ["start", "stop"]);
        for round in 0..5 {
            let version = format!("1.0.{round}");
            let part =
                Part::new("a").version(&version).step(Install, "sleep 0.02").step(Run, &stay("$V")).set("V", &version);
            stage.apply(&[part]).await;
        }
        assert_eq!(stage.settled(&["a"]).await, Settlement::Reached);
        assert_eq!(stage.status("a").await.version.to_string(), "1.0.4");
        stage.until_diary_has(3).await;
        assert_eq!(stage.diary().last().map(String::as_str), Some("1.0.4"));
    });
}

#[test]
fn shutdown_step_that_hangs_does_not_hold_up_the_rest() {
    on_every_stage(&async |stage: &Stage| {
        let limit = Duration::from_millis(150);
        stage
            .apply(&[Part::new("a").step(Run, &stay("run")).step(Shutdown, "exec sleep 1000").limit(Shutdown, limit)])
            .await;
        assert_eq!(stage.settled(&["a"]).await, Settlement::Reached);
        stage.apply(&[]).await;
        assert_eq!(stage.settled(&["a"]).await, Settlement::Reached);
    });
}

#[test]
fn environment_reaches_the_script_and_the_token_names_the_component() {
    on_every_stage(&async |stage: &Stage| {
        let script = "echo $SVCUID $AWS_CONTAINER_AUTHORIZATION_TOKEN $TREE $OWN $AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH > env; pwd >> env";
        let mut set: DesiredSet = stage.set(&[Part::new("a").step(Run, script).set("OWN", "own")]);
        set.environment = BTreeMap::from([("TREE".into(), "tree".into()), ("OWN".into(), "tree".into())]);
        stage.handle.apply(set).await.unwrap();
        stage.until_state("a", ComponentState::Finished).await;
        let text = stage.work_file("a", "env");
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(words[0], words[1]);
        assert_eq!(words[2..4], ["tree", "own"]);
        assert_eq!(words[4], stage.paths.ipc_socket().to_str().unwrap());
        assert_eq!(words[5], stage.paths.work(&name("a")).to_str().unwrap());
        assert_eq!(stage.handle.component_of(Token::shown(words[0].into())).await.unwrap(), Some(name("a")));
        assert_eq!(stage.handle.component_of(Token::shown("AAAAAAAAAAAAAAAA".into())).await.unwrap(), None);
    });
}

#[test]
fn skipif_leaves_a_step_out() {
    on_every_stage(&async |stage: &Stage| {
        let parts = [
            Part::new("a").step(Startup, &say("no")).skip(Startup, "onpath sh").step(Run, &say("run")),
            Part::new("b").step(Run, &say("no")).skip(Run, "!exists nothing"),
        ];
        stage.apply(&parts).await;
        assert_eq!(stage.settled(&["a", "b"]).await, Settlement::Reached);
        assert_eq!(stage.until_state("a", ComponentState::Finished).await, ComponentState::Finished);
        assert_eq!(stage.diary(), ["run"]);
    });
}

#[test]
fn bootstrap_answers_its_exit_code() {
    on_every_stage(&async |stage: &Stage| {
        stage.apply(&[]).await;
        let run = |part: Part| async move { stage.handle.bootstrap(name("a"), stage.component(&part)).await.unwrap() };
        assert_eq!(run(Part::new("a")).await, Ok(0));
        assert_eq!(run(Part::new("a").step(Bootstrap, "exit 101")).await, Ok(101));
        let killed = run(Part::new("a").step(Bootstrap, "kill -9 $$")).await;
        assert_eq!(killed, Err(BootstrapFault::Signal(9)));
        let part = Part::new("a").step(Bootstrap, "exec sleep 1000").limit(Bootstrap, Duration::from_millis(100));
        assert_eq!(run(part).await, Err(BootstrapFault::TimedOut { limit: Duration::from_millis(100) }));
        assert!(stage.handle.components().await.unwrap().is_empty());
    });
}

#[test]
fn component_reports_its_own_state() {
    on_every_stage(&async |stage: &Stage| {
        stage.apply(&[Part::new("a").step(Startup, "exec sleep 1000")]).await;
        stage.until_pid("a").await;
        stage.handle.report(name("a"), ComponentState::Running).await.unwrap();
        assert_eq!(stage.state("a").await, ComponentState::Running);
        assert!(stage.handle.report(name("b"), ComponentState::Running).await.is_err());
        assert!(stage.handle.report(name("a"), ComponentState::Broken).await.is_err());
        stage.handle.report(name("a"), ComponentState::Errored).await.unwrap();
        stage.until_pid("a").await;
    });
}

#[test]
fn paused_component_stands_still_and_stops_all_the_same() {
    on_every_stage(&async |stage: &Stage| {
        stage.apply(&[Part::new("a").step(Run, "while :; do echo tick >> $DIARY; sleep 0.01; done")]).await;
        assert_eq!(stage.settled(&["a"]).await, Settlement::Reached);
        match stage.handle.pause(name("a")).await {
            Ok(()) => {}
            Err(Refused::CannotPause { why, .. }) => return println!("skipped: cannot pause here: {why}"),
            Err(other) => panic!("{other}"),
        }
        assert!(stage.status("a").await.paused);
        // Freezing takes a moment; then nothing moves.
        let mut before = stage.diary().len();
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = stage.diary().len();
            if now == before {
                break;
            }
            before = now;
        }
        stage.handle.resume(name("a")).await.unwrap();
        stage.until_diary_has(before + 1).await;
        stage.handle.pause(name("a")).await.unwrap();
        stage.handle.stop(name("a")).await.unwrap();
        assert_eq!(stage.settled(&["a"]).await, Settlement::Reached);
        assert!(matches!(stage.handle.pause(name("a")).await, Err(Refused::WrongState { .. })));
    });
}

#[test]
fn many_components_start_and_stop() {
    on_every_stage(&async |stage: &Stage| {
        let names: Vec<String> = (0..stage.many()).map(|number| format!("c{number:04}")).collect();
        let parts: Vec<Part> = names.iter().map(|who| Part::new(who).step(Run, "exec sleep 1000")).collect();
        stage.apply(&parts).await;
        let tracked: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(stage.settled(&tracked).await, Settlement::Reached);
        let statuses = stage.handle.components().await.unwrap();
        let pids: Vec<String> = statuses.values().filter_map(|status| status.pid).map(|pid| pid.to_string()).collect();
        assert_eq!(pids.len(), names.len());
        stage.handle.shut_down().await.unwrap();
        assert!(!pids.iter().any(|pid| stage::lives(pid)), "a process outlived its supervisor");
    });
}

#[test]
fn component_learns_of_another_region_at_its_next_start() {
    on_every_stage(&async |stage: &Stage| {
        let script = "echo ${AWS_REGION-none} ${AWS_DEFAULT_REGION-none} >> $DIARY; exec sleep 1000";
        let mut set = stage.set(&[Part::new("a").step(Run, script)]);
        stage.handle.apply(set.clone()).await.unwrap();
        stage.until_diary_has(1).await;
        set.identity.region = Some("eu-central-1".into());
        stage.handle.apply(set).await.unwrap();
        assert_eq!(stage.settled(&["a"]).await, Settlement::Reached);
        // It goes on as it was.
        let before = stage.diary();
        stage.handle.restart(name("a")).await.unwrap();
        stage.until_diary_has(2).await;
        assert_eq!(before.len(), 1);
        assert_eq!(stage.diary()[1], "eu-central-1 eu-central-1");
    });
}
