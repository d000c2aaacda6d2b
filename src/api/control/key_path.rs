//! Reads the configuration by what a person writes: a JSON pointer, or keys joined with dots.
//!
//! Names of components have dots of their own, so `services.aws.greengrass.Nucleus.version` is found by trying
//! which keys the tree has: the longest that fits first.

use serde_json::Value;

use crate::service::config;
use crate::store::tree::KeyPath;
use crate::wire::control::{Code, Fault};
use crate::wire::name::ComponentName;

/// Keys a path may have: a search for longer ones could take long.
const MAX_KEYS: usize = 32;

/// The value at `text`; the whole configuration for nothing, `/` or `.`.
pub(super) fn read(text: &str, config: &config::Handle) -> Result<Value, Fault> {
    let text = text.trim();
    let found = if matches!(text, "" | "." | "/") {
        config.read(&KeyPath::root())
    } else if text.starts_with('/') {
        let path = KeyPath::from_pointer(text)
            .map_err(|error| Fault { code: Code::BadRequest, message: error.to_string() })?;
        config.read(&path)
    } else {
        let keys: Vec<&str> = text.split('.').collect();
        if keys.len() > MAX_KEYS {
            let message = format!("a path has at most {MAX_KEYS} keys");
            return Err(Fault { code: Code::BadRequest, message });
        }
        config.read(&KeyPath::root()).and_then(|tree| find(&tree, &keys).cloned())
    };
    found.ok_or_else(|| {
        let shown: String = text.chars().take(200).collect();
        Fault { code: Code::NotFound, message: format!("the configuration has nothing at {shown}") }
    })
}

/// `services.<name>.configuration`; null when there is none.
pub(super) fn configuration(name: &ComponentName, config: &config::Handle) -> Value {
    config.read(&KeyPath::service(name.as_str()).join("configuration")).unwrap_or_default()
}

/// The value that keys joined with dots lead to. Keys are compared without case, as the tree does.
fn find<'a>(tree: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    if keys.is_empty() {
        return Some(tree);
    }
    let map = tree.as_object()?;
    (1..=keys.len()).rev().find_map(|length| {
        let (key, rest) = keys.split_at(length);
        let key = key.join(".").to_lowercase();
        let (_, below) = map.iter().find(|(name, _)| name.to_lowercase() == key)?;
        find(below, rest)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn find_tries_the_longest_key_first_and_steps_back() {
        let tree = json!({"services": {"a": {"b": 1, "x": 2}, "a.b": {"c": 3}, "A.Nucleus": {"version": "2.0.0"}}});
        let found = |path: &str| find(&tree, &path.split('.').collect::<Vec<_>>()).cloned();
        assert_eq!(found("services.a.Nucleus.version"), Some(json!("2.0.0")));
        assert_eq!(found("services.a.b"), Some(json!({"c": 3})));
        assert_eq!(found("services.a.x"), Some(json!(2)));
        assert_eq!(found("services.a.b.d"), None);
        assert_eq!(found("services..a"), None);
        assert_eq!(found("services.a.x.y"), None);
    }
}
