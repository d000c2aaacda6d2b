//! The bodies of the fuzz targets: what must hold for any bytes at all. They panic when it does not.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::control::{Answer, LineBuffer, Request};
use crate::lifecycle::Lifecycle;
use crate::name::{ComponentName, ComponentVersion};
use crate::platform::PlatformAttributes;
use crate::recipe::{Format, Recipe};
use crate::topic::{Topic, TopicFilter};
use crate::variables::{ComponentVariables, Scope, Variables, interpolate as fill_in};
use crate::version::VersionRequirement;

/// A recipe is refused with reasons, or accepted; then it can be selected from, and its canonical JSON says the same.
pub fn recipe(data: &[u8]) {
    for format in [Format::Json, Format::Yaml] {
        let parsed = match Recipe::parse(data, format) {
            Ok(parsed) => parsed,
            Err(refused) => {
                assert!(!refused.findings().is_empty(), "refused without a reason");
                assert!(!refused.to_string().is_empty());
                continue;
            }
        };
        for machine in ["x86_64", "armv7l"] {
            if let Some(selected) = parsed.recipe.select(&PlatformAttributes::detect("linux", machine)) {
                assert!(Lifecycle::from_value(&selected.lifecycle).faults().count() <= 7);
            }
        }
        let canonical = parsed.recipe.to_json().to_string();
        if canonical.len() <= Recipe::MAX_BYTES {
            match Recipe::parse(canonical.as_bytes(), Format::Json) {
                Ok(again) => {
                    assert_eq!(again.recipe.to_json(), parsed.recipe.to_json(), "the canonical recipe differs");
                }
                Err(e) => assert!(is_nested_too_deep(&e), "the canonical recipe is refused: {e}"),
            };
        }
    }
}

/// A requirement matches the same versions after it was written down.
pub fn version_requirement(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(requirement) = VersionRequirement::parse(text) else { return };
    let versions: Vec<ComponentVersion> =
        VERSIONS.iter().filter_map(|version| ComponentVersion::parse(version).ok()).collect();
    let matched: Vec<bool> = versions.iter().map(|version| requirement.matches(version)).collect();
    assert!(requirement.and(&requirement).to_string().len() >= requirement.to_string().len());
    let written = requirement.to_string();
    // Parentheses are not written, as in the reference nucleus; a pre-release of digits reads as a range.
    if written.len() <= VersionRequirement::MAX_LENGTH
        && !text.contains(['(', ')'])
        && let Ok(again) = VersionRequirement::parse(&written)
        && again.to_string() == written
    {
        let rematched: Vec<bool> = versions.iter().map(|version| again.matches(version)).collect();
        assert_eq!(matched, rematched, "{written}");
    }
}

/// Interpolation ends, and what it leaves as it is, it reports.
pub fn interpolate(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let configuration = json!({"text": text, "list": [1, 2.5, null], "": {"a/b": text}});
    let Ok(dependency) = ComponentName::parse("d") else { return };
    let component = |name: &str| ComponentVariables {
        artifacts_path: format!("/a/{name}"),
        decompressed_path: format!("/u/{name}"),
        work_path: format!("/w/{name}"),
        configuration: &configuration,
    };
    let variables = Variables {
        root_path: "/r",
        thing_name: None,
        own: component("own"),
        dependencies: BTreeMap::from([(&dependency, component("d"))]),
    };
    for scope in [Scope::Lifecycle, Scope::Configuration] {
        let before = json!({"Run": {"Script": text, "List": [text]}});
        let mut after = before.clone();
        let unresolved = fill_in(&mut after, &variables, scope);
        assert_eq!(keys(&before), keys(&after), "a key changed");
        assert!(unresolved.iter().all(|u| u.placeholder.starts_with('{')));
        if let Value::Object(map) = &after {
            assert!(Lifecycle::from_value(map).faults().count() <= 7);
        }
    }
}

/// Lines come out the same however they are read, and what is understood is understood again when written.
pub fn control(data: &[u8]) {
    let cut = |step: usize| {
        let mut buffer = LineBuffer::new(64);
        let mut lines = Vec::new();
        for part in data.chunks(step) {
            buffer.tail().extend_from_slice(part);
            loop {
                match buffer.next_line() {
                    Ok(Some(line)) => lines.push(Some(line)),
                    Ok(None) => break,
                    Err(_) => {
                        lines.push(None);
                        return lines;
                    }
                }
            }
        }
        lines
    };
    assert_eq!(cut(1), cut(data.len().max(1)));
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(request) = Request::decode(line) {
            assert!(request.encode().is_ok_and(|line| Request::decode(&line).is_ok()), "{request:?}");
        }
        if let Ok(answer) = Answer::decode(line) {
            assert!(answer.encode().is_ok_and(|line| Answer::decode(&line).is_ok()), "{answer:?}");
        }
    }
}

/// A filter and a topic, one a line: what can be published is matched by itself, by `#`, and as its levels say.
pub fn topic(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (first, second) = text.split_once('\n').unwrap_or((&text, &text));
    let filter = TopicFilter::parse(first);
    if let Ok(filter) = &filter {
        assert!(filter.levels().count() <= TopicFilter::MAX_LEVELS);
        assert_eq!(TopicFilter::parse(filter.as_str()).as_ref(), Ok(filter));
    }
    let Ok(topic) = Topic::parse(second) else { return };
    assert!(topic.levels().count() > 0);
    assert!(TopicFilter::parse("#").is_ok_and(|all| all.matches(&topic)));
    if let Ok(itself) = TopicFilter::parse(topic.as_str()) {
        assert!(itself.matches(&topic) && !itself.is_wildcard());
    }
    let Ok(filter) = filter else { return };
    let (wanted, given): (Vec<_>, Vec<_>) = (filter.levels().collect(), topic.levels().collect());
    let is_open = wanted.last() == Some(&TopicFilter::ALL_LEVELS);
    let fits = if is_open { given.len() >= wanted.len() } else { given.len() == wanted.len() && !wanted.is_empty() };
    let agree = wanted.iter().zip(&given).all(|(wanted, given)| ["+", "#"].contains(wanted) || wanted == given);
    assert_eq!(filter.matches(&topic), fits && agree, "{filter} {topic}");
}

fn is_nested_too_deep(error: &crate::recipe::RecipeError) -> bool {
    error.findings().iter().any(|finding| finding.reason.contains("nested deeper"))
}

fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map.iter().flat_map(|(key, value)| [vec![key.clone()], keys(value)].concat()).collect(),
        Value::Array(items) => items.iter().flat_map(keys).collect(),
        _ => Vec::new(),
    }
}

const VERSIONS: [&str; 10] =
    ["0.0.0", "0.0.1", "0.2.0", "1.0.0", "1.2.3", "1.2.3-alpha.1", "1.2.3-beta+b", "2.0.0-rc.1", "2.0.0", "999999.0.0"];
