//! Every row of the table in the supervisor's page, one component first, then several.

use std::time::Duration;

use super::world::{World, component, name, set, step};
use super::*;
use crate::service::supervisor::desired::Component;
use crate::service::supervisor::handle::{Refused, Settlement};
use crate::wire::lifecycle::StepName::{self, Install, Recover, Run, Shutdown, Startup, Uninstall};
use crate::wire::lifecycle::{Lifecycle, StepError};
use crate::wire::run_with::SystemResourceLimits;
use crate::wire::state::ComponentState::{
    self, Broken, Errored, Finished, Installed, New, Running, Starting, Stopping,
};
use crate::wire::state::{DependencyType, StatusCode};

const A: &str = "a";
const B: &str = "b";
const C: &str = "c";

/// A world in which one component with these steps was applied and went as far as it could.
fn world_with(steps: &[StepName]) -> World {
    let mut world = World::new();
    world.apply(&set(&[(A, component("1.0.0", steps, &[]))]));
    world.go();
    world
}

fn running(steps: &[StepName]) -> World {
    let mut world = world_with(steps);
    if steps.contains(&Install) {
        world.exit(A, Install, 0);
    }
    if steps.contains(&Startup) {
        world.exit(A, Startup, 0);
    }
    assert_eq!(world.state(A), Running);
    world
}

fn edited(component: &Component, edit: impl FnOnce(&mut Lifecycle)) -> Component {
    let mut lifecycle = Lifecycle::clone(&component.lifecycle);
    edit(&mut lifecycle);
    Component { lifecycle: Arc::new(lifecycle), ..component.clone() }
}

#[test]
fn component_installs_then_runs() {
    let mut world = world_with(&[Install, Run]);
    assert_eq!(world.state(A), New);
    world.exit(A, Install, 0);
    assert_eq!(world.path(A), [Installed, Starting, Running]);
    assert_eq!(world.begun, ["a/Install", "a/Run"]);
}

#[test]
fn component_without_steps_is_finished() {
    assert_eq!(world_with(&[]).path(A), [Installed, Starting, Finished]);
    let mut world = world_with(&[Install]);
    world.exit(A, Install, 0);
    assert_eq!(world.state(A), Finished);
}

#[test]
fn run_that_ends_well_finishes() {
    let mut world = running(&[Run, Shutdown]);
    world.exit(A, Run, 0);
    assert_eq!(world.state(A), Stopping);
    assert!(world.lives(A, Shutdown));
    world.exit(A, Shutdown, 1);
    assert_eq!(world.state(A), Finished, "the result of Shutdown is ignored");
}

#[test]
fn startup_excludes_run_and_waits_for_its_end() {
    let mut world = world_with(&[Startup, Run]);
    assert_eq!(world.state(A), Starting);
    world.exit(A, Startup, 0);
    assert_eq!(world.state(A), Running);
    assert_eq!(world.begun, ["a/Startup"]);
}

#[test]
fn startup_skipped_gives_way_to_run() {
    let mut world = World::new();
    world.apply(&set(&[(A, component("1.0.0", &[Startup, Run], &[]))]));
    let order = world.asked.remove(0);
    assert_eq!(order.step, Startup);
    world.on(Event::Skipped { name: order.name, ticket: order.ticket });
    world.go();
    assert_eq!(world.state(A), Running);
    assert_eq!(world.begun, ["a/Run"]);
}

#[test]
fn skipped_steps_count_as_done() {
    let mut world = World::new();
    world.apply(&set(&[(A, component("1.0.0", &[Install, Startup, Run], &[]))]));
    while !world.asked.is_empty() {
        let order = world.asked.remove(0);
        world.on(Event::Skipped { name: order.name, ticket: order.ticket });
    }
    assert_eq!(world.state(A), Finished);
}

