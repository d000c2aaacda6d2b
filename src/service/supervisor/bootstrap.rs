//! Runs the Bootstrap step of a component beside the machine: it may not be desired yet, or run in another version.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::desired::Component;
use super::jail::{Exit, Jail, Running};
use super::rim::{Begun, Rim, ToBegin};
use super::state::{Life, NotStarted, Surroundings};
use super::task::GRACE;
use super::tokens::Token;
use crate::wire::lifecycle::StepName;
use crate::wire::name::ComponentName;
use crate::wire::state::ComponentState;

/// A Bootstrap step under way, or what became of it at once.
#[derive(Debug)]
pub(super) enum Bootstrap {
    Living { running: Running, limit: Duration },
    Over(Result<i32, String>),
}

/// A component without the step, or with one that is skipped, answers 0.
pub(super) fn begin(
    rim: &Rim,
    name: &ComponentName,
    component: Component,
    surroundings: Surroundings,
    token: &Token,
) -> Bootstrap {
    let life = Life { component: Arc::new(component), surroundings: Arc::new(surroundings) };
    let what = match &life.component.lifecycle.bootstrap {
        None => return Bootstrap::Over(Ok(0)),
        Some(Err(error)) => return Bootstrap::Over(Err(error.to_string())),
        Some(Ok(bootstrap)) => &bootstrap.step,
    };
    let step = StepName::Bootstrap;
    let limit = what.timeout.or(step.default_timeout()).unwrap_or(Duration::MAX);
    match rim.begin(&ToBegin { name, step, what, life: &life, state: ComponentState::New, token }) {
        Begun::Living(running) => Bootstrap::Living { running, limit },
        Begun::Skipped => Bootstrap::Over(Ok(0)),
        Begun::NotStarted(NotStarted::Io(words) | NotStarted::MissingRunWith(words)) => {
            Bootstrap::Over(Err(format!("the Bootstrap step cannot be started: {words}")))
        }
    }
}

/// Waits for the exit code. What the step leaves running is ended with it, the component's other processes are not.
pub(super) async fn finish(begun: Bootstrap, jail: &Jail, name: &ComponentName) -> Result<i32, String> {
    let (running, limit) = match begun {
        Bootstrap::Over(answer) => return answer,
        Bootstrap::Living { running, limit } => (running, limit),
    };
    let step = running.id;
    let answer = match timeout(limit, running.wait()).await {
        Ok(Exit::Code(code)) => Ok(code),
        Ok(Exit::Signal(signal)) => Err(format!("the Bootstrap step was ended by signal {signal}")),
        Err(_) => Err(format!("the Bootstrap step did not end within {} s", limit.as_secs_f64())),
    };
    jail.end_step(name, step, GRACE).await;
    answer
}
