//! `rauc status`: the slots, as RAUC tells of them.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::super::status::look;
use super::{Failure, Format, Line, assign, json as encode, system};
use crate::base::clock::Timestamp;
use crate::boot::slot::Slot;
use crate::boot::state::record::ImageState;
use crate::service::ota::layout::{Layout, Place, Where};
use crate::service::ota::settings::Settings;
use crate::service::ota::status::Overview;
use crate::wire::bundle::manifest::hex;

pub(super) fn status(line: &Line) -> Result<String, Failure> {
    let format = line.format()?;
    let settings = line.trust().settings()?;
    let layout = Layout::of(&settings.slots).map_err(|cause| Failure::Device(cause.into()))?;
    let variant = settings.variant.name()?.unwrap_or_default();
    let paper = Paper { overview: look(&settings)?, layout, settings, variant, is_detailed: line.has("--detailed") };
    Ok(match format {
        Format::Readable => paper.readable(),
        Format::Shell => paper.shell(),
        Format::Json | Format::JsonPretty => encode(&paper.document(), format),
    })
}

struct Paper {
    overview: Overview,
    layout: Layout,
    settings: Settings,
    variant: String,
    is_detailed: bool,
}

/// What is known of one place, in RAUC's words.
struct Entry<'a> {
    place: &'a Place,
    device: String,
    state: &'static str,
    /// Only the system itself has one.
    boot_status: Option<&'static str>,
    details: Details,
}

/// What was installed there. What is not known is empty.
#[derive(Default)]
struct Details {
    compatible: Option<String>,
    version: Option<String>,
    description: Option<String>,
    build: Option<String>,
    hash: Option<String>,
    checksum: Option<(String, u64)>,
    installed: Option<String>,
}

