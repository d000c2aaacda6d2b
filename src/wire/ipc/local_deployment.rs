//! Local deployments: asked for, withdrawn, and what is known of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::deployment::{
    ComponentUpdatePolicy, ConfigurationUpdate, ConfigurationValidationPolicy, LocalDeploymentRequest,
    RunWithInfo as RunWith,
};
use crate::name::{ComponentName, ComponentVersion, GroupName, NameError};
use crate::run_with::{PosixUser, RunWithError, SystemResourceLimits as Limits};
use crate::state::{DeploymentStatus, DetailedStatus, FailureHandlingPolicy};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateLocalDeploymentRequest {
    /// Bare, without `thinggroup/`.
    pub group_name: Option<String>,
    pub root_component_versions_to_add: Option<BTreeMap<String, String>>,
    pub root_components_to_remove: Option<Vec<String>>,
    /// A document each: `{"MERGE": {..}, "RESET": [..]}`.
    pub component_to_configuration: Option<BTreeMap<String, Option<Value>>>,
    pub component_to_run_with_info: Option<BTreeMap<String, Option<RunWithInfo>>>,
    pub recipe_directory_path: Option<String>,
    pub artifacts_directory_path: Option<String>,
    pub failure_handling_policy: Option<FailureHandlingPolicy>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunWithInfo {
    /// `windowsUser` is its other half, and nothing to this device.
    pub posix_user: Option<String>,
    pub system_resource_limits: Option<SystemResourceLimits>,
}

#[derive(Debug, Deserialize)]
pub struct SystemResourceLimits {
    pub memory: Option<i64>,
    pub cpus: Option<f64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateLocalDeploymentResponse {
    pub deployment_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelLocalDeploymentRequest {
    pub deployment_id: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct CancelLocalDeploymentResponse {
    pub message: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetLocalDeploymentStatusRequest {
    pub deployment_id: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct GetLocalDeploymentStatusResponse {
    pub deployment: LocalDeployment,
}

#[derive(Debug, Deserialize)]
pub struct ListLocalDeploymentsRequest {}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListLocalDeploymentsResponse {
    pub local_deployments: Vec<LocalDeployment>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalDeployment {
    pub deployment_id: String,
    pub status: DeploymentStatus,
    pub created_on: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_status_details: Option<DeploymentStatusDetails>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentStatusDetails {
    /// Left out for what the model has no word for, as the reference does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detailed_deployment_status: Option<DetailedStatus>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deployment_error_stack: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deployment_error_types: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub deployment_failure_cause: String,
}

impl CreateLocalDeploymentRequest {
    /// The deployment it asks for, with the policies the reference gives a local one.
    pub fn into_deployment(self) -> Result<LocalDeploymentRequest, CreateError> {
        let path = |path: Option<String>| path.filter(|path| !path.is_empty());
        Ok(LocalDeploymentRequest {
            group: match self.group_name.filter(|name| !name.is_empty()) {
                None => GroupName::local(),
                Some(name) if name.contains(':') => return Err(CreateError::GroupWithColon { name }),
                Some(name) => GroupName::parse(&format!("thinggroup/{name}"))?,
            },
            add: named(self.root_component_versions_to_add.unwrap_or_default(), |_, version| {
                Ok(ComponentVersion::parse(&version)?)
            })?,
            remove: self
                .root_components_to_remove
                .unwrap_or_default()
                .iter()
                .map(|name| ComponentName::parse(name))
                .collect::<Result<_, _>>()?,
            configuration: named(given(self.component_to_configuration), |component, document| {
                Change::read(document)
                    .map_err(|cause| CreateError::Configuration { component: component.clone(), cause })
            })?,
            run_with: named(given(self.component_to_run_with_info), |component, info| {
                info.read().map_err(|cause| CreateError::RunWith { component: component.clone(), cause })
            })?,
            recipe_directory: path(self.recipe_directory_path),
            artifact_directory: path(self.artifacts_directory_path),
            failure_handling_policy: self
                .failure_handling_policy
                .unwrap_or_else(LocalDeploymentRequest::default_failure_policy),
            component_update_policy: ComponentUpdatePolicy::default(),
            configuration_validation_policy: ConfigurationValidationPolicy::default(),
        })
    }
}

/// The entries that are not `null`.
fn given<V>(map: Option<BTreeMap<String, Option<V>>>) -> BTreeMap<String, V> {
    map.unwrap_or_default().into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn named<V, W>(
    map: BTreeMap<String, V>,
    read: impl Fn(&ComponentName, V) -> Result<W, CreateError>,
) -> Result<BTreeMap<ComponentName, W>, CreateError> {
    let entries = map.into_iter().map(|(name, value)| {
        let name = ComponentName::parse(&name)?;
        let value = read(&name, value)?;
        Ok((name, value))
    });
    entries.collect()
}

/// What `componentToConfiguration` holds for one component. Unlike members of the model, other keys are refused: a
/// change that was misspelt would otherwise be lost without a word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(rename = "MERGE", alias = "merge")]
    merge: Option<Map<String, Value>>,
    #[serde(rename = "RESET", alias = "reset")]
    reset: Option<Vec<String>>,
}

impl Change {
    fn read(document: Value) -> Result<ConfigurationUpdate, serde_json::Error> {
        let Self { merge, reset } = serde_json::from_value(document)?;
        Ok(ConfigurationUpdate { merge: merge.unwrap_or_default(), reset: reset.unwrap_or_default() })
    }
}

impl RunWithInfo {
    fn read(self) -> Result<RunWith, RunWithError> {
        let user = self.posix_user.filter(|user| !user.is_empty());
        Ok(RunWith {
            posix_user: user.as_deref().map(PosixUser::parse).transpose()?,
            system_resource_limits: self.system_resource_limits.map(|SystemResourceLimits { memory, cpus }| Limits {
                // Zero is ignored where limits are set, and so is less.
                memory: memory.map(|memory| memory.try_into().unwrap_or_default()),
                cpus,
            }),
        })
    }
}

/// Why a request asks for no deployment.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("the thing group name {name:?} contains a colon")]
    GroupWithColon { name: String },
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("the configuration of {component} must be of the form {{\"MERGE\": {{..}}, \"RESET\": [..]}}: {cause}")]
    Configuration { component: ComponentName, cause: serde_json::Error },
    #[error("componentToRunWithInfo of {component}: {cause}")]
    RunWith { component: ComponentName, cause: RunWithError },
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(request: Value) -> Result<LocalDeploymentRequest, CreateError> {
        serde_json::from_value::<CreateLocalDeploymentRequest>(request).unwrap().into_deployment()
    }

    #[test]
    fn request_becomes_a_deployment() {
        let request = json!({
            "groupName": "g", "rootComponentVersionsToAdd": {"a": "1.0.0"}, "rootComponentsToRemove": ["b"],
            "componentToConfiguration": {"a": {"MERGE": {"k": 1}, "RESET": ["/l"]}, "c": {"MERGE": null}, "d": null},
            "componentToRunWithInfo": {"a": {"posixUser": "u:g", "windowsUser": "w",
                "systemResourceLimits": {"memory": -1, "cpus": 1.5}}, "c": {"posixUser": ""}, "d": null},
            "recipeDirectoryPath": "/r", "artifactsDirectoryPath": "", "failureHandlingPolicy": "ROLLBACK", "new": 1,
        });
        assert_eq!(
            serde_json::to_value(deployment(request).unwrap()).unwrap(),
            json!({
                "group": "thinggroup/g", "add": {"a": "1.0.0"}, "remove": ["b"],
                "configuration": {"a": {"merge": {"k": 1}, "reset": ["/l"]}, "c": {}},
                "runWith": {"a": {"posixUser": "u:g", "systemResourceLimits": {"memory": 0, "cpus": 1.5}}, "c": {}},
                "recipeDirectory": "/r", "failureHandlingPolicy": "ROLLBACK",
                "componentUpdatePolicy": {"action": "SKIP_NOTIFY_COMPONENTS", "timeout": 60},
            })
        );
        let empty = deployment(json!({"groupName": null, "rootComponentVersionsToAdd": null})).unwrap();
        assert_eq!(empty, LocalDeploymentRequest::of_roots(BTreeMap::new()));
    }

    #[test]
    fn request_is_refused_by_what_is_wrong_in_it() {
        for (request, word) in [
            (json!({"groupName": "a:b"}), "colon"),
            (json!({"rootComponentVersionsToAdd": {"": "1.0.0"}}), "empty"),
            (json!({"rootComponentVersionsToAdd": {"a": "*"}}), "version"),
            (json!({"rootComponentsToRemove": ["a/b"]}), "a/b"),
            (json!({"componentToConfiguration": {"a": {"merged": {}}}}), "merged"),
            (json!({"componentToConfiguration": {"a": {"MERGE": []}}}), "configuration of a"),
            (json!({"componentToRunWithInfo": {"a": {"posixUser": "a b"}}}), "a b"),
        ] {
            let error = deployment(request.clone()).unwrap_err().to_string();
            assert!(error.contains(word), "{request}: {error}");
        }
    }
}
