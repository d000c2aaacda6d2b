//! Builds the deployment request from the options of `deployment create`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::super::arguments::Create;
use super::super::failure::{Failure, absolute};
use crate::wire::control::MAX_REQUEST;
use crate::wire::deployment::{LocalDeploymentRequest, RunWithInfo};
use crate::wire::name::{ComponentName, GroupName};
use crate::wire::run_with::SystemResourceLimits;
use crate::wire::strict_json;

/// Reads files and looks for directories, and so tells of a slip before the daemon would.
pub(super) fn request(create: &Create) -> Result<LocalDeploymentRequest, Failure> {
    let request = LocalDeploymentRequest {
        group: create.group.clone().unwrap_or_else(GroupName::local),
        add: BTreeMap::new(),
        remove: create.remove.concat(),
        configuration: by_component("--update-config", CONFIG_EXAMPLE, create.update_config.as_deref())?,
        run_with: run_with(create)?,
        recipe_directory: directory("--recipeDir", create.recipe_dir.as_deref())?,
        artifact_directory: directory("--artifactDir", create.artifact_dir.as_deref())?,
        failure_handling_policy: create.failure_policy.unwrap_or_else(LocalDeploymentRequest::default_failure_policy),
        component_update_policy: Default::default(),
        configuration_validation_policy: Default::default(),
    };
    let request = merge(create, request)?;
    let changes_components = !(request.add.is_empty()
        && request.remove.is_empty()
        && request.configuration.is_empty()
        && request.run_with.is_empty());
    if !changes_components && request.recipe_directory.is_none() && request.artifact_directory.is_none() {
        return Err(Failure::NothingToDo);
    }
    if !changes_components {
        eprintln!("greengrass-cli: note: recipes and artifacts are taken in, no component changes: see --merge");
    }
    Ok(request)
}

fn merge(create: &Create, mut request: LocalDeploymentRequest) -> Result<LocalDeploymentRequest, Failure> {
    for merge in &create.merge {
        let name = || merge.name.clone();
        if request.remove.contains(&merge.name) {
            return Err(Failure::NamedTwice { name: name(), first: "--merge", second: "--remove" });
        }
        if request.add.insert(name(), merge.version.clone()).is_some_and(|before| before != merge.version) {
            return Err(Failure::NamedTwice { name: name(), first: "--merge", second: "--merge" });
        }
    }
    Ok(request)
}

fn run_with(create: &Create) -> Result<BTreeMap<ComponentName, RunWithInfo>, Failure> {
    let limits: BTreeMap<ComponentName, SystemResourceLimits> =
        by_component("--systemLimits", LIMITS_EXAMPLE, create.system_limits.as_deref())?;
    let mut run_with = BTreeMap::<_, RunWithInfo>::new();
    for option in &create.run_with {
        match &option.user {
            Some(user) => run_with.entry(option.name.clone()).or_default().posix_user = Some(user.clone()),
            None => eprintln!("greengrass-cli: note: windowsUser of {} means nothing on this system", option.name),
        }
    }
    for (name, limits) in limits {
        run_with.entry(name).or_default().system_resource_limits = Some(limits);
    }
    Ok(run_with)
}

/// JSON text, or the path of a file with it.
fn by_component<T: DeserializeOwned>(
    option: &'static str,
    example: &'static str,
    value: Option<&str>,
) -> Result<BTreeMap<ComponentName, T>, Failure> {
    let Some(value) = value else { return Ok(BTreeMap::new()) };
    let parse = |text: &str| {
        strict_json::from_slice(text.as_bytes()).map_err(|cause| Failure::NotJson { option, example, cause })
    };
    let path = home_expanded(value);
    if value.trim_start().starts_with('{') || !path.is_file() {
        return parse(value);
    }
    let limit = MAX_REQUEST as u64;
    let unreadable = |cause| Failure::Path { option, path: path.clone(), cause };
    let mut text = String::new();
    let read = File::open(&path).and_then(|file| file.take(limit + 1).read_to_string(&mut text)).map_err(unreadable)?;
    if read as u64 > limit {
        return Err(Failure::TooLarge { option, path, limit });
    }
    parse(&text)
}

