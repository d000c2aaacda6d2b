use std::pin::pin;
use std::task::{Context, Waker};

use super::*;

const FOREVER: Duration = Duration::MAX;
const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_millis(5);

fn id() -> DeploymentId {
    DeploymentId::parse("d").unwrap()
}

fn name(text: &str) -> ComponentName {
    ComponentName::parse(text).unwrap()
}

fn before() -> Option<Notice> {
    Some(Notice::Before { deployment: id(), restarting: false })
}

fn after() -> Option<Notice> {
    Some(Notice::After { deployment: id() })
}

#[tokio::test]
async fn gate_is_open_when_nobody_subscribed_or_all_have_gone() {
    let gate = UpdateGate::default();
    gate.pass(&id(), false, FOREVER).await;
    drop(gate.hear("a"));
    gate.pass(&id(), false, FOREVER).await;
    assert_eq!(gate.lock().book.components().count(), 0);
}

#[tokio::test]
async fn gate_asks_everybody_again_after_the_longest_deferral() {
    let gate = UpdateGate::default();
    let mut first = gate.hear("a");
    let mut second = gate.hear("b");
    let start = Instant::now();
    let components = async {
        assert_eq!(first.recv().await, before());
        assert_eq!(second.recv().await, before());
        gate.defer(&name("b"), &id(), LONG).unwrap();
        gate.defer(&name("a"), &id(), SHORT).unwrap();
        assert_eq!(first.recv().await, before());
        assert!(start.elapsed() >= LONG);
        assert_eq!(second.recv().await, before());
        gate.defer(&name("a"), &id(), Duration::ZERO).unwrap();
        gate.defer(&name("b"), &id(), Duration::ZERO).unwrap();
    };
    let id = id();
    tokio::join!(gate.pass(&id, false, FOREVER), components);
    gate.passed(&id);
    gate.passed(&id);
    assert_eq!(first.recv().await, after());
    assert!(first.try_recv().is_err());
}

#[tokio::test]
async fn gate_goes_on_without_the_silent_ones() {
    let gate = UpdateGate::default();
    let _silent = gate.hear("a");
    gate.pass(&id(), false, SHORT).await;
    let late = gate.defer(&name("a"), &id(), Duration::from_secs(1));
    assert_eq!(late, Err(DeferError::TooLate { component: name("a"), deployment: id() }));
}

#[tokio::test]
async fn gate_waits_no_longer_for_one_that_went_away() {
    let gate = UpdateGate::default();
    let (one, two) = (gate.hear("a"), gate.hear("a"));
    let id = id();
    let mut asking = pin!(gate.pass(&id, false, FOREVER));
    let mut context = Context::from_waker(Waker::noop());
    assert!(asking.as_mut().poll(&mut context).is_pending());
    drop(one);
    assert!(asking.as_mut().poll(&mut context).is_pending(), "it has another connection");
    drop(two);
    asking.await;
}

#[tokio::test]
async fn gate_takes_one_answer_of_a_component_whatever_its_connections() {
    let gate = UpdateGate::default();
    let (mut one, mut two) = (gate.hear("a"), gate.hear("a"));
    let component = async {
        assert_eq!(one.recv().await, before());
        assert_eq!(two.recv().await, before());
        gate.defer(&name("a"), &id(), Duration::ZERO).unwrap();
        let again = gate.defer(&name("a"), &id(), Duration::from_secs(3600));
        assert!(matches!(again, Err(DeferError::TooLate { .. })));
    };
    let id = id();
    tokio::join!(gate.pass(&id, false, FOREVER), component);
}

#[tokio::test]
async fn defer_tells_why_it_does_not_count() {
    let gate = UpdateGate::default();
    let defer = |component: &str, deployment: &str| {
        gate.defer(&name(component), &DeploymentId::parse(deployment).unwrap(), Duration::ZERO).unwrap_err()
    };
    assert!(matches!(defer("a", "d"), DeferError::NotSubscribed { .. }));
    let mut inbox = gate.hear("a");
    assert!(matches!(defer("a", "d"), DeferError::UnknownDeployment { .. }));
    let id = id();
    let asking = gate.pass(&id, true, FOREVER);
    tokio::select! {
        () = asking => panic!("nobody has answered"),
        notice = inbox.recv() => assert_eq!(notice, Some(Notice::Before { deployment: id.clone(), restarting: true })),
    }
    assert!(matches!(defer("a", "other"), DeferError::UnknownDeployment { .. }));
    assert!(matches!(defer("b", "d"), DeferError::NotSubscribed { .. }));
    assert!(matches!(defer("a", "d"), DeferError::TooLate { .. }), "the question was taken back");
    gate.passed(&id);
    assert_eq!(inbox.recv().await, after());
    drop(inbox);
    assert!(matches!(defer("a", "d"), DeferError::NotSubscribed { .. }));
}

#[tokio::test]
async fn end_is_told_to_all_but_only_of_deployments_that_asked() {
    let gate = UpdateGate::default();
    let mut early = gate.hear("a");
    gate.passed(&id());
    gate.pass(&id(), false, Duration::ZERO).await;
    let mut late = gate.hear("b");
    gate.passed(&id());
    assert_eq!(early.recv().await, before());
    assert_eq!(early.recv().await, after());
    assert_eq!(late.recv().await, after());
}

#[tokio::test]
async fn gate_does_not_wait_for_one_that_leaves_its_notices_unread() {
    let gate = UpdateGate::default();
    let _deaf = gate.hear("a");
    for _ in 0..ROOM {
        gate.pass(&id(), false, Duration::ZERO).await;
    }
    gate.pass(&id(), false, FOREVER).await;
}

#[tokio::test]
async fn component_may_not_subscribe_without_end() {
    let gate = UpdateGate::default();
    let mut held: Vec<_> = (0..TooManySubscriptions::MOST).map(|_| gate.hear("a")).collect();
    let error = gate.subscribe(name("a")).unwrap_err().to_string();
    assert_eq!(error, "a has 64 subscriptions of this kind already");
    gate.hear("b");
    held.pop();
    gate.hear("a");
}
