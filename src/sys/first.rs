//! Open standard streams for a PID 1 that the kernel starts without: `console(4)`.
//!
//! The start-up code of the standard library opens `/dev/null` for each that is missing and aborts where it cannot,
//! as in an initramfs without device nodes; and when PID 1 aborts, the kernel panics. So this runs before it.

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::mount::MountFlags;

/// Linked in by naming it; does nothing when called.
pub fn streams() {}

#[used]
// SAFETY: the section holds pointers to functions of this type, which the C library calls once before `main`.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = open_streams;

extern "C" fn open_streams() {
    let is_first = rustix::process::getpid().is_init();
    // SAFETY: descriptor 2 is only asked about; when it is not open the call fails with EBADF.
    let stderr = unsafe { std::os::fd::BorrowedFd::borrow_raw(2) };
    if !is_first || rustix::io::fcntl_getfd(stderr).is_ok() {
        return;
    }
    // Each may fail because it is there already; the last way needs none of them.
    let _ = rustix::fs::mkdir(c"/dev", Mode::from_raw_mode(0o755));
    let _ = rustix::mount::mount(c"devtmpfs", c"/dev", c"devtmpfs", MountFlags::NOSUID | MountFlags::NOEXEC, c"");
    let _ = rustix::fs::mknodat(
        CWD,
        c"/dev/console",
        FileType::CharacterDevice,
        Mode::from_raw_mode(0o600),
        rustix::fs::makedev(5, 1),
    );
    for _ in 0..3 {
        // The lowest free number is taken: 0, then 1, then 2.
        let stream = rustix::fs::open(c"/dev/console", OFlags::RDWR | OFlags::NOCTTY, Mode::empty())
            .or_else(|_| rustix::fs::memfd_create(c"console", rustix::fs::MemfdFlags::empty()));
        if let Ok(stream) = stream {
            std::mem::forget(stream);
        }
    }
}
