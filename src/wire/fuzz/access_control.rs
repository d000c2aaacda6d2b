//! Policies, against what they mean letter by letter.

use serde_json::{Value, json};

use crate::access::definition::covers;
use crate::access::{Policies, Style};
use crate::ipc::Operation;
use crate::name::ComponentName;

/// A requested resource, resources of a policy, one a line, and behind an empty line an `accessControl`: the map is read
/// the same as a value and as text, and the resources cover what they cover letter by letter, one and all.
pub fn access_control(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (matching, map) = text.split_once("\n\n").unwrap_or((&text, &text));
    let Ok(component) = ComponentName::parse("a") else { return };
    if let Ok(value) = serde_json::from_str::<Value>(map)
        && value.is_object()
    {
        let (policies, findings) = Policies::parse(&component, &value);
        assert!(findings.iter().all(|finding| finding.to_string().len() < 2_000));
        assert_eq!((policies, findings), Policies::parse(&component, &Value::from(map)));
    }
    let mut lines = matching.lines().map(|line| line.chars().take(60).collect::<String>());
    let Some(requested) = lines.next() else { return };
    let resources: Vec<String> = lines.take(8).collect();
    for operation in [Operation::PublishToTopic, Operation::PublishToIoTCore] {
        let Some(service) = operation.service() else { return };
        let judge = |resources: &[String]| {
            let map = json!({service: {"p": {"operations": [operation.policy_name()], "resources": resources}}});
            let (policies, findings) = Policies::parse(&component, &map);
            (policies.allows(operation, Some(&requested)), findings.is_empty())
        };
        let mut expected = Vec::new();
        for resource in &resources {
            let covered = covers(resource, Style::of(service), &requested);
            let allowed = covered == Some(true) && !requested.trim().is_empty();
            assert_eq!(
                judge(std::slice::from_ref(resource)),
                (allowed, covered.is_some()),
                "{resource:?} {requested:?}"
            );
            expected.push(allowed);
        }
        assert_eq!(judge(&resources).0, expected.contains(&true), "{resources:?} {requested:?}");
    }
}
