//! Translates each request into a call of a service, and what comes back into answers.

use std::collections::BTreeMap;

use tracing::info;

use super::connection::{Connection, Gone};
use super::{Services, follow, key_path, topics};
use crate::base::clock::Timestamp;
use crate::base::report::Report;
use crate::service::{config, debug_password, deploy, supervisor};
use crate::wire::control::{Answer, Code, ComponentDetails, DaemonStatus, DebugPassword, Fault, Request};
use crate::wire::name::ComponentName;

/// Sends the items of the answer; its last line is the caller's to send.
pub(super) async fn answer(to: &mut Connection, request: Request, services: &Services) -> Result<(), Unanswered> {
    let Services { deploy, supervisor, .. } = services;
    match request {
        Request::Restart { name } => supervisor.restart(name).await?,
        Request::Stop { name } => supervisor.stop(name).await?,
        Request::Pause { name } => supervisor.pause(name).await?,
        Request::Resume { name } => supervisor.resume(name).await?,
        Request::CancelDeployment { id } => deploy.cancel(id).await?,
        Request::Status => to.send(&status(services).await?).await?,
        Request::Components => {
            for (name, status) in supervisor.components().await? {
                to.send(&details(name, status, services)).await?;
            }
        }
        Request::Component { name } => match supervisor.components().await?.remove(&name) {
            Some(status) => to.send(&details(name, status, services)).await?,
            None => return Err(supervisor::Refused::Unknown(name).into()),
        },
        Request::CreateDeployment(request) => {
            let id = deploy.submit(*request).await?;
            to.send(&Answer::Submitted { id }).await?;
        }
        Request::Deployment { id } => to.send(&Answer::Deployment(Box::new(deploy.status(id).await?))).await?,
        Request::Deployments => {
            for record in deploy.list().await? {
                to.send(&Answer::Deployment(Box::new(record))).await?;
            }
        }
        Request::FollowDeployment { id } => follow::deployment(to, id, deploy).await?,
        Request::FollowComponents => follow::components(to, supervisor.news()).await?,
        Request::FollowLogs => follow::logs(to, services.logs.subscribe()).await?,
        Request::Publish { topic, payload } => topics::publish(to, topic, payload, &services.pubsub).await?,
        Request::FollowTopics { filters } => topics::follow(to, &filters, &services.pubsub).await?,
        Request::CreateDebugPassword => {
            let made = debug_password::create(&services.config, Timestamp::now()).await?;
            info!(uid = to.user(), "A password for the debug console was made.");
            to.send(&Answer::DebugPassword(DebugPassword {
                username: debug_password::USERNAME.into(),
                password: made.password,
                expires: made.expires.0,
            }))
            .await?;
        }
        Request::Config { path } => {
            let value = key_path::read(&path, &services.config)?;
            to.send(&Answer::Config { value }).await?;
        }
    }
    Ok(())
}

fn details(name: ComponentName, status: supervisor::ComponentStatus, services: &Services) -> Answer {
    let configuration = key_path::configuration(&name, &services.config);
    let supervisor::ComponentStatus { version, state, status_code, reason, paused, pid } = status;
    Answer::Component(Box::new(ComponentDetails {
        name,
        version,
        state,
        status_code,
        reason,
        paused,
        pid,
        configuration,
    }))
}

async fn status(services: &Services) -> Result<Answer, Unanswered> {
    let mut components = BTreeMap::new();
    for status in services.supervisor.components().await?.into_values() {
        *components.entry(status.state).or_insert(0) += 1;
    }
    let mut deployments = BTreeMap::new();
    for record in services.deploy.list().await? {
        *deployments.entry(record.status).or_insert(0) += 1;
    }
    Ok(Answer::Status(Box::new(DaemonStatus {
        version: env!("CARGO_PKG_VERSION").into(),
        target: env!("GREENGRASS_TARGET").into(),
        pid: std::process::id(),
        root: services.about.root.display().to_string(),
        uptime_seconds: services.about.started.elapsed().as_secs(),
        isolation: services.about.isolation.clone(),
        cloud: Some(*services.link.borrow()),
        components,
        deployments,
    })))
}

/// An answer that ends before it is whole.
#[derive(Debug)]
pub(super) enum Unanswered {
    Refused(Fault),
    Gone(Gone),
}

impl From<Fault> for Unanswered {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault)
    }
}

impl From<Gone> for Unanswered {
    fn from(gone: Gone) -> Self {
        Self::Gone(gone)
    }
}

impl From<config::ConfigError> for Unanswered {
    fn from(error: config::ConfigError) -> Self {
        let code = match error {
            config::ConfigError::GoingDown => Code::GoingDown,
            _ => Code::Failed,
        };
        Self::Refused(Fault { code, message: Report(&error).to_string() })
    }
}

impl From<supervisor::Refused> for Unanswered {
    fn from(refused: supervisor::Refused) -> Self {
        use supervisor::Refused;
        let code = match refused {
            Refused::GoingDown => Code::GoingDown,
            Refused::Unknown(_) => Code::NotFound,
            _ => Code::Refused,
        };
        Self::Refused(Fault { code, message: refused.to_string() })
    }
}

impl From<deploy::Refused> for Unanswered {
    fn from(refused: deploy::Refused) -> Self {
        use deploy::Refused;
        let code = match refused {
            Refused::GoingDown => Code::GoingDown,
            Refused::Unknown(_) => Code::NotFound,
            Refused::NotRecorded(_) => Code::Failed,
            _ => Code::Refused,
        };
        Self::Refused(Fault { code, message: refused.to_string() })
    }
}
