//! Clocks: `clock_gettime(2)`, `clock_settime(2)`.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec};

/// Time since the kernel started: `CLOCK_BOOTTIME`.
pub fn since_boot() -> Duration {
    Duration::try_from(rustix::time::clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

/// Which start of the kernel this is: `/proc/sys/kernel/random/boot_id`; a dash where that cannot be read.
pub fn boot_id() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    read.map_or_else(|_| "-".to_owned(), |text| text.trim().to_owned())
}

/// Processor time that this process has taken, its own and the kernel's for it: `CLOCK_PROCESS_CPUTIME_ID`.
pub fn processor() -> Duration {
    Duration::try_from(rustix::time::clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// Sets the time of day: `CLOCK_REALTIME` of `clock_settime(2)`.
pub fn set(time: SystemTime) -> io::Result<()> {
    let time = time.duration_since(UNIX_EPOCH).map_err(|_| io::ErrorKind::InvalidInput)?;
    let time = Timespec::try_from(time).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(rustix::time::clock_settime(ClockId::Realtime, time)?)
}
