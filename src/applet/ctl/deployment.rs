//! `deployment create|cancel|status|list`.

mod create;

use std::fmt::Write as _;
use std::io::Write;
use std::ops::ControlFlow;

use serde_json::json;

use super::arguments::Deployment;
use super::failure::Failure;
use super::print::Printer;
use super::request::{ask, ask_one, failed};
use crate::api::control::{Client, ClientError};
use crate::base::clock::Timestamp;
use crate::wire::control::{Answer, Request};
use crate::wire::deployment::DeploymentRecord;
use crate::wire::name::DeploymentId;
use crate::wire::state::DeploymentStatus;

pub(super) fn run(
    command: &Deployment,
    connect: impl Fn() -> Result<Client, Failure>,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    match command {
        Deployment::Create(create) => {
            // What is wrong with the command line is told before anyone looks for a daemon.
            let request = create::request(create)?;
            let mut client = connect()?;
            let id = ask_one(&mut client, &Request::CreateDeployment(Box::new(request)), submitted)?;
            if !(create.wait && printer.is_json()) {
                printer.either(&json!({ "deploymentId": id }), || {
                    format!("Local deployment submitted! Deployment Id: {id}\n")
                })?;
            }
            if create.wait { wait(&mut client, id, printer) } else { Ok(()) }
        }
        Deployment::Cancel(one) => {
            ask(&mut connect()?, &Request::CancelDeployment { id: one.id.clone() })?;
            let message = format!("Cancel request submitted. Deployment ID: {}", one.id);
            printer.either(&json!({ "deploymentId": one.id, "message": message }), || format!("{message}\n"))
        }
        Deployment::Status(one) => {
            let record = ask_one(&mut connect()?, &Request::Deployment { id: one.id.clone() }, record)?;
            printer.either(&record, || status(&record))
        }
        Deployment::List => {
            let items = ask(&mut connect()?, &Request::Deployments)?;
            let records: Vec<_> = items.into_iter().filter_map(record).collect();
            printer.either(&json!({ "deployments": records }), || list(&records))
        }
    }
}

/// Tells the progress on standard error until the deployment has ended.
fn wait(client: &mut Client, id: DeploymentId, printer: &mut Printer<impl Write>) -> Result<(), Failure> {
    let mut last: Option<DeploymentRecord> = None;
    let follow = Request::FollowDeployment { id };
    let followed = client.follow(&follow, |answer| {
        if let Some(record) = record(answer) {
            let line = progress(&record);
            if last.as_ref().map(progress).as_ref() != Some(&line) {
                eprintln!("{line}");
            }
            last = Some(record);
        }
        ControlFlow::Continue(())
    });
    followed.map_err(failed)?;
    let last = last.ok_or_else(|| failed(ClientError::OutOfTurn))?;
    if printer.is_json() {
        printer.document(&last)?;
    }
    match last.status {
        DeploymentStatus::Succeeded => Ok(()),
        ended => {
            eprint!("{}", details(&last));
            Err(Failure::Ended { status: ended })
        }
    }
}

fn submitted(answer: Answer) -> Option<DeploymentId> {
    match answer {
        Answer::Submitted { id } => Some(id),
        _ => None,
    }
}

fn record(answer: Answer) -> Option<DeploymentRecord> {
    match answer {
        Answer::Deployment(record) => Some(*record),
        _ => None,
    }
}

fn progress(record: &DeploymentRecord) -> String {
    if record.progress.is_empty() {
        record.status.to_string()
    } else {
        format!("{}: {}", record.status, record.progress)
    }
}

pub(super) fn status(record: &DeploymentRecord) -> String {
    let mut text =
        format!("{}: {}\nCreated on: {}\n", record.deployment_id, record.status, Timestamp(record.created_on).date());
    if record.status == DeploymentStatus::Failed {
        text.push_str(&details(record));
    }
    text
}

pub(super) fn list(records: &[DeploymentRecord]) -> String {
    let blocks: Vec<_> = records
        .iter()
        .map(|record| {
            let DeploymentRecord { deployment_id, status, created_on, .. } = record;
            format!("Deployment ID: {deployment_id}\nCreated on: {}\nStatus: {status}\n", Timestamp(*created_on).date())
        })
        .collect();
    blocks.join("\n")
}

/// How it failed; nothing for a record without details.
fn details(record: &DeploymentRecord) -> String {
    let mut text = String::new();
    let Some(details) = &record.details else { return text };
    // The word on every other wire, too.
    if let Ok(serde_json::Value::String(word)) = serde_json::to_value(details.detailed_status) {
        let _ = writeln!(text, "Detailed Status: {word}");
    }
    if !details.error_stack.is_empty() {
        let _ = writeln!(text, "Deployment Error Stack: {}", details.error_stack.join(", "));
    }
    if !details.error_types.is_empty() {
        let _ = writeln!(text, "Deployment Error Types: {}", details.error_types.join(", "));
    }
    if !details.failure_cause.is_empty() {
        let _ = writeln!(text, "Deployment Failure Cause: {}", details.failure_cause);
    }
    text
}
