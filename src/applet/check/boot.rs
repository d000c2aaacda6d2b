//! `--boot`: the report that PID 1 left about the boot, step by step.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::finding::Verdict;
use super::gather::Place;
use super::print::{INDENT, Paper, clean, wrap};
use crate::boot::places;
use crate::boot::report::{Outcome, Report, ReportError, Step};

/// Why there is no report to show.
#[derive(Debug, thiserror::Error)]
pub(super) enum BootError {
    #[error("there is no boot report: this device did not boot through gg-init, or {} is gone", path.display())]
    Absent { path: PathBuf },
    #[error("cannot read the boot report {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{} is no boot report", path.display())]
    Parse {
        path: PathBuf,
        #[source]
        cause: ReportError,
    },
}

/// Reads the file given, or where PID 1 puts it: first of this boot, then what it kept on the data partition.
pub(super) fn load(place: &Place, file: Option<&Path>, former: bool) -> Result<Report, BootError> {
    let data = place.data.clone().unwrap_or_else(|| places::DATA.into());
    let kept = place.path(data.join(places::KEPT_REPORT));
    let candidates = match (file, former) {
        (Some(file), _) => vec![file.to_owned()],
        (None, true) => vec![place.path(data.join(places::FORMER_REPORT))],
        (None, false) => vec![place.path(places::REPORT), kept],
    };
    let path = candidates.iter().find(|path| path.exists()).or(candidates.first()).cloned().unwrap_or_default();
    let mut bytes = Vec::new();
    match File::open(&path).and_then(|file| file.take(MOST).read_to_end(&mut bytes)) {
        Ok(_) => {}
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Err(BootError::Absent { path }),
        Err(cause) => return Err(BootError::Read { path, cause }),
    }
    Report::parse(&String::from_utf8_lossy(&bytes)).map_err(|cause| BootError::Parse { path, cause })
}

/// The worst of all steps.
pub(super) fn verdict(report: &Report) -> Verdict {
    report.steps.iter().map(of).max().unwrap_or(Verdict::Ok)
}

fn of(step: &Step) -> Verdict {
    match step.outcome {
        Outcome::Ok => Verdict::Ok,
        Outcome::Degraded => Verdict::Degraded,
        Outcome::Failed => Verdict::Failed,
    }
}

/// The table: how long each step took, and how it ended.
pub(super) fn text(report: &Report, paper: &Paper) -> String {
    let mut text = String::new();
    for step in &report.steps {
        let _ = write!(text, "  {}  {:<14}  ", paper.verdict(of(step)), clean(&step.name));
        let mut lines = Vec::new();
        wrap(&format!("{} ms: {}", milliseconds(step.duration), step.what), &mut lines);
        if !step.fallback.is_empty() {
            wrap(&format!("-> {}", step.fallback), &mut lines);
        }
        for (index, line) in lines.iter().enumerate() {
            let indent = if index == 0 { 0 } else { INDENT };
            let _ = writeln!(text, "{:indent$}{line}", "");
        }
    }
    if !report.facts.is_empty() {
        text.push('\n');
    }
    for fact in &report.facts {
        let _ = writeln!(text, "{}: {}", clean(&fact.name), clean(&fact.value));
    }
    text.push('\n');
    let _ = match (report.own_time(), report.end) {
        (Some(own), Some(end)) => writeln!(
            text,
            "Boot: {} after {} ms of gg-init's own time, {} ms after the start of the kernel",
            paper.verdict(verdict(report)).trim_end(),
            milliseconds(own),
            milliseconds(end)
        ),
        _ => writeln!(text, "Boot: {}; the report ends before the boot did", paper.verdict(verdict(report)).trim_end()),
    };
    text
}

/// One document; times in microseconds.
pub(super) fn json(report: &Report, verdict: Verdict) -> String {
    let steps: Vec<_> = report
        .steps
        .iter()
        .map(|step| {
            json!({
                "name": step.name,
                "start": step.start,
                "duration": step.duration,
                "outcome": step.outcome.name(),
                "what": step.what,
                "fallback": step.fallback,
            })
        })
        .collect();
    let facts: serde_json::Map<_, _> = report.facts.iter().map(|fact| (fact.name.clone(), json!(fact.value))).collect();
    let own = report.own_time();
    let document = json!({ "verdict": verdict, "steps": steps, "facts": facts, "end": report.end, "own": own });
    format!("{document:#}\n")
}

fn milliseconds(microseconds: u64) -> String {
    format!("{}.{}", microseconds / 1000, microseconds % 1000 / 100)
}

/// A report has 16 KiB.
const MOST: u64 = 1 << 20;
