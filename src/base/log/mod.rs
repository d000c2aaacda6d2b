//! Logs of the daemon and of what it runs: text or JSON lines to files with rotation, the console or syslog.
//!
//! A line comes in as an [`Entry`], is rendered by `format`, and goes to one output as a whole.
//! Nothing in here uses `tracing`: a log that logs about itself would never end. What goes wrong is counted,
//! said once on standard error, tried again with the next line, and told in the log itself when it works again.

mod file;
mod format;
mod layer;
mod settings;
mod syslog;

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::broadcast;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use format::{Entry, Format};
pub use settings::{Level, LogSettings, Output, SettingsError};
pub use syslog::tell;

use file::Files;
use syslog::Syslog;

/// Makes the logs, hands them the daemon's own `tracing` events, and returns the handle. Once per process.
pub fn init(settings: LogSettings) -> Result<Logs, InitError> {
    let logs = Logs::new(settings);
    tracing_subscriber::registry()
        .with(layer::DaemonLayer::new(logs.clone()))
        .try_init()
        .map_err(|_| InitError::AlreadyInitialised)?;
    Ok(logs)
}

/// Takes lines from the daemon and its components; cheap to clone.
#[derive(Clone, Debug)]
pub struct Logs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: RwLock<Arc<LogSettings>>,
    files: Mutex<Files>,
    syslog: Mutex<Option<Syslog>>,
    live: broadcast::Sender<Arc<LiveLine>>,
}

/// One rendered line, as live readers get it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LiveLine {
    /// The log file's stem: a component's name, or [`Logs::DAEMON`].
    pub log: String,
    /// Without the line feed.
    pub text: String,
}

impl Logs {
    /// The stem of the daemon's own log file.
    pub const DAEMON: &'static str = "greengrass";
    /// Lines a slow live reader may lag behind before it is told that it missed some.
    pub const LIVE_LINES: usize = 1024;

    /// Logs that do not take the daemon's own events; [`init`] makes those that do.
    pub fn new(settings: LogSettings) -> Self {
        let inner = Inner {
            settings: RwLock::new(Arc::new(settings)),
            files: Mutex::default(),
            syslog: Mutex::default(),
            live: broadcast::channel(Self::LIVE_LINES).0,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Uses `settings` from the next line on.
    pub fn reconfigure(&self, settings: LogSettings) {
        *self.inner.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        // Files may live elsewhere now, and syslog may not be wanted any more.
        lock(&self.inner.files).close();
        *lock(&self.inner.syslog) = None;
        tracing::callsite::rebuild_interest_cache();
    }

    pub fn settings(&self) -> Arc<LogSettings> {
        self.inner.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Rendered lines from now on, of every log. A reader that lags is told how many it missed
    /// ([`broadcast::error::RecvError::Lagged`]).
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<LiveLine>> {
        self.inner.live.subscribe()
    }

    /// Where the files are now.
    pub fn directory(&self) -> PathBuf {
        self.settings().directory.clone()
    }

    /// Whether a line of this level in this log would be written.
    pub fn wants(&self, log: &str, level: Level) -> bool {
        self.settings().wants(log, level)
    }

    /// Writes entries that belong together into the log `log`: whole lines, in order, in one write.
    pub fn write(&self, log: &str, entries: &[Entry<'_>]) {
        let settings = self.settings();
        let mut text = String::new();
        let listened = self.inner.live.receiver_count() > 0;
        for entry in entries.iter().filter(|entry| settings.wants(log, entry.level)) {
            let start = text.len();
            format::render(entry, settings.format, &mut text);
            if settings.output == Output::Syslog {
                self.to_syslog(log, entry);
            }
            if listened {
                // Without a reader left the line is dropped, as it should be.
                let line = LiveLine { log: log.into(), text: text[start..].into() };
                let _ = self.inner.live.send(Arc::new(line));
            }
            text.push('\n');
        }
        if text.is_empty() {
            return;
        }
        match settings.output {
            Output::File => lock(&self.inner.files).write(&settings, log, text.as_bytes()),
            // A console that is gone is no reason to end.
            Output::Console => drop(std::io::stdout().lock().write_all(text.as_bytes())),
            Output::Syslog => {}
        }
    }

    /// Appends entries to the file of the log `log`, whatever the output, all of them or none, and has them on the disk
    /// when it returns: for records that somebody counts on. Blocks.
    pub fn record(&self, log: &str, entries: &[Entry<'_>]) -> std::io::Result<()> {
        let settings = self.settings();
        let mut text = String::new();
        for entry in entries {
            format::render(entry, settings.format, &mut text);
            text.push('\n');
        }
        lock(&self.inner.files).record(&settings, log, text.as_bytes())
    }

    fn to_syslog(&self, log: &str, entry: &Entry<'_>) {
        lock(&self.inner.syslog).get_or_insert_with(Syslog::start).send(log, entry);
    }
}

/// A panic aborts, so a poisoned lock is never seen; taking it anyway is right all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InitError {
    #[error("the log of this process is initialised already")]
    AlreadyInitialised,
}

#[cfg(test)]
mod tests;
