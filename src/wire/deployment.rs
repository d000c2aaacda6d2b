//! A deployment as it is asked for on the device, and what is known of it afterwards.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::name::{ComponentName, ComponentVersion, DeploymentId, GroupName};
use crate::run_with::{PosixUser, SystemResourceLimits};
use crate::state::{DeploymentStatus, DetailedStatus, FailureHandlingPolicy};

/// A local deployment request: the fields of `CreateLocalDeployment`, plus the policies a cloud deployment has.
///
/// The roots of the group become: those it had, minus `remove`, plus `add`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalDeploymentRequest {
    #[serde(default = "GroupName::local")]
    pub group: GroupName,
    /// Root components and the exact version of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub add: BTreeMap<ComponentName, ComponentVersion>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<ComponentName>,
    /// Configuration updates of root components.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configuration: BTreeMap<ComponentName, ConfigurationUpdate>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub run_with: BTreeMap<ComponentName, RunWithInfo>,
    /// Absolute directory of recipe files to take into the component store first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe_directory: Option<String>,
    /// Absolute directory of artifacts, laid out `<component>/<version>/<file>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_directory: Option<String>,
    #[serde(default = "LocalDeploymentRequest::default_failure_policy")]
    pub failure_handling_policy: FailureHandlingPolicy,
    #[serde(default)]
    pub component_update_policy: ComponentUpdatePolicy,
    #[serde(default, skip_serializing_if = "ConfigurationValidationPolicy::is_default")]
    pub configuration_validation_policy: ConfigurationValidationPolicy,
}

impl LocalDeploymentRequest {
    /// Adds these roots to the local group, with every default.
    pub fn of_roots(add: BTreeMap<ComponentName, ComponentVersion>) -> Self {
        Self {
            group: GroupName::local(),
            add,
            remove: Vec::new(),
            configuration: BTreeMap::new(),
            run_with: BTreeMap::new(),
            recipe_directory: None,
            artifact_directory: None,
            failure_handling_policy: Self::default_failure_policy(),
            component_update_policy: ComponentUpdatePolicy::default(),
            configuration_validation_policy: ConfigurationValidationPolicy::default(),
        }
    }

    /// Local deployments leave things as they are after a failure unless asked to roll back.
    pub fn default_failure_policy() -> FailureHandlingPolicy {
        FailureHandlingPolicy::DoNothing
    }
}

/// Changes to one component's configuration; resets come before the merge.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigurationUpdate {
    #[serde(default, alias = "MERGE", skip_serializing_if = "Map::is_empty")]
    pub merge: Map<String, Value>,
    /// JSON pointers; `""` resets everything.
    #[serde(default, alias = "RESET", skip_serializing_if = "Vec::is_empty")]
    pub reset: Vec<String>,
}

/// `runWith` of one component in a deployment.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunWithInfo {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posix_user: Option<PosixUser>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_resource_limits: Option<SystemResourceLimits>,
}

/// Whether components are asked before they are changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ComponentUpdatePolicy {
    pub action: ComponentUpdateAction,
    /// Seconds to wait for the answers.
    #[serde(default = "ComponentUpdatePolicy::default_timeout")]
    pub timeout: u64,
}

impl ComponentUpdatePolicy {
    /// Seconds, when a document does not say.
    pub const DEFAULT_TIMEOUT: u64 = 60;

    fn default_timeout() -> u64 {
        Self::DEFAULT_TIMEOUT
    }
}

impl Default for ComponentUpdatePolicy {
    fn default() -> Self {
        Self { action: ComponentUpdateAction::SkipNotifyComponents, timeout: Self::DEFAULT_TIMEOUT }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ComponentUpdateAction {
    NotifyComponents,
    SkipNotifyComponents,
}

/// How long components have to judge their configuration before it is changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigurationValidationPolicy {
    /// Seconds to wait for the reports.
    pub timeout: u64,
}

impl ConfigurationValidationPolicy {
    /// Seconds, for a local deployment that does not say.
    pub const DEFAULT_TIMEOUT: u64 = 20;

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for ConfigurationValidationPolicy {
    fn default() -> Self {
        Self { timeout: Self::DEFAULT_TIMEOUT }
    }
}

/// What is known of one deployment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentRecord {
    pub deployment_id: DeploymentId,
    pub group: GroupName,
    pub status: DeploymentStatus,
    /// Milliseconds since 1970.
    pub created_on: u64,
    /// One line on the step in hand while IN_PROGRESS, else empty.
    #[serde(default)]
    pub progress: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<DeploymentStatusDetails>,
}

/// How a deployment ended. Codes go from general to specific.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentStatusDetails {
    pub detailed_status: DetailedStatus,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub error_stack: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub error_types: Vec<String>,
    /// Sentences for a person; empty on success.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub failure_cause: String,
}
