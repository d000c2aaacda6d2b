//! The end of the machine: `sync(2)`, `reboot(2)`.

use std::convert::Infallible;
use std::io;

use rustix::system::RebootCommand;

/// How a machine ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    PowerOff,
    Reboot,
    /// Stands still with the power on.
    Halt,
}

/// Makes everything durable: `sync(2)`.
pub fn sync() {
    rustix::fs::sync();
}

/// Ends the machine at once: `reboot(2)`. Nothing is written; see [`sync`]. Returns only with an error.
pub fn end(how: End) -> io::Result<Infallible> {
    rustix::system::reboot(match how {
        End::PowerOff => RebootCommand::PowerOff,
        End::Reboot => RebootCommand::Restart,
        End::Halt => RebootCommand::Halt,
    })?;
    Err(io::Error::other("the kernel came back from the end of the machine"))
}

/// Lets Ctrl-Alt-Del be a SIGINT to process 1 instead of a reset at once: `reboot(2)`.
pub fn take_ctrl_alt_del() -> io::Result<()> {
    Ok(rustix::system::reboot(RebootCommand::CadOff)?)
}
