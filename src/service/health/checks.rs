//! The programs of `health.d`: run one after the other in the order of their names, each in the jail of a component.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::state::Checked;
use crate::service::ota::trial::OnTrial;
use crate::service::supervisor::{self, Component, RunWith};
use crate::wire::lifecycle::{Bootstrap, Lifecycle, Step};
use crate::wire::name::{ComponentName, ComponentVersion};

/// As what the programs are logged; no component of a deployment has this name.
const NAME: &str = "_health";
/// Exit code of `sysexits.h`, EX_TEMPFAIL: ask me again.
const ASK_AGAIN: i32 = 75;

/// Those in `required`, up to the first that does not pass.
pub(super) async fn required(supervisor: &supervisor::Handle, trial: &OnTrial) -> Checked {
    let directory = trial.health.directory.join("required");
    let programs = match programs(&directory) {
        Ok(programs) => programs,
        Err(cause) => return Checked::Failed(format!("cannot read {}: {cause}", directory.display())),
    };
    for program in programs {
        let said = |what: String| format!("{}: {what}", program.display());
        match run(supervisor, trial, &program).await {
            Ok(0) => {}
            Ok(ASK_AGAIN) => return Checked::NotYet(said("it is not ready".to_owned())),
            Ok(code) => return Checked::Failed(said(format!("exit code {code}"))),
            Err(why) => return Checked::Failed(said(why)),
        }
    }
    Checked::Passed
}

/// Those in `wanted`; what they say is only told.
pub(super) async fn wanted(supervisor: &supervisor::Handle, trial: &OnTrial) {
    let Ok(programs) = programs(&trial.health.directory.join("wanted")) else { return };
    for program in programs {
        let said = match run(supervisor, trial, &program).await {
            Ok(0) => continue,
            Ok(code) => format!("exit code {code}"),
            Err(why) => why,
        };
        tracing::warn!(check = %program.display(), said, "A check that is only wanted does not pass.");
    }
}

/// By name; hidden ones and what cannot be executed is left out. A directory that is not there is empty.
fn programs(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut programs = Vec::new();
    for entry in entries {
        let entry = entry?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let facts = fs::metadata(entry.path());
        if !is_hidden && facts.is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0) {
            programs.push(entry.path());
        }
    }
    programs.sort();
    Ok(programs)
}

async fn run(supervisor: &supervisor::Handle, trial: &OnTrial, program: &Path) -> Result<i32, String> {
    let (Ok(name), Ok(version)) = (ComponentName::parse(NAME), ComponentVersion::parse("0.0.0")) else {
        return Err("it has no name".to_owned());
    };
    let path = program.to_str().ok_or("its name is no text")?;
    let step = Step {
        script: "exec \"$GREENGRASS_CHECK\"".to_owned(),
        requires_privilege: true,
        skipif: None,
        timeout: Some(trial.health.check_timeout),
        setenv: BTreeMap::from([
            ("GREENGRASS_CHECK".to_owned(), path.to_owned()),
            ("GREENGRASS_SLOT".to_owned(), trial.slot.name().to_owned()),
        ]),
    };
    let bootstrap = Some(Ok(Bootstrap { step, on_rollback: false }));
    let component = Component {
        version,
        dependencies: BTreeMap::new(),
        lifecycle: Arc::new(Lifecycle { bootstrap, ..Lifecycle::default() }),
        environment: BTreeMap::new(),
        run_with: RunWith::default(),
    };
    tracing::info!(check = path, "A health check runs.");
    match supervisor.bootstrap(name, component).await {
        Ok(answer) => answer.map_err(|fault| fault.to_string()),
        Err(refused) => Err(refused.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_those_that_can_be_executed_in_order() {
        let scratch = tempfile::tempdir().unwrap();
        for (name, mode) in [("20-b", 0o755), ("10-a", 0o700), ("README", 0o644), (".hidden", 0o755)] {
            let path = scratch.path().join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::create_dir(scratch.path().join("30-directory")).unwrap();
        let names: Vec<_> = programs(scratch.path()).unwrap();
        assert_eq!(names, [scratch.path().join("10-a"), scratch.path().join("20-b")]);
        assert!(programs(&scratch.path().join("absent")).unwrap().is_empty());
    }
}
