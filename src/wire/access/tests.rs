use serde_json::{Value, json};

use super::definition;
use super::pattern::Pattern;
use super::resources::Resources;
use super::*;
use crate::ipc::Operation;
use crate::name::ComponentName;
use crate::principal::Principal;

fn component(name: &str) -> ComponentName {
    ComponentName::parse(name).unwrap()
}

fn parse(value: &Value) -> (Policies, Vec<String>) {
    let (policies, findings) = Policies::parse(&component("com.example.A"), value);
    (policies, findings.iter().map(ToString::to_string).collect())
}

/// Of one policy for every operation of the service.
fn granted(service: &str, resources: &[&str]) -> Policies {
    let (policies, findings) = parse(&json!({service: {"p": {"operations": ["*"], "resources": resources}}}));
    assert!(findings.is_empty(), "{findings:?}");
    policies
}

fn pubsub(resources: &[&str]) -> impl Fn(&str) -> bool + use<> {
    let policies = granted(PUBSUB, resources);
    move |topic| policies.allows(Operation::PublishToTopic, Some(topic))
}

fn mqtt(resources: &[&str]) -> impl Fn(&str) -> bool + use<> {
    let policies = granted(MQTT_PROXY, resources);
    move |topic| policies.allows(Operation::SubscribeToIoTCore, Some(topic))
}

/// `allowed` are, `denied` are not; by the definition, too.
fn judge(style: Style, resources: &[&str], allowed: &[&str], denied: &[&str]) {
    let covers: Box<dyn Fn(&str) -> bool> = match style {
        Style::Plain => Box::new(pubsub(resources)),
        Style::Mqtt => Box::new(mqtt(resources)),
    };
    let defined =
        |requested: &str| resources.iter().any(|resource| definition::covers(resource, style, requested) == Some(true));
    for requested in allowed {
        assert!(covers(requested), "{style:?} {resources:?} must cover {requested:?}");
        assert!(defined(requested), "{style:?} {resources:?} {requested:?}");
    }
    for requested in denied {
        assert!(!covers(requested), "{style:?} {resources:?} must not cover {requested:?}");
    }
}

const BOTH: [Style; 2] = [Style::Plain, Style::Mqtt];

#[test]
fn star_stands_for_any_text_and_crosses_levels() {
    for style in BOTH {
        judge(style, &["*"], &["a", "a/b", "/", "ä/#"], &["", " "]);
        judge(style, &["s/*/t"], &["s/1/t", "s/1/2/3/t", "s//t"], &["s/t", "s/1/t/", "s/1/t2"]);
        judge(style, &["red*"], &["red", "redder", "red/x"], &["re", "bred"]);
        judge(style, &["*red"], &["red", "bred", "x/red"], &["redder"]);
        judge(style, &["**/end"], &["1/end", "1/2/end"], &["end"]);
        judge(
            style,
            &["ab*c*de"],
            &["abcde", "ab1c2de", "abc/cde", "abcccdede", "abxcyc/zde"],
            &["abde", "abcd", "abcdex", "xabcde", "abcd e"],
        );
        judge(style, &["*mid*12*"], &["mid12", "xmidy12z", "midmid112"], &["mid1", "12mid", "mi12"]);
        judge(style, &["aa*aa"], &["aaaa", "aaaaa", "aa/aa"], &["aaa", "aa"]);
        // A '+' or '#' that is part of a level is a letter.
        judge(style, &["12/*#"], &["12/3#", "12/3/4#", "12/#"], &["12/3", "12/3#/"]);
    }
}

