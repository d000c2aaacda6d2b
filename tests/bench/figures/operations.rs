//! Which operations of the IPC answer: the script that `tests/sdk.rs` plays within a component, here against the
//! binary under measurement.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use gg_wire::ipc::Operation;
use serde_json::Value;

use super::Measured;
use crate::core::Core;

pub(super) fn answered(binary: &Path) -> io::Result<Measured> {
    let python = crate::target().join("sdk/python/bin/python");
    if !python.exists() {
        let note = "SKIPPED: there is no Python SDK in target/sdk; `make sdk` fetches it".to_owned();
        return Ok(Measured { value: Value::Null, met: false, note });
    }
    let mut core = Core::new(binary)?;
    core.start()?;
    // The script asks about it, restarts it and stops it.
    core.write_recipe("com.example.Sleeper", "1.0.0", "exec sleep 100000")?;
    core.deploy(&["com.example.Sleeper=1.0.0".to_owned()])?;
    let services: Vec<_> = Operation::ALL.into_iter().filter_map(Operation::service).collect();
    let door = core.deploy_talker(&services)?;
    let output = Command::new(python)
        .arg("-B")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/operations.py"))
        .current_dir(core.path("artifacts"))
        .env("AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT", &door.socket)
        .env("SVCUID", &door.token)
        .stdin(Stdio::null())
        .output()?;
    let verdicts = fs::read_to_string(core.path("artifacts/verdicts"))?;
    let verdicts: Vec<Value> = verdicts.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let operations = || {
        let named = verdicts.iter().map(|verdict| (verdict["check"].as_str().unwrap_or_default(), &verdict["ok"]));
        named.filter_map(|(check, good)| Some((check.strip_prefix("operation ")?, *good == true)))
    };
    let good = operations().filter(|(_, good)| *good).count();
    let bad: Vec<&str> = operations().filter(|(_, good)| !good).map(|(name, _)| name).collect();
    let note = match &bad[..] {
        _ if !output.status.success() => String::from_utf8_lossy(&output.stderr).into_owned(),
        [] => "a response, or an error the operation declares; some say that their service is missing".to_owned(),
        bad => format!("not as their model says: {}", bad.join(" ")),
    };
    Ok(Measured { value: good.into(), met: good == Operation::ALL.len(), note })
}
