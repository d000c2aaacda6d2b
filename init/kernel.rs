//! What the kernel can do, by looks that cost nothing, of the options of `kernel-config/`; and what it does in a panic.
//!
//! To unpack and read `/proc/config.gz` would take longer than all of these looks: that is left to `greengrass check`.

use std::fs;
use std::path::Path;

use gg_boot::kernel::{Looks, Missing, requirement, shown};

use crate::journal::{Done, Failure};

/// Names what is missing, with what will not work: the worst of it in words.
pub(crate) fn probe() -> Result<Done<()>, Failure> {
    let release = gg_sys::machine::machine().release;
    let looks =
        Looks { exists: &|path| Path::new(path).exists(), text: &|path| fs::read_to_string(path).unwrap_or_default() };
    let mut missing: Vec<&str> =
        shown(looks, &release, "").into_iter().filter(|(_, there)| !there).map(|(option, _)| option).collect();
    if missing.is_empty() {
        return Ok(Done::Well((), release));
    }
    let effect = |option: &str| requirement(option).map(|requirement| (requirement.missing, requirement.effect));
    missing.sort_by_key(|option| effect(option).is_none_or(|(missing, _)| missing == Missing::Degraded));
    let worst = missing.first().and_then(|option| effect(option)).map_or("", |(_, effect)| effect);
    Ok(Done::Partly((), format!("the kernel lacks {} ({worst})", missing.join(", ")), "what needs it does not work"))
}

/// Has the kernel reboot some time after a panic, unless its own arguments say when: a device that stands still with
/// a message nobody reads is lost.
pub(crate) fn reboot_after_panic(seconds: u64) -> Result<Done<()>, Failure> {
    const SETTING: &str = "/proc/sys/kernel/panic";
    let now = fs::read_to_string(SETTING).map_err(|cause| Failure::new("read", SETTING, cause))?;
    if now.trim() != "0" || seconds == 0 {
        return Ok(Done::Well((), format!("as it was: {}", now.trim())));
    }
    fs::write(SETTING, seconds.to_string()).map_err(|cause| Failure::new("write", SETTING, cause))?;
    Ok(Done::Well((), format!("after {seconds} s")))
}