impl Paper {
    fn entries(&self) -> Vec<Entry<'_>> {
        let both = [Slot::A, Slot::B].into_iter();
        both.flat_map(|slot| self.layout.places(slot).iter().rev().map(move |place| self.entry(slot, place))).collect()
    }

    fn entry<'a>(&'a self, slot: Slot, place: &'a Place) -> Entry<'a> {
        let is_system = place.bootname.is_some();
        let state = match (slot == self.overview.status.booted, is_system) {
            (true, true) => "booted",
            (true, false) => "active",
            (false, _) => "inactive",
        };
        let boot_status = match self.overview.status.record.image(slot).state {
            ImageState::Empty | ImageState::Writing | ImageState::Bad => "bad",
            ImageState::Valid | ImageState::Good | ImageState::Unknown => "good",
        };
        let device = match &place.device {
            Where::Path(path) => path.display().to_string(),
            Where::Label(label) => format!("/dev/disk/by-partlabel/{label}"),
        };
        let details = if self.is_detailed { self.details(slot, place) } else { Details::default() };
        Entry { place, device, state, boot_status: is_system.then_some(boot_status), details }
    }

    fn details(&self, slot: Slot, place: &Place) -> Details {
        let image = self.overview.status.record.image(slot);
        let is_known = image.manifest != [0; 32];
        let stamp = Timestamp(image.installed_at.saturating_mul(1000)).iso();
        let mut details = Details {
            version: is_known.then(|| image.version()),
            hash: is_known.then(|| hex(&image.manifest)),
            installed: (image.installed_at != 0).then_some(stamp),
            ..Details::default()
        };
        if let Some(installed) = &self.overview.installed[slot.index()] {
            let facts = installed.bundle.clone();
            details.compatible = Some(facts.compatible);
            (details.version, details.description, details.build) = (facts.version, facts.description, facts.build);
            let image = installed.images.iter().find(|image| image.slot == place.name);
            details.checksum = image.map(|image| (image.sha256.clone(), image.size));
        }
        details
    }

    fn booted(&self) -> Slot {
        self.overview.status.booted
    }

    fn bootname(&self, slot: Slot) -> &str {
        self.layout.places(slot).last().and_then(|place| place.bootname.as_deref()).unwrap_or_default()
    }

    fn compatible(&self) -> &str {
        self.settings.compatible.as_deref().unwrap_or_default()
    }

    fn document(&self) -> Value {
        let slots = self.entries().into_iter().map(|entry| {
            let mut facts = json!({
                "class": entry.place.class,
                "device": entry.device,
                "type": entry.place.kind,
                "bootname": entry.place.bootname,
                "state": entry.state,
                "parent": entry.place.parent,
                "mountpoint": null,
                "boot_status": entry.boot_status,
            });
            if self.is_detailed {
                facts["slot_status"] = entry.details.document();
            }
            Value::Object(Map::from_iter([(entry.place.name.clone(), facts)]))
        });
        json!({
            "compatible": self.compatible(),
            "variant": self.variant,
            "booted": self.bootname(self.booted()),
            "boot_primary": system(&self.layout, self.overview.next()),
            "slots": slots.collect::<Vec<_>>(),
            "artifact-repositories": [],
        })
    }

    fn shell(&self) -> String {
        let mut text = String::new();
        let entries = self.entries();
        let names: Vec<&str> = entries.iter().map(|entry| entry.place.name.as_str()).collect();
        let numbers: Vec<String> = (1..=entries.len()).map(|number| number.to_string()).collect();
        assign(&mut text, "RAUC_SYSTEM_COMPATIBLE", self.compatible());
        assign(&mut text, "RAUC_SYSTEM_VARIANT", &self.variant);
        assign(&mut text, "RAUC_SYSTEM_BOOTED_BOOTNAME", self.bootname(self.booted()));
        assign(&mut text, "RAUC_BOOT_PRIMARY", system(&self.layout, self.overview.next()));
        assign(&mut text, "RAUC_SYSTEM_SLOTS", &names.join(" "));
        assign(&mut text, "RAUC_SLOTS", &numbers.join(" "));
        for (entry, number) in entries.iter().zip(&numbers) {
            let place = entry.place;
            let mut one = |what: &str, value: Option<&str>| {
                assign(&mut text, &format!("RAUC_SLOT_{what}_{number}"), value.unwrap_or_default());
            };
            one("STATE", Some(entry.state));
            one("CLASS", Some(&place.class));
            one("DEVICE", Some(&entry.device));
            one("TYPE", Some(&place.kind));
            one("BOOTNAME", place.bootname.as_deref());
            one("PARENT", place.parent.as_deref());
            one("MOUNTPOINT", None);
            one("BOOT_STATUS", entry.boot_status);
            if self.is_detailed {
                let details = &entry.details;
                let (sha256, size) = details.checksum.clone().unwrap_or_default();
                one("STATUS_BUNDLE_COMPATIBLE", details.compatible.as_deref());
                one("STATUS_BUNDLE_VERSION", details.version.as_deref());
                one("STATUS_BUNDLE_DESCRIPTION", details.description.as_deref());
                one("STATUS_BUNDLE_BUILD", details.build.as_deref());
                one("STATUS_BUNDLE_HASH", details.hash.as_deref());
                one("STATUS_CHECKSUM_SHA256", Some(&sha256));
                one("STATUS_CHECKSUM_SIZE", Some(&size.to_string()));
                one("STATUS_INSTALLED_TIMESTAMP", details.installed.as_deref());
                // Nobody counts them, which RAUC tells so.
                one("STATUS_INSTALLED_COUNT", Some("0"));
                one("STATUS_ACTIVATED_TIMESTAMP", None);
                one("STATUS_ACTIVATED_COUNT", Some("0"));
                one("STATUS_STATUS", details.hash.as_ref().map(|_| "ok"));
            }
        }
        assign(&mut text, "RAUC_REPOS", "");
        text
    }

    fn readable(&self) -> String {
        let next = self.overview.next();
        let mut text = format!(
            "=== System Info ===\nCompatible:  {}\nVariant:     {}\nBooted from: {} ({})\n\n\
             === Bootloader ===\nActivated: {} ({})\n\n=== Slot States ===\n",
            self.compatible(),
            self.variant,
            system(&self.layout, self.booted()),
            self.bootname(self.booted()),
            system(&self.layout, next),
            self.bootname(next),
        );
        for entry in self.entries() {
            let Entry { place, device, state, boot_status, details } = entry;
            let mark = if place.name == system(&self.layout, next) { "x" } else { "o" };
            let mark = if boot_status.is_some() { mark } else { " " };
            let _ = writeln!(text, "{mark} [{}] ({device}, {}, {state})", place.name, place.kind);
            if let (Some(bootname), Some(boot_status)) = (&place.bootname, boot_status) {
                let _ = writeln!(text, "\tbootname: {bootname}\n\tboot status: {boot_status}");
            }
            for (key, value) in [
                ("bundle.compatible", details.compatible),
                ("bundle.version", details.version),
                ("bundle.hash", details.hash),
                ("sha256", details.checksum.map(|(sha256, _)| sha256)),
                ("installed.timestamp", details.installed),
            ] {
                if let Some(value) = value {
                    let _ = writeln!(text, "\t{key}={value}");
                }
            }
        }
        text
    }
}

impl Details {
    fn document(self) -> Value {
        let is_installed = self.hash.is_some();
        let mut bundle = json!({"compatible": self.compatible});
        for (key, value) in
            [("version", self.version), ("description", self.description), ("build", self.build), ("hash", self.hash)]
        {
            // RAUC leaves out what is not known, but for the first.
            if let Some(value) = value {
                bundle[key] = value.into();
            }
        }
        let mut document = json!({"bundle": bundle});
        if let Some((sha256, size)) = self.checksum {
            document["checksum"] = json!({"sha256": sha256, "size": size});
        }
        if let Some(timestamp) = self.installed {
            document["installed"] = json!({"timestamp": timestamp});
        }
        if is_installed {
            document["status"] = "ok".into();
        }
        document
    }
}
