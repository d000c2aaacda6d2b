use serde_json::json;
use serde_json::value::RawValue;

use super::*;
use crate::ipc::Blob;

fn name(text: &str) -> ComponentName {
    ComponentName::parse(text).unwrap()
}

fn json_payload(text: &str) -> Payload {
    Payload::Json(RawJson::new(RawValue::from_string(text.into()).unwrap()))
}

fn requests() -> Vec<(Request, &'static str)> {
    let id = DeploymentId::parse("7f3c").unwrap();
    let deployment = serde_json::from_value(json!({"add": {"A": "1.0.0"}, "group": "thinggroup/g"})).unwrap();
    vec![
        (Request::Status, r#""status""#),
        (Request::Components, r#""components""#),
        (Request::CreateDebugPassword, r#""createDebugPassword""#),
        (Request::Component { name: name("A.b") }, r#"{"component":{"name":"A.b"}}"#),
        (Request::Restart { name: name("A") }, r#"{"restart":{"name":"A"}}"#),
        (
            Request::CreateDeployment(Box::new(deployment)),
            r#"{"createDeployment":{"group":"thinggroup/g","add":{"A":"1.0.0"},"failureHandlingPolicy":"DO_NOTHING","componentUpdatePolicy":{"action":"SKIP_NOTIFY_COMPONENTS","timeout":60}}}"#,
        ),
        (Request::FollowDeployment { id }, r#"{"followDeployment":{"id":"7f3c"}}"#),
        (
            Request::Publish { topic: Topic::parse("a/b").unwrap(), payload: json_payload("{\"b\": 1.0}") },
            r#"{"publish":{"topic":"a/b","payload":{"json":{"b": 1.0}}}}"#,
        ),
        (
            Request::Publish { topic: Topic::parse("t").unwrap(), payload: Payload::Binary(Blob(vec![0, 255])) },
            r#"{"publish":{"topic":"t","payload":{"binary":"AP8="}}}"#,
        ),
        (
            Request::FollowTopics { filters: vec![TopicFilter::parse("a/#").unwrap()] },
            r#"{"followTopics":{"filters":["a/#"]}}"#,
        ),
        (Request::Config { path: "system".into() }, r#"{"config":{"path":"system"}}"#),
    ]
}

#[test]
fn request_is_the_same_after_a_round_trip() {
    for (request, text) in requests() {
        let line = request.encode().unwrap();
        assert_eq!(String::from_utf8_lossy(&line), format!("{text}\n"));
        assert_eq!(Request::decode(text.as_bytes()).unwrap(), request);
        // Each request cut short, with a byte changed, and twice: the fuzz body must hold for all.
        for cut in 0..text.len() {
            crate::fuzz::control(&text.as_bytes()[..cut]);
            let mut changed = text.as_bytes().to_vec();
            changed[cut] ^= 0x24;
            crate::fuzz::control(&changed);
        }
        crate::fuzz::control(format!("{text}\n{text}\n").as_bytes());
    }
}

#[test]
fn answer_is_the_same_after_a_round_trip() {
    let details = ComponentDetails {
        name: name("A"),
        version: ComponentVersion::parse("1.0.0").unwrap(),
        state: ComponentState::Broken,
        status_code: StatusCode::RunError,
        reason: "Run ended with 1\n".into(),
        paused: false,
        pid: None,
        configuration: json!({"a": [1, "ä", null]}),
    };
    let status = DaemonStatus {
        version: "0.1.0".into(),
        target: "t".into(),
        pid: 1,
        root: "/g".into(),
        uptime_seconds: 3,
        isolation: "none".into(),
        cloud: Some(Link::NotConfigured),
        components: [(ComponentState::Running, 2)].into(),
        deployments: [(DeploymentStatus::InProgress, 1)].into(),
    };
    let answers = [
        Answer::Hello { protocol: PROTOCOL, version: "0.1.0".into() },
        Answer::Status(Box::new(status)),
        Answer::Component(Box::new(details)),
        Answer::Log { log: "A".into(), line: "a\nb".into() },
        Answer::Published { subscriptions: 2 },
        Answer::Following,
        Answer::Message(Box::new(TopicMessage {
            topic: Topic::parse("a\nb").unwrap(),
            from: "greengrass-cli#user-0".into(),
            payload: json_payload("{\"a\":\n1}"),
        })),
        Answer::DebugPassword(DebugPassword { username: "debug".into(), password: "secret".into(), expires: 1 }),
        Answer::Missed { count: 7 },
        Answer::Config { value: json!(null) },
        Answer::Done,
        Answer::Error(Fault { code: Code::NotFound, message: "there is no x".into() }),
    ];
    for answer in answers {
        let line = answer.encode().unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1, "one line: {answer:?}");
        assert_eq!(Answer::decode(&line).unwrap(), answer);
    }
}

#[test]
fn password_is_never_shown_by_debug() {
    let made = DebugPassword { username: "debug".into(), password: "secret".into(), expires: 1 };
    assert!(!format!("{:?}", Answer::DebugPassword(made)).contains("secret"));
}

#[test]
fn decode_refuses_what_is_no_request() {
    let deep = "[".repeat(100_000);
    let bad: &[&[u8]] = &[
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        br#""unknown""#,
        br#"{"restart":{"name":"../etc"}}"#,
        br#"{"restart":{"name":"A","force":true}}"#,
        br#"{"restart":{"name":"A"},"stop":{"name":"A"}}"#,
        br#"{"createDeployment":{"add":{"A":"one"}}}"#,
        br#"{"publish":{"topic":"a/#","payload":{"json":{}}}}"#,
        br#"{"publish":{"topic":"a","payload":{"json":{"a":1,"a":2}}}}"#,
        br#"{"publish":{"topic":"a","payload":{"json":{},"binary":""}}}"#,
        br#"{"publish":{"topic":"a","payload":{"binary":"AP8"}}}"#,
        br#"{"followTopics":{"filters":[""]}}"#,
        deep.as_bytes(),
    ];
    for line in bad {
        assert!(Request::decode(line).is_err(), "{:?}", String::from_utf8_lossy(&line[..line.len().min(60)]));
    }
}

#[test]
fn fault_of_a_later_daemon_is_still_a_fault() {
    let answer = Answer::decode(br#"{"error":{"code":"NEW_KIND","message":"m"}}"#).unwrap();
    assert_eq!(answer, Answer::Error(Fault { code: Code::Failed, message: "m".into() }));
}

#[test]
fn lines_come_out_whole_however_they_are_read() {
    let sent = b"one\n\ntwo and more\nthree";
    for step in 1..=sent.len() {
        let mut lines = LineBuffer::new(16);
        let mut got = Vec::new();
        for part in sent.chunks(step) {
            lines.tail().extend_from_slice(part);
            while let Some(line) = lines.next_line().unwrap() {
                got.push(line);
            }
        }
        assert_eq!(got, [&b"one"[..], b"", b"two and more"], "read {step} at a time");
        assert!(lines.holds_half());
    }
}

#[test]
fn line_longer_than_the_limit_is_refused_with_and_without_its_end() {
    for sent in [&b"12345678\n"[..], b"12345678", b"123456789 123456789"] {
        let mut lines = LineBuffer::new(7);
        lines.tail().extend_from_slice(sent);
        assert!(matches!(lines.next_line(), Err(ControlError::TooLong { limit: 7 })), "{sent:?}");
    }
    let mut lines = LineBuffer::new(7);
    lines.tail().extend_from_slice(b"1234567\n1234567\n");
    assert_eq!(lines.next_line().unwrap().unwrap(), b"1234567");
    assert_eq!(lines.next_line().unwrap().unwrap(), b"1234567");
    assert!(lines.next_line().unwrap().is_none() && !lines.holds_half());
}
