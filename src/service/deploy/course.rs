//! The course of one deployment, from request to settled components, or back.
//!
//! ```text
//! Preparing: take in, resolve, fetch, ask, plan, validate -> Bootstrapping -> Activating -> done
//!     | failed: nothing has changed                             | failed        | a component is BROKEN
//!     v                                                         v               v
//!     done                                                      RollingBack, or left as it is -> done
//! ```
//!
//! Each stage is on disk before it acts. Dropping the future of a deployment that is being prepared cancels it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::desired::{component, default_user_fault, desired_set, desired_set_with};
use super::failure::Failure;
use super::ledger::Ledger;
use super::own_update::{self, OwnUpdates, Standing};
use super::plan::Plan;
use super::prepare::Preparation;
use super::resolve::NUCLEUS;
use super::state::{Deployment, InHand, Stage};
use super::system_update::{Found, SystemUpdates, Verdict};
use super::update_gate::UpdateGate;
use super::validation_gate::{Objection, ValidationGate};
use crate::base::report::Report;
use crate::service::config::{self, ConfigError};
use crate::service::supervisor::{self, BootstrapFault, Component, DesiredSet, Refused, Settlement};
use crate::store::tree::{Edit, Tree};
use crate::wire::deployment::{ComponentUpdateAction, DeploymentStatusDetails};
use crate::wire::deployment_error::{ErrorCode, ErrorStack};
use crate::wire::name::{ComponentName, DeploymentId};
use crate::wire::state::{ComponentState, DependencyType, DetailedStatus, FailureHandlingPolicy};

/// What the course of every deployment stands on.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) ledger: Ledger,
    pub(super) config: config::Handle,
    pub(super) supervisor: supervisor::Handle,
    pub(super) preparation: Preparation,
    pub(super) updates: UpdateGate,
    pub(super) validations: ValidationGate,
    /// `None` on a device without slots.
    pub(super) system: Option<SystemUpdates>,
    pub(super) own: OwnUpdates,
}

/// Whether a course has been begun before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Start {
    Fresh,
    /// The daemon was started again in between.
    Resumed,
}

/// How a course ended.
#[derive(Debug)]
pub(super) enum End {
    /// What follows a deployment is done.
    Tidied,
    Done(DeploymentStatusDetails),
    /// A Bootstrap step asked for it; the deployment goes on at the next start.
    Leave(Exit),
    /// The daemon is going down; the deployment goes on at the next start.
    GoingDown,
}

/// What a Bootstrap step asks of the daemon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Start the daemon again: exit code 100.
    Restart,
    /// Start the device again: exit code 101.
    Reboot,
}

impl Exit {
    pub const fn code(self) -> u8 {
        match self {
            Self::Restart => 100,
            Self::Reboot => 101,
        }
    }
}

/// What a course tells the task that owns the docket.
#[derive(Debug)]
pub(super) enum Note {
    Progress(String),
    /// Answered when the disk has it.
    Enter {
        stage: Stage,
        reply: oneshot::Sender<Result<(), Failure>>,
    },
}

/// Why a course does not go on.
#[derive(Debug)]
pub(super) enum Halt {
    Failed(Failure),
    GoingDown,
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Refused> for Halt {
    fn from(_: Refused) -> Self {
        Self::GoingDown
    }
}

/// The desk of the task: where a course reports.
#[derive(Clone, Debug)]
pub(super) struct Desk(pub(super) mpsc::Sender<Note>);

impl Desk {
    pub(super) async fn progress(&self, text: impl Into<String>) {
        // A desk that is gone is noticed at the next stage.
        let _ = self.0.send(Note::Progress(text.into())).await;
    }

    async fn enter(&self, stage: Stage) -> Result<(), Halt> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Note::Enter { stage, reply }).await.map_err(|_| Halt::GoingDown)?;
        Ok(answer.await.map_err(|_| Halt::GoingDown)??)
    }
}