#[test]
fn errors_retry_at_once_and_break_at_the_third() {
    // step that fails, steps of the component, status code, path of one failed try
    let table: [(StepName, &[StepName], StatusCode, &[ComponentState]); 3] = [
        (Install, &[Install, Run], StatusCode::InstallError, &[Errored, New]),
        (Startup, &[Startup], StatusCode::StartupError, &[Errored, Stopping, Installed, Starting]),
        (Run, &[Run], StatusCode::RunError, &[Errored, Stopping, Installed, Starting, Running]),
    ];
    for (failing, steps, code, path) in table {
        let mut world = world_with(steps);
        for _ in 0..2 {
            world.news.clear();
            world.exit(A, failing, 7);
            assert_eq!(world.path(A), path, "{failing}");
            assert_eq!(world.news[0].2, code);
            assert_eq!(world.news[0].3, format!("the {failing} step exited with code 7"));
            assert!(world.news[1..].iter().all(|news| news.2 == StatusCode::None && news.3.is_empty()));
        }
        world.exit(A, failing, 7);
        assert_eq!(world.state(A), Broken, "{failing}");
        assert_eq!(world.reason(A), (code, format!("the {failing} step exited with code 7, for the 3rd time")));
        assert!(world.living.is_empty() && world.asked.is_empty());
        assert_eq!(world.begun.iter().filter(|begun| begun.ends_with(failing.as_str())).count(), 3);
    }
}

#[test]
fn errors_an_hour_apart_do_not_add_up() {
    let mut world = running(&[Run]);
    for _ in 0..10 {
        world.wait(Duration::from_secs(3600));
        world.exit(A, Run, 1);
        assert_eq!(world.state(A), Running);
    }
    world.exit(A, Run, 1);
    world.exit(A, Run, 1);
    assert_eq!(world.state(A), Broken);
}

#[test]
fn recover_follows_each_error_and_shutdown_each_start() {
    let mut world = running(&[Run, Recover, Shutdown]);
    world.exit(A, Run, 1);
    assert_eq!(world.state(A), Errored);
    world.exit(A, Recover, 9);
    assert_eq!(world.state(A), Stopping);
    world.exit(A, Shutdown, 0);
    assert_eq!(world.state(A), Running);
    world.exit(A, Run, 1);
    world.exit(A, Recover, 0);
    world.exit(A, Shutdown, 0);
    world.exit(A, Run, 1);
    assert_eq!(world.state(A), Broken);
    assert!(world.lives(A, Shutdown), "BROKEN from RUNNING still shuts down, and does not recover");
    world.exit(A, Shutdown, 0);
    assert!(world.living.is_empty() && !world.lives(A, Recover));
}

#[test]
fn each_step_has_its_time_limit() {
    let table: [(&[StepName], StepName, u64, ComponentState, StatusCode); 4] = [
        (&[Install, Recover], Install, 120, Errored, StatusCode::InstallTimeout),
        (&[Startup, Recover], Startup, 120, Errored, StatusCode::StartupTimeout),
        (&[Run, Shutdown, Recover], Shutdown, 15, Errored, StatusCode::ShutdownTimeout),
        (&[Run, Recover], Recover, 60, Running, StatusCode::None),
    ];
    for (steps, which, seconds, state, code) in table {
        let mut world = world_with(steps);
        match which {
            Shutdown => world.exit(A, Run, 0),
            Recover => world.exit(A, Run, 1),
            _ => {}
        }
        assert!(world.lives(A, which), "{which}");
        world.wait(Duration::from_millis(seconds * 1000 - 1));
        assert!(world.lives(A, which), "{which} ended too early");
        world.wait(Duration::from_millis(1));
        assert!(!world.lives(A, which), "{which} lives on");
        world.go();
        assert_eq!(world.state(A), state, "{which}");
        assert_eq!(world.reason(A).0, code);
    }
}

#[test]
fn run_has_a_time_limit_only_if_its_recipe_says_so() {
    let mut world = running(&[Run]);
    world.wait(Duration::from_secs(1_000_000));
    assert_eq!(world.state(A), Running);
    let timed = edited(&component("2.0.0", &[Recover], &[]), |lifecycle| {
        let limit = Some(Duration::from_millis(1500));
        lifecycle.run = Some(Ok(crate::wire::lifecycle::Step { timeout: limit, ..step("run") }));
    });
    world.apply(&set(&[(A, timed)]));
    world.go();
    world.wait(Duration::from_millis(1500));
    assert_eq!(world.state(A), Errored);
    assert_eq!(world.reason(A), (StatusCode::RunTimeout, "the Run step did not end within 1.5 s".into()));
    assert!(!world.lives(A, Run));
}

