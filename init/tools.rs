//! Programs of others that the boot needs, `e2fsck` and `mke2fs`: ours in the initramfs, else those of the slot.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gg_sys::early::{self, Terminal};
use gg_sys::mount;
use gg_sys::process::{self, Ended};
use gg_sys::signal;

use crate::journal::Failure;
use crate::watchdog::Vigil;

/// Where such programs are looked for.
const DIRECTORIES: [&str; 4] = ["/sbin", "/usr/sbin", "/bin", "/usr/bin"];

/// A check of a big, slow disk takes minutes; one that takes this long will not end.
const LONGEST_RUN: Duration = Duration::from_secs(30 * 60);

/// Runs a tool to its end and returns its exit code. It sees the slot as its root unless the initramfs has it.
pub(crate) fn run(name: &'static str, arguments: &[&str], slot: &Path, vigil: &mut Vigil) -> Result<i32, Failure> {
    if let Some(program) = find(Path::new("/"), name) {
        return run_in(None, &program, arguments, Terminal::Silent, vigil);
    }
    let Some(program) = find(slot, name) else {
        return Err(Failure::because("find", name, "neither the initramfs nor the slot has it"));
    };
    // The tool opens the device, and looks up whether it is mounted.
    let borrowed = [slot.join("dev"), slot.join("proc")];
    for (place, source) in borrowed.iter().zip(["/dev", "/proc"]) {
        mount::bind(Path::new(source), place).map_err(|cause| Failure::new("bind", place.display(), cause))?;
    }
    let code = run_in(Some(slot), &program, arguments, Terminal::Silent, vigil);
    for place in &borrowed {
        // A mount too many in the slot does no harm; the tool's answer counts.
        let _ = mount::detach(place);
    }
    code
}

/// The path below `root`; links are not followed, because they lead to where the root will be.
fn find(root: &Path, name: &str) -> Option<PathBuf> {
    let directory =
        DIRECTORIES.iter().find(|directory| root.join(&directory[1..]).join(name).symlink_metadata().is_ok());
    directory.map(|directory| Path::new(directory).join(name))
}

/// Runs a program below `root` to its end; the watchdog is fed meanwhile.
pub(crate) fn run_in(
    root: Option<&Path>,
    program: &Path,
    arguments: &[&str],
    terminal: Terminal,
    vigil: &mut Vigil,
) -> Result<i32, Failure> {
    let failure = |cause| Failure::new("run", program.display(), cause);
    let pid = early::start(root, program, arguments, terminal).map_err(failure)?;
    let start = Instant::now();
    loop {
        vigil.drain();
        match process::reap(pid).map_err(failure)? {
            Some(Ended::Code(code)) => return Ok(code),
            Some(Ended::Signal(number)) => {
                return Err(Failure::because("run", program.display(), format!("ended by signal {number}")));
            }
            None if start.elapsed() > LONGEST_RUN => {
                signal::send(pid, signal::Send::Kill).map_err(failure)?;
                vigil.sleep(Duration::from_secs(1));
                return Err(Failure::because("run", program.display(), "it did not end"));
            }
            None => vigil.sleep(POLL),
        }
    }
}

/// A child's end wakes us; this is for a vigil without signals.
const POLL: Duration = Duration::from_millis(200);
