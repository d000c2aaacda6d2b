//! Every operation, asked with what no SDK would send.

use greengrass::wire::ipc::Operation;
use serde_json::Value;

use super::client::{Client, Witness};
use super::core;
use super::frame::{Draft, Frame};

/// An error as every client can read it.
fn check_error(answer: &Frame, what: &str) -> String {
    let body = answer.json();
    let name = body["_errorCode"].as_str().unwrap_or_else(|| panic!("{what}: {body}")).to_owned();
    assert_eq!(answer.text("service-model-type"), Some(format!("aws.greengrass#{name}")), "{what}");
    assert_eq!(answer.text(":content-type").as_deref(), Some("application/json"), "{what}");
    assert_eq!(body["message"], body["_message"], "{what}");
    assert!(body["message"].as_str().is_some_and(|text| !text.is_empty() && text.len() < 2000), "{what}: {body}");
    name
}

/// One answer: an error, or a response that opens or ends the stream.
fn ask(client: &mut Client, stream: &mut i32, operation: Operation, payload: &[u8], what: &str) {
    *stream += 1;
    client.say(&Draft::request(*stream, operation.name(), "").payload(payload));
    let mut answer = client.receive();
    // A subscription of an earlier case may tell of this one.
    while answer.place().2 < *stream {
        answer = client.receive();
    }
    match answer.place() {
        (1, 2, of) if of == *stream => {
            let name = check_error(&answer, what);
            let is_known = operation.errors().iter().any(|error| error.name() == name);
            assert!(is_known || undeclared(operation).contains(&name.as_str()), "{what}: {name}");
        }
        (0, 2, of) if of == *stream => assert!(answer.json().is_object(), "{what}"),
        (0, 0, of) if of == *stream => {
            assert!(answer.json().is_object(), "{what}");
            client.say(&Draft::end(*stream));
        }
        place => panic!("{what}: {place:?}"),
    }
}

/// What the reference answers where the model does not declare it.
fn undeclared(operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::RestartComponent | Operation::StopComponent => &["UnauthorizedError", "ResourceNotFoundError"],
        _ => &["UnauthorizedError", "InvalidArgumentsError"],
    }
}

