//! Answers that go on: a deployment until it ends, component news and log lines until the client has enough.

use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::answer::Unanswered;
use super::connection::{Connection, Interrupt};
use crate::base::log::LiveLine;
use crate::service::deploy;
use crate::service::supervisor::ComponentNews;
use crate::wire::control::{Answer, Code, ComponentChange, Fault};
use crate::wire::name::DeploymentId;

pub(super) async fn deployment(
    to: &mut Connection,
    id: DeploymentId,
    deploy: &deploy::Handle,
) -> Result<(), Unanswered> {
    let mut revision = deploy.revision();
    let mut told = None;
    loop {
        // Before the question: a change during it must not be slept through.
        revision.mark_unchanged();
        let record = deploy.status(id.clone()).await?;
        let ended = record.status.is_final();
        if told.as_ref() != Some(&record) {
            to.send(&Answer::Deployment(Box::new(record.clone()))).await?;
            told = Some(record);
        }
        if ended {
            return Ok(());
        }
        tokio::select! {
            changed = revision.changed() => changed.map_err(|_| going_down())?,
            interrupt = to.interrupted() => return ending(interrupt?),
        }
    }
}

pub(super) async fn components(
    to: &mut Connection,
    mut news: broadcast::Receiver<ComponentNews>,
) -> Result<(), Unanswered> {
    loop {
        let item = tokio::select! {
            news = news.recv() => news.map(|news| {
                let ComponentNews { name, version, from, to, status_code, reason } = news;
                Answer::News(ComponentChange { name, version, from, to, status_code, reason })
            }),
            interrupt = to.interrupted() => return ending(interrupt?),
        };
        to.send(&or_missed(item)?).await?;
    }
}

pub(super) async fn logs(to: &mut Connection, mut lines: broadcast::Receiver<Arc<LiveLine>>) -> Result<(), Unanswered> {
    loop {
        let item = tokio::select! {
            line = lines.recv() => line.map(|line| Answer::Log { log: line.log.clone(), line: line.text.clone() }),
            interrupt = to.interrupted() => return ending(interrupt?),
        };
        to.send(&or_missed(item)?).await?;
    }
}

fn or_missed(item: Result<Answer, RecvError>) -> Result<Answer, Fault> {
    match item {
        Ok(item) => Ok(item),
        Err(RecvError::Lagged(count)) => Ok(Answer::Missed { count }),
        Err(RecvError::Closed) => Err(going_down()),
    }
}

pub(super) fn ending(interrupt: Interrupt) -> Result<(), Unanswered> {
    match interrupt {
        Interrupt::NextRequest => Ok(()),
        Interrupt::GoingDown => Err(going_down().into()),
    }
}

fn going_down() -> Fault {
    Fault { code: Code::GoingDown, message: "the daemon is shutting down".into() }
}
