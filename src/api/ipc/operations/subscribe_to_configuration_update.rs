//! `SubscribeToConfigurationUpdate`: which keys of a component's configuration change.

use super::configuration::Subject;
use crate::api::ipc::call::{Call, Opened, json};
use crate::api::ipc::outbox::Events;
use crate::service::config::{Change, ChangeKind, Changes};
use crate::wire::ipc::IpcError;
use crate::wire::ipc::configuration::{
    ConfigurationUpdateEvent, ConfigurationUpdateEvents, SubscribeToConfigurationUpdateRequest,
    SubscribeToConfigurationUpdateResponse,
};

/// Free for all, as reading is. A component without configuration can be watched: it may come to have one.
pub(super) async fn open(
    call: &Call,
    request: SubscribeToConfigurationUpdateRequest,
) -> Result<Opened<SubscribeToConfigurationUpdateResponse>, IpcError> {
    let subject = Subject::new(call, request.component_name);
    let config = &call.services.config;
    let tree = config.snapshot();
    if !tree.is_interior(&subject.service()) {
        return Err(subject.no_component());
    }
    let keys = request.key_path.unwrap_or_default();
    let whole = keys.is_empty();
    let at = subject.configuration().join_all(keys);
    if !whole && !tree.contains(&at) {
        return Err(subject.no_key(&at));
    }
    let changes = config.watch(at).await.map_err(|error| IpcError::service(error.to_string()))?;
    let response = SubscribeToConfigurationUpdateResponse {};
    Ok(Opened::pumped(response, move |events| pump(subject, changes, events)))
}

/// A client that reads slowly falls behind; it is told then that the whole watched node changed, and reads it again.
async fn pump(subject: Subject, mut changes: Changes, events: Events) -> Result<(), IpcError> {
    while let Some(change) = changes.next().await {
        let Some(event) = event(&subject, &change) else { continue };
        if events.send(&json(&event)?.into()).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Nothing for what is not a change of a value: a watch that begins, a newer time, a node without a value.
fn event(subject: &Subject, change: &Change) -> Option<ConfigurationUpdateEvents> {
    match change.kind {
        ChangeKind::Changed | ChangeKind::ChildChanged | ChangeKind::Removed | ChangeKind::ChildRemoved => {}
        ChangeKind::Initialized | ChangeKind::TimestampUpdated | ChangeKind::InteriorAdded => return None,
    }
    let keys = change.path.parts().iter().skip(Subject::DEPTH);
    Some(ConfigurationUpdateEvents::ConfigurationUpdateEvent(ConfigurationUpdateEvent {
        component_name: subject.component.clone(),
        key_path: keys.map(|key| key.to_string()).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_tells_the_path_below_the_configuration_for_changes_of_values_only() {
        let subject = Subject { component: "C".into() };
        let path = subject.configuration().join_all(["a", "B"]);
        let told = |kind| {
            let ConfigurationUpdateEvents::ConfigurationUpdateEvent(event) =
                event(&subject, &Change { path: path.clone(), kind })?;
            Some((event.component_name, event.key_path))
        };
        for kind in [ChangeKind::Changed, ChangeKind::ChildChanged, ChangeKind::Removed, ChangeKind::ChildRemoved] {
            assert_eq!(told(kind), Some(("C".into(), vec!["a".into(), "B".into()])), "{kind:?}");
        }
        for kind in [ChangeKind::Initialized, ChangeKind::TimestampUpdated, ChangeKind::InteriorAdded] {
            assert_eq!(told(kind), None, "{kind:?}");
        }
    }
}
