//! A lifecycle map to its steps, as leniently as the reference nucleus reads its configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Bootstrap, Lifecycle, SkipTest, Skipif, Step, StepError, StepName};
use crate::scalar_text;

impl Lifecycle {
    /// Reads the lifecycle left after selection and interpolation. Keys are matched without case; of two that differ in
    /// case only, the later one counts. A step that holds no script at all is as if it were absent.
    pub fn from_value(map: &Map<String, Value>) -> Self {
        let step = |name: StepName| step(name, child(map, name.as_str())?);
        Self {
            setenv: environment(child(map, "Setenv")),
            bootstrap: match child(map, "SystemUpdate") {
                None | Some(Value::Null) => step(StepName::Bootstrap).map(|step| {
                    let section = child(map, "Bootstrap").and_then(Value::as_object);
                    let on_rollback = section.and_then(|s| child(s, "BootstrapOnRollback")).is_some_and(is_true);
                    step.map(|step| Bootstrap { step, on_rollback })
                }),
                Some(update) => {
                    let has_bootstrap = step(StepName::Bootstrap).is_some();
                    let update = system_update(update, has_bootstrap);
                    Some(update.map_err(|fault| StepError { step: StepName::Bootstrap, fault }))
                }
            },
            install: step(StepName::Install),
            startup: step(StepName::Startup),
            run: step(StepName::Run),
            shutdown: step(StepName::Shutdown),
            recover: step(StepName::Recover),
            uninstall: step(StepName::Uninstall),
            error_reset_time: child(map, "errorResetTime").and_then(|value| seconds(value).ok()),
        }
    }

    /// The steps that cannot be run.
    pub fn faults(&self) -> impl Iterator<Item = &StepError> {
        let bootstrap = self.bootstrap.iter().filter_map(|step| step.as_ref().err());
        let steps = [&self.install, &self.startup, &self.run, &self.shutdown, &self.recover, &self.uninstall];
        bootstrap.chain(steps.into_iter().flatten().filter_map(|step| step.as_ref().err()))
    }
}

fn step(name: StepName, value: &Value) -> Option<Result<Step, StepError>> {
    let section = match value {
        Value::Object(section) => section,
        _ => {
            let plain = |script| Step {
                script,
                requires_privilege: false,
                skipif: None,
                timeout: None,
                setenv: BTreeMap::new(),
            };
            return match script(value) {
                Ok(None) => None,
                Ok(Some(script)) => Some(Ok(plain(script))),
                Err(fault) => Some(Err(StepError { step: name, fault })),
            };
        }
    };
    match section_step(section) {
        Ok(None) => None,
        Ok(Some(step)) => Some(Ok(step)),
        Err(fault) => Some(Err(StepError { step: name, fault })),
    }
}

fn section_step(section: &Map<String, Value>) -> Result<Option<Step>, String> {
    let skipif = match child(section, "Skipif") {
        None | Some(Value::Object(_)) => None,
        Some(condition) => Some(skipif(&scalar_text::of_value(condition))?),
    };
    let script = match child(section, "Script") {
        None | Some(Value::Object(_)) => return Err("it has no Script".into()),
        Some(value) => script(value)?,
    };
    let timeout = match child(section, "Timeout") {
        None | Some(Value::Object(_)) => None,
        Some(value) => Some(seconds(value)?),
    };
    Ok(script.map(|script| Step {
        script,
        requires_privilege: child(section, "RequiresPrivilege").is_some_and(is_true),
        skipif,
        timeout,
        setenv: environment(child(section, "Setenv")),
    }))
}

/// A component that is a system image: its Bootstrap step installs the bundle, and asks for the reboot to its trial.
/// Word by word what a recipe for any nucleus would have as its script.
fn system_update(value: &Value, has_bootstrap: bool) -> Result<Bootstrap, String> {
    if has_bootstrap {
        return Err("SystemUpdate is a Bootstrap step itself; leave one of them out".into());
    }
    let (bundle, timeout) = match value {
        Value::String(bundle) => (bundle.clone(), None),
        Value::Object(section) => {
            let bundle = child(section, "Bundle").and_then(Value::as_str).unwrap_or_default();
            (bundle.to_owned(), child(section, "Timeout").map(seconds).transpose()?)
        }
        _ => (String::new(), None),
    };
    if bundle.trim().is_empty() {
        return Err("SystemUpdate names no Bundle; write a path such as {artifacts:path}/update.raucb, or a URL".into());
    }
    let step = Step {
        script: SYSTEM_UPDATE.into(),
        requires_privilege: true,
        skipif: None,
        timeout: Some(timeout.unwrap_or(SYSTEM_UPDATE_TIMEOUT)),
        setenv: BTreeMap::from([("GREENGRASS_BUNDLE".into(), bundle)]),
    };
    Ok(Bootstrap { step, on_rollback: false })
}

