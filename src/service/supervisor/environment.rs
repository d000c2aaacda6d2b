//! The environment of a step: what is laid over the daemon's own, in order of precedence.
//!
//! From weak to strong: the `setenv` tree, `services.<name>.setenv`, `lifecycle.Setenv`, the step's `Setenv`, and what
//! is fixed. Below all of it the jail puts the daemon's environment with `PATH` completed and `HOME` of the user.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::desired::Component;
use crate::base::token::Token;
use crate::store::paths::Paths;
use crate::wire::lifecycle::{Step, StepName};

/// What the daemon knows of itself that components are told; what is not known is not set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    pub thing_name: Option<String>,
    pub region: Option<String>,
    pub root_ca: Option<PathBuf>,
    pub nucleus_version: Option<String>,
}

/// The variables no recipe can change, but for the token, which each component has of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fixed(BTreeMap<String, String>);

impl Fixed {
    pub(super) fn new(paths: &Paths, identity: &Identity) -> Self {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let socket = paths.ipc_socket();
        let near = if socket.as_os_str().len() >= LONGEST_SOCKET { PathBuf::from(NEAR_SOCKET) } else { socket.clone() };
        let mut all: BTreeMap<String, String> = [
            ("AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH", text(&socket)),
            ("AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT", text(&near)),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        let known = [
            ("AWS_IOT_THING_NAME", identity.thing_name.clone()),
            ("AWS_REGION", identity.region.clone()),
            ("AWS_DEFAULT_REGION", identity.region.clone()),
            ("GGC_VERSION", identity.nucleus_version.clone()),
            ("GG_ROOT_CA_PATH", identity.root_ca.as_deref().map(text)),
        ];
        all.extend(known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        Self(all)
    }
}

/// Lays the layers over each other; the later one wins.
pub(super) fn environment(
    tree: &BTreeMap<String, String>,
    component: &Component,
    (name, step): (StepName, &Step),
    fixed: &Fixed,
    token: &Token,
) -> BTreeMap<String, String> {
    let mut all = tree.clone();
    for layer in [&component.environment, &component.lifecycle.setenv, &step.setenv, &fixed.0] {
        all.extend(layer.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    all.insert("SVCUID".into(), token.as_str().into());
    all.insert("AWS_CONTAINER_AUTHORIZATION_TOKEN".into(), token.as_str().into());
    if name == StepName::Uninstall {
        all.insert("GREENGRASS_COMPONENT_VERSION".into(), component.version.to_string());
    }
    all
}

/// A Unix socket address has room for 107 characters and a NUL.
const LONGEST_SOCKET: usize = 108;

/// The socket seen from the working directory of any component.
const NEAR_SOCKET: &str = "../../ipc.socket";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::service::supervisor::desired::RunWith;
    use crate::wire::lifecycle::Lifecycle;
    use crate::wire::name::ComponentVersion;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn fixed(root: &str, identity: &Identity) -> Fixed {
        Fixed::new(&Paths::new(root.into()), identity)
    }

    #[test]
    fn environment_takes_the_strongest_layer() {
        let keys = ["SVCUID", "AWS_REGION", "STEP", "LIFECYCLE", "SERVICE", "TREE"];
        let layer = |depth: usize, value: &str| keys[..depth].iter().map(|key| ((*key).into(), value.into())).collect();
        let component = Component {
            version: ComponentVersion::parse("1.2.3").unwrap(),
            dependencies: BTreeMap::new(),
            lifecycle: Arc::new(Lifecycle { setenv: layer(4, "lifecycle"), ..Lifecycle::default() }),
            environment: layer(5, "service"),
            run_with: RunWith::default(),
        };
        let step = Step {
            script: "true".into(),
            requires_privilege: false,
            skipif: None,
            timeout: None,
            setenv: layer(3, "step"),
        };
        let token = Token::new();
        let identity = Identity { region: Some("eu-central-1".into()), ..Identity::default() };
        let all = environment(&layer(6, "tree"), &component, (StepName::Run, &step), &fixed("/g", &identity), &token);
        let values = keys.map(|key| all[key].as_str());
        assert_eq!(values, [token.as_str(), "eu-central-1", "step", "lifecycle", "service", "tree"]);
        assert_eq!(all["AWS_CONTAINER_AUTHORIZATION_TOKEN"], token.as_str());
        assert!(!all.contains_key("AWS_IOT_THING_NAME") && !all.contains_key("GREENGRASS_COMPONENT_VERSION"));
        let all = environment(&map(&[]), &component, (StepName::Uninstall, &step), &fixed("/g", &identity), &token);
        assert_eq!(all["GREENGRASS_COMPONENT_VERSION"], "1.2.3");
    }

    #[test]
    fn socket_too_far_away_is_given_from_near() {
        let near = |root: &str| {
            fixed(root, &Identity::default()).0["AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT"].clone()
        };
        assert_eq!(near("/greengrass/v2"), "/greengrass/v2/ipc.socket");
        assert_eq!(near(&format!("/{}", "x".repeat(95))).len(), 107);
        assert_eq!(near(&format!("/{}", "x".repeat(96))), "../../ipc.socket");
    }
}