pub(super) async fn run(ground: Arc<Ground>, in_hand: InHand, start: Start, desk: Desk) -> End {
    let mut course = Course { ground, deployment: in_hand.deployment, start, desk, system: Found::Nothing };
    let end = course.go_on(in_hand.stage).await;
    let end = end.unwrap_or_else(|halt| match halt {
        Halt::Failed(failure) => End::Done(failure.details(DetailedStatus::FailedNoStateChange)),
        Halt::GoingDown => End::GoingDown,
    });
    if matches!(end, End::Done(_)) {
        course.ground.updates.passed(course.id());
    }
    end
}

struct Course {
    ground: Arc<Ground>,
    deployment: Deployment,
    start: Start,
    desk: Desk,
    /// What a former start has brought.
    system: Found,
}

impl Course {
    fn id(&self) -> &DeploymentId {
        &self.deployment.id
    }

    async fn go_on(&mut self, stage: Stage) -> Result<End, Halt> {
        if let (Start::Resumed, Some(system)) = (self.start, &self.ground.system)
            && stage != Stage::Preparing
        {
            self.system = system.find(self.id()).await?;
        }
        let is_forward = matches!(stage, Stage::Bootstrapping { .. } | Stage::Activating);
        if self.start == Start::Resumed
            && is_forward
            && let Standing::GivenUp(why) = self.ground.own.standing(self.id()).await?
        {
            let failure = own_update::given_up(&why);
            self.give_system_up(&failure).await?;
            return self.undo(failure).await;
        }
        match (&self.system, stage) {
            (_, Stage::RollingBack { failure }) => self.roll_back(failure).await,
            (Found::RolledBack(why), _) => self.undo(given_up(why)).await,
            (Found::Leave(exit), _) => {
                self.desk.progress("waiting for the device to start again with the new system").await;
                Ok(End::Leave(*exit))
            }
            (Found::Nothing | Found::Brought, Stage::Preparing) => {
                self.await_trial().await?;
                self.begin().await
            }
            (Found::Nothing | Found::Brought, Stage::Bootstrapping { mut done, running }) => {
                // Its new system runs, so it has done what it was to do.
                done.extend(running.filter(|_| self.system == Found::Brought));
                let plan = self.plan().await?;
                self.bootstrap(&plan, done).await
            }
            (Found::Nothing | Found::Brought, Stage::Activating) => match self.plan().await {
                Ok(plan) => self.activate(&plan).await,
                Err(halt) => stuck(halt),
            },
        }
    }

    /// A system on trial is judged by the components that it found. What would change them waits, and goes on with
    /// whichever system stays.
    async fn await_trial(&self) -> Result<(), Halt> {
        let Some(system) = self.ground.system.as_ref().filter(|system| system.is_on_trial()) else { return Ok(()) };
        self.desk.progress("waiting for the trial of the system to end").await;
        match system.verdict().await {
            Verdict::Kept => Ok(()),
            Verdict::Leaving => Err(Halt::GoingDown),
        }
    }

    async fn begin(&self) -> Result<End, Halt> {
        let tree = self.tree();
        let ready = self.ground.preparation.prepare(&self.deployment, tree, &self.desk).await?;
        let policy = self.deployment.request.component_update_policy;
        if policy.action == ComponentUpdateAction::NotifyComponents {
            self.desk.progress("waiting for the components' consent").await;
            let patience = Duration::from_secs(policy.timeout);
            if self.start == Start::Resumed {
                // Components that run on have lost their connection: without this their consent is passed over.
                tokio::time::sleep(patience.min(RECONNECT)).await;
            }
            let restarting = ready.would_bootstrap(&self.deployment, self.tree()).await?;
            self.ground.updates.pass(self.id(), restarting, patience).await;
        }
        // The tree again: components may have written their configuration while artifacts were fetched.
        let broken = self.broken().await?;
        let tree = self.tree();
        let (ledger, id) = (self.ground.ledger.clone(), self.id().clone());
        let plan =
            ready.draw(self.deployment.clone(), tree, broken, move |plan, before| ledger.write_plan(&id, plan, before));
        let plan = plan.await?;
        if self.deployment.request.configuration.keys().any(|name| name.as_str() == NUCLEUS) {
            check_settings(&plan.target(&self.tree()))?;
        }
        self.validate(&plan).await?;
        if plan.bootstraps().is_empty() {
            self.desk.enter(Stage::Activating).await?;
            return self.activate(&plan).await;
        }
        self.desk.enter(Stage::Bootstrapping { done: Vec::new(), running: None }).await?;
        self.bootstrap(&plan, Vec::new()).await
    }

