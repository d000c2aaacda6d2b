//! What machine this is: `uname(2)`.

/// Kernel name, release, version and hardware name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Machine {
    pub system: String,
    pub host: String,
    pub release: String,
    pub version: String,
    pub hardware: String,
}

/// Asks the kernel: `uname(2)`.
pub fn machine() -> Machine {
    let name = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    Machine {
        system: text(name.sysname()),
        host: text(name.nodename()),
        release: text(name.release()),
        version: text(name.version()),
        hardware: text(name.machine()),
    }
}

/// Sets the host name: `sethostname(2)`.
pub fn set_host(name: &str) -> std::io::Result<()> {
    Ok(rustix::system::sethostname(name.as_bytes())?)
}
