//! The hardware watchdog: resets the machine unless it is fed. Linux kernel documentation, `watchdog-api`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rustix::ioctl::{Updater, ioctl, opcode};

/// A running watchdog. Dropping it leaves it running: whoever held it is then as good as dead.
#[derive(Debug)]
pub struct Watchdog {
    device: File,
    timeout: u64,
}

impl Watchdog {
    /// Opens the device, which starts the watchdog, and asks for a timeout in seconds; a device that cannot have
    /// that one keeps its own, which [`timeout`](Self::timeout) says where the device tells it.
    pub fn open(path: &Path, timeout: u64) -> io::Result<Self> {
        let device = File::options().write(true).open(path)?;
        let mut seconds = i32::try_from(timeout).unwrap_or(i32::MAX);
        let wanted = set_timeout(&device, &mut seconds);
        // The driver writes what it took. One that has no such call runs with a timeout of its own.
        let timeout = match wanted {
            Ok(()) => u64::try_from(seconds).unwrap_or(timeout).max(1),
            Err(_) => timeout.min(SHORTEST_USUAL),
        };
        Ok(Self { device, timeout })
    }

    /// Takes the one that was handed over as standard input, which is then what standard output is: `dup2(2)`.
    pub fn from_stdin(timeout: u64) -> io::Result<Self> {
        let device = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
        rustix::stdio::dup2_stdin(rustix::stdio::stdout())?;
        Ok(Self { device: File::from(device), timeout })
    }

    /// Is standard input as well, for the program that this process becomes: `dup2(2)`.
    pub fn become_stdin(&self) -> io::Result<()> {
        Ok(rustix::stdio::dup2_stdin(&self.device)?)
    }

    /// Standard input is what standard output is again.
    pub fn leave_stdin(&self) -> io::Result<()> {
        Ok(rustix::stdio::dup2_stdin(rustix::stdio::stdout())?)
    }

    /// The device itself, still running, to hand it over.
    pub fn into_file(self) -> File {
        self.device
    }

    /// Seconds until the reset when nobody feeds it.
    pub fn timeout(&self) -> u64 {
        self.timeout
    }

    /// Begins the time anew.
    pub fn feed(&mut self) -> io::Result<()> {
        self.device.write_all(b".")
    }

    /// Stops it: the "magic close". A driver with `nowayout` goes on all the same.
    pub fn stop(mut self) -> io::Result<()> {
        self.device.write_all(b"V")
    }
}

/// Drivers without a settable timeout have one of at least this many seconds.
const SHORTEST_USUAL: u64 = 10;

fn set_timeout(device: &File, seconds: &mut i32) -> io::Result<()> {
    const WDIOC_SETTIMEOUT: rustix::ioctl::Opcode = opcode::read_write::<i32>(b'W', 6);
    // SAFETY: WDIOC_SETTIMEOUT reads an int and writes one back, which is what `seconds` is.
    let request = unsafe { Updater::<WDIOC_SETTIMEOUT, i32>::new(seconds) };
    // SAFETY: a driver without this call fails with ENOTTY and touches nothing.
    Ok(unsafe { ioctl(device, request) }?)
}
