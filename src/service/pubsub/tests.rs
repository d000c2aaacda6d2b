//! The service turned as others turn it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::value::RawValue;

use super::{Handle, Inbox, Limit, Message, Payload, Received, Sink, Subscription};
use crate::wire::ipc::pubsub::ReceiveMode;
use crate::wire::name::ComponentName;
use crate::wire::principal::Principal;
use crate::wire::topic::{Topic, TopicFilter};

use ReceiveMode::{ReceiveAllMessages as All, ReceiveMessagesFromOthers as Others};

const ROOM: Limit = Limit { messages: 100, bytes: 1 << 20 };

fn component(name: &str) -> Principal {
    Principal::Component(ComponentName::parse(name).unwrap())
}

fn topic(text: &str) -> Topic {
    Topic::parse(text).unwrap()
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::parse(text).unwrap()
}

fn text(text: &str) -> Payload {
    Payload::Binary(text.into())
}

fn subscribed(handle: &Handle, who: &str, wanted: &str, mode: ReceiveMode) -> (Arc<Inbox>, Subscription) {
    let inbox = Inbox::new(ROOM);
    let subscription = handle.subscribe(component(who), &filter(wanted), mode, inbox.clone());
    (inbox, subscription)
}

/// What an inbox holds: payloads, and `-n` for a gap.
fn drain(inbox: &Inbox) -> Vec<String> {
    std::iter::from_fn(|| inbox.take())
        .map(|received| match received {
            Received::Missed(count) => format!("-{count}"),
            Received::Message(message) => match &message.payload {
                Payload::Json(json) => json.get().to_owned(),
                Payload::Binary(bytes) => String::from_utf8(bytes.clone()).unwrap(),
            },
        })
        .collect()
}

#[test]
fn publish_reaches_those_who_match_in_order() {
    let handle = Handle::new();
    let (exact, _a) = subscribed(&handle, "a", "x/1", All);
    let (wild, _b) = subscribed(&handle, "b", "x/#", All);
    let (other, _c) = subscribed(&handle, "c", "y", All);
    assert_eq!(handle.publish(&component("p"), topic("x/1"), text("1")), 2);
    assert_eq!(handle.publish(&component("p"), topic("x/2"), text("2")), 1);
    assert_eq!(handle.publish(&component("p"), topic("x/1"), text("3")), 2);
    assert_eq!(handle.publish(&component("p"), topic("nobody"), text("4")), 0);
    assert_eq!(drain(&exact), ["1", "3"]);
    assert_eq!(drain(&wild), ["1", "2", "3"]);
    assert!(drain(&other).is_empty());
}

#[test]
fn mode_compares_the_publisher_with_the_subscriber() {
    let handle = Handle::new();
    let (others, _a) = subscribed(&handle, "a", "t", Others);
    let (all, _b) = subscribed(&handle, "a", "t", All);
    assert_eq!(handle.publish(&component("a"), topic("t"), text("own")), 1);
    assert_eq!(handle.publish(&component("b"), topic("t"), text("other")), 2);
    // A client of the command line that bears a component's name is somebody else.
    assert_eq!(handle.publish(&Principal::Client("a".into()), topic("t"), text("client")), 2);
    assert_eq!(drain(&others), ["other", "client"]);
    assert_eq!(drain(&all), ["own", "other", "client"]);
}

#[test]
fn subscription_ends_when_it_is_dropped() {
    let handle = Handle::new();
    let (inbox, subscription) = subscribed(&handle, "a", "x/+/y", All);
    let (twin, _twin) = subscribed(&handle, "a", "x/+/y", All);
    assert_eq!(handle.subscriptions(), 2);
    drop(subscription);
    assert_eq!(handle.subscriptions(), 1);
    assert_eq!(handle.publish(&component("p"), topic("x/1/y"), text("1")), 1);
    assert!(drain(&inbox).is_empty());
    assert_eq!(drain(&twin), ["1"]);
    assert_eq!(Arc::strong_count(&inbox), 1, "the service keeps no sink that nobody subscribed");
}

/// F11 of the specification, seen from here: who does not match is not looked at, who leaves leaves nothing.
#[test]
fn thousand_clients_with_ten_subscriptions_each() {
    let handle = Handle::new();
    let clients: Vec<_> = (0..1000)
        .map(|client| {
            let inbox = Inbox::new(ROOM);
            let who = component(&format!("c{client}"));
            let mut wanted = vec!["all/news".to_owned(), format!("clients/{client}/#"), format!("+/{client}/inbox")];
            wanted.extend((0..7).map(|number| format!("clients/{client}/{number}")));
            let subscriptions: Vec<_> = wanted
                .iter()
                .map(|wanted| handle.subscribe(who.clone(), &filter(wanted), All, inbox.clone()))
                .collect();
            (inbox, subscriptions)
        })
        .collect();
    assert_eq!(handle.subscriptions(), 10_000);
    assert_eq!(handle.publish(&component("p"), topic("all/news"), text("news")), 1000);
    assert_eq!(handle.publish(&component("p"), topic("clients/77/inbox"), text("one")), 2);
    assert_eq!(handle.publish(&component("p"), topic("clients/1000/inbox"), text("none")), 0);
    for (client, (inbox, _)) in clients.iter().enumerate() {
        let expected: &[&str] = if client == 77 { &["news", "one"] } else { &["news"] };
        assert_eq!(drain(inbox), expected);
    }
    drop(clients);
    assert_eq!(handle.subscriptions(), 0);
}

