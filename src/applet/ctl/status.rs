//! `status`: the daemon in a few lines.

use std::fmt::{Display, Write as _};
use std::io::Write;

use super::failure::Failure;
use super::print::Printer;
use super::request::ask_one;
use crate::api::control::Client;
use crate::wire::control::{Answer, DaemonStatus, Request};

pub(super) fn run(client: &mut Client, printer: &mut Printer<impl Write>) -> Result<(), Failure> {
    let status = ask_one(client, &Request::Status, |answer| match answer {
        Answer::Status(status) => Some(*status),
        _ => None,
    })?;
    printer.either(&status, || text(&status))
}

pub(super) fn text(status: &DaemonStatus) -> String {
    let counts = |counts: Vec<String>| if counts.is_empty() { "none".into() } else { counts.join(", ") };
    let count = |(kind, count): (&dyn Display, &usize)| format!("{count} {kind}");
    let components = status.components.iter().map(|(state, n)| count((state, n))).collect();
    let deployments = status.deployments.iter().map(|(status, n)| count((status, n))).collect();
    let rows = [
        ("Version", format!("{} ({})", status.version, status.target)),
        ("Process", status.pid.to_string()),
        ("Root", status.root.clone()),
        ("Uptime", duration(status.uptime_seconds)),
        ("Isolation", status.isolation.clone()),
        ("Cloud", status.cloud.map_or_else(|| "not known".into(), |link| link.to_string())),
        ("Components", counts(components)),
        ("Deployments", counts(deployments)),
    ];
    let mut text = String::new();
    for (key, value) in rows {
        let _ = writeln!(text, "{:<12} {value}", format!("{key}:"));
    }
    text
}

/// `3d 4h 5min 6s`, from the first place that is not zero.
fn duration(seconds: u64) -> String {
    let places = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let first = places.iter().position(|(n, _)| *n > 0).unwrap_or(places.len() - 1);
    places[first..].iter().map(|(n, unit)| format!("{n}{unit}")).collect::<Vec<_>>().join(" ")
}