fn directory(option: &'static str, path: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let path = match path.to_str() {
        Some(text) => absolute(option, &home_expanded(text))?,
        None => return Err(Failure::NotUtf8 { option, path: path.into() }),
    };
    let metadata = std::fs::metadata(&path).map_err(|cause| Failure::Path { option, path: path.clone(), cause })?;
    if !metadata.is_dir() {
        return Err(Failure::NotADirectory { option, path });
    }
    // The working directory may be what is not UTF-8.
    path.into_os_string().into_string().map(Some).map_err(|path| Failure::NotUtf8 { option, path: path.into() })
}

/// `--recipeDir=~/recipes` reaches us with its tilde.
fn home_expanded(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => path.into(),
    }
}

const CONFIG_EXAMPLE: &str = r#"{"Name":{"MERGE":{"key":"value"},"RESET":["/key"]}}"#;
const LIMITS_EXAMPLE: &str = r#"{"Name":{"memory":1024,"cpus":0.5}}"#;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::name::ComponentVersion;

    fn values(create: &Create) -> serde_json::Value {
        serde_json::to_value(request(create).unwrap()).unwrap()
    }

    #[test]
    fn request_has_every_option() {
        let here = tempfile::tempdir().unwrap();
        let file = here.path().join("config.json");
        std::fs::write(&file, r#"{"A":{"MERGE":{"k":1},"RESET":["/x"]}}"#).unwrap();
        let create = Create {
            merge: vec![super::super::super::values::NamedVersion::parse("A=1.0.0").unwrap()],
            remove: vec![vec![ComponentName::parse("B").unwrap()]],
            recipe_dir: Some(here.path().into()),
            run_with: vec![super::super::super::values::ComponentUser::parse("A:posixUser=u:g").unwrap()],
            system_limits: Some(r#"{"A":{"memory":64,"cpus":1.5}}"#.into()),
            update_config: Some(file.to_str().unwrap().into()),
            ..Create::default()
        };
        let expected = json!({
            "group": "LOCAL_DEPLOYMENT",
            "add": {"A": "1.0.0"},
            "remove": ["B"],
            "configuration": {"A": {"merge": {"k": 1}, "reset": ["/x"]}},
            "runWith": {"A": {"posixUser": "u:g", "systemResourceLimits": {"memory": 64, "cpus": 1.5}}},
            "recipeDirectory": here.path(),
            "failureHandlingPolicy": "DO_NOTHING",
            "componentUpdatePolicy": {"action": "SKIP_NOTIFY_COMPONENTS", "timeout": 60},
        });
        assert_eq!(values(&create), expected);
    }

    #[test]
    fn relative_directory_becomes_absolute() {
        let values = values(&Create { recipe_dir: Some("src".into()), ..Create::default() });
        let expected = std::env::current_dir().unwrap().join("src");
        assert_eq!(values["recipeDirectory"], json!(expected));
    }

    #[test]
    fn slips_are_told_with_what_to_do() {
        let merge = |text| super::super::super::values::NamedVersion::parse(text).unwrap();
        let told = |create| {
            let failure = request(&create).unwrap_err();
            (failure.exit_code(), failure.message().unwrap())
        };
        let cases = [
            (Create::default(), 64, "--merge NAME=VERSION"),
            (
                Create { recipe_dir: Some("/no/such".into()), ..Create::default() },
                2,
                "--recipeDir /no/such: No such file",
            ),
            (Create { artifact_dir: Some("Cargo.toml".into()), ..Create::default() }, 2, "is not a directory"),
            (
                Create { update_config: Some("no-such-file".into()), ..Create::default() },
                64,
                "--update-config: it is neither",
            ),
            (Create { update_config: Some(r#"{"A":{"MERGE":3}}"#.into()), ..Create::default() }, 64, "RESET"),
            (
                Create { system_limits: Some(r#"{"A":{"memory":"x"}}"#.into()), ..Create::default() },
                64,
                "--systemLimits",
            ),
            (Create { merge: vec![merge("A=1.0.0"), merge("A=2.0.0")], ..Create::default() }, 64, "A is named twice"),
        ];
        for (create, code, part) in cases {
            let (exit_code, message) = told(create);
            assert!(exit_code == code && message.contains(part), "{exit_code} {message}");
        }
        assert_eq!(ComponentVersion::parse("1.0.0").unwrap(), merge("A=1.0.0").version);
    }
}
