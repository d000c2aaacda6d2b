use serde_json::{Value, json};

use super::{ComponentVariables, Scope, UnresolvedReason, Variables, interpolate};
use crate::name::ComponentName;

fn component(name: &str, configuration: &'static Value) -> ComponentVariables<'static> {
    ComponentVariables {
        artifacts_path: format!("/gg/a/{name}"),
        decompressed_path: format!("/gg/u/{name}"),
        work_path: format!("/gg/w/{name}"),
        configuration,
    }
}

fn filled(text: &str, scope: Scope) -> (String, Vec<UnresolvedReason>) {
    use std::sync::LazyLock;
    static OWN: LazyLock<Value> = LazyLock::new(|| {
        json!({
            "text": "x", "int": 5, "float": 1.0, "big": 1e10, "small": 0.0001, "flag": true, "none": null,
            "map": {"b": [1, 2.0, {"z": null}], "a": "q\"\u{e4}"}, "a/b": {"~": "escaped"}, "list": ["zero", "one"],
            "again": "{configuration:/text}", "cross": "{com.dep:work:path}", "": "empty key",
        })
    });
    static DEPENDENCY: LazyLock<Value> = LazyLock::new(|| json!({"port": 8883}));
    let dependency = ComponentName::parse("com.dep").unwrap();
    let variables = Variables {
        root_path: "/gg",
        thing_name: Some("lamp"),
        own: component("own", &OWN),
        dependencies: [(&dependency, component("dep", &DEPENDENCY))].into(),
    };
    let mut value = json!(text);
    let unresolved = interpolate(&mut value, &variables, scope);
    (value.as_str().unwrap().to_owned(), unresolved.into_iter().map(|u| u.reason).collect())
}

#[test]
fn placeholder_is_filled_in_whatever_stands_around_it() {
    let table = [
        ("{artifacts:path}/run.sh", "/gg/a/own/run.sh"),
        ("{artifacts:decompressedPath}", "/gg/u/own"),
        ("{work:path}{work:path}", "/gg/w/own/gg/w/own"),
        ("{kernel:rootPath}:{iot:thingName}", "/gg:lamp"),
        ("ä{configuration:/text}ö", "äxö"),
        ("${{work:path}}", "${/gg/w/own}"),
        ("{x:{configuration:/int}}", "{x:5}"),
        ("{configuration:/float} {configuration:/big} {configuration:/small}", "1.0 1.0E10 1.0E-4"),
        ("{configuration:/flag} {configuration:/none}", "true null"),
        ("{configuration:/map}", "{\"a\":\"q\\\"ä\",\"b\":[1,2.0,{\"z\":null}]}"),
        ("{configuration:/map/b/1} {configuration:/list/0}", "2.0 zero"),
        ("{configuration:/a~1b/~0}", "escaped"),
        ("{configuration:/}", "empty key"),
        ("{com.dep:configuration:/port}", "8883"),
        ("{com.dep:configuration:}", "{\"port\":8883}"),
        ("{com.dep:artifacts:path} {com.dep:work:path}", "/gg/a/dep /gg/w/dep"),
        ("{com.dep:iot:thingName}", "lamp"),
    ];
    for (text, expected) in table {
        assert_eq!(filled(text, Scope::Lifecycle), (expected.to_owned(), vec![]), "{text}");
    }
}

#[test]
fn pass_does_not_look_at_what_it_put_in_but_the_next_one_does() {
    assert_eq!(filled("{configuration:/again}", Scope::Lifecycle).0, "{configuration:/text}");
    assert_eq!(filled("{configuration:/cross}", Scope::Lifecycle).0, "/gg/w/dep");
}

#[test]
fn placeholder_stays_and_is_reported_when_nothing_fills_it() {
    let table = [
        ("{configuration:/nothing}", UnresolvedReason::MissingConfiguration),
        ("{configuration:text}", UnresolvedReason::MissingConfiguration),
        ("{configuration:/TEXT}", UnresolvedReason::MissingConfiguration),
        ("{configuration:/list/01}", UnresolvedReason::MissingConfiguration),
        ("{artifacts:nothing}", UnresolvedReason::UnknownKey),
        ("{nothing:path}", UnresolvedReason::UnknownNamespace),
        ("{com.other:work:path}", UnresolvedReason::NotADependency),
        ("{com.dep:nothing:path}", UnresolvedReason::UnknownNamespace),
    ];
    for (text, reason) in table {
        assert_eq!(filled(text, Scope::Lifecycle), (text.to_owned(), vec![reason]), "{text}");
    }
    for text in ["{", "{}", "{:}", "{a}", "{a:b", "{a b:c}", "{ä:b}", "{a:b:c:d}", "${HOME}", "{{{:::}}}"] {
        assert_eq!(filled(text, Scope::Lifecycle), (text.to_owned(), vec![]), "{text}");
    }
}

#[test]
fn configuration_scope_knows_the_system_and_not_the_configuration() {
    assert_eq!(filled("{work:path}", Scope::Configuration).0, "/gg/w/own");
    let own = "{configuration:/text}";
    assert_eq!(filled(own, Scope::Configuration), (own.to_owned(), vec![UnresolvedReason::UnknownNamespace]));
}

#[test]
fn interpolation_reaches_every_text_and_no_key() {
    let own = json!({});
    let variables = Variables {
        root_path: "/gg",
        thing_name: None,
        own: ComponentVariables {
            artifacts_path: "A".into(),
            decompressed_path: "U".into(),
            work_path: "W".into(),
            configuration: &own,
        },
        dependencies: [].into(),
    };
    let mut value = json!({"{work:path}": ["{work:path}", {"k": "{iot:thingName}"}, 5, null, true]});
    let unresolved = interpolate(&mut value, &variables, Scope::Lifecycle);
    assert_eq!(value, json!({"{work:path}": ["W", {"k": "{iot:thingName}"}, 5, null, true]}));
    assert_eq!(unresolved.len(), 1);
}

#[test]
fn interpolation_stops_growing_at_its_bound() {
    let own = json!({"big": "x".repeat(1 << 20)});
    let variables = Variables {
        root_path: "/gg",
        thing_name: None,
        own: ComponentVariables {
            artifacts_path: String::new(),
            decompressed_path: String::new(),
            work_path: String::new(),
            configuration: &own,
        },
        dependencies: [].into(),
    };
    let mut value = json!("{configuration:/big}".repeat(1000));
    let unresolved = interpolate(&mut value, &variables, Scope::Lifecycle);
    assert!(value.as_str().unwrap().len() < 18 << 20);
    assert!(unresolved.iter().all(|u| u.reason == UnresolvedReason::TooLarge));
}
