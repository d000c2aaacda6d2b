//! Goes on with new lines as they come: woken by the kernel for files, or told by the daemon. Never polls.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::LogsError;
use super::entry::{Entry, Shape};
use super::files::Log;
use super::merge::{Source, Whole, merge};
use super::select::Selector;
use super::show::Show;
use super::window::{self, Windows};
use crate::api::control::Client;
use crate::applet::ctl::arguments::Get;
use crate::applet::ctl::failure::Failure;
use crate::applet::ctl::print::Printer;
use crate::applet::ctl::request::failed;
use crate::sys::watch::DirectoryWatch;
use crate::wire::control::{Answer, Request};
use crate::wire::name::ComponentName;

/// Wakes when something is written in the directories of the logs.
#[derive(Debug)]
pub(super) struct Watch(DirectoryWatch);

impl Watch {
    pub(super) fn new(get: &Get, root: &Path, logs: &[Log]) -> Result<Self, LogsError> {
        let mut directories: BTreeSet<PathBuf> = get.log_dir.iter().cloned().collect();
        if get.log_file.is_empty() && !get.syslog {
            directories.extend(super::directories(&get.log_dir, root));
        }
        let parent = |file: &PathBuf| match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        directories.extend(logs.iter().flat_map(|log| log.files.iter().map(parent)));
        let watch = DirectoryWatch::new().map_err(|cause| LogsError::Watch { path: root.into(), cause })?;
        for directory in directories {
            watch.add(&directory).map_err(|cause| LogsError::Watch { path: directory.clone(), cause })?;
        }
        Ok(Self(watch))
    }
}

/// Shows new lines of files until the last window closes; without windows, until the user has enough.
pub(super) fn files(
    watch: &Watch,
    mut sources: Vec<Source>,
    logs: impl Fn() -> Vec<Log>,
    selector: &impl Fn() -> Selector,
    windows: &Windows,
    show: &Show,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    while let Some(left) = time_left(windows) {
        watch.0.wait(left).map_err(|cause| LogsError::Watch { path: "log directories".into(), cause })?;
        for log in logs() {
            if !sources.iter().any(|source| source.reads(&log)) {
                sources.push(Source::new(log, selector(), Shape::Greengrass));
            }
        }
        merge(&mut sources, Whole::MayGrow, |entry| show.print(entry, printer))?;
    }
    Ok(())
}

/// Shows the lines the daemon writes from now on, of these logs or of all.
pub(super) fn daemon(
    client: &mut Client,
    only: &[ComponentName],
    selector: &impl Fn() -> Selector,
    windows: &Windows,
    show: &Show,
    printer: &mut Printer<impl Write>,
) -> Result<(), Failure> {
    let mut logs: BTreeMap<String, Selector> = BTreeMap::new();
    let mut printed = Ok(());
    let followed = client.follow(&Request::FollowLogs, |answer| {
        let now = window::milliseconds(SystemTime::now());
        let mut chosen = VecDeque::new();
        match answer {
            Answer::Log { log, line } if only.is_empty() || only.iter().any(|name| name.as_str() == log) => {
                let entry = Entry::parse(line, Shape::Greengrass, now, now);
                logs.entry(log).or_insert_with(selector).take(entry, &mut chosen);
            }
            Answer::Missed { count } => eprintln!("greengrass-cli: note: {count} lines came too fast and are left out"),
            _ => {}
        }
        printed = chosen.iter().try_for_each(|entry| show.print(entry, printer));
        if printed.is_err() || time_left(windows).is_none() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    printed?;
    followed.map_err(failed)
}

/// How long until the last window closes: `None` when it has, `Some(None)` when there is no end.
#[expect(clippy::option_option, reason = "closed, closing and never closing are three things")]
fn time_left(windows: &Windows) -> Option<Option<Duration>> {
    let Some(end) = windows.end() else { return Some(None) };
    let left = end.saturating_sub(window::milliseconds(SystemTime::now()));
    u64::try_from(left).ok().filter(|left| *left > 0).map(|left| Some(Duration::from_millis(left)))
}