#[test]
fn every_operation_answers_whatever_it_is_asked() {
    let (mut core, door) = core();
    let mut witness = Witness::new(&door);
    let deep = |open: &str, close: &str| [open.repeat(5000), close.repeat(5000)].concat();
    let members = |value: &str| {
        let names = "topic publishMessage receiveMode topicName qos payload thingName shadowName pageSize secretId \
                     credential certificateOptions operation resource componentName keyPath timestamp valueToMerge \
                     state metrics deploymentId configurationValidityReport token rootComponentVersionsToAdd \
                     componentToConfiguration recipeDirectoryPath recheckAfterMs";
        let members: Vec<String> = names.split_whitespace().map(|name| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    };
    let payloads: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("an empty object", b"{}".to_vec()),
        ("null", b"null".to_vec()),
        ("a list", b"[]".to_vec()),
        ("a text", b"\"x\"".to_vec()),
        ("bytes that are not UTF-8", b"{\"topic\":\"\xff\xfe\"}".to_vec()),
        ("half an object", b"{\"topic\":".to_vec()),
        ("two objects", b"{}{}".to_vec()),
        ("a NUL", b"\0".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("deep lists", deep("[", "]").into_bytes()),
        ("deep objects that stop", "{\"a\":".repeat(5000).into_bytes()),
        ("a deep member nobody knows", format!("{{\"unknown\":{}}}", deep("[", "]")).into_bytes()),
        ("a key given twice", br#"{"topic":"a","topic":"b","thingName":"a","thingName":"b"}"#.to_vec()),
        ("nulls", members("null").into_bytes()),
        ("empty texts", members("\"\"").into_bytes()),
        ("numbers out of range", members("1e999").into_bytes()),
        ("numbers too large", members("99999999999999999999999999").into_bytes()),
        ("numbers below zero", members("-1").into_bytes()),
        ("empty lists", members("[]").into_bytes()),
        ("empty objects", members("{}").into_bytes()),
        ("deep members", members(&deep("[", "]")).into_bytes()),
        ("long texts", members(&format!("\"{}\"", "/".repeat(70_000))).into_bytes()),
        ("texts with a NUL", members(r#""a\u0000b""#).into_bytes()),
        ("halves of surrogates", members(r#""\ud800""#).into_bytes()),
    ];
    for (what, payload) in &payloads {
        let mut client = door.enter();
        let mut stream = 0;
        for operation in Operation::ALL {
            ask(&mut client, &mut stream, operation, payload, &format!("{operation} with {what}"));
        }
        witness.sees_it_go_on(what);
    }
    assert!(core.is_alive());
}

/// The SDK for Node.js would never hear of a refusal that overtakes its own request.
#[test]
fn refusal_of_a_stream_waits_and_holds_nobody_up() {
    let (_core, door) = core();
    let mut client = door.enter();
    // At once, so that no pause of ours lets the refusal out first.
    let said = [
        Draft::request(1, "SubscribeToTopic", "{}"),
        Draft::request(2, "SubscribeToTopic", "{}"),
        Draft::end(2),
        Draft::request(3, "PublishToTopic", "{}"),
    ];
    client.send(&said.map(|draft| draft.bytes()).concat());
    assert_eq!(client.receive().place(), (1, 2, 3), "what was asked behind it");
    assert_eq!(client.receive().place(), (1, 2, 1), "the refusal");
    assert_eq!(client.ask(4, "PublishToTopic", "{}").place(), (1, 2, 4), "nothing of the stream that was given up");
}

#[test]
fn operation_that_does_not_exist_is_a_service_error() {
    let (_core, door) = core();
    let mut client = door.enter();
    let long = "x".repeat(20_000);
    let names = ["aws.greengrass#Nothing", "PublishToTopic", "aws.greengrass#publishToTopic", "", "#", &long];
    for (stream, name) in (1..).zip(names) {
        client.say(&Draft::new(0, 0, stream).text("operation", name).payload(b"{}"));
        let answer = client.receive();
        assert_eq!(answer.place(), (1, 2, stream), "{name}");
        assert_eq!(check_error(&answer, name), "ServiceError", "{name}");
    }
    assert_eq!(client.ask(7, "SubscribeToTopic", r#"{"topic":"t"}"#).place(), (0, 0, 7));
}

#[test]
fn operations_without_a_service_say_what_is_missing() {
    let (_core, door) = core();
    let mut client = door.enter();
    let cases = [
        ("PublishToIoTCore", r#"{"topicName":"a","qos":"0","payload":""}"#, "AWS IoT Core"),
        ("SubscribeToIoTCore", r##"{"topicName":"a/#","qos":"1"}"##, "AWS IoT Core"),
        ("SubscribeToIoTCoreConnectionStatus", "{}", "AWS IoT Core"),
    ];
    for (stream, (operation, request, missing)) in (1..).zip(cases) {
        let answer = client.ask(stream, operation, request);
        assert_eq!(check_error(&answer, operation), "ServiceError");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(missing) && message.contains("not part of it yet"), "{operation}: {message}");
    }
    // A local client has no rights to the things of the cloud.
    let denied = client.ask(4, "GetThingShadow", r#"{"thingName":"T","shadowName":"s"}"#);
    assert_eq!(check_error(&denied, "GetThingShadow"), "UnauthorizedError");
    let message = denied.json()["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("on resource $aws/things/T/shadow/name/s"), "{message}");
}

#[test]
fn payload_of_a_publisher_reaches_the_subscriber_as_it_was() {
    let (_core, door) = core();
    let mut client = door.enter();
    assert_eq!(client.ask(1, "SubscribeToTopic", r#"{"topic":"t"}"#).place(), (0, 0, 1));
    let texts = [r#"{"a":1e400}"#, r#"{"a":"\ud83d\ude00","b":"\u0000"}"#, r#"{"a":12345678901234567890123}"#, "{ }"];
    for (stream, text) in (2..).zip(texts) {
        let request = format!(r#"{{"topic":"t","publishMessage":{{"jsonMessage":{{"message":{text}}}}}}}"#);
        client.say(&Draft::request(stream, "PublishToTopic", &request));
        let mut came = [client.receive(), client.receive()];
        came.sort_by_key(|frame| frame.place().2);
        assert_eq!(came[1].place(), (0, 2, stream), "{text}");
        let event = String::from_utf8(came[0].payload().to_vec()).unwrap();
        assert!(event.contains(&format!("\"message\":{text}")), "{event}");
    }
    let bytes = r#"{"topic":"t","publishMessage":{"binaryMessage":{"message":"AP/+"}}}"#;
    client.say(&Draft::request(6, "PublishToTopic", bytes));
    let mut came = [client.receive(), client.receive()];
    came.sort_by_key(|frame| frame.place().2);
    assert_eq!(came[0].json()["binaryMessage"]["message"], Value::from("AP/+"));
}
