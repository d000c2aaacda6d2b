//! Where a decided step meets the machine it runs on: its `Skipif`, its environment, its jail.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::desired::Component;
use super::environment::{Fixed, environment};
use super::jail::{Exit, Jail, JailError, Running, StepOrder, Unprepared};
use super::skip;
use super::state::{End, Life, NotStarted};
use crate::base::report::Report;
use crate::base::token::Token;
use crate::store::paths::Paths;
use crate::wire::lifecycle::{Step, StepName};
use crate::wire::name::ComponentName;
use crate::wire::state::ComponentState;

/// What became of a step that was to begin.
#[derive(Debug)]
pub(super) enum Begun {
    Living(Running),
    /// To be begun again when this is done.
    Unprepared(Box<Unprepared>),
    Skipped,
    NotStarted(NotStarted),
}

/// One step with all it needs.
#[derive(Debug)]
pub(super) struct ToBegin<'a> {
    pub(super) name: &'a ComponentName,
    pub(super) step: StepName,
    pub(super) what: &'a Step,
    pub(super) life: &'a Life,
    pub(super) state: ComponentState,
    pub(super) token: &'a Token,
}

/// Makes processes of decisions.
#[derive(Debug)]
pub(super) struct Rim {
    pub(super) jail: Jail,
    pub(super) paths: Paths,
}

impl Rim {
    pub(super) fn begin(&self, to_begin: &ToBegin<'_>) -> Begun {
        let ToBegin { name, step, what, life, state, token } = to_begin;
        let fixed = Fixed::new(&self.paths, &life.surroundings.identity);
        let variables = environment(&life.surroundings.environment, &life.component, (*step, what), &fixed, token);
        if let Some(skipif) = &what.skipif
            && skip::holds(skipif, &search_path(&variables), &self.paths.work(name))
        {
            return Begun::Skipped;
        }
        let Component { version, run_with, .. } = &*life.component;
        let default = &life.surroundings.run_with_default;
        let order = StepOrder {
            component: (*name).clone(),
            version: version.clone(),
            step: *step,
            script: what.script.clone(),
            shell: default.posix_shell.clone(),
            privileged: what.requires_privilege,
            user: run_with.posix_user.clone().or_else(|| default.posix_user.clone()),
            limits: run_with.limits.unwrap_or(default.limits),
            environment: variables,
            state: *state,
        };
        if let Some(unprepared) = self.jail.unprepared(&order) {
            return Begun::Unprepared(Box::new(unprepared));
        }
        match self.jail.spawn(&order) {
            Ok(running) => Begun::Living(running),
            Err(error) => Begun::NotStarted(why(&error)),
        }
    }
}

/// Does what a step waits for, beside the loop.
pub(super) async fn prepare(unprepared: Box<Unprepared>) -> Result<(), NotStarted> {
    unprepared.prepare().await.map_err(|error| why(&error))
}

/// The words the machine knows for what the jail says.
fn why(error: &JailError) -> NotStarted {
    let words = Report(error).to_string();
    match error {
        JailError::MissingDefaultRunWith => NotStarted::MissingRunWith(words),
        _ => NotStarted::Io(words),
    }
}

impl From<Exit> for End {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Code(code) => Self::Code(code),
            Exit::Signal(number) => Self::Signal(number),
            Exit::OutOfMemory { limit } => Self::OutOfMemory { limit },
        }
    }
}

/// Where the step would find programs: its own `PATH`, else the daemon's; then the standard directories.
fn search_path(variables: &BTreeMap<String, String>) -> OsString {
    let mut path = match variables.get("PATH") {
        Some(path) => return path.into(),
        None => std::env::var_os("PATH").unwrap_or_default(),
    };
    if !path.is_empty() {
        path.push(":");
    }
    path.push(STANDARD_PATH);
    path
}

/// What the jail completes the path with.
const STANDARD_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
