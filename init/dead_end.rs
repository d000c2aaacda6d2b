//! Where the boot cannot go on: says why, offers a shell where that is allowed, and tries again from the beginning.

use std::path::Path;
use std::time::Duration;

use gg_boot::settings::{Rescue, Settings};
use gg_sys::early::{self, Terminal};
use gg_sys::kmsg::Level;
use gg_sys::power::{self, End};
use gg_sys::process;

use crate::journal::Journal;
use crate::watchdog::Vigil;

pub(crate) fn stop(journal: &mut Journal, vigil: &mut Vigil, settings: &Settings, why: &str) -> ! {
    journal.cry(&format!("cannot go on: {why}"));
    if settings.rescue == Rescue::Shell {
        shell(journal, vigil);
    } else {
        let text =
            format!("reboot in {} s; gg.rescue=1 on the kernel command line asks for a shell", settings.retry_delay);
        journal.cry(&text);
        vigil.sleep_through(Duration::from_secs(settings.retry_delay));
    }
    end_machine(journal, vigil, End::Reboot)
}

/// A shell on the console, until it ends.
fn shell(journal: &mut Journal, vigil: &mut Vigil) {
    for path in ["/bin/sh", "/bin/busybox"] {
        let arguments: &[&str] = if path.ends_with("busybox") { &["sh"] } else { &[] };
        match early::start(None, Path::new(path), arguments, Terminal::Console) {
            Ok(pid) => {
                journal.cry("this is a rescue shell; its end is a reboot");
                while matches!(process::reap(pid), Ok(None)) {
                    vigil.sleep(Duration::from_secs(1));
                    vigil.drain();
                }
                return;
            }
            Err(cause) => journal.say(Level::Error, &format!("no rescue shell {path}: {cause}")),
        }
    }
    vigil.sleep_through(Duration::from_secs(LOOK));
}

/// Seconds to read why there is no shell.
const LOOK: u64 = 10;

/// Ends the machine; where even that fails, waits for the watchdog or for somebody with a hand on the plug.
pub(crate) fn end_machine(journal: &mut Journal, vigil: &mut Vigil, how: End) -> ! {
    power::sync();
    if how != End::Reboot {
        // Off is off: a watchdog would start the machine again. When rebooting it guards the reboot itself.
        let _ = vigil.stop();
    }
    let Err(cause) = power::end(how);
    journal.cry(&format!("cannot end the machine: {cause}"));
    loop {
        // Not fed: the watchdog does what the kernel would not.
        std::thread::sleep(Duration::from_secs(60));
    }
}
