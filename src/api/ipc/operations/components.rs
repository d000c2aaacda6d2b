//! The components a client sees: those the supervisor keeps, and those that are the daemon itself.

use super::configuration::shown;
use crate::api::ipc::call::Call;
use crate::service::deploy::resolve::{NUCLEUS, builtin_version, is_builtin};
use crate::service::supervisor::{ComponentStatus, Refused};
use crate::store::tree::{KeyPath, Tree};
use crate::wire::ipc::IpcError;
use crate::wire::ipc::components::ComponentDetails;
use crate::wire::name::ComponentName;
use crate::wire::state::ComponentState;

/// The daemon's own parts, by the names and in the states the reference gives them. Those that come with later work
/// are not listed before.
const OWN: [(&str, ComponentState); 5] = [
    ("DeploymentService", ComponentState::Running),
    ("TelemetryAgent", ComponentState::Running),
    ("UpdateSystemPolicyService", ComponentState::Running),
    ("aws.greengrass.Cli", ComponentState::Running),
    (NUCLEUS, ComponentState::Finished),
];

/// What a request to do something with a component is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Target {
    /// One that can be started and stopped, if the supervisor knows it.
    Kept(ComponentName),
    /// Part of the daemon.
    Own(String),
}

impl Target {
    /// Finds out whether it is one of the daemon's own; a text that is no name names nothing that is there.
    pub(super) fn of(name: &str) -> Result<Self, IpcError> {
        if OWN.iter().any(|(own, _)| *own == name) {
            return Ok(Self::Own(name.into()));
        }
        ComponentName::parse(name).map(Self::Kept).map_err(|_| not_found(name))
    }
}

/// The name a request must have.
pub(super) fn named(name: Option<String>) -> Result<String, IpcError> {
    name.filter(|name| !name.is_empty()).ok_or_else(|| IpcError::invalid_arguments("the request names no component"))
}

/// Every component, the daemon's own first. Configurations that together would not fit into one message are left out,
/// the largest first: one component must not keep others from being listed.
pub(super) async fn list(call: &Call) -> Result<Vec<ComponentDetails>, IpcError> {
    let kept = call.services.supervisor.components().await.map_err(|refused| refusal(&refused))?;
    let tree = call.services.config.snapshot();
    let own = OWN.iter().map(|(name, state)| own_details(&tree, name, *state));
    let mut list: Vec<_> = own.chain(kept.into_iter().map(|(name, status)| details(&name, &status))).collect();
    let weights: Vec<usize> = list.iter().map(|it| tree.weight(&configuration_of(&it.component_name))).collect();
    let largest = largest_shown(weights.clone());
    for (details, _) in list.iter_mut().zip(weights).filter(|(_, weight)| *weight <= largest) {
        details.configuration = configuration(&tree, &details.component_name);
    }
    Ok(list)
}

/// The largest configuration that is shown when all are listed.
fn largest_shown(mut weights: Vec<usize>) -> usize {
    weights.sort_unstable();
    let mut sum = 0_usize;
    let fitting = weights.iter().take_while(|weight| {
        sum = sum.saturating_add(**weight);
        sum <= LISTED
    });
    let largest = fitting.last().copied().unwrap_or_default();
    // Of several that weigh the same, all are shown or none.
    let with_same = weights.iter().take_while(|weight| **weight <= largest);
    if with_same.sum::<usize>() <= LISTED { largest } else { largest.saturating_sub(1) }
}

/// Bytes of [`Tree::weight`] that configurations in a list may have together: as JSON they are at most six times that.
const LISTED: usize = 3 << 20;

/// One component.
pub(super) async fn find(call: &Call, name: &str) -> Result<ComponentDetails, IpcError> {
    let tree = || call.services.config.snapshot();
    match Target::of(name)? {
        Target::Own(name) => {
            let state = OWN.iter().find(|(own, _)| *own == name).map(|(_, state)| *state);
            let details = state.map(|state| own_details(&tree(), &name, state)).ok_or_else(|| not_found(&name))?;
            Ok(with_configuration(details, &tree()))
        }
        Target::Kept(name) => {
            let status = status(call, &name).await?;
            Ok(with_configuration(details(&name, &status), &tree()))
        }
    }
}

/// What the supervisor knows of a component.
pub(super) async fn status(call: &Call, name: &ComponentName) -> Result<ComponentStatus, IpcError> {
    let mut kept = call.services.supervisor.components().await.map_err(|refused| refusal(&refused))?;
    kept.remove(name).ok_or_else(|| not_found(name.as_str()))
}

