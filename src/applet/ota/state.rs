//! `greengrass ota commit|rollback|cancel|mark`: change by hand what boots next.

use std::cell::Cell;
use std::io;
use std::path::PathBuf;
use std::process::Command as Program;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::trust::now;
use super::{Failure, Output};
use crate::boot::slot::Slot;
use crate::boot::state::record::Reason;
use crate::boot::state::slots::Then;
use crate::service::ota::change::{Change, Did, Outcome, change};
use crate::service::ota::device::Device;
use crate::service::ota::settings::Settings;
use crate::service::ota::status::{Overview, phase_words};
use crate::store::update_lock::{Busy, UpdateLock};
use crate::sys::power::{self, End};

/// What all of them take.
#[derive(Args, Debug)]
pub(super) struct StateArguments {
    /// Read this instead of /etc/greengrass/ota.conf
    #[arg(long, value_name = "FILE")]
    conf: Option<PathBuf>,
    /// Wait until another update is done, instead of giving up
    #[arg(long)]
    wait: bool,
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Args, Debug)]
pub(super) struct RollbackArguments {
    #[command(flatten)]
    state: StateArguments,
    /// Reboot, when it is done
    #[arg(long)]
    reboot: bool,
}

#[derive(Args, Debug)]
pub(super) struct MarkArguments {
    #[command(flatten)]
    state: StateArguments,
    #[arg(value_enum, value_name = "good|bad|active")]
    mark: Mark,
    /// a, b, booted, other, or what the settings or the boot loader call it
    #[arg(default_value = "booted")]
    slot: String,
}

/// What a slot can be marked as.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Mark {
    Good,
    Bad,
    Active,
}

impl Mark {
    fn change(self, slot: Slot) -> Change {
        match self {
            Self::Good => Change::Good(slot),
            Self::Bad => Change::Bad(slot),
            Self::Active => Change::Active(slot),
        }
    }
}

impl StateArguments {
    pub(super) fn commit(&self) -> Result<Vec<u8>, Failure> {
        self.run("commit", &|_| Ok(Change::Commit)).map(|(_, said)| said)
    }

    pub(super) fn cancel(&self) -> Result<Vec<u8>, Failure> {
        self.run("cancel", &|_| Ok(Change::Cancel)).map(|(_, said)| said)
    }

    fn run(&self, what: &str, wanted: Wanted<'_>) -> Result<(Outcome, Vec<u8>), Failure> {
        let settings = Settings::load(self.conf.as_deref())?;
        let busy = if self.wait { Busy::Wait } else { Busy::GiveUp };
        let (outcome, overview) = act(&settings, what, busy, wanted)?;
        let is_reboot = outcome.then == Then::Reboot;
        let said = match self.output {
            Output::Text if is_reboot => format!("{outcome}; reboot now\n"),
            Output::Text => format!("{outcome}\n"),
            Output::Json => {
                let phase = overview.map(|overview| phase_words(overview.status.phase).0);
                let (did, slot) = (outcome.did.name(), outcome.slot.name());
                format!("{}\n", json!({"did": did, "slot": slot, "phase": phase, "reboot": is_reboot}))
            }
        };
        Ok((outcome, said.into_bytes()))
    }
}

impl RollbackArguments {
    pub(super) fn run(&self) -> Result<Vec<u8>, Failure> {
        let (outcome, said) = self.state.run("rollback", &|_| Ok(Change::Rollback(Reason::Asked)))?;
        if self.reboot && outcome.did != Did::Nothing {
            reboot().map_err(Failure::Reboot)?;
        }
        Ok(said)
    }
}

impl MarkArguments {
    pub(super) fn run(&self) -> Result<Vec<u8>, Failure> {
        self.state.run("mark", &|device| Ok(self.mark.change(slot(device, &self.slot)?))).map(|(_, said)| said)
    }
}

/// What is wanted, once the device is known.
pub(super) type Wanted<'a> = &'a dyn Fn(&Device) -> Result<Change, Failure>;

/// Takes the lock, opens the device, does it, and leaves the copy for everybody.
pub(super) fn act(
    settings: &Settings,
    what: &str,
    busy: Busy,
    wanted: Wanted<'_>,
) -> Result<(Outcome, Option<Overview>), Failure> {
    let _lock = UpdateLock::take(&settings.greengrass.lock, what, busy)?;
    let device = Device::open(settings)?;
    let time = u64::try_from(now()).unwrap_or(0);
    let outcome = change(device.slots(), device.data(), wanted(&device)?, time)?;
    let overview = Overview::of(&device).ok();
    if let Some(overview) = &overview {
        // It is done, whether everybody can read about it or not.
        let _ = overview.publish(settings);
    }
    Ok((outcome, overview))
}

/// What `rauc` does in `mark-good` and its like; returns which slot was meant, too.
pub(super) fn mark(settings: &Settings, mark: Mark, name: &str) -> Result<(Slot, Outcome), Failure> {
    let meant = Cell::new(Slot::A);
    let wanted = |device: &Device| {
        meant.set(slot(device, name)?);
        Ok(mark.change(meant.get()))
    };
    let (outcome, _) = act(settings, "mark", Busy::GiveUp, &wanted)?;
    Ok((meant.get(), outcome))
}

/// The slot that somebody calls so.
fn slot(device: &Device, name: &str) -> Result<Slot, Failure> {
    let found = match name {
        "booted" => Some(device.booted()),
        "other" => Some(device.booted().other()),
        _ => Slot::parse(name).or_else(|| device.layout().called(name)),
    };
    found.ok_or_else(|| Failure::Usage(format!("there is no slot {name:?}: say a, b, booted or other")))
}

/// Asks the init system, or ends the machine where there is none to ask.
pub(super) fn reboot() -> io::Result<()> {
    match Program::new("reboot").status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(io::Error::other(format!("reboot: {status}"))),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            power::sync();
            power::end(End::Reboot).map(|_| ())
        }
        Err(cause) => Err(cause),
    }
}