#[test]
fn shutdown_time_limit_does_not_keep_a_component_from_stopping() {
    let mut world = running(&[Run, Shutdown]);
    world.ask(Ask::Stop(name(A))).unwrap();
    world.go();
    world.wait(Duration::from_secs(15));
    world.go();
    assert_eq!(world.path(A)[3..], [Stopping, Errored, Finished]);
    assert!(world.living.is_empty());
}

#[test]
fn steps_that_are_not_valid_break_the_component_with_their_code() {
    let invalid = |step| Some(Err(StepError { step, fault: "no Script".into() }));
    let table: [(StepName, StatusCode); 3] = [
        (Install, StatusCode::InstallConfigNotValid),
        (Startup, StatusCode::StartupConfigNotValid),
        (Run, StatusCode::RunConfigNotValid),
    ];
    for (which, code) in table {
        let broken = edited(&component("1.0.0", &[], &[]), |lifecycle| match which {
            Install => lifecycle.install = invalid(which),
            Startup => lifecycle.startup = invalid(which),
            _ => lifecycle.run = invalid(which),
        });
        let broken = edited(&broken, |lifecycle| lifecycle.error_reset_time = Some(Duration::ZERO));
        let mut world = World::new();
        world.apply(&set(&[(A, broken)]));
        assert_eq!(world.state(A), Broken, "{which}");
        assert_eq!(world.reason(A).0, code);
        assert!(world.reason(A).1.contains("no Script"));
    }
    let harmless = edited(&component("1.0.0", &[Run], &[]), |lifecycle| {
        lifecycle.shutdown = invalid(Shutdown);
        lifecycle.recover = invalid(Recover);
        lifecycle.uninstall = invalid(Uninstall);
    });
    let mut world = World::new();
    world.apply(&set(&[(A, harmless)]));
    world.go();
    world.exit(A, Run, 1);
    assert_eq!(world.state(A), Running);
    world.apply(&set(&[]));
    world.go();
    assert_eq!(world.forgotten, [A]);
}

#[test]
fn steps_that_cannot_be_started_break_the_component_with_their_code() {
    use NotStarted::{Io, MissingRunWith};
    let table: [(StepName, NotStarted, StatusCode); 6] = [
        (Install, Io("no such shell".into()), StatusCode::InstallIoError),
        (Install, MissingRunWith("no user".into()), StatusCode::InstallMissingDefaultRunwith),
        (Startup, Io("no such shell".into()), StatusCode::StartupIoError),
        (Startup, MissingRunWith("no user".into()), StatusCode::StartupMissingDefaultRunwith),
        (Run, Io("no such shell".into()), StatusCode::RunIoError),
        (Run, MissingRunWith("no user".into()), StatusCode::RunMissingDefaultRunwith),
    ];
    for (which, why, code) in table {
        let mut world = World::new();
        world.apply(&set(&[(A, component("1.0.0", &[which], &[]))]));
        let mut tries = 0;
        while !world.asked.is_empty() {
            let order = world.asked.remove(0);
            world.on(Event::NotStarted { name: order.name, ticket: order.ticket, why: why.clone() });
            tries += 1;
        }
        assert_eq!((tries, world.state(A), world.reason(A).0), (3, Broken, code));
    }
}