    /// Lets components judge their configuration as it would be.
    async fn validate(&self, plan: &Plan) -> Result<(), Failure> {
        let mut changes = plan.reconfigured(&self.tree());
        changes.retain(|name, _| self.ground.validations.is_subscribed(name));
        if changes.is_empty() {
            return Ok(());
        }
        self.desk.progress(format!("waiting for {} to validate the configuration", count(changes.len()))).await;
        let patience = Duration::from_secs(self.deployment.request.configuration_validation_policy.timeout);
        let objections = self.ground.validations.pass(self.id(), changes, patience).await;
        if objections.is_empty() { Ok(()) } else { Err(not_valid(&objections)) }
    }

    /// Runs the Bootstrap steps that have not run, each recorded when it has.
    async fn bootstrap(&self, plan: &Plan, mut done: Vec<ComponentName>) -> Result<End, Halt> {
        let target = plan.target(&self.tree());
        for name in plan.bootstraps() {
            if done.contains(name) {
                continue;
            }
            let Some(mut component) = component(&target, name) else { continue };
            let doing = format!("running the Bootstrap step of {name}");
            self.desk.progress(&doing).await;
            if let Some(system) = &self.ground.system {
                system.introduce(self.id(), &mut component);
                if self.system == Found::Nothing {
                    let running = Some(name.clone());
                    self.desk.enter(Stage::Bootstrapping { done: done.clone(), running }).await?;
                }
            }
            let lifecycle = Arc::clone(&component.lifecycle);
            let exit = match self.run_bootstrap(name, component, &doing).await? {
                Ok(0) => Ok(None),
                Ok(100) => Ok(Some(Exit::Restart)),
                Ok(101) => Ok(Some(Exit::Reboot)),
                Ok(code) => Err(bootstrap_ended(name, code)),
                Err(fault) => Err(bootstrap_failure(name, &fault)),
            };
            let mut exit = match exit {
                Ok(exit) => exit,
                Err(failure) => return self.fail_unchanged(failure).await,
            };
            if let (Some(Exit::Reboot), Some(system)) = (exit, &self.ground.system) {
                let is_armed = system.claim(self.id()).await?;
                let is_update = matches!(&lifecycle.bootstrap, Some(Ok(step)) if step.is_system_update());
                // The very bundle runs already.
                exit = exit.filter(|_| is_armed || !is_update);
            }
            done.push(name.clone());
            self.desk.enter(Stage::Bootstrapping { done: done.clone(), running: None }).await?;
            if let Some(exit) = exit {
                return Ok(End::Leave(exit));
            }
        }
        self.desk.enter(Stage::Activating).await?;
        self.activate(plan).await
    }

    /// What such a step installs is told of while it does.
    async fn run_bootstrap(
        &self,
        name: &ComponentName,
        component: Component,
        doing: &str,
    ) -> Result<Result<i32, BootstrapFault>, Halt> {
        let step = self.ground.supervisor.bootstrap(name.clone(), component);
        let Some(system) = &self.ground.system else { return Ok(step.await?) };
        tokio::select! {
            answer = step => Ok(answer?),
            halt = system.watch(self.id(), &self.desk, doing) => Err(halt),
        }
    }

    /// From here on a failure may leave the device changed.
    async fn activate(&self, plan: &Plan) -> Result<End, Halt> {
        match self.hand_over(plan).await? {
            Some(end) => Ok(end),
            None => self.change(plan).await.or_else(stuck),
        }
    }

    /// A new version of the daemon carries out the rest. `None` where this is the one.
    async fn hand_over(&self, plan: &Plan) -> Result<Option<End>, Halt> {
        let Some(version) = plan.daemon() else { return Ok(None) };
        let staged = match self.ground.own.standing(self.id()).await? {
            Standing::Runs => return Ok(None),
            Standing::GivenUp(why) => Err(own_update::given_up(&why)),
            Standing::NotTaken if self.start == Start::Resumed => Err(own_update::not_taken()),
            Standing::Missing | Standing::NotTaken => {
                self.desk.progress(format!("checking version {version} of the daemon")).await;
                self.ground.own.stage(self.id(), version).await?
            }
        };
        Ok(Some(match staged {
            Ok(()) => End::Leave(Exit::Restart),
            Err(failure) => self.fail_unchanged(failure).await?,
        }))
    }

