//! A bundle on paper: a table, or JSON with the names that `rauc info --output-format=json` uses where it has them.

use std::fmt::Write as _;

use serde_json::json;

use crate::base::clock::Timestamp;
use crate::service::ota::bundle::Bundle;
use crate::service::ota::trust::{Account, Verdict};
use crate::wire::bundle::manifest::{Format, Image, hex};

/// The table. `compression` is known when all of the bundle was read.
pub(super) fn text(bundle: &Bundle, compression: Option<&str>) -> String {
    let manifest = &bundle.manifest;
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "{key:<14}{value}");
    };
    line("Compatible", &manifest.compatible);
    for (key, value) in
        [("Version", &manifest.version), ("Description", &manifest.description), ("Build", &manifest.build)]
    {
        if let Some(value) = value {
            line(key, &printable(value));
        }
    }
    line("Size", &size(bundle.size));
    if let Format::Verity(verity) = &manifest.format {
        line("Root hash", &hex(&verity.root));
    }
    if let Some(hook) = &manifest.hook {
        line("Hook", &format!("{} ({})", hook.as_str(), manifest.hooks.join(", ")));
    }
    let policy = &manifest.policy;
    let numbers = format!(
        "floor {}, key epoch {}, data layout {}, {} tries",
        policy.floor, policy.key_epoch, policy.data_min_reader, policy.tries
    );
    line("Policy", &numbers);
    if let Some(profile) = &policy.health_profile {
        line("Health", profile);
    }
    for image in &manifest.images {
        line("Image", &image_line(image));
        if let Some(sha256) = &image.sha256 {
            line("", &format!("sha256 {}", hex(sha256)));
        }
    }
    if bundle.signers.is_empty() {
        line("Signed by", "not verified");
    }
    for account in &bundle.signers {
        line("Signed by", &signer(account));
    }
    if let Some(compression) = compression {
        line("Verified", &format!("every block, every image (packed with {compression})"));
    }
    text
}

fn image_line(image: &Image) -> String {
    let name = image.filename.as_ref().map_or("(no file)", |name| name.as_str());
    let mut line =
        format!("{}: {}, {}, {}", printable(&image.section()), printable(name), image.type_name(), size(image.size));
    for (what, list) in [("hooks", &image.hooks), ("adaptive", &image.adaptive)] {
        if !list.is_empty() {
            let _ = write!(line, ", {what} {}", list.join(" "));
        }
    }
    line
}

pub(super) fn signer(account: &Account) -> String {
    match &account.verdict {
        Verdict::Ignored(cause) => format!("{}: does not count: {cause}", account.name),
        Verdict::Counts(chain) => {
            let mut text = account.name.clone();
            for link in chain.links.iter().skip(1) {
                let _ = write!(text, " < {}", link.name);
            }
            if let Some(first) = chain.links.first() {
                let end = Timestamp(u64::try_from(first.not_after).unwrap_or(0) * 1000).date();
                let _ = write!(text, ", valid until {end}");
            }
            text
        }
    }
}

/// The JSON document.
pub(super) fn json(bundle: &Bundle, compression: Option<&str>) -> String {
    let manifest = &bundle.manifest;
    let images: Vec<_> = manifest
        .images
        .iter()
        .map(|image| {
            json!({
                "slot-class": image.slot_class,
                "artifact": image.artifact,
                "variant": image.variant,
                "filename": image.filename.as_ref().map(|name| name.as_str()),
                "type": image.type_name(),
                "checksum": image.sha256.as_ref().map(|sha256| hex(sha256)),
                "size": image.size,
                "hooks": image.hooks,
                "adaptive": image.adaptive,
            })
        })
        .collect();
    let signers: Vec<_> = bundle
        .signers
        .iter()
        .map(|account| match &account.verdict {
            Verdict::Ignored(cause) => json!({"name": account.name, "counts": false, "reason": cause.to_string()}),
            Verdict::Counts(chain) => {
                let chain = chain.links.iter().map(|link| {
                    json!({
                        "subject": link.name,
                        "issuer": link.issuer,
                        "not-before": link.not_before,
                        "not-after": link.not_after,
                        "spki-sha256": hex(&link.key),
                    })
                });
                json!({"name": account.name, "counts": true, "chain": chain.collect::<Vec<_>>()})
            }
        })
        .collect();
    let policy = &manifest.policy;
    let document = json!({
        "compatible": manifest.compatible,
        "version": manifest.version,
        "description": manifest.description,
        "build": manifest.build,
        "size": bundle.size,
        "hash": hex(ring::digest::digest(&ring::digest::SHA256, &bundle.signed).as_ref()),
        "hooks": manifest.hooks,
        "images": images,
        "greengrass": {
            "floor": policy.floor,
            "key_epoch": policy.key_epoch,
            "data_min_reader": policy.data_min_reader,
            "tries": policy.tries,
            "health_profile": policy.health_profile,
            "deployment_hint": policy.deployment_hint,
        },
        "signers": signers,
        "verified": compression.is_some(),
        "compression": compression,
    });
    format!("{document:#}\n")
}

fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}
