//! `greengrass ota status`: the slots, on paper, in JSON, or as metrics.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{Failure, Told};
use crate::base::clock::Timestamp;
use crate::boot::slot::Slot;
use crate::boot::state::machine::Phase;
use crate::boot::state::ring::Event;
use crate::boot::state::slots::Status;
use crate::service::ota::device::Device;
use crate::service::ota::headway;
use crate::service::ota::settings::Settings;
use crate::service::ota::status::{Condition, Overview, PHASES, phase_words};
use crate::wire::bundle::manifest::hex;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Read this instead of /etc/greengrass/ota.conf
    #[arg(long, value_name = "FILE")]
    conf: Option<PathBuf>,
    /// End with 2 when an update is under way, 3 on trial, 4 when something is not as it should be
    #[arg(long)]
    exit_code: bool,
    #[arg(long, short, default_value = "text", value_parser = ["text", "json", "prometheus"])]
    output: String,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Told, Failure> {
        let settings = Settings::load(self.conf.as_deref())?;
        let overview = look(&settings)?;
        let percent = headway::percent(&settings.greengrass.lock, None);
        let text = match self.output.as_str() {
            "json" => format!("{:#}\n", document(&overview, percent)),
            "prometheus" => metrics(&overview),
            _ => table(&overview, percent),
        };
        let code = match overview.condition() {
            _ if !self.exit_code => 0,
            Condition::Settled => 0,
            Condition::Underway => 2,
            Condition::Trial => 3,
            Condition::Degraded => 4,
        };
        Ok((text.into_bytes(), ExitCode::from(code)))
    }
}

/// From the disk; for who may not open it, from the copy for everybody.
pub(super) fn look(settings: &Settings) -> Result<Overview, Failure> {
    let found = Device::open(settings).map_err(Failure::from).and_then(|device| Ok(Overview::of(&device)?));
    match found {
        Ok(overview) => {
            // Only root can, and nothing is lost if not.
            let _ = overview.publish(settings);
            Ok(overview)
        }
        Err(failure) if is_denied(&failure) => Overview::published(settings).ok_or(failure),
        Err(failure) => Err(failure),
    }
}

/// Whether the system did not let us.
pub(super) fn is_denied(failure: &Failure) -> bool {
    let mut next: Option<&dyn std::error::Error> = Some(failure);
    while let Some(error) = next {
        if error.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == io::ErrorKind::PermissionDenied) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Events that the table has; JSON has all.
const SHOWN_EVENTS: usize = 10;

fn table(overview: &Overview, percent: Option<u64>) -> String {
    let Status { phase, booted, record, .. } = &overview.status;
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "{key:<14}{value}");
    };
    line("Phase", &phase.to_string());
    if let Some(percent) = percent {
        line("Progress", &format!("{percent} %"));
    }
    line("Running", booted.name());
    line("Boots next", overview.next().name());
    line("Boot loader", &overview.backend);
    line("Updates", &format!("{} committed, {} rolled back", record.installs, record.rollbacks));
    line("Policy", &format!("floor {}, key epoch {}", record.floor, record.key_epoch));
    line("Last reason", record.last_reason.name());
    for fault in overview.faults() {
        line("Attention", &fault.to_string());
    }
    for slot in [Slot::A, Slot::B] {
        let image = record.image(slot);
        let confirmed = if slot == record.ok { ", confirmed" } else { "" };
        line(if slot == Slot::A { "\nSlot a" } else { "\nSlot b" }, &format!(" {}{confirmed}", image.state.name()));
        if image.manifest != [0; 32] {
            line("  Version", &image.version());
            line("  Hash", &hex(&image.manifest));
        }
        if image.installed_at != 0 {
            line("  Installed", &Timestamp(image.installed_at.saturating_mul(1000)).date());
        }
        if let Some(installed) = &overview.installed[slot.index()] {
            line("  From", &installed.source);
        }
    }
    let skipped = overview.events.len().saturating_sub(SHOWN_EVENTS);
    for (index, event) in overview.events.iter().skip(skipped).enumerate() {
        line(
            if index == 0 { "\nEvents" } else { "" },
            &format!("{}{}", if index == 0 { " " } else { "" }, words(event)),
        );
    }
    text
}