    /// Merges the plan and waits for the components. May run twice for one plan.
    async fn change(&self, plan: &Plan) -> Result<End, Halt> {
        self.desk.progress("changing the configuration").await;
        if let Err(failure) = self.edit(plan.edits()).await? {
            return self.fail(plan, failure).await;
        }
        let tree = self.tree();
        self.ground.supervisor.apply(desired_set_with(&tree, plan.removed())).await?;
        self.desk.progress(format!("waiting for {} to settle", count(plan.tracked().len()))).await;
        match self.ground.supervisor.settled(plan.tracked()).await? {
            Settlement::Broken(broken) => return self.fail(plan, broken_failure(&broken)).await,
            Settlement::Reached => {}
        }
        self.keep_system().await?;
        if let Err(failure) = self.ground.own.keep().await? {
            return self.fail(plan, failure).await;
        }
        if let Err(failure) = self.remove(plan).await? {
            return self.fail(plan, failure).await;
        }
        Ok(End::Done(DeploymentStatusDetails {
            detailed_status: DetailedStatus::Successful,
            error_stack: Vec::new(),
            error_types: Vec::new(),
            failure_cause: String::new(),
        }))
    }

    /// Takes away what is not wanted any more, once its successors run.
    ///
    /// The configuration forgets a component only after its Uninstall step is over: killed before, the daemon finds
    /// it again at the next start, brings it up as it was, and removes it then.
    async fn remove(&self, plan: &Plan) -> Result<Result<(), Failure>, Halt> {
        if plan.removed().is_empty() {
            return Ok(Ok(()));
        }
        self.desk.progress(format!("removing {}", count(plan.removed().len()))).await;
        self.ground.supervisor.apply(desired_set(&self.tree())).await?;
        // Whatever an Uninstall step says, the component is gone.
        self.ground.supervisor.settled(plan.removed().to_vec()).await?;
        self.edit(plan.removals()).await
    }

    /// Waits until the new system is confirmed. One that is not takes the daemon down, and the former one undoes the
    /// deployment.
    async fn keep_system(&self) -> Result<(), Halt> {
        let Some(system) = self.ground.system.as_ref().filter(|_| self.system == Found::Brought) else { return Ok(()) };
        self.desk.progress("waiting for the health checks of the new system").await;
        match system.verdict().await {
            Verdict::Kept => Ok(()),
            Verdict::Leaving => Err(Halt::GoingDown),
        }
    }

    /// What failed on a new system goes back together with it.
    async fn give_system_up(&self, failure: &Failure) -> Result<(), Halt> {
        let Some(system) = self.ground.system.as_ref().filter(|_| self.system == Found::Brought) else { return Ok(()) };
        self.desk.progress("waiting for the device to start again with the former system").await;
        match system.give_up(self.id(), &failure.cause).await {
            Verdict::Kept => Ok(()),
            Verdict::Leaving => Err(Halt::GoingDown),
        }
    }

    async fn fail(&self, plan: &Plan, failure: Failure) -> Result<End, Halt> {
        self.give_system_up(&failure).await?;
        match self.deployment.request.failure_handling_policy {
            FailureHandlingPolicy::Rollback => self.undo(failure).await,
            FailureHandlingPolicy::DoNothing => {
                if let Err(also) = self.remove(plan).await? {
                    tracing::warn!(deployment = %self.id(), cause = also.cause, "Components could not be removed.");
                }
                Ok(End::Done(failure.details(DetailedStatus::FailedRollbackNotRequested)))
            }
        }
    }

