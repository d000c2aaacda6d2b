//! What the kernel can do, by looks that cost nothing, of the options of `kernel-config/`; and what it does in a panic.
//!
//! To unpack and read `/proc/config.gz` would take longer than all of these looks: that is left to `greengrass check`.

use std::fs;
use std::path::Path;

use gg_boot::kernel::{Looks, shown};

use crate::journal::{Done, Failure};

/// Names what is missing. What each costs stands in the fragments, whose text is for `greengrass check` to carry.
pub(crate) fn probe() -> Result<Done<()>, Failure> {
    let release = gg_sys::machine::machine().release;
    let looks =
        Looks { exists: &|path| Path::new(path).exists(), text: &|path| fs::read_to_string(path).unwrap_or_default() };
    let options = shown(looks, &release, "");
    let missing: Vec<&str> = options.into_iter().filter(|(_, there)| !there).map(|(option, _)| option).collect();
    if missing.is_empty() {
        return Ok(Done::Well((), release));
    }
    Ok(Done::Partly((), format!("the kernel lacks {}", missing.join(", ")), "greengrass check tells what that costs"))
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
