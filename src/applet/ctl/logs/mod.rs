//! `logs get|list-log-files|list-keywords`: reads log files, with or without a daemon. `logs follow`: with one.
//!
//! Each log (a file with its rotated ancestors) is read and filtered by itself, one entry at a time; then the logs are
//! merged in order of time. So memory does not depend on what the files hold, and `--max-log-queue-size`, which
//! bounds the queue of the AWS CLI, is accepted and has nothing to bound.

mod entry;
mod files;
mod filter;
mod follow;
mod merge;
mod select;
mod show;
mod window;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::json;

use super::arguments::{Follow, Get, Logs};
use super::failure::{Failure, connect};
use super::print::Printer;
use super::request::ask;
use entry::Shape;
use files::Log;
use filter::Filter;
use merge::Source;
use select::Selector;
use show::Show;
use window::Windows;

use crate::api::control::Client;
use crate::store::paths::Paths;
use crate::wire::control::{Answer, Request};
use crate::wire::name::ComponentName;

pub(super) fn run(command: &Logs, root: &Path, printer: &mut Printer<impl Write>) -> Result<(), Failure> {
    match command {
        Logs::Get(get) => self::get(get, root, printer),
        Logs::Follow(follow) => self::follow(follow, root, printer),
        Logs::ListLogFiles { log_dir } => list_files(&directories(log_dir, root), printer),
        Logs::ListKeywords { syslog } => list_keywords(*syslog, printer),
    }
}

fn get(get: &Get, root: &Path, printer: &mut Printer<impl Write>) -> Result<(), Failure> {
    let shape = if get.syslog { Shape::Syslog } else { Shape::Greengrass };
    let now = window::milliseconds(SystemTime::now());
    let filter = Filter::parse(&get.filter)?;
    let windows = Windows::parse(&get.time_window, now)?;
    let selector = || Selector::new(filter.clone(), windows.clone(), get.before, get.after);
    let show = Show::new(get.verbose, get.no_color, printer.is_json());
    if get.syslog && get.verbose {
        eprintln!("greengrass-cli: note: --verbose means nothing for syslog lines");
    }

    let named = !(get.log_file.is_empty() && get.log_dir.is_empty());
    let found = match (get.syslog, named) {
        (true, false) => Ok(files::logs_of(&files::syslog_places(), shape)),
        _ => logs(get, root, shape),
    };
    let logs = match found {
        Err(LogsError::ReadDirectory { cause, .. })
            if get.follow && !named && cause.kind() == io::ErrorKind::PermissionDenied =>
        {
            // The directory is root's alone, but the daemon reads its lines to whoever may control it.
            return follow::daemon(&mut connect(root)?, &[], &selector, &windows, &show, printer);
        }
        found => found?,
    };
    if logs.is_empty() && !get.follow {
        return Err(LogsError::NoLogs { places: places(get, root) }.into());
    }
    // Before the first look at the files: what is written after it must wake us.
    let watch = if get.follow { Some(follow::Watch::new(get, root, &logs)?) } else { None };
    let mut sources: Vec<_> = logs.into_iter().map(|log| Source::new(log, selector(), shape)).collect();
    let whole = if get.follow { merge::Whole::MayGrow } else { merge::Whole::EndsHere };
    merge::merge(&mut sources, whole, |entry| show.print(entry, printer))?;
    match watch {
        Some(watch) => {
            follow::files(&watch, sources, || logs_again(get, root, shape), &selector, &windows, &show, printer)
        }
        None => Ok(()),
    }
}

fn follow(follow: &Follow, root: &Path, printer: &mut Printer<impl Write>) -> Result<(), Failure> {
    let filter = Filter::parse(&follow.filter)?;
    let selector = || Selector::new(filter.clone(), Windows::default(), follow.before, follow.after);
    let show = Show::new(follow.verbose, follow.no_color, printer.is_json());
    let mut client = connect(root)?;
    for name in unknown(&follow.components, &mut client)? {
        eprintln!("greengrass-cli: note: there is no component {name}; its lines are shown when there is one");
    }
    follow::daemon(&mut client, &follow.components, &selector, &Windows::default(), &show, printer)
}

