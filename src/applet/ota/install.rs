//! `greengrass ota install`: verify a bundle, write its images into slots, and have the next boot try them.

use std::io;
use std::path::PathBuf;

use clap::Args;

use super::progress::Meter;
use super::state::reboot;
use super::trust::{TrustArguments, now};
use super::{Failure, Output};
use crate::base::report::Report;
use crate::boot::state::backend::MOST_TRIES;
use crate::service::ota::bundle::{Bundle, BundleError};
use crate::service::ota::device::Device;
use crate::service::ota::events;
use crate::service::ota::fetch::Account;
use crate::service::ota::headway::Headway;
use crate::service::ota::install::Existing;
use crate::service::ota::settings::{Greengrass, Settings};
use crate::service::ota::update::{self, After, Allowed, Event, Outcome, Same, Target, Update, Write, manifest_hash};
use crate::store::update_lock::{Busy, UpdateLock, UpdateLockError};
use crate::sys::priority;
use crate::wire::bundle::manifest::hex;
use crate::wire::bundle::policy;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    trust: TrustArguments,
    /// Write this device and leave the state of the slots alone, such as rootfs=/dev/loop0; one for each image
    #[arg(long, value_name = "CLASS=DEVICE", value_parser = slot)]
    slot: Vec<(String, PathBuf)>,
    /// What this device is, whatever the settings say
    #[arg(long, value_name = "TEXT")]
    compatible: Option<String>,
    /// Refuse a bundle with a lower security number
    #[arg(long, value_name = "N", default_value_t = 0)]
    floor: u64,
    /// Whom to tell how the update ended: noted with the trial, and told when it is over; otherwise
    /// `GREENGRASS_DEPLOYMENT_ID`
    #[arg(long, value_name = "ID", value_parser = deployment, conflicts_with = "slot")]
    deployment: Option<[u8; 36]>,
    /// Boots that the trial gets, whatever the bundle says
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_TRIES)))]
    tries: Option<u8>,
    /// Install, and do not try it yet: the same command without this does
    #[arg(long, conflicts_with_all = ["slot", "reboot"])]
    no_arm: bool,
    /// Reboot once the slot is armed
    #[arg(long, conflicts_with = "slot")]
    reboot: bool,
    /// Install into the other slot even if the very bundle runs
    #[arg(long, conflicts_with = "slot")]
    force: bool,
    /// Wait for another update that is at work
    #[arg(long, conflicts_with = "slot")]
    wait: bool,
    /// Move at most so many bytes a second to and from the slot, whatever the settings say
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    rate_limit: Option<u64>,
    /// json: a line for each thing that happens, the last one with the result
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// A file, or a URL with http: or https:
    bundle: PathBuf,
}

impl Arguments {
    pub(super) fn run(self) -> Result<Vec<u8>, Failure> {
        let done = self.install();
        if let (true, Err(failure @ Failure::Update(_))) = (self.slot.is_empty(), &done) {
            events::tell(events::Event::InstallFailed, &[("why", &Report(failure))]);
        }
        if let (Output::Json, Err(failure)) = (self.output, &done) {
            let message = Report(failure).to_string();
            say(&serde_json::json!({
                "event": "result", "outcome": "failed", "failure": kind(failure), "message": message,
            }));
        }
        done
    }