#[test]
fn event_is_encoded_once_for_all() {
    let handle = Handle::new();
    let (first, _a) = subscribed(&handle, "a", "t/1", All);
    let (second, _b) = subscribed(&handle, "b", "+/1", All);
    let json = RawValue::from_string("{\"a\" : 1.0}".into()).unwrap();
    handle.publish(&component("p"), topic("t/1"), Payload::Json(json));
    let event = |inbox: &Inbox| match inbox.take() {
        Some(Received::Message(message)) => message.event(),
        other => panic!("{other:?}"),
    };
    let (first, second) = (event(&first), event(&second));
    assert_eq!(&*first, br#"{"jsonMessage":{"message":{"a" : 1.0},"context":{"topic":"t/1"}}}"#);
    assert!(Arc::ptr_eq(&first, &second));
}

#[test]
fn inbox_leaves_out_what_has_no_room_and_says_where() {
    let handle = Handle::new();
    let inbox = Inbox::new(Limit { messages: 2, bytes: 10 });
    let _subscription = handle.subscribe(component("a"), &filter("t"), All, inbox.clone());
    let publish = |payload: &str| handle.publish(&component("p"), topic("t"), text(payload));
    for payload in ["1", "2", "3", "4"] {
        publish(payload);
    }
    assert!(matches!(inbox.take(), Some(Received::Message(_))));
    publish("5");
    assert_eq!(drain(&inbox), ["2", "-3"]);
    publish("6");
    assert_eq!(drain(&inbox), ["6"], "there is room again");
    publish("1234567");
    publish("8");
    assert_eq!(drain(&inbox), ["1234567", "8"], "just fits: the topic counts too");
    publish("12345678");
    publish("9");
    assert_eq!(drain(&inbox), ["12345678", "-1"]);
    publish("longer than all there is room for");
    assert_eq!(drain(&inbox), ["longer than all there is room for"]);
}

#[test]
fn inbox_behind_several_subscriptions_gets_a_message_once() {
    let handle = Handle::new();
    let inbox = Inbox::new(ROOM);
    let _subscriptions =
        ["x/#", "x/+", "x/1"].map(|wanted| handle.subscribe(component("a"), &filter(wanted), All, inbox.clone()));
    handle.publish(&component("p"), topic("x/1"), text("1"));
    handle.publish(&component("p"), topic("x/2"), text("2"));
    assert_eq!(drain(&inbox), ["1", "2"]);
}

#[tokio::test]
async fn inbox_wakes_its_reader() {
    let handle = Handle::new();
    let (inbox, _subscription) = subscribed(&handle, "a", "t", All);
    let reader = tokio::spawn(async move { inbox.receive().await });
    tokio::task::yield_now().await;
    handle.publish(&component("p"), topic("t"), text("1"));
    assert!(matches!(reader.await.unwrap(), Received::Message(_)));
}

/// Publishes, subscribes and unsubscribes inside its call.
struct Meddler {
    handle: Handle,
    held: Mutex<Vec<Subscription>>,
    offered: AtomicUsize,
}

impl Sink for Meddler {
    fn offer(&self, message: &Arc<Message>) {
        self.offered.fetch_add(1, Ordering::Relaxed);
        if message.topic.as_str() == "echo" {
            return;
        }
        self.handle.publish(&component("meddler"), topic("echo"), text("echo"));
        let old = std::mem::take(&mut *self.held.lock().unwrap());
        drop(old);
        let inbox = Inbox::new(ROOM);
        let new = self.handle.subscribe(component("meddler"), &filter("#"), All, inbox);
        self.held.lock().unwrap().push(new);
    }
}

#[test]
fn sink_may_call_the_service() {
    let handle = Handle::new();
    let meddler = Arc::new(Meddler { handle: handle.clone(), held: Mutex::default(), offered: AtomicUsize::default() });
    let subscription = handle.subscribe(component("meddler"), &filter("#"), All, meddler.clone());
    // A sink that holds the last subscription of another is dropped with its own.
    let (_, held) = subscribed(&handle, "b", "x", All);
    meddler.held.lock().unwrap().push(held);
    assert_eq!(handle.publish(&component("p"), topic("t"), text("1")), 1);
    assert_eq!(handle.publish(&component("p"), topic("t"), text("2")), 2);
    assert_eq!(meddler.offered.load(Ordering::Relaxed), 4);
    assert_eq!(handle.subscriptions(), 2);
    drop(subscription);
    drop(meddler);
    assert_eq!(handle.subscriptions(), 0);
}
