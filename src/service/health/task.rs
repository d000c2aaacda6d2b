//! The loop of one trial: hears everybody, lets the machine decide, and writes the end down.

use std::collections::BTreeMap;

use tokio::sync::broadcast::error::RecvError;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::state::{Checked, Components, Effect, Event, Trial};
use super::{Neighbours, RETRY, checks};
use crate::base::report::Report;
use crate::service::ota::trial::{Hold, OnTrial, Standing, TrialError, Trials};
use crate::service::supervisor::{self, ComponentStatus};
use crate::sys::clock;
use crate::wire::name::ComponentName;
use crate::wire::state::ComponentState;

pub(super) async fn run(on_trial: Box<OnTrial>, neighbours: Neighbours) {
    let Neighbours { trials, supervisor, mut link, mut seat } = neighbours;
    let mut trial = Trial::new(&on_trial.health, on_trial.network);
    let mut news = supervisor.news();
    // Forgotten when the task ends: what still runs then is ended with the daemon.
    let mut round: Option<tokio::task::JoinHandle<Checked>> = None;
    let mut events = vec![Event::Mounts(on_trial.mounts.clone()), Event::Serving, Event::Link(*link.borrow())];
    let hold = seat.hold.borrow_and_update().clone();
    events.push(look(&supervisor, hold, &on_trial.hopeless).await);
    loop {
        for event in std::mem::take(&mut events) {
            for effect in trial.on(event, clock::since_boot()) {
                match effect {
                    Effect::RunChecks => {
                        let (supervisor, on_trial) = (supervisor.clone(), on_trial.clone());
                        round = Some(tokio::spawn(async move { checks::required(&supervisor, &on_trial).await }));
                    }
                    Effect::Commit => {
                        if commit(&trials, &on_trial).await {
                            seat.standing.send_replace(Standing::Kept);
                            checks::wanted(&supervisor, &on_trial).await;
                        } else {
                            seat.standing.send_replace(Standing::Leaving);
                        }
                        return;
                    }
                    Effect::RollBack(why) => {
                        tracing::warn!(levels = trial.describe(), "The levels at the end of the trial.");
                        seat.standing.send_replace(roll_back(&trials, why).await);
                        return;
                    }
                }
            }
        }
        let now = clock::since_boot();
        let pause = trial.alarm(now).map(|at| at.saturating_sub(now));
        tokio::select! {
            heard = news.recv() => match heard {
                Ok(_) | Err(RecvError::Lagged(_)) => {
                    let hold = seat.hold.borrow().clone();
                    events.push(look(&supervisor, hold, &on_trial.hopeless).await);
                }
                // The supervisor is gone, and the daemon with it.
                Err(RecvError::Closed) => return,
            },
            Ok(()) = link.changed() => events.push(Event::Link(*link.borrow_and_update())),
            Ok(()) = seat.hold.changed() => {
                let hold = seat.hold.borrow_and_update().clone();
                events.push(look(&supervisor, hold, &on_trial.hopeless).await);
            }
            checked = ended(&mut round) => {
                round = None;
                events.push(Event::Checked(checked));
            }
            () = sleep(pause.unwrap_or_default()), if pause.is_some() => events.push(Event::Time),
        }
    }
}

async fn ended(round: &mut Option<tokio::task::JoinHandle<Checked>>) -> Checked {
    match round {
        // A panic ends the daemon; nobody aborts it.
        Some(round) => round.await.unwrap_or_else(|_| Checked::NotYet("they were not run".to_owned())),
        None => std::future::pending().await,
    }
}

async fn look(supervisor: &supervisor::Handle, hold: Hold, hopeless: &[String]) -> Event {
    match hold {
        Hold::GivenUp(why) => return Event::GivenUp(why),
        Hold::Busy(why) => return Event::Components(Components::NotYet(why)),
        Hold::Free => {}
    }
    match supervisor.components().await {
        Ok(components) => Event::Components(summary(&components, hopeless)),
        Err(refused) => Event::Components(Components::NotYet(refused.to_string())),
    }
}

fn summary(components: &BTreeMap<ComponentName, ComponentStatus>, hopeless: &[String]) -> Components {
    let mut not_yet = None;
    let judged = components.iter().filter(|(name, _)| !hopeless.iter().any(|known| known == name.as_str()));
    for (name, status) in judged {
        match status.state {
            ComponentState::Running | ComponentState::Finished => {}
            ComponentState::Broken => return Components::Broken(format!("{name} is BROKEN: {}", status.reason)),
            state => not_yet = not_yet.or_else(|| Some(format!("{name} is {state}"))),
        }
    }
    not_yet.map_or(Components::Well, Components::NotYet)
}

/// The components that do not run and will not: BROKEN ones, and those that wait for one.
pub(super) fn hopeless(components: &BTreeMap<ComponentName, ComponentStatus>) -> Vec<String> {
    let is =
        |state| components.iter().filter(move |(_, status)| status.state == state).map(|(name, _)| name.to_string());
    let mut names: Vec<String> = is(ComponentState::Broken).collect();
    if !names.is_empty() {
        names.extend(is(ComponentState::Installed));
    }
    names
}

/// Whether the slot is kept. One that cannot be written down by the deadline is not.
async fn commit(trials: &Trials, on_trial: &OnTrial) -> bool {
    loop {
        match blocking(trials, Trials::commit).await {
            Ok(()) => {
                tracing::info!(slot = on_trial.slot.name(), version = on_trial.version, "The new system is kept.");
                return true;
            }
            Err(why) => tracing::error!(why, "The new system cannot be confirmed."),
        }
        if clock::since_boot() >= on_trial.health.deadline {
            return false;
        }
        sleep(RETRY).await;
    }
}

/// Where nothing can be written the reboot follows all the same: it spends a try.
pub(super) async fn roll_back(trials: &Trials, why: String) -> Standing {
    tracing::error!(why, "The new system is given up; the former one comes back.");
    match blocking(trials, move |trials| trials.roll_back(&why)).await {
        Ok(true) => Standing::Leaving,
        Ok(false) => {
            tracing::warn!("Somebody has confirmed it meanwhile; it stays.");
            Standing::Kept
        }
        Err(fault) => {
            tracing::error!(why = fault, "The rollback cannot be written down: its tries will be spent.");
            Standing::Leaving
        }
    }
}

async fn blocking<T: Send + 'static>(
    trials: &Trials,
    act: impl FnOnce(&Trials) -> Result<T, TrialError> + Send + 'static,
) -> Result<T, String> {
    let trials = trials.clone();
    match spawn_blocking(move || act(&trials)).await {
        Ok(done) => done.map_err(|error| Report(&error).to_string()),
        Err(_) => Err("the daemon goes down".to_owned()),
    }
}
