//! Runs the Bootstrap step of a component beside the machine: it may not be desired yet, or run in another version.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::BootstrapFault;
use super::jail::{Exit, Jail, Running, Unprepared};
use super::rim::{Begun, Rim, ToBegin};
use super::state::{Life, NotStarted};
use super::task::GRACE;
use crate::base::token::Token;
use crate::wire::lifecycle::StepName;
use crate::wire::name::ComponentName;
use crate::wire::state::ComponentState;

/// A Bootstrap step to run, and who waits for its end.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) name: ComponentName,
    pub(super) life: Life,
    pub(super) reply: oneshot::Sender<Result<i32, BootstrapFault>>,
}

/// A Bootstrap step under way, or what became of it at once.
#[derive(Debug)]
pub(super) enum Bootstrap {
    Living { running: Running, limit: Duration },
    Over(Result<i32, BootstrapFault>),
}

impl Bootstrap {
    pub(super) fn not_started(why: NotStarted) -> Self {
        let (NotStarted::Io(words) | NotStarted::MissingRunWith(words)) = why;
        Self::Over(Err(BootstrapFault::NotStarted(words)))
    }
}

/// A component without the step, or with one that is skipped, answers 0.
/// Fails with what is to be prepared before it can begin.
pub(super) fn begin(rim: &Rim, name: &ComponentName, life: &Life, token: &Token) -> Result<Bootstrap, Box<Unprepared>> {
    let what = match &life.component.lifecycle.bootstrap {
        None => return Ok(Bootstrap::Over(Ok(0))),
        Some(Err(error)) => return Ok(Bootstrap::Over(Err(error.clone().into()))),
        Some(Ok(bootstrap)) => &bootstrap.step,
    };
    let step = StepName::Bootstrap;
    let limit = what.timeout.or(step.default_timeout()).unwrap_or(Duration::MAX);
    Ok(match rim.begin(&ToBegin { name, step, what, life, state: ComponentState::New, token }) {
        Begun::Living(running) => Bootstrap::Living { running, limit },
        Begun::Unprepared(unprepared) => return Err(unprepared),
        Begun::Skipped => Bootstrap::Over(Ok(0)),
        Begun::NotStarted(why) => Bootstrap::not_started(why),
    })
}

/// Waits for the exit code. What the step leaves running is ended with it, the component's other processes are not.
pub(super) async fn finish(begun: Bootstrap, jail: &Jail, name: &ComponentName) -> Result<i32, BootstrapFault> {
    let (running, limit) = match begun {
        Bootstrap::Over(answer) => return answer,
        Bootstrap::Living { running, limit } => (running, limit),
    };
    let step = running.id;
    let answer = match timeout(limit, running.wait()).await {
        Ok(Exit::Code(code)) => Ok(code),
        Ok(Exit::Signal(signal)) => Err(BootstrapFault::Signal(signal)),
        Ok(Exit::OutOfMemory { limit }) => Err(BootstrapFault::OutOfMemory { limit }),
        Err(_) => Err(BootstrapFault::TimedOut { limit }),
    };
    jail.end_step(name, step, GRACE).await;
    answer
}