#[test]
fn escapes_stand_for_themselves() {
    for style in BOTH {
        judge(style, &["a${*}b"], &["a*b"], &["axb", "a${*}b", "ab"]);
        judge(style, &["${*}"], &["*"], &["*a", "a", "a/b"]);
        judge(style, &["${$}/x", "x/${?}"], &["$/x", "x/?"], &["${$}/x", "x/a", "x/${?}"]);
        judge(style, &["a${$}{*}b"], &["a${}b", "a${x/y}b"], &["a$b", "a{x}b"]);
        judge(style, &["$aws/things/*", "9$"], &["$aws/things/t/shadow", "9$"], &["aws/things/t", "9"]);
        judge(style, &["4$*"], &["4$", "4$x/y"], &["4*", "4"]);
        // Behind an escape a wildcard is one again, and the escaped letter stays a letter.
        judge(style, &["a${*}b*"], &["a*b", "a*bc"], &["axb", "axbc"]);
    }
    for usable in ["r${*}${?}${$}", "r*${?}${*}${$}$", "r*$${*}${$}", "${?}${*}$$}${$}", "a$", "a}", "a{b}", "$"] {
        granted(PUBSUB, &[usable]);
    }
}

#[test]
fn question_marks_and_other_escapes_cost_their_resource() {
    let cases = [
        ("r${?}r?x", "'?'"),
        ("r?x", "'?'"),
        ("r${*}?", "'?'"),
        ("?r", "'?'"),
        ("r${$}{?}", "'?'"),
        ("r${?}a${123}", "escapes"),
        ("r${*}a${}", "escapes"),
        ("r${$*}", "escapes"),
        ("r${x", "escapes"),
        ("r${", "escapes"),
        ("r${ab${*}c", "escapes"),
        ("r${x}", "escapes"),
        ("r${/}", "escapes"),
        ("r${ä}", "escapes"),
        ("r${+}", "escapes"),
        ("", "empty"),
        ("  ", "empty"),
        (&"x".repeat(4097), "longer than 4096"),
    ];
    for (resource, reason) in cases {
        let map = json!({PUBSUB: {"p1": {"operations": ["*"], "resources": [resource, "good"]}}});
        let (policies, findings) = parse(&map);
        assert!(policies.allows(Operation::PublishToTopic, Some("good")));
        assert!(!policies.allows(Operation::PublishToTopic, Some(resource)));
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        for part in ["com.example.A", PUBSUB, "p1", reason] {
            assert!(finding.contains(part), "{finding} does not name {part}");
        }
        assert!(finding.len() < 300, "{finding}");
        // A policy all of whose resources are refused is none.
        let (policies, _) = parse(&json!({PUBSUB: {"p1": {"operations": ["*"], "resources": [resource]}}}));
        assert!(policies.is_empty() && !policies.allows(Operation::PublishToTopic, None));
    }
}

#[test]
fn plus_takes_one_whole_level_for_mqtt_only() {
    judge(Style::Mqtt, &["a/+/z"], &["a/b/z", "a//z", "a/+/z"], &["a/b/c/z", "a/z", "a/b/zz", "b/b/z"]);
    judge(Style::Mqtt, &["+/5"], &["1/5", "/5"], &["1/2/5", "5", "1/55"]);
    judge(Style::Mqtt, &["x/+/y/+/1"], &["x/q/y//1", "x//y/2/1"], &["x/y/1", "x/1/2/y/3/1"]);
    judge(Style::Mqtt, &["1/f/+"], &["1/f/e", "1/f/", "1/f/#"], &["1/f/e/g", "1/f"]);
    judge(Style::Mqtt, &["8/+/+/+/9"], &["8/1/2/3/9", "8/1/2//9"], &["8/1/2/9", "8/1/2/3/4/9"]);
    judge(Style::Mqtt, &["+"], &["a", "+"], &["/a", "a/"]);
    judge(Style::Mqtt, &["+/+"], &["/1", "a/b", "/"], &["/1/", "a"]);
    // Not a whole level.
    judge(Style::Mqtt, &["a/q+/1", "1/+2", "/+/++"], &["a/q+/1", "1/+2", "/z/++"], &["a/qr/1", "1/x2", "/3/ty"]);
    judge(Style::Plain, &["a/+/z", "+", "+/5"], &["a/+/z", "+", "+/5"], &["a/b/z", "a", "1/5"]);
    judge(Style::Plain, &["a/*"], &["a/+", "a/#"], &[]);
}