    /// A failure before the configuration changed: after a restart for a Bootstrap step nothing runs yet.
    async fn fail_unchanged(&self, failure: Failure) -> Result<End, Halt> {
        self.give_system_up(&failure).await?;
        match self.deployment.request.failure_handling_policy {
            FailureHandlingPolicy::Rollback => self.undo(failure).await,
            FailureHandlingPolicy::DoNothing => {
                self.ground.supervisor.apply(desired_set(&self.tree())).await?;
                Ok(End::Done(failure.details(DetailedStatus::FailedNoStateChange)))
            }
        }
    }

    async fn undo(&self, failure: Failure) -> Result<End, Halt> {
        self.desk.enter(Stage::RollingBack { failure: failure.clone() }).await?;
        self.roll_back(failure).await
    }

    /// Restores the tree of before and waits for its components. May run twice for one failure.
    ///
    /// What the deployment had added is uninstalled without such care: killed in the middle, it is gone without its
    /// Uninstall step. To find it again the configuration would have to keep, and start, what has just failed.
    async fn roll_back(&self, failure: Failure) -> Result<End, Halt> {
        tracing::warn!(deployment = %self.id(), cause = failure.cause, "The deployment failed and is rolled back.");
        self.desk.progress("rolling back").await;
        // The new daemon goes back with its deployment, and the former one restores the rest.
        match self.ground.own.give_up(&failure.cause).await {
            Ok(true) => return Ok(End::Leave(Exit::Restart)),
            Ok(false) => {}
            Err(halt) => return stuck(halt),
        }
        match self.try_to_roll_back().await {
            Ok(()) => Ok(End::Done(failure.details(DetailedStatus::FailedRollbackComplete))),
            Err(Halt::GoingDown) => Err(Halt::GoingDown),
            Err(Halt::Failed(second)) => {
                let cause = format!("{}; and the rollback failed: {}", failure.cause, second.cause);
                Ok(End::Done(Failure { cause, ..failure }.details(DetailedStatus::FailedUnableToRollback)))
            }
        }
    }

    async fn try_to_roll_back(&self) -> Result<(), Halt> {
        let plan = self.plan().await?;
        let before = self.ground.ledger.read_snapshot(self.id()).await.map_err(|e| io_failure(&e))?;
        for name in plan.bootstraps() {
            let Some(component) = component(&before, name) else { continue };
            let again = component.lifecycle.bootstrap.as_ref().and_then(|step| step.as_ref().ok());
            if again.is_some_and(|step| step.on_rollback) {
                self.desk.progress(format!("rolling back: running the Bootstrap step of {name}")).await;
                match self.ground.supervisor.bootstrap(name.clone(), component).await? {
                    Ok(0 | 100 | 101) => {}
                    Ok(code) => return Err(bootstrap_ended(name, code).into()),
                    Err(fault) => return Err(bootstrap_failure(name, &fault).into()),
                }
            }
        }
        let set = desired_set(&before);
        match self.ground.config.restore(before).await {
            Err(ConfigError::GoingDown) => return Err(Halt::GoingDown),
            restored => restored.map_err(|e| io_failure(&e))?,
        }
        let hopeless = with_dependents(&set, |name| plan.was_broken(name));
        let tracked = set.components.keys().filter(|name| !hopeless.contains(name)).cloned().collect();
        self.ground.supervisor.apply(set).await?;
        match self.ground.supervisor.settled(tracked).await? {
            Settlement::Reached => Ok(()),
            Settlement::Broken(broken) => Err(broken_failure(&broken).into()),
        }
    }

    async fn plan(&self) -> Result<Plan, Halt> {
        Ok(self.ground.ledger.read_plan(self.id()).await.map_err(|e| io_failure(&e))?)
    }

    fn tree(&self) -> Tree {
        self.ground.config.snapshot()
    }

    async fn edit(&self, edits: Vec<Edit>) -> Result<Result<(), Failure>, Halt> {
        match self.ground.config.edit(edits).await {
            Err(ConfigError::GoingDown) => Err(Halt::GoingDown),
            Err(fault) => {
                let codes = [ErrorCode::ComponentUpdateError, ErrorCode::IoError, ErrorCode::IoWriteError];
                Ok(Err(Failure::coded(&codes, &fault)))
            }
            Ok(_) => Ok(Ok(())),
        }
    }