/// The daemon tells which program it is and whose the update is. The words of the last line are what a script of
/// somebody else's would say.
pub(super) const SYSTEM_UPDATE: &str = r#"set -- --wait --output json --deployment "$GREENGRASS_DEPLOYMENT_ID" -- "$GREENGRASS_BUNDLE"
[ -z "$GREENGRASS_OTA_CONF" ] || set -- --conf "$GREENGRASS_OTA_CONF" "$@"
"${GREENGRASS_BINARY:-greengrass}" ota install "$@" || exit
exit 101"#;

/// A large image over a slow link takes hours.
const SYSTEM_UPDATE_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// The last entry of this name, without case.
fn child<'m>(map: &'m Map<String, Value>, name: &str) -> Option<&'m Value> {
    map.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// `None` for a script that is empty.
fn script(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Array(_) => Err("its script is a list; write one text, with newlines or && between commands".into()),
        scalar => Ok(Some(scalar_text::of_value(scalar)).filter(|text| !text.is_empty())),
    }
}

fn skipif(condition: &str) -> Result<Skipif, String> {
    let refuse = || "its Skipif is neither 'onpath <executable>' nor 'exists <path>', perhaps after a '!'".to_owned();
    let condition = condition.trim_matches(|c| c <= ' ');
    let (negated, condition) = match condition.strip_prefix('!') {
        Some(rest) => (true, rest.trim_matches(|c| c <= ' ')),
        None => (false, condition),
    };
    let (word, operand) = condition.split_once(' ').ok_or_else(refuse)?;
    let operand = operand.trim_start_matches(' ');
    if operand.is_empty() || operand.contains(['\n', '\r']) {
        return Err(refuse());
    }
    let test = match word {
        "onpath" => SkipTest::OnPath(operand.into()),
        "exists" => SkipTest::Exists(operand.into()),
        _ => return Err(refuse()),
    };
    Ok(Skipif { negated, test })
}

/// Seconds: a number, cut to a whole one, or a text that begins with one (`30s` is 30; `0x` and a leading 0 count as in
/// C). Anything else is 0 to the reference nucleus, which no step survives.
fn seconds(value: &Value) -> Result<Duration, String> {
    let seconds = match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)),
        Value::Bool(flag) => Some(i64::from(*flag)),
        Value::String(text) => leading_number(text),
        _ => None,
    };
    match seconds.map(u64::try_from) {
        Some(Ok(seconds)) => Ok(Duration::from_secs(seconds.min(MAX_SECONDS))),
        _ => Err("its Timeout is not a number of seconds".into()),
    }
}

fn leading_number(text: &str) -> Option<i64> {
    let unsigned = text.trim_start_matches([' ', '+', '-']);
    let negative = text[..text.len() - unsigned.len()].matches('-').count() % 2 == 1;
    let (digits, radix) = match unsigned.strip_prefix('0') {
        None => (unsigned, 10),
        Some(rest) if rest.starts_with(['x', 'X']) => (&rest[1..], 16),
        Some(rest) if rest.starts_with(['b', 'B']) => (&rest[1..], 2),
        Some(_) => (unsigned, 8),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    // More digits than fit mean "for ever" whatever they are.
    let magnitude = match &digits[..end] {
        "" => return None,
        digits => i64::from_str_radix(digits, radix).unwrap_or(i64::MAX),
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// What counts as yes.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64().is_some_and(|float| float.trunc() != 0.0),
        Value::String(text) => matches!(text.as_str(), "true" | "yes" | "on" | "t" | "y" | "Y"),
        _ => false,
    }
}

/// Maps are no environment values; lists are spelled as Java does.
fn environment(value: Option<&Value>) -> BTreeMap<String, String> {
    let Some(Value::Object(entries)) = value else { return BTreeMap::new() };
    let text = |value: &Value| match value {
        Value::Null | Value::Object(_) => None,
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(scalar_text::of_value).collect();
            Some(format!("[{}]", items.join(", ")))
        }
        scalar => Some(scalar_text::of_value(scalar)),
    };
    entries.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}

/// The longest time a step can ask for, the largest number the reference nucleus holds: 68 years.
const MAX_SECONDS: u64 = i32::MAX as u64;

#[cfg(test)]
mod tests;
