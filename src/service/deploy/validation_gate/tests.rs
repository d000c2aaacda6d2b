use super::*;
use serde_json::json;

const FOREVER: Duration = Duration::MAX;

fn id() -> DeploymentId {
    DeploymentId::parse("d").unwrap()
}

fn name(text: &str) -> ComponentName {
    ComponentName::parse(text).unwrap()
}

fn changes(names: &[&str]) -> BTreeMap<ComponentName, Value> {
    names.iter().map(|text| (name(text), json!({"for": text}))).collect()
}

fn rejected(message: &str) -> Verdict {
    Verdict::Rejected { message: Some(message.into()) }
}

#[tokio::test]
async fn gate_is_open_for_those_who_did_not_subscribe() {
    let gate = ValidationGate::default();
    drop(gate.hear("a"));
    assert_eq!(gate.pass(&id(), changes(&["a", "b"]), FOREVER).await, []);
}

#[tokio::test]
async fn gate_asks_all_and_names_everyone_who_objects() {
    let id = id();
    let gate = ValidationGate::default();
    let mut inboxes = ["a", "b", "c"].map(|text| gate.hear(text));
    let components = async {
        for (inbox, text) in inboxes.iter_mut().zip(["a", "b", "c"]) {
            assert_eq!(
                inbox.recv().await,
                Some(Proposal { deployment: id.clone(), configuration: json!({"for": text}) })
            );
        }
        gate.report(&name("c"), &id, rejected("too loud")).unwrap();
        gate.report(&name("b"), &id, Verdict::Accepted).unwrap();
        gate.report(&name("a"), &id, Verdict::Rejected { message: None }).unwrap();
    };
    let (objections, ()) = tokio::join!(gate.pass(&id, changes(&["a", "b", "c"]), FOREVER), components);
    let said: Vec<String> = objections.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["a rejected its configuration", "c rejected its configuration: too loud"]);
}

#[tokio::test]
async fn gate_objects_for_the_silent_and_the_gone() {
    let id = id();
    let gate = ValidationGate::default();
    let _silent = gate.hear("silent");
    let gone = gate.hear("gone");
    let patience = Duration::from_millis(2);
    let leave = async move { drop(gone) };
    let (objections, ()) = tokio::join!(gate.pass(&id, changes(&["gone", "silent"]), patience), leave);
    let component = name("silent");
    assert_eq!(objections, [Objection::Gone { component: name("gone") }, Objection::TimedOut { component, patience }]);
    let late = gate.report(&name("silent"), &id, Verdict::Accepted);
    assert_eq!(late, Err(ReportError::NothingPending { component: name("silent"), deployment: id.clone() }));
}

#[tokio::test]
async fn gate_asks_the_oldest_subscription_that_lives() {
    let id = id();
    let gate = ValidationGate::default();
    let (mut one, mut two) = (gate.hear("a"), gate.hear("a"));
    let component = async {
        assert!(one.recv().await.is_some());
        assert!(two.try_recv().is_err());
        gate.report(&name("a"), &id, Verdict::Accepted).unwrap();
    };
    tokio::join!(gate.pass(&id, changes(&["a"]), FOREVER), component);
    drop(one);
    let component = async {
        assert!(two.recv().await.is_some());
        gate.report(&name("a"), &id, Verdict::Accepted).unwrap();
    };
    tokio::join!(gate.pass(&id, changes(&["a"]), FOREVER), component);
}

#[tokio::test]
async fn report_counts_once_and_only_for_what_was_asked() {
    let id = id();
    let gate = ValidationGate::default();
    let mut inbox = gate.hear("a");
    let nothing = |component: &str, deployment: &str| {
        gate.report(&name(component), &DeploymentId::parse(deployment).unwrap(), Verdict::Accepted).is_err()
    };
    assert!(nothing("a", "d"));
    let component = async {
        inbox.recv().await;
        assert!(nothing("a", "other") && nothing("b", "d"));
        gate.report(&name("a"), &id, Verdict::Accepted).unwrap();
        assert!(nothing("a", "d"));
    };
    tokio::join!(gate.pass(&id, changes(&["a"]), FOREVER), component);
    assert!(nothing("a", "d"));
}

#[tokio::test]
async fn question_is_taken_back_when_the_deployment_is_cancelled() {
    let id = id();
    let gate = ValidationGate::default();
    let mut inbox = gate.hear("a");
    tokio::select! {
        _ = gate.pass(&id, changes(&["a"]), FOREVER) => panic!("nobody has reported"),
        _ = inbox.recv() => {}
    }
    assert!(gate.report(&name("a"), &id, Verdict::Accepted).is_err());
    gate.hear("b");
    assert!(gate.lock().pending.is_empty());
}

#[tokio::test]
async fn gate_objects_for_one_that_leaves_its_proposals_unread() {
    let gate = ValidationGate::default();
    let _deaf = gate.hear("a");
    for _ in 0..ROOM {
        gate.pass(&id(), changes(&["a"]), Duration::ZERO).await;
    }
    let objections = gate.pass(&id(), changes(&["a"]), FOREVER).await;
    assert_eq!(objections, [Objection::Deaf { component: name("a") }]);
}
