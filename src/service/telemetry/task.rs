//! The loop: one put after the other goes to the disk, so that telemetry holds one blocking thread at most.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::handle::{Handle, Put, PutError};
use super::sample::Sample;
use crate::base::clock::Timestamp;
use crate::base::log::{Entry, Format, Level, LogSettings, Logs};
use crate::wire::name::ComponentName;

/// Starts the service, which writes below `directory` (`<root>/telemetry`). It ends when the last handle is gone.
pub fn spawn(directory: PathBuf) -> (Handle, JoinHandle<()>) {
    let (inbox, puts) = mpsc::channel(Handle::MAILBOX);
    let settings = LogSettings { format: Format::Json, level: Level::Trace, ..LogSettings::in_directory(directory) };
    (Handle::new(inbox), tokio::spawn(run(Logs::new(settings), puts)))
}

async fn run(logs: Logs, mut puts: mpsc::Receiver<Put>) {
    while let Some(Put { component, samples, time, reply }) = puts.recv().await {
        let (logs, writer) = (logs.clone(), component.clone());
        let stored = spawn_blocking(move || store(&logs, &writer, &samples, time)).await;
        // A job that was not run to its end has stored nothing that was promised.
        let stored = stored.unwrap_or_else(|gone| Err(io::Error::other(gone)));
        // Whoever does not wait any more does not need the answer.
        let _ = reply.send(stored.map_err(|cause| PutError::Store { component, cause: Arc::new(cause) }));
    }
}

fn store(logs: &Logs, component: &ComponentName, samples: &[Sample], time: SystemTime) -> io::Result<()> {
    let lines: Result<Vec<String>, _> =
        samples.iter().map(|sample| sample.line(component, Timestamp::of(time))).collect();
    let lines = lines?;
    let logger = format!("Metrics-{component}");
    let entries: Vec<Entry<'_>> = lines
        .iter()
        .map(|line| Entry {
            time,
            level: Level::Trace,
            thread: "telemetry",
            logger: &logger,
            event: None,
            message: line.as_str().into(),
            contexts: &[],
            cause: None,
        })
        .collect();
    logs.record(component.as_str(), &entries)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::wire::ipc::metrics::Metric;

    fn samples(count: usize) -> Vec<Sample> {
        let metric = |n: usize| Metric {
            name: Some(format!("n{n}")),
            unit: Some("COUNT".into()),
            value: Some(f64::from(u32::try_from(n).unwrap())),
        };
        Sample::check(&(0..count).map(metric).collect::<Vec<_>>()).unwrap()
    }

    #[tokio::test]
    async fn put_is_in_the_file_of_the_component_when_it_returns() {
        let root = tempfile::tempdir().unwrap();
        let (telemetry, service) = spawn(root.path().join("telemetry"));
        let name = ComponentName::parse("aws.example").unwrap();
        telemetry.put(name.clone(), samples(2)).await.unwrap();
        telemetry.put(name, samples(1)).await.unwrap();
        let text = std::fs::read_to_string(root.path().join("telemetry/aws.example.log")).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[1]["loggerName"], "Metrics-aws.example");
        let metric: Value = serde_json::from_str(lines[1]["message"].as_str().unwrap()).unwrap();
        assert_eq!((&metric["N"], &metric["V"], &metric["A"]), (&"n1".into(), &1.0.into(), &"Sum".into()));
        assert_eq!(metric["TS"], lines[1]["timestamp"]);
        drop(telemetry);
        service.await.unwrap();
    }

    #[tokio::test]
    async fn put_that_cannot_be_stored_is_refused_and_the_service_goes_on() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("telemetry");
        std::fs::write(&directory, "a file is in the way").unwrap();
        let (telemetry, _service) = spawn(directory.clone());
        let name = ComponentName::parse("aws.example").unwrap();
        let refused = telemetry.put(name.clone(), samples(1)).await.unwrap_err();
        assert!(refused.to_string().contains("aws.example"), "{refused}");
        std::fs::remove_file(&directory).unwrap();
        telemetry.put(name, samples(1)).await.unwrap();
        assert!(directory.join("aws.example.log").exists());
    }
}