#[test]
fn number_sign_takes_what_is_below_and_the_level_above_for_mqtt_only() {
    judge(Style::Mqtt, &["a/#"], &["a", "a/", "a/b", "a/b/c", "a/#"], &["ab", "ab/c", "b/a", "aa"]);
    judge(Style::Mqtt, &["#"], &["a", "a/b/c", "**9"], &[""]);
    judge(Style::Mqtt, &["/#"], &["/", "/a/b"], &["a", "a/b"]);
    judge(Style::Mqtt, &["1/#/x/#"], &["1/#/x", "1/#/x/2/3"], &["1/4/x/2", "1/#", "1/#/xx"]);
    judge(
        Style::Mqtt,
        &["#/z/4", "w/q#", "1/#/", "##"],
        &["#/z/4", "w/q#", "1/#/", "##"],
        &["x/z/4", "w/q/e", "1/4/", "ab"],
    );
    judge(Style::Plain, &["a/#", "#", "/#"], &["a/#", "#", "/#"], &["a", "a/b", "/b", "x"]);
}

#[test]
fn wildcards_go_together() {
    judge(Style::Mqtt, &["x*/+/*room/#"], &["xyz/8/bedroom/light", "x/8/fan/bedroom", "x/a//room"], &["x/bedroom/1"]);
    judge(Style::Mqtt, &["x*ui/+/#"], &["xyui/8/f/1", "xy/z3ui/m", "xui/"], &["xui", "xyz/34/m/2", "xyz"]);
    judge(Style::Mqtt, &["a/+/+/#/+"], &["a/b/c/#/d"], &["a/b/c/d/e"]);
    judge(Style::Mqtt, &["2/#/#/+/ui/#"], &["2/#/#/z/ui/1/5", "2/#/#/z/ui"], &["2/x/y/z/ui/1"]);
    judge(Style::Mqtt, &["abc*/#"], &["abc", "abc1", "abc/1", "abcd/e"], &["ab"]);
    judge(Style::Mqtt, &["a/*bc/#"], &["a/xbc", "a/xbc/", "a/xbc/1/2", "a/xbcn/bc", "a/bc/n/bcx"], &["a/xb", "a/xbcd"]);
    judge(Style::Mqtt, &["a/+/#"], &["a/x", "a/x/", "a/x/n", "a/"], &["a"]);
    judge(Style::Mqtt, &["a/+/c/#"], &["a/b/c", "a/b/c/d"], &["a/b/cd/c", "a/c"]);
    // What one resource allows does not leak into what another looks like.
    judge(Style::Mqtt, &["a/+b", "a/+/c"], &["a/+b", "a/x/c"], &["a/xb", "a/x"]);
    judge(Style::Plain, &["${*}", "*foo"], &["*", "a/foo"], &["a", "foo1"]);
}

#[test]
fn compiled_form_agrees_with_the_definition_on_everything_short() {
    fn texts(alphabet: &[char], longest: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut from = 0;
        for _ in 0..longest {
            let end = all.len();
            for at in from..end {
                all.extend(alphabet.iter().map(|letter| format!("{}{letter}", all[at])).collect::<Vec<_>>());
            }
            from = end;
        }
        all
    }
    let requested = texts(&['a', 'b', '/'], 4);
    for style in BOTH {
        let mut everything = Vec::new();
        for resource in texts(&['a', '/', '*', '+', '#'], 4) {
            let Ok(pattern) = Pattern::parse(&resource, style) else {
                assert_eq!(definition::covers(&resource, style, "a"), None);
                continue;
            };
            let alone = Resources::new([pattern.clone()]);
            for text in &requested {
                let defined = definition::covers(&resource, style, text);
                assert_eq!(Some(alone.covers(text)), defined, "{style:?} {resource:?} {text:?}");
            }
            everything.push((resource, pattern));
        }
        // Any number of them together are as good as one after another.
        for step in [7, 13, 101] {
            let some: Vec<_> =
                everything.iter().skip(step / 2).step_by(step).filter(|(r, _)| !r.contains('*')).collect();
            let together = Resources::new(some.iter().map(|(_, pattern)| pattern.clone()));
            for text in &requested {
                let any = some.iter().any(|(resource, _)| definition::covers(resource, style, text) == Some(true));
                assert_eq!(together.covers(text), any, "{style:?} {text:?}");
            }
        }
    }
}

