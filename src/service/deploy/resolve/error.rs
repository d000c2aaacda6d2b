//! Why there is no answer, in one message a person can act on.

use crate::wire::deployment_error::{ErrorCode, ErrorStack};
use crate::wire::name::{ComponentName, ComponentVersion};

use super::{Demand, Requirer};

#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error("{}", no_version(name, demands, stored, *builtin))]
    NoVersion {
        name: ComponentName,
        /// Who, at which version if it is a component, demands what.
        demands: Vec<(Requirer, Option<ComponentVersion>, Demand)>,
        stored: Vec<ComponentVersion>,
        builtin: bool,
    },
    #[error("the components depend on each other in a circle: {}; remove one of these dependencies", arrows(path))]
    Circle { path: Vec<ComponentName> },
    #[error("more than one nucleus is asked for: {}; a device runs one, so remove the others", listed(names, "and"))]
    SeveralNuclei { names: Vec<ComponentName> },
    #[error(
        "what is deployed requires version {version} of the daemon, and it is {own}; deploy {name} {version} itself, if it shall be replaced"
    )]
    DaemonNotNamed { name: ComponentName, version: ComponentVersion, own: ComponentVersion },
    #[error(
        "{name} {version} is a plugin for the Java nucleus and cannot run here; deploy a generic component instead"
    )]
    Plugin { name: ComponentName, version: ComponentVersion },
    #[error(
        "the versions of {name} and of what it requires exclude each other in turn; pin one of them with an exact version"
    )]
    Restless { name: ComponentName },
    #[error("no component can be called {name}: the configuration keeps something else under this name")]
    Reserved { name: ComponentName },
    #[error("{name} and {other} differ in case only, which the configuration does not tell apart; rename one of them")]
    SameButCase { name: ComponentName, other: ComponentName },
    #[error("the stored recipe of {name} {version} cannot be read")]
    ReadRecipe {
        name: ComponentName,
        version: ComponentVersion,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the stored recipe of {name} {version} is not valid")]
    ParseRecipe {
        name: ComponentName,
        version: ComponentVersion,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "the recipe of {name} {version} has no manifest for this platform ({platform}); add one, or deploy another version"
    )]
    NoManifest { name: ComponentName, version: ComponentVersion, platform: String },
}

impl ResolveError {
    pub fn stack(&self) -> ErrorStack {
        use ErrorCode as C;
        ErrorStack::failure(match self {
            Self::NoVersion { .. } | Self::Restless { .. } => {
                &[C::NoAvailableComponentVersion, C::ComponentVersionRequirementsNotMet]
            }
            Self::Circle { .. } => &[C::ComponentCircularDependencyError],
            Self::SeveralNuclei { .. } => &[C::MultipleNucleusResolvedError],
            Self::DaemonNotNamed { .. } => &[C::UnauthorizedNucleusMinorVersionUpdate],
            Self::Plugin { .. } => &[C::ComponentPackageLoadingError, C::CustomPluginNotSupported],
            Self::Reserved { .. } | Self::SameButCase { .. } => &[C::ComponentMetadataNotValidInDeployment],
            Self::ReadRecipe { .. } => &[C::ComponentPackageLoadingError, C::IoError, C::IoReadError],
            Self::ParseRecipe { .. } => &[C::ComponentPackageLoadingError, C::RecipeParseError],
            Self::NoManifest { .. } => &[C::ComponentPackageLoadingError, C::LocalRecipeNotFound],
        })
    }
}

fn no_version(
    name: &ComponentName,
    demands: &[(Requirer, Option<ComponentVersion>, Demand)],
    stored: &[ComponentVersion],
    builtin: bool,
) -> String {
    let demands: Vec<String> = demands
        .iter()
        .map(|(requirer, version, demand)| match (requirer, version) {
            (Requirer::Group(group), _) => format!("deployment group {group} requires {demand}"),
            (Requirer::Component(component), Some(version)) => format!("{component} {version} requires {demand}"),
            (Requirer::Component(component), None) => format!("{component} requires {demand}"),
        })
        .collect();
    let demands = demands.join(", ");
    if builtin {
        let own = listed(stored, "and");
        return format!(
            "no version of {name} fits: {demands}. It is part of this daemon, as version {own}; change what is required"
        );
    }
    if stored.is_empty() {
        return format!(
            "there is no recipe of {name}: {demands}. Put its recipe into the recipe directory of the deployment, or remove what requires it"
        );
    }
    let (shown, more) = stored.split_at(stored.len().min(SHOWN_VERSIONS));
    let more = if more.is_empty() { String::new() } else { format!(" and {} older ones", more.len()) };
    let stored: Vec<String> = shown.iter().map(ToString::to_string).collect();
    format!(
        "no version of {name} fits: {demands}. The component store has {}{more}. Put a recipe that fits into the recipe directory of the deployment, or change what is required",
        stored.join(", ")
    )
}

fn arrows(path: &[ComponentName]) -> String {
    path.iter().map(ComponentName::as_str).collect::<Vec<_>>().join(" -> ")
}

/// `a, b and c`
fn listed<T: ToString>(items: &[T], last: &str) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    match items.split_last() {
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
        None => "none".into(),
    }
}

/// A message lists this many stored versions, newest first.
const SHOWN_VERSIONS: usize = 10;