#[test]
fn reports_are_taken_where_a_state_accepts_them() {
    use ComponentState as S;
    let all = [S::New, S::Installed, S::Starting, S::Running, S::Stopping, S::Errored, S::Broken, S::Finished];
    type Row = (fn() -> World, ComponentState, &'static [(ComponentState, ComponentState)]);
    let table: [Row; 6] = [
        (|| world_with(&[Install, Recover]), New, &[(S::Errored, Errored)]),
        (
            || world_with(&[Startup, Recover, Shutdown]),
            Starting,
            &[(S::Running, Running), (S::Errored, Errored), (S::Finished, Stopping)],
        ),
        (|| running(&[Run, Recover, Shutdown]), Running, &[(S::Errored, Errored), (S::Finished, Stopping)]),
        (
            || {
                let mut world = running(&[Run, Shutdown, Recover]);
                world.ask(Ask::Stop(name(A))).unwrap();
                world.go();
                world
            },
            Stopping,
            &[(S::Errored, Errored)],
        ),
        (|| world_with(&[]), Finished, &[]),
        (
            || {
                let mut world = world_with(&[Run]);
                (0..3).for_each(|_| world.exit(A, Run, 1));
                world
            },
            Broken,
            &[],
        ),
    ];
    for (prepare, from, accepted) in table {
        for reported in all {
            let mut world = prepare();
            assert_eq!(world.state(A), from);
            world.on(Event::Reported { name: name(A), state: reported });
            let wanted = accepted.iter().find(|(report, _)| *report == reported).map_or(from, |(_, to)| *to);
            assert_eq!(world.state(A), wanted, "{reported} in {from}");
        }
    }
}

#[test]
fn startup_that_reported_running_may_still_fail() {
    let mut world = world_with(&[Startup]);
    world.on(Event::Reported { name: name(A), state: Running });
    world.wait(Duration::from_secs(10_000));
    assert_eq!(world.state(A), Running, "the time limit of Startup was for becoming RUNNING");
    world.exit(A, Startup, 3);
    assert_eq!(world.path(A)[2..], [Running, Errored, Stopping, Installed, Starting]);
    world.on(Event::Reported { name: name(A), state: Running });
    world.exit(A, Startup, 0);
    assert_eq!(world.state(A), Running);
}

#[test]
fn restart_and_stop_by_order() {
    let mut world = running(&[Run]);
    world.ask(Ask::Restart(name(A))).unwrap();
    world.go();
    assert_eq!(world.path(A)[3..], [Stopping, Installed, Starting, Running]);
    world.ask(Ask::Stop(name(A))).unwrap();
    world.go();
    assert_eq!(world.state(A), Finished);
    world.ask(Ask::Stop(name(A))).unwrap();
    world.ask(Ask::Restart(name(A))).unwrap();
    world.go();
    assert_eq!(world.state(A), Running);
    assert_eq!(world.ask(Ask::Stop(name(B))), Err(Refused::Unknown(name(B))));
    (0..3).for_each(|_| world.exit(A, Run, 1));
    assert!(matches!(world.ask(Ask::Restart(name(A))), Err(Refused::WrongState { .. })));
    assert_eq!(world.state(A), Broken);
}

#[test]
fn stop_while_starting_ends_the_startup() {
    let mut world = world_with(&[Startup, Shutdown]);
    world.ask(Ask::Stop(name(A))).unwrap();
    world.go();
    assert_eq!(world.state(A), Stopping);
    world.exit(A, Shutdown, 0);
    assert_eq!(world.state(A), Finished);
    assert!(world.living.is_empty());
}

#[test]
fn stop_while_installing_lets_install_finish() {
    let mut world = world_with(&[Install, Run]);
    world.ask(Ask::Stop(name(A))).unwrap();
    world.go();
    assert_eq!(world.state(A), New);
    world.exit(A, Install, 0);
    assert_eq!(world.path(A), [Installed, Finished]);
    assert!(!world.begun.contains(&"a/Run".to_owned()));
}

#[test]
fn removed_component_stops_uninstalls_and_is_gone() {
    let mut world = running(&[Run, Shutdown, Uninstall]);
    world.apply(&set(&[]));
    world.go();
    world.exit(A, Shutdown, 0);
    assert!(world.lives(A, Uninstall));
    assert_eq!(world.settle(1, &[A]), None);
    world.exit(A, Uninstall, 1);
    assert_eq!(world.forgotten, [A]);
    assert_eq!(world.answers[&1], Settlement::Reached);
    assert!(world.machine.statuses().is_empty());
}

#[test]
fn removed_while_installing_is_cleared_away_at_once() {
    let mut world = world_with(&[Install, Run, Uninstall]);
    world.apply(&set(&[]));
    world.go();
    assert!(!world.lives(A, Install));
    world.wait(Duration::from_secs(120));
    world.go();
    assert_eq!(world.forgotten, [A]);
}

#[test]
fn wanted_again_while_leaving_comes_back() {
    for progress in 0..3 {
        let mut world = running(&[Run, Shutdown, Uninstall]);
        world.apply(&set(&[]));
        world.go();
        if progress > 0 {
            world.exit(A, Shutdown, 0);
        }
        if progress > 1 {
            world.exit(A, Uninstall, 0);
        }
        world.apply(&set(&[(A, component("2.0.0", &[Install, Run], &[]))]));
        world.go();
        match progress {
            0 => world.exit(A, Shutdown, 0),
            1 => world.exit(A, Uninstall, 0),
            _ => {}
        }
        world.exit(A, Install, 0);
        assert_eq!(world.state(A), Running, "{progress}");
    }
}

#[test]
fn shutdown_belongs_to_the_version_that_runs() {
    let mut world = running(&[Run, Shutdown]);
    world.apply(&set(&[(A, component("2.0.0", &[Run, Shutdown], &[]))]));
    world.go();
    let shutdown = world.living.values().find(|order| order.step == Shutdown).unwrap();
    assert_eq!(shutdown.what.script, "Shutdown 1.0.0");
    assert_eq!(shutdown.life.component.version.to_string(), "1.0.0");
    world.exit(A, Shutdown, 0);
    assert_eq!(world.living.values().next().unwrap().what.script, "Run 2.0.0");
}

#[test]
fn another_version_installs_again_and_another_install_in_hand_gives_way() {
    let mut world = world_with(&[Install, Run]);
    world.apply(&set(&[(A, component("2.0.0", &[Install, Run], &[]))]));
    world.go();
    assert_eq!(world.living.values().next().unwrap().what.script, "Install 2.0.0");
    world.exit(A, Install, 0);
    assert_eq!(world.state(A), Running);
    world.apply(&set(&[(A, component("3.0.0", &[Install, Run], &[]))]));
    world.go();
    assert_eq!(world.state(A), New);
}

#[test]
fn broken_component_is_tried_again_by_every_new_set() {
    let mut world = running(&[Run]);
    let wanted = set(&[(A, component("1.0.0", &[Run], &[]))]);
    (0..3).for_each(|_| world.exit(A, Run, 1));
    assert_eq!(world.state(A), Broken);
    world.apply(&wanted);
    world.go();
    assert_eq!(world.state(A), Running);
    world.exit(A, Run, 1);
    world.exit(A, Run, 1);
    assert_eq!(world.state(A), Running, "the count began anew");
    world.exit(A, Run, 1);
    world.apply(&set(&[]));
    world.go();
    assert_eq!(world.forgotten, [A]);
}

#[test]
fn unchanged_component_keeps_its_process() {
    let mut world = running(&[Run]);
    world.wait(Machine::STEADY);
    let before = world.begun.clone();
    world.apply(&set(&[(A, component("1.0.0", &[Run], &[])), (B, component("1.0.0", &[Run], &[A]))]));
    assert_eq!(world.settle(1, &[A]), Some(&Settlement::Reached), "settled at once");
    world.go();
    assert_eq!(world.begun, [before, vec!["b/Run".into()]].concat());
}

#[test]
fn limits_change_without_a_restart() {
    let mut world = running(&[Run]);
    let mut limited = component("1.0.0", &[Run], &[]);
    limited.run_with.limits = Some(SystemResourceLimits { memory: Some(1024), cpus: None });
    world.apply(&set(&[(A, limited)]));
    world.go();
    assert_eq!((world.limited.as_slice(), world.begun.len()), ([A.to_owned()].as_slice(), 1));
}

#[test]
fn dependents_start_after_and_stop_before_their_dependency() {
    let mut world = World::new();
    let chain = [
        (A, component("1.0.0", &[Startup, Shutdown], &[])),
        (B, component("1.0.0", &[Startup, Shutdown], &[A])),
        (C, component("1.0.0", &[Run, Shutdown], &[B])),
    ];
    world.apply(&set(&chain));
    world.go();
    assert_eq!((world.state(B), world.state(C)), (Installed, Installed));
    world.exit(A, Startup, 0);
    assert_eq!((world.state(B), world.state(C)), (Starting, Installed));
    world.exit(B, Startup, 0);
    assert_eq!(world.state(C), Running);
    world.begun.clear();
    world.ask(Ask::Close).unwrap();
    world.go();
    assert_eq!(world.begun, ["c/Shutdown"]);
    world.exit(C, Shutdown, 0);
    assert_eq!(world.begun, ["c/Shutdown", "b/Shutdown"]);
    world.exit(B, Shutdown, 0);
    world.exit(A, Shutdown, 0);
    assert!(world.closed);
    assert_eq!(world.ask(Ask::Restart(name(A))), Err(Refused::GoingDown));
}

#[test]
fn removal_stops_dependents_first_too() {
    let mut world = World::new();
    world.apply(&set(&[
        (A, component("1.0.0", &[Run, Shutdown], &[])),
        (B, component("1.0.0", &[Run, Shutdown], &[A])),
    ]));
    world.go();
    world.apply(&set(&[]));
    world.go();
    assert_eq!((world.state(A), world.state(B)), (Running, Stopping));
    world.exit(B, Shutdown, 0);
    world.exit(A, Shutdown, 0);
    assert_eq!(world.forgotten, [B, A]);
}

#[test]
fn dependents_restart_with_a_hard_dependency_only() {
    let mut world = World::new();
    let mut soft = component("1.0.0", &[Run], &[]);
    soft.dependencies.insert(name(A), DependencyType::Soft);
    world.apply(&set(&[(A, component("1.0.0", &[Run], &[])), (B, component("1.0.0", &[Run], &[A])), (C, soft)]));
    world.go();
    for provoke in [(|world: &mut World| world.ask(Ask::Restart(name(A))).unwrap()) as fn(&mut World), |world| {
        world.exit(A, Run, 1);
    }] {
        world.begun.clear();
        provoke(&mut world);
        world.go();
        assert_eq!(world.begun, ["a/Run", "b/Run"]);
        assert_eq!((world.state(A), world.state(B), world.state(C)), (Running, Running, Running));
    }
    world.begun.clear();
    world.ask(Ask::Stop(name(A))).unwrap();
    world.go();
    assert!(world.begun.is_empty(), "one that ended as asked is still ready");
    assert_eq!((world.state(A), world.state(B)), (Finished, Running));
}

#[test]
fn finished_dependency_is_ready_and_a_missing_one_is_not_waited_for() {
    let mut world = World::new();
    world.apply(&set(&[
        (A, component("1.0.0", &[Install], &[])),
        (B, component("1.0.0", &[Run], &[A, "aws.greengrass.Nucleus"])),
    ]));
    world.go();
    assert_eq!(world.state(B), Installed);
    world.exit(A, Install, 0);
    assert_eq!((world.state(A), world.state(B)), (Finished, Running));
}

#[test]
fn new_dependency_restarts_and_a_lost_one_does_not() {
    let mut world = World::new();
    let (a, b) = (component("1.0.0", &[Run], &[]), component("1.0.0", &[Run], &[]));
    world.apply(&set(&[(A, a.clone()), (B, b.clone())]));
    world.go();
    let bound = component("1.0.0", &[Run], &[A]);
    world.apply(&set(&[(A, a.clone()), (B, bound)]));
    world.go();
    assert_eq!(world.begun, ["a/Run", "b/Run", "b/Run"]);
    world.apply(&set(&[(A, a), (B, b)]));
    world.ask(Ask::Restart(name(A))).unwrap();
    world.go();
    assert_eq!(world.begun, ["a/Run", "b/Run", "b/Run", "a/Run"]);
}

#[test]
fn circle_of_dependencies_starts_restarts_and_stops() {
    let mut world = World::new();
    world.apply(&set(&[
        (A, component("1.0.0", &[Run], &[C])),
        (B, component("1.0.0", &[Run], &[A])),
        (C, component("1.0.0", &[Run], &[B])),
        ("self", component("1.0.0", &[Run], &["self"])),
    ]));
    world.go();
    for who in [A, B, C, "self"] {
        assert_eq!(world.state(who), Running, "{who}");
        world.ask(Ask::Restart(name(who))).unwrap();
        world.go();
    }
    world.ask(Ask::Close).unwrap();
    world.go();
    assert!(world.closed);
}

#[test]
fn settled_without_components_is_answered_at_once() {
    let mut world = World::new();
    assert_eq!(world.settle(1, &[]), Some(&Settlement::Reached));
}

#[test]
fn settled_waits_until_a_run_has_lived_a_moment() {
    let mut world = running(&[Run]);
    assert_eq!(world.settle(1, &[A, "never.heard.of"]), None);
    assert!(world.machine.next_alarm().is_some());
    world.wait(Machine::STEADY);
    assert_eq!(world.answers[&1], Settlement::Reached);
    let mut world = running(&[Run]);
    world.settle(1, &[A]);
    (0..3).for_each(|_| world.exit(A, Run, 1));
    let reason = "the Run step exited with code 1, for the 3rd time".to_owned();
    assert_eq!(world.answers[&1], Settlement::Broken(vec![(name(A), reason)]));
}

#[test]
fn settled_answers_at_once_when_nothing_is_tracked() {
    let mut world = running(&[Run]);
    assert_eq!(world.settle(1, &[]), Some(&Settlement::Reached));
}

#[test]
fn settled_names_the_broken_dependency_of_one_that_waits() {
    let mut world = World::new();
    world.apply(&set(&[
        (A, component("1.0.0", &[Startup], &[])),
        (B, component("1.0.0", &[Run], &[A])),
        (C, component("1.0.0", &[Run], &[B])),
    ]));
    world.go();
    assert_eq!(world.settle(1, &[C]), None);
    (0..3).for_each(|_| world.exit(A, Startup, 1));
    let wanted = Settlement::Broken(vec![(name(A), world.reason(A).1)]);
    assert_eq!(world.answers[&1], wanted);
    assert_eq!(world.settle(2, &[C]), Some(&wanted), "asked afterwards too");
}

#[test]
fn settled_takes_back_what_failed_again() {
    let mut world = World::new();
    world.apply(&set(&[(A, component("1.0.0", &[Run], &[])), (B, component("1.0.0", &[Startup], &[]))]));
    world.go();
    world.settle(1, &[A, B]);
    world.wait(Machine::STEADY);
    world.living.retain(|_, order| order.step != Run || order.name != name(A));
    let ticket = Ticket(world.machine.statuses()[&name(A)].pid.unwrap().unsigned_abs().into());
    world.on(Event::Exited { name: name(A), ticket, end: End::Signal(11) });
    assert_eq!(world.reason(A).0, StatusCode::None);
    world.exit(B, Startup, 0);
    assert!(world.answers.is_empty(), "a is on its way again");
    world.go();
    world.wait(Machine::STEADY);
    assert_eq!(world.answers[&1], Settlement::Reached);
}

#[test]
fn paused_component_is_thawed_before_it_stops() {
    let mut world = running(&[Run]);
    world.ask(Ask::Pause(name(A))).unwrap();
    world.machine.set_paused(&name(A), true);
    assert!(world.machine.statuses()[&name(A)].paused);
    world.ask(Ask::Stop(name(A))).unwrap();
    assert_eq!(world.thawed, [A]);
    world.go();
    assert!(!world.machine.statuses()[&name(A)].paused);
    assert!(matches!(world.ask(Ask::Pause(name(A))), Err(Refused::WrongState { .. })));
}

#[test]
fn closing_gives_up_what_is_in_hand() {
    for steps in [&[Install] as &[StepName], &[Startup], &[Run], &[Run, Recover], &[]] {
        let mut world = world_with(steps);
        if steps.contains(&Recover) {
            world.exit(A, Run, 1);
            assert!(world.lives(A, Recover));
        }
        world.ask(Ask::Close).unwrap();
        world.go();
        assert!(world.closed && world.living.is_empty(), "{steps:?}");
    }
}

#[test]
fn closing_still_uninstalls_what_was_removed() {
    let mut world = running(&[Run, Shutdown, Uninstall]);
    world.apply(&set(&[]));
    world.ask(Ask::Close).unwrap();
    world.go();
    world.exit(A, Shutdown, 0);
    world.exit(A, Uninstall, 0);
    assert!(world.closed);
    assert_eq!(world.forgotten, [A]);
}

#[test]
fn late_answers_change_nothing() {
    let mut world = running(&[Run]);
    let old = Ticket(world.machine.statuses()[&name(A)].pid.unwrap().unsigned_abs().into());
    world.ask(Ask::Restart(name(A))).unwrap();
    world.go();
    world.on(Event::Exited { name: name(A), ticket: old, end: End::Code(1) });
    world.on(Event::TreeEnded { name: name(A), ticket: old });
    world.on(Event::Skipped { name: name(B), ticket: old });
    assert_eq!(world.state(A), Running);
}
