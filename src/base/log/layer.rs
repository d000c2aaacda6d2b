//! The daemon's own `tracing` events as entries of its log.

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::{Entry, Level, Logs};

pub(super) struct DaemonLayer {
    logs: Logs,
}

impl DaemonLayer {
    pub(super) fn new(logs: Logs) -> Self {
        Self { logs }
    }
}

impl<S: Subscriber> Layer<S> for DaemonLayer {
    // Asked once per place in the code, and again after `Logs::reconfigure`.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match self.logs.wants(Logs::DAEMON, level(*metadata.level())) {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.logs.settings().least() {
            Level::Trace => LevelFilter::TRACE,
            Level::Debug => LevelFilter::DEBUG,
            Level::Info => LevelFilter::INFO,
            Level::Warn => LevelFilter::WARN,
            Level::Error => LevelFilter::ERROR,
        })
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let thread = std::thread::current();
        let contexts: Vec<_> = fields.others.iter().map(|(key, value)| (*key, Cow::from(value))).collect();
        let entry = Entry {
            time: SystemTime::now(),
            level: level(*event.metadata().level()),
            thread: thread.name().unwrap_or("daemon"),
            logger: event.metadata().target(),
            event: fields.event.as_deref(),
            // Every line ends its message with a full stop of its own.
            message: fields.message.trim_end_matches('.').into(),
            contexts: &contexts,
            cause: fields.cause.as_deref(),
        };
        self.logs.write(Logs::DAEMON, &[entry]);
    }
}

/// The fields of one event: `message`, `event` and `cause` have places of their own in a line.
#[derive(Default)]
struct Fields {
    message: String,
    event: Option<String>,
    cause: Option<String>,
    others: Vec<(&'static str, String)>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            "event" => self.event = Some(value),
            "cause" | "error" => self.cause = Some(value),
            name => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

fn level(level: tracing::Level) -> Level {
    match level {
        tracing::Level::TRACE => Level::Trace,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::INFO => Level::Info,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::ERROR => Level::Error,
    }
}
