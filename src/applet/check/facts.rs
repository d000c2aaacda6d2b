//! What was found on a machine, before anybody judged it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::boot::kernel::{Configuration, Release};
use crate::sys::cgroup::Version;
use crate::sys::fs::Space;

#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub is_root: bool,
    pub kernel: Kernel,
    /// PID 1 of ours made the root: its report is there.
    pub is_ours: bool,
    pub groups: Groups,
    pub hard_links: Protection,
    pub symbolic_links: Protection,
    /// Of `/dev/stdin`, `/dev/stdout`, `/dev/stderr`.
    pub missing_streams: Vec<&'static str>,
    pub has_var_run: bool,
    pub libc: Libc,
    pub interpreters: Vec<(Interpreter, Option<PathBuf>)>,
    pub certificates: Option<PathBuf>,
    pub memory: Option<Memory>,
    pub disk: Disk,
    /// Seconds since 1970: now, and when this program was built.
    pub now: u64,
    pub built: u64,
    pub watchdog: Option<String>,
    pub overlay: Overlay,
    pub has_user: bool,
    pub has_group: bool,
    /// The program that is process 1.
    pub init: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// As `uname -r` says it.
    pub name: String,
    pub release: Option<Release>,
    pub options: Options,
    /// Configurations that are there and cannot be used: which, and why.
    pub unusable: Vec<(PathBuf, String)>,
}

/// What is known of the kernel's options.
#[derive(Clone, Debug)]
pub(super) enum Options {
    Told {
        by: PathBuf,
        configuration: Configuration,
    },
    /// No configuration: option to whether the kernel has it. What is not in the map could not be found out.
    Probed(BTreeMap<&'static str, bool>),
    /// A configuration was asked for and cannot be read.
    Refused,
}

#[derive(Clone, Default, Debug)]
pub(super) struct Groups {
    /// `/proc/cgroups`: controllers the kernel has, and whether each is enabled; `None` without control groups.
    pub table: Option<Vec<(String, bool)>>,
    pub hierarchies: Vec<Hierarchy>,
}

/// One mount of control groups.
#[derive(Clone, Debug)]
pub(super) struct Hierarchy {
    pub version: Version,
    pub at: PathBuf,
    pub controllers: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Protection {
    On,
    Off,
    Unknown,
}

#[derive(Clone, Debug)]
pub(super) struct Libc {
    /// The target this program was built for.
    pub ours: &'static str,
    /// The loader of the C library that other programs use.
    pub loader: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Interpreter {
    pub program: &'static str,
    pub language: &'static str,
}

/// What components are usually written in. The shell is none of them: without it nothing runs.
pub(super) const INTERPRETERS: [Interpreter; 4] = [
    Interpreter { program: "sh", language: "shell" },
    Interpreter { program: "python3", language: "Python" },
    Interpreter { program: "node", language: "JavaScript" },
    Interpreter { program: "java", language: "Java" },
];

/// Bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    pub total: u64,
    pub available: u64,
}

/// The file system that holds the daemon's root directory.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub root: PathBuf,
    pub space: Result<Space, String>,
}

/// The file system that would hold the writable layer of an overlay root.
#[derive(Clone, Debug)]
pub(super) struct Overlay {
    pub data: PathBuf,
    /// ext4 and the like; `None` if it is in no mount table.
    pub kind: Option<String>,
    pub trial: Trial,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Trial {
    /// An overlay was mounted, written to and removed from.
    Works,
    Fails(String),
    /// Why nobody tried.
    NotTried(&'static str),
}