/// Those that are neither a component now nor the daemon.
fn unknown<'a>(names: &'a [ComponentName], client: &mut Client) -> Result<Vec<&'a ComponentName>, Failure> {
    const DAEMON: &str = "greengrass";
    if names.iter().all(|name| name.as_str() == DAEMON) {
        return Ok(Vec::new());
    }
    let known = ask(client, &Request::Components)?;
    let is_known = |name: &ComponentName| {
        known.iter().any(|answer| matches!(answer, Answer::Component(component) if component.name == *name))
    };
    Ok(names.iter().filter(|name| name.as_str() != DAEMON && !is_known(name)).collect())
}

fn logs(get: &Get, root: &Path, shape: Shape) -> Result<Vec<Log>, LogsError> {
    let mut paths = get.log_file.clone();
    let directories = if get.log_file.is_empty() { directories(&get.log_dir, root) } else { get.log_dir.clone() };
    if get.syslog && !get.log_dir.is_empty() {
        eprintln!("greengrass-cli: note: --log-dir means nothing for syslog");
    } else {
        for directory in &directories {
            paths.extend(files::in_directory(directory)?);
        }
    }
    for path in &get.log_file {
        std::fs::metadata(path).map_err(|cause| LogsError::ReadFile { path: path.clone(), cause })?;
    }
    Ok(files::logs_of(&paths, shape))
}

/// While following, a directory that is gone for a moment is no reason to end.
fn logs_again(get: &Get, root: &Path, shape: Shape) -> Vec<Log> {
    logs(get, root, shape).unwrap_or_default()
}

fn list_files(directories: &[PathBuf], printer: &mut Printer<impl Write>) -> Result<(), Failure> {
    let mut found = Vec::new();
    for directory in directories {
        found.extend(files::in_directory(directory)?);
    }
    printer.either(&json!({ "files": found }), || {
        if found.is_empty() {
            return "No log file found.\n".into();
        }
        let lines: String = found.iter().map(|path| format!("{}\n", path.display())).collect();
        format!("{lines}Total {} files found.\n", found.len())
    })
}

fn list_keywords(syslog: bool, printer: &mut Printer<impl Write>) -> Result<(), Failure> {
    let (title, keywords): (_, &[&str]) = if syslog {
        ("Suggested keywords for syslog format:", &["priority=$int", "host=$str", "logger=$str", "class=$str"])
    } else {
        (
            "Suggested keywords for Greengrass log format:",
            &["level=$str", "thread=$str", "loggerName=$str", "eventType=$str", "serviceName=$str", "error=$str"],
        )
    };
    printer.either(&json!({ "keywords": keywords }), || format!("{title}\n{}\n", keywords.join("\n")))
}

fn directories(named: &[PathBuf], root: &Path) -> Vec<PathBuf> {
    if named.is_empty() { vec![Paths::new(root.into()).logs()] } else { named.to_vec() }
}

fn places(get: &Get, root: &Path) -> String {
    let places = if get.log_file.is_empty() { directories(&get.log_dir, root) } else { get.log_file.clone() };
    places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Logs that cannot be read as asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogsError {
    #[error("cannot read the log directory {}", path.display())]
    ReadDirectory {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot read the log file {}", path.display())]
    ReadFile {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot watch {} for new lines", path.display())]
    Watch {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("there is no log file in {places}")]
    NoLogs { places: String },
    #[error("--filter {element:?} is no regular expression")]
    Pattern {
        element: String,
        #[source]
        cause: regex_lite::Error,
    },
    #[error("--filter {expression:?} has an empty element: write keyword, regular expression or key=value")]
    EmptyFilter { expression: String },
    #[error("--time-window {window:?}: write BEGIN,END")]
    Window { window: String },
    #[error(
        "--time-window: {text:?} is no time: write 2026-01-01, 12:00:00, 2026-01-01T12:00:00 or an offset from now \
         such as -2d or -1hr-30min"
    )]
    Time { text: String },
}

impl LogsError {
    /// Whether the command line is to blame.
    pub(super) fn is_usage(&self) -> bool {
        matches!(self, Self::Pattern { .. } | Self::EmptyFilter { .. } | Self::Window { .. } | Self::Time { .. })
    }
}
