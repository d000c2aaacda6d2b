//! What became of the update that a deployment brought: the record knows, also after the reboot that undid it.

use std::path::Path;

use ring::digest;
use serde::{Deserialize, Serialize};

use crate::boot::slot::Slot;
use crate::boot::state::machine::Phase;
use crate::boot::state::record::{Reason, Record};
use crate::boot::state::slots::Status;
use crate::store::file::{self, Backup, FileError};
use crate::wire::bundle::manifest::hex;

/// Where the update of a deployment is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// The deployment brought none.
    Unknown,
    /// It is installed, and the reboot to its trial is missing.
    Armed,
    OnTrial,
    Committed,
    /// The former version runs: why.
    RolledBack(String),
}

/// How a deployment is named in the record, which has room for a UUID; a longer name is hashed.
pub fn deployment_key(id: &str) -> [u8; 36] {
    let mut key = [0; 36];
    let hashed = hex(digest::digest(&digest::SHA256, id.as_bytes()).as_ref());
    let text = if id.len() <= key.len() { id } else { &hashed[..36] };
    key[..text.len()].copy_from_slice(text.as_bytes());
    key
}

pub(super) fn of(status: &Status, deployment: &str, data: &Path) -> Fate {
    let record = &status.record;
    if record.deployment != deployment_key(deployment) {
        return Fate::Unknown;
    }
    match status.phase {
        Phase::Prepared(_) | Phase::Armed(..) => return Fate::Armed,
        // The environment knows no trial any more: it was given up a moment ago.
        Phase::Trial(..) if status.view.trial.is_none() => {}
        Phase::Trial(..) => return Fate::OnTrial,
        _ if record.last_reason == Reason::None => return Fate::Committed,
        _ => {}
    }
    Fate::RolledBack(match why(data, record) {
        Some(why) => why,
        None => sentence(record.last_reason).to_owned(),
    })
}

/// For the reasons that nobody was there to write down.
fn sentence(reason: Reason) -> &'static str {
    match reason {
        Reason::None => "it was given up",
        Reason::TriesSpent => "each of its boots hung, panicked or was reset",
        Reason::Unreadable => "its image could not be read or mounted",
        Reason::Health => "its health checks failed",
        Reason::Asked => "somebody asked for the former version",
        Reason::Cancelled => "it was called off before its trial",
        Reason::EnvironmentLost => "the boot loader's environment was lost during its trial",
        Reason::NotStarted => "the boot loader never started it",
    }
}

/// Below the data directory: why the last trial was given up.
const WHY: &str = "rollback.json";

#[derive(Serialize, Deserialize)]
struct Why {
    /// Of the record's own names: a later trial of another version is another story.
    slot: String,
    manifest: String,
    why: String,
}

/// Keeps it where the former version finds it.
pub(super) fn write_why(data: &Path, record: &Record, why: &str) -> Result<(), FileError> {
    let Some(slot) = record.trial else { return Ok(()) };
    let manifest = hex(&record.image(slot).manifest);
    let content = serde_json::to_vec(&Why { slot: slot.name().to_owned(), manifest, why: why.to_owned() });
    file::make_directory(data, 0o755)?;
    file::write(&data.join(WHY), 0o644, Backup::Drop, &content.unwrap_or_default())
}

fn why(data: &Path, record: &Record) -> Option<String> {
    let content = file::read(&data.join(WHY), 64 * 1024).ok()??;
    let why: Why = serde_json::from_slice(&content).ok()?;
    let slot = Slot::parse(&why.slot)?;
    let is_of_it = record.last_reason == Reason::Health && why.manifest == hex(&record.image(slot).manifest);
    is_of_it.then_some(why.why)
}