fn words(event: &Event) -> String {
    let time = Timestamp(event.seconds.saturating_mul(1000)).date();
    let mut text = format!("{time}  {} {}, {} left", event.what.name(), event.slot.name(), event.left);
    if event.reason.name() != "none" {
        let _ = write!(text, ", {}", event.reason.name());
    }
    if !event.cause.is_empty() {
        let _ = write!(text, ", started by {}", event.cause);
    }
    text
}

fn document(overview: &Overview, percent: Option<u64>) -> Value {
    let Status { phase, booted, record, view } = &overview.status;
    let (word, target) = phase_words(*phase);
    let slots = [Slot::A, Slot::B].map(|slot| {
        let image = record.image(slot);
        let is_known = image.manifest != [0; 32];
        json!({
            "state": image.state.name(),
            "version": is_known.then(|| image.version()),
            "hash": is_known.then(|| hex(&image.manifest)),
            "installed-at": (image.installed_at != 0).then_some(image.installed_at),
            "level": record.levels[slot.index()],
            "installed": overview.installed[slot.index()],
        })
    });
    let [a, b] = slots;
    let deployment: String =
        record.deployment.iter().filter(|byte| **byte != 0).map(|byte| char::from(*byte)).collect();
    let trial = record.trial.map(|slot| {
        let left = view.trial.map_or(record.left, |trial| trial.left);
        json!({
            "slot": slot.name(),
            "left": left,
            "tries": record.max,
            "deployment": (!deployment.is_empty()).then_some(deployment),
        })
    });
    let events = overview.events.iter().map(|event| {
        json!({
            "number": event.number,
            "time": event.seconds,
            "event": event.what.name(),
            "slot": event.slot.name(),
            "left": event.left,
            "reason": event.reason.name(),
            "cause": event.cause,
        })
    });
    let name = |slot: Option<Slot>| slot.map(Slot::name);
    json!({
        "condition": overview.condition().name(),
        "faults": overview.faults().iter().map(|fault| fault.name()).collect::<Vec<_>>(),
        "phase": word,
        "target": name(target),
        "percent": percent,
        "booted": booted.name(),
        "confirmed": record.ok.name(),
        "next": overview.next().name(),
        "trial": trial,
        "slots": {"a": a, "b": b},
        "boot-loader": {
            "backend": overview.backend,
            "confirmed": name(view.ok),
            "trial": name(view.trial.map(|trial| trial.slot)),
            "failed": name(view.failed),
        },
        "last-reason": record.last_reason.name(),
        "installs": record.installs,
        "rollbacks": record.rollbacks,
        "floor": record.floor,
        "key-epoch": record.key_epoch,
        "trusted-time": record.trusted_time,
        "totals": overview.totals,
        "events": events.collect::<Vec<_>>(),
    })
}

