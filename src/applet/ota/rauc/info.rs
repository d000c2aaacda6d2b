//! `rauc info`: what is in a bundle.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::print::signer;
use super::super::trust::refused;
use super::{Failure, Format, Line, assign, json as encode};
use crate::service::ota::bundle::Bundle;
use crate::wire::bundle::manifest::{Format as BundleFormat, Image, hex};

pub(super) fn info(line: &Line, path: &OsStr) -> Result<String, Failure> {
    let format = line.format()?;
    let (trust, path) = (line.trust(), Path::new(path));
    let source = trust.source(path)?;
    let bundle = if line.has("--no-verify") {
        Bundle::open_unverified(&*source).map_err(|cause| refused(path, cause))?
    } else {
        trust.open(&trust.settings()?, path, &*source)?
    };
    Ok(match format {
        Format::Readable => readable(&bundle),
        Format::Shell => shell(&bundle),
        Format::Json | Format::JsonPretty => encode(&document(&bundle), format),
    })
}

/// The hooks of an image in the order that RAUC has them.
fn hooks(image: &Image) -> Vec<&str> {
    ["pre-install", "install", "post-install"]
        .into_iter()
        .filter(|hook| image.hooks.iter().any(|known| known == hook))
        .collect()
}

fn hash(bundle: &Bundle) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, &bundle.signed).as_ref())
}

fn checksum(image: &Image) -> String {
    image.sha256.as_ref().map(|sha256| hex(sha256)).unwrap_or_default()
}

fn filename(image: &Image) -> &str {
    image.filename.as_ref().map_or("", |name| name.as_str())
}

fn document(bundle: &Bundle) -> Value {
    let manifest = &bundle.manifest;
    let images = manifest.images.iter().map(|image| {
        let facts = json!({
            "artifact": image.artifact,
            "variant": image.variant,
            "filename": image.filename.as_ref().map(|name| name.as_str()),
            "type": image.artifact.is_none().then(|| image.type_name()),
            "checksum": image.sha256.as_ref().map(|sha256| hex(sha256)),
            "size": image.filename.as_ref().map_or(-1, |_| i64::try_from(image.size).unwrap_or(i64::MAX)),
            "hooks": hooks(image),
            "adaptive": image.adaptive,
        });
        Value::Object(Map::from_iter([(image.slot_class.clone(), facts)]))
    });
    json!({
        "compatible": manifest.compatible,
        "version": manifest.version,
        "description": manifest.description,
        "build": manifest.build,
        "format": "verity",
        "hooks": manifest.hooks,
        "hash": hash(bundle),
        "images": images.collect::<Vec<_>>(),
    })
}

fn shell(bundle: &Bundle) -> String {
    let manifest = &bundle.manifest;
    let mut text = String::new();
    let optional = |value: &Option<String>| value.clone().unwrap_or_default();
    assign(&mut text, "RAUC_MF_COMPATIBLE", &manifest.compatible);
    assign(&mut text, "RAUC_MF_VERSION", &optional(&manifest.version));
    assign(&mut text, "RAUC_MF_DESCRIPTION", &optional(&manifest.description));
    assign(&mut text, "RAUC_MF_BUILD", &optional(&manifest.build));
    assign(&mut text, "RAUC_MF_HASH", &hash(bundle));
    assign(&mut text, "RAUC_MF_FORMAT", "verity");
    let _ = writeln!(text, "RAUC_MF_IMAGES={}", manifest.images.len());
    assign(&mut text, "RAUC_MF_HOOKS", &manifest.hooks.join(" "));
    for (index, image) in manifest.images.iter().enumerate() {
        let name = |what: &str| format!("RAUC_IMAGE_{what}_{index}");
        assign(&mut text, &name("NAME"), filename(image));
        assign(&mut text, &name("CLASS"), &image.slot_class);
        assign(&mut text, &name("VARIANT"), &optional(&image.variant));
        assign(&mut text, &name("DIGEST"), &checksum(image));
        let _ = writeln!(text, "{}={}", name("SIZE"), image.size);
        assign(&mut text, &name("HOOKS"), &hooks(image).join(" "));
        if !image.adaptive.is_empty() {
            assign(&mut text, &name("ADAPTIVE"), &image.adaptive.join(" "));
        }
    }
    text
}

fn readable(bundle: &Bundle) -> String {
    let manifest = &bundle.manifest;
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "{key:<16}{value}");
    };
    let quoted = |value: &Option<String>| format!("'{}'", value.as_deref().unwrap_or_default().replace('\n', " "));
    line("Compatible:", &format!("'{}'", manifest.compatible));
    line("Version:", &quoted(&manifest.version));
    line("Description:", &quoted(&manifest.description));
    line("Build:", &quoted(&manifest.build));
    line("Hooks:", &format!("'{}'", manifest.hooks.join(" ")));
    line("Bundle Format:", "verity");
    if let BundleFormat::Verity(verity) = &manifest.format {
        line("  Verity Salt:", &format!("'{}'", hex(&verity.salt)));
        line("  Verity Hash:", &format!("'{}'", hex(&verity.root)));
        line("  Verity Size:", &verity.tree_size.to_string());
    }
    line("Manifest Hash:", &format!("'{}'", hash(bundle)));
    for image in &manifest.images {
        line("\nImage:", &format!(" [{}]", image.section()));
        line("  Filename:", filename(image));
        line("  Checksum:", &checksum(image));
        line("  Size:", &image.size.to_string());
        line("  Hooks:", &hooks(image).join(" "));
    }
    if bundle.signers.is_empty() {
        line("\nSignature", "unverified");
    }
    for account in &bundle.signers {
        line("\nSigned by:", &format!(" {}", signer(account)));
    }
    text
}
