//! The kernel's log, as a place to write to before there is any other: `kmsg` of the kernel documentation.

use std::fs::File;
use std::io::{self, Write};

/// The levels of `syslog(2)` that we use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    Critical = 2,
    Error = 3,
    Warning = 4,
    Info = 6,
}

/// The open log.
#[derive(Debug)]
pub struct Kmsg(File);

impl Kmsg {
    pub fn open() -> io::Result<Self> {
        Ok(Self(File::options().write(true).open("/dev/kmsg")?))
    }

    /// Writes one line. One `write(2)` is one record, and the kernel refuses long ones, so what is longer is cut.
    pub fn say(&mut self, level: Level, text: &str) -> io::Result<()> {
        const FACILITY_DAEMON: u8 = 3 << 3;
        const LONGEST: usize = 900;
        let line = format!("<{}>{text}", FACILITY_DAEMON | level as u8);
        self.0.write_all(&line.as_bytes()[..line.len().min(LONGEST)])
    }
}