    fn install(&self) -> Result<Vec<u8>, Failure> {
        let mut settings = self.trust.settings()?;
        settings.greengrass.rate_limit = self.rate_limit.or(settings.greengrass.rate_limit);
        step_back(&settings.greengrass);
        let Some(compatible) = self.compatible.clone().or_else(|| settings.compatible.clone()) else {
            let why = "what this device is must be known: compatible= in /etc/greengrass/ota.conf, or --compatible";
            return Err(Failure::Usage(why.to_owned()));
        };
        let meter = Meter::new(self.output);
        let tell = |event: &Event<'_>| {
            meter.hear(event);
            self.tell(event);
        };
        if !self.slot.is_empty() {
            return self.write_slots(&settings, compatible, &tell);
        }
        // Before anything is looked at: what it says could change meanwhile.
        let busy = if self.wait { Busy::Wait } else { Busy::GiveUp };
        let origin = origin(&self.bundle.to_string_lossy());
        let what = format!("install of {origin}");
        let lock = UpdateLock::take(&settings.greengrass.lock, &what, busy)?;
        let deployment = self.deployment.map_or_else(deployment_of_surroundings, Ok)?;
        meter.announce(Headway::new(&settings.greengrass.lock, &deployment));
        let device = Device::open(&settings).map_err(update::UpdateError::from)?;
        let trusted = device.trusted_time().map_err(update::UpdateError::from)?;
        let source = self.trust.source(&self.bundle)?;
        let bundle = self.trust.open_at(&settings, &self.bundle, &*source, trusted)?;
        tell(&verified(&bundle));
        let variant = settings.variant.name()?;
        let update = Update {
            bundle: &bundle,
            source: &*source,
            origin: &origin,
            settings: &settings,
            compatible: &compatible,
            variant: variant.as_deref(),
            deployment,
            tries: self.tries,
            after: if self.no_arm { After::Keep } else { After::Arm },
            same: if self.force { Same::Install } else { Same::Skip },
            now: u64::try_from(now()).unwrap_or(0),
            tell: &tell,
        };
        let done = update.run(&device, &lock);
        meter.erase();
        let outcome = done?;
        meter.keep(&device, &settings, source.account().map_or(0, |account| account.bytes));
        let result = self.result(outcome, &bundle, source.account());
        if self.reboot
            && matches!(outcome, Outcome::Armed(_))
            && let Err(cause) = reboot()
        {
            // It is installed all the same.
            eprintln!("greengrass ota: the machine cannot be rebooted: {cause}");
        }
        Ok(result)
    }

    /// For makers of images: no state is read or changed.
    fn write_slots(
        &self,
        settings: &Settings,
        compatible: String,
        tell: &(dyn Fn(&Event<'_>) + Sync),
    ) -> Result<Vec<u8>, Failure> {
        let source = self.trust.source(&self.bundle)?;
        let bundle = self.trust.open_at(settings, &self.bundle, &*source, 0)?;
        let device = policy::Device { compatible, floor: self.floor, ..policy::Device::default() };
        bundle.manifest.policy.judge(&bundle.manifest.compatible, &device)?;
        tell(&verified(&bundle));
        let targets: Vec<Target> = self.slot.iter().map(|(class, path)| Target::plain(class, path.clone())).collect();
        let variant = settings.variant.name()?;
        let allowed = Allowed { hooks: false, ..settings.allowed(variant.as_deref()) };
        let mut jobs = update::jobs(&bundle, &*source, &targets, &[], allowed).map_err(update::UpdateError::from)?;
        let (existing, rate_limit) = (Existing::Overwrite, settings.greengrass.rate_limit);
        Write { bundle: &bundle, source: &*source, existing, rate_limit, hooks: None, tell }.run(&mut jobs)?;
        Ok(Vec::new())
    }

    fn tell(&self, event: &Event<'_>) {
        self.log(event);
        if self.output == Output::Json {
            return say(&event.json());
        }
        if let Event::Image { path, size, elapsed, .. } = event {
            let seconds = elapsed.as_secs_f64();
            let rate = *size as f64 / seconds.max(1e-6) / 1e6;
            let path = path.display();
            line(&format!("{path}: {size} bytes written and read back in {seconds:.2} s, {rate:.0} MB/s"));
        }
    }

    /// What the fleet hears. Nothing of a slot that somebody named: that is no update of this device.
    fn log(&self, event: &Event<'_>) {
        if !self.slot.is_empty() {
            return;
        }
        match event {
            Event::Planned { slot, .. } => {
                let bundle = origin(&self.bundle.to_string_lossy());
                events::tell(events::Event::InstallBegun, &[("slot", &slot.name()), ("bundle", &bundle)]);
            }
            Event::Installed { slot } => events::tell(events::Event::Written, &[("slot", &slot.name())]),
            Event::Armed { slot, tries } => {
                events::tell(events::Event::Armed, &[("slot", &slot.name()), ("tries", tries)]);
            }
            _ => {}
        }
    }

    fn result(&self, outcome: Outcome, bundle: &Bundle, fetched: Option<Account>) -> Vec<u8> {
        let version = bundle.manifest.version.as_deref();
        let slot = outcome.slot().name();
        if self.output == Output::Json {
            let result = serde_json::json!({
                "event": "result", "outcome": outcome.name(), "slot": slot, "version": version,
                "manifest": hex(&manifest_hash(bundle)), "requests": fetched.map(|account| account.requests),
                "fetched": fetched.map(|account| account.bytes),
            });
            return format!("{result}\n").into_bytes();
        }
        let what = match outcome {
            Outcome::Armed(_) => "the next boot tries it",
            Outcome::Installed(_) => "it is installed, and not tried yet: the same command without --no-arm does",
            Outcome::OnTrial(_) => "it runs on trial, and waits for its health checks",
            Outcome::Runs(_) => "it runs already; --force installs it into the other slot, too",
        };
        format!("{} in slot {slot}: {what}\n", version.unwrap_or("the bundle")).into_bytes()
    }
}

fn verified(bundle: &Bundle) -> Event<'_> {
    let version = bundle.manifest.version.as_deref();
    Event::Verified { version, manifest: hex(&manifest_hash(bundle)), size: bundle.size }
}