#[test]
fn ten_thousand_resources_are_told_apart() {
    let mut resources: Vec<String> = (0..5_000).map(|number| format!("fleet/{number}/status")).collect();
    resources.extend((0..5_000).map(|number| format!("fleet/{number}/+/#")));
    let resources: Vec<&str> = resources.iter().map(String::as_str).collect();
    let covers = mqtt(&resources);
    for number in (0..5_000).step_by(97) {
        assert!(covers(&format!("fleet/{number}/status")) && covers(&format!("fleet/{number}/x/y/z")));
        assert!(!covers(&format!("fleet/{number}")) && !covers(&format!("fleet/{}/x", number + 5_000)));
    }
}

#[test]
fn hostile_patterns_end() {
    let longest = Policies::MAX_RESOURCE;
    let (stars, letters) = ("*a".repeat(2_000), format!("*{}/#", "a".repeat(4_000)));
    let levels = format!("*{}/b", "/+".repeat(32));
    let covers = mqtt(&[&stars, &letters, &levels]);
    assert!(covers(&"a".repeat(longest)));
    assert!(!covers(&"a".repeat(longest + 1)), "longer than any topic");
    assert!(!covers(&"b".repeat(longest)));
    assert!(!covers(&"/".repeat(longest)));
    let (_, findings) = parse(&json!({MQTT_PROXY: {"p": {"operations": ["*"], "resources": ["+/".repeat(33)]}}}));
    assert!(findings[0].contains("more than 32"), "{findings:?}");
}

#[test]
fn unknown_field_voids_the_map_of_its_component() {
    let map = json!({
        PUBSUB: {
            "good": {"operations": ["*"], "resources": ["*"]},
            "bad": {"policyTypo": "x", "operations": ["*"], "resources": ["*"]},
        },
        MQTT_PROXY: {"m": {"operations": ["*"], "resources": ["*"]}},
    });
    let (policies, findings) = parse(&map);
    assert!(policies.is_empty());
    assert_eq!(
        findings,
        [
            "accessControl of com.example.A is refused as a whole, policy \"bad\", service \"aws.greengrass.ipc.pubsub\": \
          the field \"policyTypo\" is unknown"
        ]
    );
}

#[test]
fn whatever_cannot_be_understood_voids_the_map() {
    let with = |policy: Value| json!({PUBSUB: {"p": policy, "good": {"operations": ["*"], "resources": ["*"]}}});
    let cases = [
        (json!(null), "no object"),
        (json!([]), "no object"),
        (json!(5), "no object"),
        (json!(""), "no JSON object"),
        (json!("null"), "no JSON object"),
        (json!("{"), "no JSON object"),
        (json!("[]"), "no JSON object"),
        (json!("\"{}\""), "no JSON object"),
        (json!({PUBSUB: []}), "no object"),
        (json!({PUBSUB: "x"}), "no object"),
        (with(json!("x")), "no object"),
        (with(json!([])), "no object"),
        (with(json!({"operations": "*"})), "\"operations\" is no list"),
        (with(json!({"operations": null})), "\"operations\" is no list"),
        (with(json!({"operations": ["*", {}]})), "\"operations\" is no list"),
        (with(json!({"operations": ["*"], "resources": "*"})), "\"resources\" is no list"),
        (with(json!({"operations": ["*"], "resources": {"0": "*"}})), "\"resources\" is no list"),
        (with(json!({"operations": ["*"], "resources": [["*"]]})), "\"resources\" is no list"),
        (with(json!({"operations": ["*"], "policyDescription": null})), "\"policyDescription\" is no text"),
        (with(json!({"operations": ["*"], "policyDescription": {}})), "\"policyDescription\" is no text"),
        (with(json!({"operations": ["*"], "Operations": ["*"]})), "given twice"),
    ];
    for (map, reason) in cases {
        let (policies, findings) = parse(&map);
        assert!(policies.is_empty(), "{map}");
        let [finding] = findings.as_slice() else { panic!("{map}: {findings:?}") };
        assert!(finding.contains(reason) && finding.contains("refused as a whole"), "{map}: {finding}");
    }
}