/// Without its configuration.
fn details(name: &ComponentName, status: &ComponentStatus) -> ComponentDetails {
    ComponentDetails {
        component_name: name.to_string(),
        version: status.version.to_string(),
        state: status.state,
        configuration: None,
    }
}

/// Without its configuration.
fn own_details(tree: &Tree, name: &str, state: ComponentState) -> ComponentDetails {
    let deployed = tree.text(&KeyPath::service(name).join("version")).map(|version| version.to_string());
    let built_in = || ComponentName::parse(name).ok().filter(is_builtin).and_then(|name| builtin_version(&name));
    let version = deployed.or_else(|| built_in().map(|version| version.to_string()));
    ComponentDetails {
        component_name: name.into(),
        version: version.unwrap_or_else(|| "0.0.0".into()),
        state,
        configuration: None,
    }
}

fn with_configuration(details: ComponentDetails, tree: &Tree) -> ComponentDetails {
    ComponentDetails { configuration: configuration(tree, &details.component_name), ..details }
}

fn configuration(tree: &Tree, name: &str) -> Option<serde_json::Value> {
    let at = configuration_of(name);
    tree.is_interior(&at).then(|| tree.value(&at)).flatten()
}

fn configuration_of(name: &str) -> KeyPath {
    KeyPath::service(name).join("configuration")
}

/// What the supervisor says, in the errors of the model.
pub(super) fn refusal(refused: &Refused) -> IpcError {
    match refused {
        Refused::Unknown(name) => not_found(name.as_str()),
        Refused::GoingDown | Refused::CannotPause { .. } => IpcError::service(refused.to_string()),
        Refused::WrongState { .. } => IpcError::invalid_arguments(refused.to_string()),
    }
}

pub(super) fn not_found(name: &str) -> IpcError {
    let name = shown(name);
    IpcError::not_found(format!("component {name} is not installed"), "Component", &name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::clock::Timestamp;
    use crate::wire::ipc::ErrorKind;

    #[test]
    fn own_parts_have_a_version_of_the_tree_or_of_the_reference() {
        let services = json!({"services": {"DeploymentService": {"version": "2.1.0", "configuration": {"a": 1}}}});
        let tree = Tree::from((services.as_object().unwrap().clone(), Timestamp(1)));
        let own = |(name, state): &(&str, _)| with_configuration(own_details(&tree, name, *state), &tree);
        let shown: Vec<_> = OWN.iter().map(own).collect();
        let versions: Vec<_> = shown.iter().map(|details| details.version.as_str()).collect();
        assert_eq!(versions[..3], ["2.1.0", "0.0.0", "0.0.0"]);
        assert!(versions[3..].iter().all(|version| version.starts_with("2.")), "{versions:?}");
        assert_eq!(shown[0].configuration, Some(json!({"a": 1})));
        assert_eq!(shown[1].configuration, None);
    }

    #[test]
    fn list_leaves_out_the_largest_configurations() {
        assert_eq!(largest_shown(vec![10, 0, 20]), 20);
        assert_eq!(largest_shown(vec![LISTED, 10]), 10);
        assert_eq!(largest_shown(vec![LISTED]), LISTED);
        assert_eq!(largest_shown(vec![LISTED / 2, LISTED, 1, LISTED / 2 - 1]), LISTED / 2);
        let same = largest_shown(vec![LISTED / 2, LISTED / 2, LISTED / 2, 7]);
        assert!((7..LISTED / 2).contains(&same), "all of the same weight are shown, or none");
        assert_eq!(largest_shown(vec![LISTED + 1]), 0);
        assert_eq!(largest_shown(vec![usize::MAX; 3]), 0);
    }

    #[test]
    fn target_tells_the_daemon_from_what_it_keeps() {
        assert_eq!(Target::of(NUCLEUS), Ok(Target::Own(NUCLEUS.into())));
        assert_eq!(Target::of("com.A"), Ok(Target::Kept(ComponentName::parse("com.A").unwrap())));
        let error = Target::of(&"/".repeat(1000)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::ResourceNotFound);
        assert!(error.message.len() < 300, "{error}");
        for none in [None, Some(String::new())] {
            assert_eq!(named(none).unwrap_err().kind, ErrorKind::InvalidArguments);
        }
    }
}