/// In the text form that collectors of node metrics read from a file.
fn metrics(overview: &Overview) -> String {
    let Status { phase, booted, record, .. } = &overview.status;
    let (word, _) = phase_words(*phase);
    let left = match phase {
        Phase::Armed(_, left) | Phase::Trial(_, left) => *left,
        _ => 0,
    };
    let totals = &overview.totals;
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
        let _ = writeln!(text, "# HELP gg_ota_{name} {help}\n# TYPE gg_ota_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "gg_ota_{name}{labels} {value}");
        }
    };
    let one = |value: u64| vec![(String::new(), value)];
    let choice = |key: &str, words: &[&str], is: &str| -> Vec<(String, u64)> {
        words.iter().map(|word| (format!("{{{key}=\"{word}\"}}"), u64::from(*word == is))).collect()
    };
    metric("state", "gauge", "Phase of the update, 1 for the one it is in.", &choice("phase", &PHASES, word));
    metric("booted", "gauge", "Slot that runs.", &choice("slot", &["a", "b"], booted.name()));
    metric(
        "degraded",
        "gauge",
        "Whether something is not as it should be.",
        &one(u64::from(!overview.faults().is_empty())),
    );
    metric("tries_left", "gauge", "Boots that are left to the trial.", &one(left.into()));
    metric("installs_total", "counter", "Updates that were committed.", &one(record.installs.into()));
    metric("rollbacks_total", "counter", "Updates that were rolled back.", &one(record.rollbacks.into()));
    metric("bytes_fetched_total", "counter", "Bytes of bundles that came from servers.", &one(totals.bytes_fetched));
    metric("bytes_reused_total", "counter", "Bytes of images that the device had already.", &one(totals.bytes_reused));
    let milliseconds = totals.last_duration_milliseconds;
    let seconds = format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000);
    let _ = writeln!(
        text,
        "# HELP gg_ota_last_duration_seconds How long the last installation took.\n\
         # TYPE gg_ota_last_duration_seconds gauge\ngg_ota_last_duration_seconds {seconds}"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::state::backend::Trial;
    use crate::boot::state::record::Reason;
    use crate::boot::state::ring::What;
    use crate::service::ota::status::tests::overview;

    fn on_trial() -> Overview {
        let mut overview = overview();
        let status = &mut overview.status;
        (status.booted, status.phase) = (Slot::B, Phase::Trial(Slot::B, 2));
        (status.record.trial, status.record.max) = (Some(Slot::B), 3);
        status.view.trial = Some(Trial { slot: Slot::B, left: 2 });
        overview.totals.last_duration_milliseconds = 1_234;
        overview.events = (1..=12)
            .map(|number| Event {
                number,
                seconds: 1_763_760_000 + number,
                what: What::Tried,
                slot: Slot::B,
                left: 2,
                reason: Reason::None,
                cause: "watchdog".to_owned(),
            })
            .collect();
        overview
    }

    #[test]
    fn table_says_what_runs_and_what_happened() {
        let text = table(&on_trial(), Some(7));
        for expected in [
            "Phase         slot b runs on trial, and 2 more boots are left to it\n",
            "Running       b\n",
            "\nSlot a        good, confirmed\n  Version     1.2.0\n",
            "  Installed   21-11-2025 21:20:00 UTC\n",
            "\nEvents        21-11-2025 21:20:03 UTC  tried b, 2 left, started by watchdog\n",
            "\n              21-11-2025 21:20:12 UTC  tried b",
        ] {
            assert!(text.contains(expected), "{expected:?} in\n{text}");
        }
        assert!(!text.contains("Attention"));
    }

    #[test]
    fn document_has_every_field_the_manual_names() {
        let document = document(&on_trial(), None);
        assert_eq!(document["condition"], "trial");
        assert_eq!(document["trial"], json!({"slot": "b", "left": 2, "tries": 3, "deployment": null}));
        assert_eq!(document["slots"]["a"]["hash"], hex(&[1; 32]));
        assert_eq!(document["boot-loader"]["confirmed"], "a");
        assert_eq!(document["events"][11]["number"], 12);
        assert_eq!(document["faults"], json!([]));
    }

    #[test]
    fn metrics_are_in_the_text_form() {
        let text = metrics(&on_trial());
        for expected in [
            "# TYPE gg_ota_state gauge\ngg_ota_state{phase=\"idle\"} 0\n",
            "gg_ota_state{phase=\"trial\"} 1\n",
            "# TYPE gg_ota_installs_total counter\ngg_ota_installs_total 2\n",
            "gg_ota_tries_left 2\n",
            "gg_ota_last_duration_seconds 1.234\n",
        ] {
            assert!(text.contains(expected), "{expected:?} in\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.split_once(' ').unwrap();
            assert!(name.starts_with("gg_ota_") && value.parse::<f64>().is_ok(), "{line}");
        }
    }
}
