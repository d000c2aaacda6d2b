//! The rest of the system: devices, users, memory, disk, clock, certificates.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Place;
use crate::applet::check::facts::{Disk, Libc, Memory, Overlay, Protection, Trial};
use crate::applet::check::overlay;
use crate::sys::{account, fs};

pub(super) fn protection(place: &Place, file: &str) -> Protection {
    match place.text(file).as_deref().map(str::trim) {
        Some("1") => Protection::On,
        Some("0") => Protection::Off,
        _ => Protection::Unknown,
    }
}

/// A link counts as there, wherever it leads: `/proc/self/fd/0` may be closed just now.
pub(super) fn missing_streams(place: &Place) -> Vec<&'static str> {
    let all = ["/dev/stdin", "/dev/stdout", "/dev/stderr"];
    all.into_iter().filter(|path| place.path(path).symlink_metadata().is_err()).collect()
}

/// What other programs are linked with: their loader says.
pub(super) fn libc(place: &Place) -> Libc {
    let mut found: Vec<String> = Vec::new();
    for folder in ["/lib", "/lib64", "/usr/lib"] {
        let entries = std::fs::read_dir(place.path(folder)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        found.extend(names.filter(|name| name.starts_with("ld-musl-") || name.starts_with("ld-linux")));
    }
    found.sort();
    Libc { ours: env!("GREENGRASS_TARGET"), loader: found.into_iter().next() }
}

/// Where distributions keep the certificates that everybody trusts.
pub(super) fn certificates(place: &Place) -> Option<PathBuf> {
    let bundles = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/ssl/cert.pem",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ca-certificates/extracted/tls-ca-bundle.pem",
    ];
    let holds_one = |path: &&str| place.text(path).is_some_and(|text| text.contains("-----BEGIN CERTIFICATE-----"));
    bundles.into_iter().find(holds_one).map(PathBuf::from)
}

pub(super) fn memory(place: &Place) -> Option<Memory> {
    let text = place.text("/proc/meminfo")?;
    let bytes = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
    };
    let total = bytes("MemTotal:")?;
    // Before Linux 3.14 only what nobody uses at all is told.
    Some(Memory { total, available: bytes("MemAvailable:").or_else(|| bytes("MemFree:")).unwrap_or_default() })
}

pub(super) fn disk(place: &Place) -> Disk {
    let nearest = place.nearest(&place.root);
    let space = fs::space(&place.path(nearest)).map_err(|cause| cause.to_string());
    Disk { root: place.root.clone(), space }
}

pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Name and driver of the first watchdog.
pub(super) fn watchdog(place: &Place) -> Option<String> {
    let entries = std::fs::read_dir(place.path("/sys/class/watchdog")).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let name = names.into_iter().next().or_else(|| place.exists("/dev/watchdog").then(|| "watchdog".to_owned()))?;
    let driver = place.text(Path::new("/sys/class/watchdog").join(&name).join("identity"));
    Some(match driver.as_deref().map(str::trim).filter(|driver| !driver.is_empty()) {
        Some(driver) => format!("/dev/{name}: {driver}"),
        None => format!("/dev/{name}"),
    })
}

/// A line of `passwd(5)` or `group(5)` of that name.
pub(super) fn has_entry(place: &Place, file: &str, name: &str) -> bool {
    place.text(file).is_some_and(|text| text.lines().any(|line| line.split(':').next() == Some(name)))
}

/// The program of process 1, or at least its name: only root may see the program.
pub(super) fn init(place: &Place) -> Option<String> {
    let program = place.path("/proc/1/exe").read_link().ok().map(|path| path.display().to_string());
    program.or_else(|| place.text("/proc/1/comm").map(|text| text.trim().to_owned()))
}

pub(super) fn overlay(place: &Place, data: PathBuf) -> Overlay {
    let trial = if place.sysroot.is_some() {
        Trial::NotTried("this is another machine's tree")
    } else if !account::is_root() {
        Trial::NotTried("only root can mount")
    } else {
        overlay::attempt(&data)
    };
    Overlay { kind: kind(place, &data), data, trial }
}

/// The file system of the mount that holds a path; the last line that fits best hides the others.
fn kind(place: &Place, path: &Path) -> Option<String> {
    let mounts = place.text("/proc/mounts")?;
    let mut best: Option<(usize, String)> = None;
    for line in mounts.lines() {
        let mut words = line.split(' ').skip(1);
        let (Some(at), Some(kind)) = (words.next(), words.next()) else { continue };
        let depth = Path::new(at).components().count();
        if path.starts_with(at) && best.as_ref().is_none_or(|(deepest, _)| depth >= *deepest) {
            best = Some((depth, kind.to_owned()));
        }
    }
    best.map(|(_, kind)| kind)
}
