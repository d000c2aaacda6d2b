//! The loop: follows the settings, connects, keeps the connection, and tells who listens.

use std::error::Error;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Duration, sleep};
use tracing::{debug, error, info, warn};

use super::open::open;
use super::settings::{Configured, Settings};
use super::state::{Course, Event, Step};
use crate::base::pause::jittered;
use crate::base::report::Report;
use crate::net::mqtt::Connection;
use crate::service::config;
use crate::store::tree::Tree;
use crate::sys::clock;
use crate::wire::state::Link;

/// Begins to follow the settings; ends with the configuration service.
pub fn spawn(config: &config::Handle) -> (watch::Receiver<Link>, JoinHandle<()>) {
    let mut trees = config.trees();
    let configured = Configured::of(&trees.borrow_and_update());
    let mut course = Course::new();
    let step = course.on(Event::Settings(configured.wish()), clock::since_boot());
    let (tell, link) = watch::channel(course.link());
    let service = Service { trees, configured, course, tell, told: None };
    (link, tokio::spawn(service.run(step)))
}

struct Service {
    trees: watch::Receiver<Tree>,
    configured: Configured,
    course: Course,
    tell: watch::Sender<Link>,
    /// Why the cloud is not reached, as last logged: to say it again helps nobody.
    told: Option<String>,
}

/// How what was done ended.
enum End {
    Came(Event),
    Opened(Box<Connection>),
    Changed(Configured),
    /// There is no configuration any more: the daemon stops.
    Over,
}

impl Service {
    async fn run(mut self, mut step: Step) {
        self.say_settings();
        let mut held: Option<Box<Connection>> = None;
        loop {
            let doing = async {
                match (step, &self.configured, &mut held) {
                    (Step::Open, Configured::Link(settings), _) => attempt(settings, &mut self.told).await,
                    (Step::Hold, _, Some(connection)) => {
                        let cause = connection.lost().await;
                        warn!(cause = %Report(&cause), "The link to the cloud is lost.");
                        End::Came(Event::Lost)
                    }
                    (Step::Rest(pause), ..) => {
                        sleep(jittered(pause)).await;
                        End::Came(Event::Rested)
                    }
                    _ => std::future::pending().await,
                }
            };
            let end = tokio::select! {
                end = doing => end,
                end = changed(&mut self.trees, &self.configured) => end,
            };
            let former = held.take();
            let event = match end {
                End::Came(event) => event,
                End::Opened(connection) => {
                    held = Some(connection);
                    Event::Opened
                }
                End::Changed(configured) => {
                    self.configured = configured;
                    self.told = None;
                    self.say_settings();
                    Event::Settings(self.configured.wish())
                }
                End::Over => return goodbye(former).await,
            };
            if matches!(event, Event::Settings(_)) {
                goodbye(former).await;
            }
            step = self.course.on(event, clock::since_boot());
            let link = self.course.link();
            self.tell.send_if_modified(|told| std::mem::replace(told, link) != link);
        }
    }

    fn say_settings(&self) {
        match &self.configured {
            Configured::Not { missing } if self.configured.is_silent() => {
                info!(missing = missing.join(", "), "No link to the cloud is configured.");
            }
            Configured::Not { missing } => {
                warn!(missing = missing.join(", "), "No link to the cloud is configured: not all of it is said.");
            }
            Configured::Wrong(error) => error!(%error, "The link to the cloud cannot be as it is configured."),
            Configured::Link(_) => {}
        }
    }
}

/// What is said of a failure is said once; `told` knows it.
async fn attempt(settings: &Settings, told: &mut Option<String>) -> End {
    let Settings { endpoint, port, thing, .. } = settings;
    match open(settings).await {
        Ok(connection) => {
            info!(endpoint, port, thing, "The cloud is reached.");
            *told = None;
            End::Opened(Box::new(connection))
        }
        Err(error) => {
            let said = Report(&error as &dyn Error).to_string();
            if told.as_ref() == Some(&said) {
                debug!(endpoint, port, error = said, "The cloud is still not reached.");
            } else {
                warn!(endpoint, port, error = said, "The cloud is not reached.");
                *told = Some(said);
            }
            End::Came(Event::Failed)
        }
    }
}

async fn goodbye(connection: Option<Box<Connection>>) {
    if let Some(connection) = connection {
        connection.close().await;
    }
}

/// Returns when the settings are others. What is left in the middle begins again without a loss.
async fn changed(trees: &mut watch::Receiver<Tree>, known: &Configured) -> End {
    loop {
        if Configured::of(&trees.borrow_and_update()) != *known {
            sleep(TOGETHER).await;
            let configured = Configured::of(&trees.borrow_and_update());
            if configured != *known {
                return End::Changed(configured);
            }
        }
        if trees.changed().await.is_err() {
            return End::Over;
        }
    }
}

/// Settings that come so close to each other are taken up together.
const TOGETHER: Duration = Duration::from_secs(1);