fn kind(failure: &Failure) -> &'static str {
    match failure {
        Failure::Update(cause) => cause.failure().name(),
        Failure::Lock(UpdateLockError::Held { .. }) => "busy",
        Failure::Lock(_) => "device",
        Failure::Fetch(_) | Failure::Open { .. } | Failure::Bundle { cause: BundleError::Read { .. }, .. } => {
            update::Failure::Source.name()
        }
        _ => "refused",
    }
}

/// What may be told of where the bundle comes from: an address without what opens it.
fn origin(bundle: &str) -> String {
    let Some((scheme, rest)) = bundle.split_once("://") else { return bundle.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit('@').next().unwrap_or(host);
    format!("{scheme}://{host}/{path}")
}

/// Lets others go first. A kernel that cannot is no reason not to install.
fn step_back(settings: &Greengrass) {
    if let Some(nice) = settings.nice {
        let _ = priority::set_nice(nice);
    }
    if let Some(class) = settings.disk {
        let _ = priority::set_disk(class);
    }
}

/// A reader that went away early must not end an installation.
fn say(value: &serde_json::Value) {
    line(&value.to_string());
}

fn line(text: &str) {
    let _ = io::Write::write_all(&mut io::stdout().lock(), format!("{text}\n").as_bytes());
}

fn slot(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((class, path)) if !class.is_empty() && !path.is_empty() => Ok((class.to_owned(), path.into())),
        _ => Err("write CLASS=DEVICE, such as rootfs=/dev/disk/by-partlabel/gg-b".to_owned()),
    }
}

/// An identifier of at most 36 characters, as the record has room for.
fn deployment(text: &str) -> Result<[u8; 36], String> {
    let mut id = [0; 36];
    match id.get_mut(..text.len()) {
        Some(room) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            room.copy_from_slice(text.as_bytes());
            Ok(id)
        }
        _ => Err("an identifier has 1 to 36 characters without spaces".to_owned()),
    }
}

/// Of the step of a component that we run in, if we do.
fn deployment_of_surroundings() -> Result<[u8; 36], Failure> {
    match std::env::var(DEPLOYMENT) {
        Ok(id) if !id.is_empty() => {
            deployment(&id).map_err(|why| Failure::Usage(format!("{DEPLOYMENT} names no deployment: {why}")))
        }
        _ => Ok([0; 36]),
    }
}

/// Where the daemon says which deployment a step is of.
const DEPLOYMENT: &str = "GREENGRASS_DEPLOYMENT_ID";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_keeps_no_secret() {
        for (bundle, told) in [
            ("a/b?c@d", "a/b?c@d"),
            ("https://user:word@host:1/a@b/c.raucb?signature=1#x", "https://host:1/a@b/c.raucb"),
            ("http://host", "http://host/"),
        ] {
            assert_eq!(origin(bundle), told);
        }
    }

    #[test]
    fn deployment_fits_the_record() {
        assert_eq!(deployment("d-1").unwrap()[..4], *b"d-1\0");
        assert!(deployment(&"x".repeat(36)).is_ok());
        for text in ["", "a b", "é", &"x".repeat(37)] {
            assert!(deployment(text).is_err(), "{text:?}");
        }
    }
}
