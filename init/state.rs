//! Slot state at boot: what this boot means, and who feeds the watchdog while the slot is on trial.
//!
//! An ordinary boot reads a few sectors and writes nothing. Of what is read, slot names and counters are used.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gg_boot::places::label;
use gg_boot::settings::{Loader, Settings};
use gg_boot::slot::Slot;
use gg_boot::state::backend::{BackendError, choose};
use gg_boot::state::device::{self, DeviceSlots, Kind, OpenError};
use gg_boot::state::machine::Verdict;
use gg_boot::state::record::{ImageState, Reason};
use gg_boot::state::slots::{Moment, SlotsError, Then};
use gg_sys::block;

use crate::journal::{Done, Failure};
use crate::slot::Image;

/// What is known of this boot before a slot is mounted.
#[derive(Debug)]
pub(crate) struct Standing {
    /// Where the kernel came from, or what the record says where the boot loader knows no slots.
    pub(crate) usual: Slot,
    pub(crate) kind: Kind,
    pub(crate) verdict: Verdict,
    pub(crate) then: Then,
    /// What tells the installation on trial from all others, until it was confirmed once.
    pub(crate) installation: Option<Installation>,
}

/// Its transaction, and the beginning of its manifest's SHA-256.
pub(crate) type Installation = (u64, u64);

/// Finds out what this boot means and settles it. `None`: nobody keeps state here.
pub(crate) fn settle(settings: &Settings) -> Result<Done<Option<Standing>>, Failure> {
    let Some(kind) = kind(settings) else { return Ok(Done::Well(None, "nobody keeps any".to_owned())) };
    let usual = match kind {
        Kind::InitSwitch => {
            let store = device::open_store().map_err(|cause| failure("open", &cause))?;
            // Counted before it begins, as a boot loader would.
            choose(&store).map_err(|cause| failure("count", &cause))?.unwrap_or(Slot::A)
        }
        _ => settings.loaded.ok_or_else(|| Failure::because("settle", STATE, "the boot loader says no gg.loaded="))?,
    };
    let (slots, is_new) = match device::open(kind, usual) {
        // GRUB would go on with slot a for ever. To settle a lost environment writes into it what it should say.
        Err(OpenError::Backend(BackendError::Locate(_))) if kind == Kind::Grub => {
            device::make_grub_environment().map_err(|cause| failure("open", &cause))?;
            (device::open(kind, usual), true)
        }
        opened => (opened, false),
    };
    let slots = slots.map_err(|cause| failure("open", &cause))?;
    let (verdict, then) = slots.settle(moment(&reset_cause())).map_err(|cause| failure("settle", &cause))?;
    let installation = if let Verdict::Trial(slot, _) = verdict {
        let image = *slots.status().map_err(|cause| failure("read", &cause))?.record.image(slot);
        let first = image.manifest.first_chunk().copied().unwrap_or_default();
        // A former version that is tried again has a layer of its own.
        (image.state == ImageState::Valid).then(|| (image.transaction, u64::from_be_bytes(first)))
    } else {
        None
    };
    let standing = Standing { usual, kind, verdict, then, installation };
    if is_new {
        let what = format!("gg/grubenv was lost: slot {}, {}", usual.name(), verdict.describe());
        return Ok(Done::Partly(Some(standing), what, "it is made anew"));
    }
    Ok(told(standing))
}

/// Another slot is mounted than the boot loader would say: because the one that should run could not be, or for a visit.
pub(crate) fn settle_mounted(standing: &Standing, mounted: Image) -> Result<Done<Option<Standing>>, Failure> {
    let fails = |cause: &SlotsError| failure("settle", cause);
    if let Verdict::Trial(..) = standing.verdict {
        let slots = open(standing)?;
        let then = slots.rollback(Reason::Unreadable, now()).map_err(|cause| fails(&cause))?;
        let verdict = Verdict::RolledBack(standing.usual, Reason::Unreadable);
        return Ok(told(Standing { verdict, then, installation: None, ..*standing }));
    }
    let Image::Slot(usual) = mounted else {
        return Ok(Done::Partly(None, "no slot could be mounted".to_owned(), "the record stays as it is"));
    };
    let slots = device::open(standing.kind, usual).map_err(|cause| failure("open", &cause))?;
    let (verdict, then) = slots.settle(moment(&reset_cause())).map_err(|cause| fails(&cause))?;
    Ok(told(Standing { usual, kind: standing.kind, verdict, then, installation: None }))
}

/// Somebody asked by file for the slot that does not boot unasked: the boot loader is told to start it once, with its
/// own kernel. Where it cannot be told, that slot is mounted in this boot.
pub(crate) fn visit(standing: &Standing) -> Result<Done<Then>, Failure> {
    let then = open(standing)?.visit(now()).map_err(|cause| failure("visit", &cause))?;
    Ok(Done::Well(then, format!("slot {}, once", standing.usual.other().name())))
}

fn told(standing: Standing) -> Done<Option<Standing>> {
    let what = format!("slot {}, {}", standing.usual.name(), standing.verdict.describe());
    match standing.verdict {
        Verdict::Degraded(_) => Done::Partly(Some(standing), what, "the other slot; install that one anew"),
        Verdict::RolledBack(..) => Done::Partly(Some(standing), what, "the former version"),
        Verdict::NotVisited(_) => Done::Partly(Some(standing), what, "the usual slot"),
        _ => Done::Well(Some(standing), what),
    }
}

/// Whether the trial is over: then the watchdog's deadline is, too.
pub(crate) fn is_confirmed() -> bool {
    let record = device::open_store().ok().and_then(|store| store.load().record);
    record.is_some_and(|record| record.trial.is_none())
}

/// Has the kernel end what hangs: a slot on trial has no other way back. The boot loader may have done so already.
pub(crate) fn reboot_on_trouble() -> Result<Done<()>, Failure> {
    const SETTINGS: [(&str, &str); 4] =
        [("panic", "5"), ("panic_on_oops", "1"), ("softlockup_panic", "1"), ("hung_task_panic", "1")];
    for (name, value) in SETTINGS {
        // A kernel without the detector has no such file.
        let _ = fs::write(format!("/proc/sys/kernel/{name}"), value);
    }
    Ok(Done::Well((), String::new()))
}

const STATE: &str = "the state of the slots";

fn failure(doing: &'static str, cause: &dyn std::error::Error) -> Failure {
    let mut text = cause.to_string();
    let mut next = cause.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    Failure::because(doing, STATE, text)
}

fn kind(settings: &Settings) -> Option<Kind> {
    match settings.backend {
        Loader::None => None,
        Loader::This(kind) => Some(kind),
        Loader::Auto => {
            let there = |label| block::by_label(label).is_ok_and(|device| device.is_some());
            (settings.loaded.is_some() && there(label::STATE) && there(label::ESP)).then_some(Kind::Grub)
        }
    }
}

fn open(standing: &Standing) -> Result<DeviceSlots, Failure> {
    device::open(standing.kind, standing.usual).map_err(|cause| failure("open", &cause))
}

fn moment(cause: &str) -> Moment<'_> {
    Moment { now: now(), cause }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// Why the machine started, where the watchdog's driver knows: `WDIOF_CARDRESET` in sysfs.
fn reset_cause() -> String {
    const CARD_RESET: u64 = 0x20;
    let status = fs::read_to_string("/sys/class/watchdog/watchdog0/bootstatus").unwrap_or_default();
    match status.trim().parse::<u64>() {
        Ok(status) if status & CARD_RESET != 0 => "watchdog".to_owned(),
        _ => String::new(),
    }
}
