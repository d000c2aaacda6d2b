//! A deadline that the kernel holds for this process, and for what it becomes by `execve(2)`: `alarm(2)`.

use std::time::Duration;

use nix::unistd::alarm;

/// Lets the kernel end this process by SIGALRM after so long, whole seconds rounded up; instead of a former deadline.
pub fn set(after: Duration) {
    let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)).max(1);
    let _ = alarm::set(u32::try_from(seconds).unwrap_or(u32::MAX));
}

/// Takes the deadline away.
pub fn cancel() {
    let _ = alarm::cancel();
}