#[test]
fn defects_cost_only_what_they_name() {
    let map = json!({
        PUBSUB: {
            "none": {"resources": ["*"]},
            "empty": {"operations": [], "resources": ["*"]},
            "nothing": {},
            "null": null,
            "wrong": {"operations": ["publish", "aws.greengrass#GetSecretValue", null, "aws.greengrass#SubscribeToTopic"],
                      "resources": ["t"]},
        },
        "aws.greengrass.ipc.PubSub": {"p": {"operations": ["*"], "resources": ["*"]}},
        "aws.greengrass.SecretManager": null,
        TOKEN_EXCHANGE: {"p": {"operations": ["getCredentials"]}},
    });
    let (policies, findings) = parse(&map);
    assert!(policies.allows(Operation::SubscribeToTopic, Some("t")));
    assert!(!policies.allows(Operation::PublishToTopic, Some("t")));
    assert!(!policies.allows(Operation::SubscribeToTopic, Some("u")));
    let told = |parts: &[&str]| findings.iter().any(|finding| parts.iter().all(|part| finding.contains(part)));
    for id in ["none", "empty", "nothing", "null"] {
        assert!(told(&[&format!("policy {id:?}"), PUBSUB, "\"operations\" is missing or empty"]), "{id}: {findings:?}");
    }
    for operation in ["\"publish\"", "GetSecretValue", "null"] {
        assert!(told(&["policy \"wrong\"", "has no operation", operation]), "{operation}: {findings:?}");
    }
    assert!(told(&["aws.greengrass.ipc.PubSub", "no service has this name"]), "{findings:?}");
    assert_eq!(findings.len(), 8, "{findings:?}");
}

#[test]
fn policies_without_an_id_cost_their_service() {
    for id in ["", " "] {
        let map = json!({
            PUBSUB: {id: {"operations": ["*"], "resources": ["*"]}, "p": {"operations": ["*"], "resources": ["*"]}},
            MQTT_PROXY: {"p": {"operations": ["*"], "resources": ["*"]}},
        });
        let (policies, findings) = parse(&map);
        assert!(!policies.allows(Operation::PublishToTopic, Some("t")));
        assert!(policies.allows(Operation::PublishToIoTCore, Some("t")));
        assert_eq!(findings.len(), 1, "{findings:?}");
    }
}

#[test]
fn map_is_read_whatever_the_case_of_its_fields_and_as_text() {
    let policy =
        json!({"POLICYDescription": "d", "OPERATIONS": ["aws.greengrass#PublishToTopic"], "resources": ["t", 7]});
    let map = json!({PUBSUB: {"p": policy}});
    let (policies, findings) = parse(&map);
    assert!(findings.is_empty(), "{findings:?}");
    assert!(policies.allows(Operation::PublishToTopic, Some("t")));
    assert!(policies.allows(Operation::PublishToTopic, Some("7")), "a number is text, too");
    assert_eq!(parse(&Value::from(map.to_string())), (policies, findings));
    assert_eq!(parse(&json!({})), (Policies::default(), vec![]));
}

#[test]
fn missing_resources_grant_calls_without_a_resource() {
    for policy in [json!({"operations": ["*"]}), json!({"operations": ["*"], "resources": []})] {
        let (policies, findings) = parse(&json!({PUBSUB: {"p": policy}}));
        assert!(findings.is_empty());
        assert!(policies.allows(Operation::PublishToTopic, None));
        assert!(!policies.allows(Operation::PublishToTopic, Some("t")));
    }
    let (policies, findings) = parse(&json!({PUBSUB: {"p": {"operations": ["*"], "resources": [null, "t"]}}}));
    assert!(policies.allows(Operation::PublishToTopic, Some("t")));
    assert_eq!(findings.len(), 1);
}

