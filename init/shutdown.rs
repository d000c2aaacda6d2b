//! The ordered end of a supervised machine: everybody is asked, then made, to end; then nothing is left unwritten.

use std::time::{Duration, Instant};

use gg_sys::kmsg::Level;
use gg_sys::mount::{self, Access};
use gg_sys::power::{self, End};
use gg_sys::process::{self, Reaped};
use gg_sys::signal::{self, Send};

use crate::dead_end::end_machine;
use crate::journal::Journal;
use crate::watchdog::Vigil;

/// How long what is left after the daemon may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);
/// How long the kernel may take to end what was killed.
const KILL_GRACE: Duration = Duration::from_secs(5);

pub(crate) fn run(journal: &mut Journal, vigil: &mut Vigil, how: End) -> ! {
    journal.say(Level::Warning, &format!("the machine ends: {how:?}").to_lowercase());
    // Those that the daemon did not know of: shells, keepers.
    let _ = signal::send_to_all(Send::Terminate);
    reap_all(vigil, GRACE);
    // What is still there would keep files open for writing.
    let _ = signal::send_to_all(Send::Kill);
    reap_all(vigil, KILL_GRACE);
    power::sync();
    close_file_systems(journal);
    end_machine(journal, vigil, how)
}

fn reap_all(vigil: &mut Vigil, limit: Duration) {
    let start = Instant::now();
    while let Some(left) = limit.checked_sub(start.elapsed()) {
        vigil.drain();
        match process::reap_any() {
            Ok(Reaped::Child { .. }) => {}
            Ok(Reaped::NoneEnded) => vigil.sleep(left),
            Ok(Reaped::Childless) | Err(_) => return,
        }
    }
}

/// Makes every file system on a disk read-only, so that none needs a replay or a check: the last mounted first, which
/// is how the root goes before the data its layer lies on.
fn close_file_systems(journal: &mut Journal) {
    let Ok(mounted) = mount::mounted() else { return };
    let on_disk = |kind: &str| matches!(kind, "ext4" | "f2fs" | "overlay" | "vfat" | "btrfs" | "xfs");
    let (roots, others): (Vec<_>, Vec<_>) = mounted
        .iter()
        .rev()
        .filter(|mount| on_disk(&mount.kind) && mount.access == Access::ReadWrite)
        .partition(|mount| mount.kind == "overlay");
    for mount in roots.into_iter().chain(others) {
        if let Err(cause) = mount::remount_read_only(&mount.target) {
            let text = format!("cannot make {} read-only: {cause}; its journal is replayed", mount.target.display());
            journal.say(Level::Error, &text);
        }
    }
    power::sync();
}