    async fn broken(&self) -> Result<BTreeSet<ComponentName>, Halt> {
        let components: BTreeMap<_, _> = self.ground.supervisor.components().await?;
        Ok(components.into_iter().filter(|(_, c)| c.state == ComponentState::Broken).map(|(name, _)| name).collect())
    }
}

/// How long components have to come back and subscribe again after a restart of the daemon, at most.
const RECONNECT: Duration = Duration::from_secs(10);

/// Those that `holds`, and all that need them HARD, at whatever distance.
fn with_dependents(set: &DesiredSet, holds: impl Fn(&ComponentName) -> bool) -> BTreeSet<ComponentName> {
    let mut found: BTreeSet<ComponentName> = set.components.keys().filter(|name| holds(name)).cloned().collect();
    loop {
        let needs_one = |component: &Component| {
            component.dependencies.iter().any(|(on, kind)| *kind == DependencyType::Hard && found.contains(on))
        };
        let more = set.components.iter().filter(|(name, component)| !found.contains(*name) && needs_one(component));
        let more: Vec<ComponentName> = more.map(|(name, _)| name.clone()).collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// A daemon whose default user cannot be read would leave its components without one.
fn check_settings(target: &Tree) -> Result<(), Failure> {
    match default_user_fault(target) {
        None => Ok(()),
        Some(fault) => {
            let stack = ErrorStack::failure(&[ErrorCode::ComponentUpdateError, ErrorCode::RunWithConfigNotValid]);
            let at = format!("the configuration of {NUCLEUS} cannot be used: runWithDefault.posixUser");
            Err(Failure::new(&stack, format!("{at}: {}", Report(&fault))))
        }
    }
}

/// Activation has begun and can be neither finished nor undone, e.g. because the plan or the docket is out of reach.
fn stuck(halt: Halt) -> Result<End, Halt> {
    match halt {
        Halt::Failed(failure) => Ok(End::Done(failure.details(DetailedStatus::FailedUnableToRollback))),
        Halt::GoingDown => Err(Halt::GoingDown),
    }
}

fn not_valid(objections: &[Objection]) -> Failure {
    let stack = ErrorStack::failure(&[ErrorCode::ComponentConfigurationNotValid]);
    let each: Vec<String> = objections.iter().map(ToString::to_string).collect();
    Failure::new(&stack, each.join("; "))
}

/// The failure policy does not matter: the system that the deployment was for is gone.
fn given_up(why: &str) -> Failure {
    let stack = ErrorStack::failure(&[ErrorCode::ComponentUpdateError, ErrorCode::ComponentBootstrapError]);
    Failure::new(&stack, format!("the new system was given up, and the former one runs: {why}"))
}

fn bootstrap_ended(name: &ComponentName, code: i32) -> Failure {
    let stack = ErrorStack::failure(&[ErrorCode::ComponentUpdateError, ErrorCode::ComponentBootstrapError]);
    Failure::new(&stack, format!("the Bootstrap step of {name} failed: it ended with exit code {code}"))
}

fn bootstrap_failure(name: &ComponentName, fault: &BootstrapFault) -> Failure {
    let code = match fault {
        BootstrapFault::TimedOut { .. } => ErrorCode::ComponentBootstrapTimeout,
        _ => ErrorCode::ComponentBootstrapError,
    };
    let stack = ErrorStack::failure(&[ErrorCode::ComponentUpdateError, code]);
    Failure::new(&stack, format!("the Bootstrap step of {name} failed: {fault}"))
}

fn broken_failure(broken: &[(ComponentName, String)]) -> Failure {
    let stack = ErrorStack::failure(&[ErrorCode::ComponentUpdateError, ErrorCode::ComponentBroken]);
    let each: Vec<String> = broken.iter().map(|(name, reason)| format!("{name} is BROKEN: {reason}")).collect();
    Failure::new(&stack, each.join("; "))
}

fn io_failure(error: &dyn std::error::Error) -> Failure {
    Failure::coded(&[ErrorCode::IoError], error)
}

fn count(components: usize) -> String {
    match components {
        1 => "1 component".into(),
        n => format!("{n} components"),
    }
}
