//! `UpdateConfiguration`: a component changes its own configuration, as of a time.

use serde_json::Value;

use super::configuration::Subject;
use crate::api::ipc::call::Call;
use crate::base::clock::Timestamp;
use crate::base::report::Report;
use crate::service::config::{ConfigError, Update};
use crate::store::tree::KeyPath;
use crate::wire::ipc::configuration::{UpdateConfigurationRequest, UpdateConfigurationResponse};
use crate::wire::ipc::{ErrorKind, IpcError, Seconds};

/// Policies are for deployments to change, not for who is bound by them.
const NOT_CHANGEABLE: &str = "accessControl";

/// Answered when the change is on the disk: all of it, or nothing when it is refused.
pub(super) async fn answer(
    call: &Call,
    request: UpdateConfigurationRequest,
) -> Result<UpdateConfigurationResponse, IpcError> {
    let time = request.timestamp.ok_or_else(|| IpcError::invalid_arguments("the request has no timestamp"))?;
    let value = request.value_to_merge.ok_or_else(|| IpcError::invalid_arguments("the request has no valueToMerge"))?;
    let below = request.key_path.unwrap_or_default();
    if touches_policies(&below, &value) {
        let message = format!("{NOT_CHANGEABLE} cannot be changed by the component: deploy it");
        return Err(IpcError::invalid_arguments(message));
    }
    let subject = Subject::new(call, None);
    if call.principal.component().is_none() || !call.services.config.snapshot().is_interior(&subject.service()) {
        return Err(IpcError::invalid_arguments(subject.no_component().message));
    }
    let now = Timestamp::now();
    let update = Update { of: subject.configuration(), below, value, time: time_of(time, now), now };
    call.services.config.update(update).await.map_err(|error| refusal(&error))?;
    Ok(UpdateConfigurationResponse {})
}

/// Whether `accessControl` is among what is written, in whatever spelling the tree takes for it.
fn touches_policies(below: &[String], value: &Value) -> bool {
    let policies = KeyPath::new([NOT_CHANGEABLE]);
    let is_policies = |key: &String| KeyPath::new([key.as_str()]).covers(&policies);
    match below.first() {
        Some(key) => is_policies(key),
        None => value.as_object().is_some_and(|keys| keys.keys().any(is_policies)),
    }
}

fn time_of(seconds: Seconds, now: Timestamp) -> Timestamp {
    match seconds.milliseconds {
        // What the C component SDK writes when its caller gave no time.
        0 => now,
        milliseconds => Timestamp(milliseconds),
    }
}

fn refusal(error: &ConfigError) -> IpcError {
    let invalid = |message: &str| IpcError::invalid_arguments(message);
    match error {
        ConfigError::Newer { .. } => {
            let message = "what is at keyPath was changed later than the given timestamp";
            IpcError::new(ErrorKind::FailedUpdateConditionCheck, message)
        }
        ConfigError::NotAnObject { .. } => invalid("keyPath holds keys: a value to merge into it must be an object"),
        ConfigError::LeafInTheWay { .. } => invalid("keyPath leads through a single value, below which is nothing"),
        ConfigError::TooLarge { .. } => {
            let most = Update::LARGEST >> 20;
            invalid(&format!("a component may have {most} MiB of configuration: this would be more"))
        }
        ConfigError::Impossible(edit) => invalid(&edit.to_string()),
        ConfigError::GoingDown | ConfigError::NotStored { .. } => IpcError::service(Report(error).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policies_are_found_in_every_spelling_and_only_at_the_top() {
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        for (below, value) in [
            (keys(&[]), json!({"accessControl": {}})),
            (keys(&[]), json!({"a": 1, "ACCESSCONTROL": null})),
            (keys(&["AccessControl"]), json!({})),
            (keys(&["accesscontrol", "x"]), json!(1)),
        ] {
            assert!(touches_policies(&below, &value), "{below:?} {value}");
        }
        for (below, value) in [
            (keys(&["a"]), json!({"accessControl": {}})),
            (keys(&[]), json!({"a": {"accessControl": {}}})),
            (keys(&["a", "accessControl"]), json!({})),
            (keys(&[]), json!("accessControl")),
        ] {
            assert!(!touches_policies(&below, &value), "{below:?} {value}");
        }
    }

    #[test]
    fn time_zero_is_now() {
        assert_eq!(time_of(Seconds { milliseconds: 0 }, Timestamp(7)), Timestamp(7));
        assert_eq!(time_of(Seconds { milliseconds: 1 }, Timestamp(7)), Timestamp(1));
    }
}
