//! `component list|details|restart|stop|pause|resume`.

use std::fmt::Write as _;
use std::io::Write;

use serde::Serialize;
use serde_json::json;

use super::arguments::{Component, Names};
use super::failure::{Failure, fault_exit_code};
use super::print::Printer;
use super::request::{ask, ask_one};
use crate::api::control::{Client, ClientError};
use crate::wire::control::{Answer, ComponentDetails, Request};
use crate::wire::name::ComponentName;

pub(super) fn run(command: &Component, client: &mut Client, printer: &mut Printer<impl Write>) -> Result<(), Failure> {
    match command {
        Component::List => {
            let items = ask(client, &Request::Components)?;
            let components: Vec<_> = items.into_iter().filter_map(details).collect();
            printer.either(&json!({ "components": components }), || list(&components))
        }
        Component::Details { name } => {
            let item = ask_one(client, &Request::Component { name: name.clone() }, details)?;
            printer.either(&item, || one(&item))
        }
        Component::Restart(names) => each(names, "restarted", |name| Request::Restart { name }, client, printer),
        Component::Stop(names) => each(names, "stopped", |name| Request::Stop { name }, client, printer),
        Component::Pause(names) => each(names, "paused", |name| Request::Pause { name }, client, printer),
        Component::Resume(names) => each(names, "resumed", |name| Request::Resume { name }, client, printer),
    }
}

fn details(answer: Answer) -> Option<ComponentDetails> {
    match answer {
        Answer::Component(details) => Some(*details),
        _ => None,
    }
}

pub(super) fn list(components: &[ComponentDetails]) -> String {
    let mut text = String::from("Components currently running in Greengrass:\n");
    for component in components {
        block(component, &mut text);
    }
    text
}

/// The block of the list, and below it what only we know.
pub(super) fn one(component: &ComponentDetails) -> String {
    let mut text = String::new();
    block(component, &mut text);
    if !component.reason.is_empty() {
        let _ = writeln!(text, "    Reason: {}", component.reason.trim_end());
    }
    if component.paused {
        text.push_str("    Paused: true\n");
    }
    if let Some(pid) = component.pid {
        let _ = writeln!(text, "    Process: {pid}");
    }
    text
}

fn block(component: &ComponentDetails, text: &mut String) {
    let ComponentDetails { name, version, state, configuration, .. } = component;
    let _ = write!(
        text,
        "Component Name: {name}\n    Version: {version}\n    State: {state}\n    Configuration: {configuration}\n"
    );
}

#[derive(Serialize)]
struct Outcome<'a> {
    name: &'a ComponentName,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// One request per component. A refusal is told and the next one tried; without a daemon nothing more is.
fn each(
    names: &Names,
    done: &str,
    request: impl Fn(ComponentName) -> Request,
    client: &mut Client,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    let mut outcomes = Vec::new();
    let mut worst = 0;
    for name in names.names.iter().flatten() {
        let error = match ask(client, &request(name.clone())) {
            Ok(_) => None,
            Err(Failure::Ask { cause: ClientError::Refused(fault), .. }) => {
                worst = worst.max(fault_exit_code(&fault));
                Some(fault.message)
            }
            Err(other) => return Err(other),
        };
        if !printer.is_json() {
            match &error {
                None => printer.text(&format!("Component {name} {done}.\n"))?,
                Some(error) => eprintln!("greengrass-cli: component {name} not {done}: {error}"),
            }
        }
        outcomes.push(Outcome { name, ok: error.is_none(), error });
    }
    if printer.is_json() {
        printer.document(&json!({ "results": outcomes }))?;
    }
    if worst == 0 { Ok(()) } else { Err(Failure::SomeFailed { code: worst }) }
}