#[test]
fn calls_without_a_resource_need_a_policy_that_names_them() {
    let map = json!({PUBSUB: {"p": {"operations": ["aws.greengrass#PublishToTopic"], "resources": ["t"]}}});
    let (policies, _) = parse(&map);
    assert!(policies.allows(Operation::PublishToTopic, None));
    assert!(!policies.allows(Operation::SubscribeToTopic, None));
    assert!(!policies.allows(Operation::PublishToTopic, Some("")), "an empty resource is none");
}

#[test]
fn operations_of_several_policies_add_up() {
    let map = json!({PUBSUB: {
        "1": {"operations": ["aws.greengrass#PublishToTopic"], "resources": ["one"]},
        "2": {"operations": ["aws.greengrass#PublishToTopic", "aws.greengrass#SubscribeToTopic"], "resources": ["two"]},
        "3": {"operations": ["*"], "resources": ["all"]},
    }});
    let (policies, findings) = parse(&map);
    assert!(findings.is_empty(), "{findings:?}");
    for (operation, topic, allowed) in [
        (Operation::PublishToTopic, "one", true),
        (Operation::SubscribeToTopic, "one", false),
        (Operation::PublishToTopic, "two", true),
        (Operation::SubscribeToTopic, "two", true),
        (Operation::PublishToTopic, "all", true),
        (Operation::SubscribeToTopic, "all", true),
        (Operation::PublishToIoTCore, "all", false),
    ] {
        assert_eq!(policies.allows(operation, Some(topic)), allowed, "{operation} {topic}");
    }
}

#[test]
fn rules_know_who_asks() {
    let mut rules = Rules::default();
    rules.set(component("a"), granted(PUBSUB, &["t"]));
    let of = |name: &str| Principal::Component(component(name));
    let client = Principal::Client("greengrass-cli#user-0".into());
    assert!(rules.allows(&of("a"), Operation::PublishToTopic, Some("t")));
    assert!(!rules.allows(&of("A"), Operation::PublishToTopic, Some("t")), "names keep their case");
    assert!(!rules.allows(&of("b"), Operation::PublishToTopic, Some("t")));
    assert!(rules.allows(&of("b"), Operation::GetConfiguration, None), "an operation without a service is free");
    for operation in Operation::ALL {
        let service = operation.service();
        let is_free = service.is_none_or(|service| [CLI, PUBSUB, MQTT_PROXY].contains(&service));
        assert_eq!(rules.allows(&client, operation, Some("x")), is_free, "{operation}");
        let is_free = service.is_none_or(|service| service == CLI);
        assert_eq!(rules.allows(&of("aws.greengrass.Cli"), operation, Some("x")), is_free, "{operation}");
    }
    assert!(rules.allows(&of("aws.greengrass.StreamManager"), Operation::PutComponentMetric, Some("m")));
    rules.set(component("a"), Policies::default());
    assert!(!rules.allows(&of("a"), Operation::PublishToTopic, Some("t")));
}

#[test]
fn services_are_those_of_the_operations() {
    for service in [PUBSUB, MQTT_PROXY, CLI, METRICS] {
        assert!(Operation::ALL.into_iter().any(|operation| operation.service() == Some(service)), "{service}");
    }
}

#[test]
fn bounds_void_what_goes_beyond() {
    let policy = json!({"operations": ["*"]});
    let many: serde_json::Map<String, Value> = (0..10_001).map(|id| (id.to_string(), policy.clone())).collect();
    let (policies, findings) = parse(&json!({PUBSUB: many}));
    assert!(policies.is_empty() && findings[0].contains("more than"), "{findings:?}");
    let (policies, _) = parse(&json!({PUBSUB: {"p": {"operations": ["*"], "resources": vec!["t"; 100_000]}}}));
    assert!(policies.is_empty());
    let long = "x".repeat(1_000);
    let unknown: serde_json::Map<String, Value> = (0..60).map(|n| (format!("{n}{long}"), json!({}))).collect();
    let (_, findings) = parse(&Value::Object(unknown));
    assert_eq!(findings.len(), 51);
    assert!(findings[50].ends_with("10 more defects") && findings[0].len() < 300, "{findings:?}");
}
