//! Mounts: `mount(2)`, `umount(2)`, `proc_pid_mounts(5)`.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

/// What programs on a mount may do: the flags of `mount(2)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// Everything: a root.
    Full,
    /// No set-user-id bits and no device nodes: data.
    NoPrivileges,
    /// That, and no programs either: what the kernel shows of itself.
    NoPrograms,
    /// Device nodes, but no programs: `/dev`.
    DevicesAlone,
}

/// Whether a mount can be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    ReadWrite,
    ReadOnly,
}

/// Mounts a file system: `mount(2)`.
pub fn mount(
    source: &OsStr,
    target: &Path,
    kind: &str,
    access: Access,
    trust: Trust,
    options: &OsStr,
) -> io::Result<()> {
    let flags = match trust {
        Trust::Full => MountFlags::empty(),
        Trust::NoPrivileges => MountFlags::NOSUID | MountFlags::NODEV,
        Trust::NoPrograms => MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
        Trust::DevicesAlone => MountFlags::NOSUID | MountFlags::NOEXEC,
    };
    let flags = match access {
        Access::ReadWrite => flags,
        Access::ReadOnly => flags | MountFlags::RDONLY,
    };
    let options = CString::new(options.as_bytes()).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(rustix::mount::mount(source, target, kind, flags, options.as_c_str())?)
}

/// Whether [`mount`] failed because the kernel has no such file system: `ENODEV`. It has not looked at the device then.
pub fn is_unknown_to_kernel(cause: &io::Error) -> bool {
    cause.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error())
}

/// Shows a directory in a second place, without what is mounted below it: `MS_BIND` of `mount(2)`.
pub fn bind(source: &Path, target: &Path) -> io::Result<()> {
    Ok(rustix::mount::mount_bind(source, target)?)
}

/// Moves a mount with all that is mounted below it: `MS_MOVE` of `mount(2)`.
pub fn move_to(from: &Path, to: &Path) -> io::Result<()> {
    Ok(rustix::mount::mount_move(from, to)?)
}

/// Makes one mount read-only and leaves its file system as it is: `MS_REMOUNT | MS_BIND` of `mount(2)`.
pub fn make_read_only(target: &Path) -> io::Result<()> {
    Ok(rustix::mount::mount_remount(target, MountFlags::BIND | MountFlags::RDONLY, c"")?)
}

/// Makes a file system read-only, wherever it is mounted: `MS_REMOUNT | MS_RDONLY` of `mount(2)`.
/// What it had not written yet is on the disk afterwards. Refused while a file is open for writing.
pub fn remount_read_only(target: &Path) -> io::Result<()> {
    Ok(rustix::mount::mount_remount(target, MountFlags::RDONLY, c"")?)
}

/// Keeps what is mounted here from being told to other namespaces: `MS_PRIVATE | MS_REC` of `mount(2)`.
/// A mount below a shared one cannot be moved.
pub fn make_private(target: &Path) -> io::Result<()> {
    Ok(rustix::mount::mount_change(target, MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?)
}

/// Takes a mount away: `umount(2)`. Refused while it is in use.
pub fn unmount(target: &Path) -> io::Result<()> {
    Ok(rustix::mount::unmount(target, UnmountFlags::NOFOLLOW)?)
}

/// Takes a mount out of sight; it goes when nobody uses it any more: `MNT_DETACH` of `umount2(2)`.
pub fn detach(target: &Path) -> io::Result<()> {
    Ok(rustix::mount::unmount(target, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)?)
}

/// Gives the calling thread a mount table of its own: what it mounts from here on nobody else sees, and it is gone
/// when the thread is: `CLONE_NEWNS` of `unshare(2)`.
pub fn leave_shared_table() -> io::Result<()> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
    make_private(Path::new("/"))
}

/// One line of the mount table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mounted {
    pub target: PathBuf,
    pub kind: String,
    pub access: Access,
}

/// What is mounted, in the order it was mounted: `proc_pid_mounts(5)`.
pub fn mounted() -> io::Result<Vec<Mounted>> {
    let text = std::fs::read("/proc/self/mounts")?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(parse).collect())
}

fn parse(line: &[u8]) -> Option<Mounted> {
    let mut fields = line.split(|byte| *byte == b' ').skip(1);
    let target = PathBuf::from(OsStr::from_bytes(&unescaped(fields.next()?)));
    let kind = String::from_utf8_lossy(fields.next()?).into_owned();
    let read_only = fields.next()?.split(|byte| *byte == b',').any(|option| option == b"ro");
    Some(Mounted { target, kind, access: if read_only { Access::ReadOnly } else { Access::ReadWrite } })
}

/// The table writes white space and backslashes as three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|digits| *first == b'\\' && digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        match digits {
            Some(digits) => {
                plain.push(digits.iter().fold(0_u8, |sum, digit| sum.wrapping_mul(8).wrapping_add(digit - b'0')));
                rest = &tail[3..];
            }
            None => {
                plain.push(*first);
                rest = tail;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_read_with_its_escapes() {
        let line = parse(b"/dev/sda1 /a\\040b\\134 ext4 ro,relatime 0 0").unwrap();
        assert_eq!(line, Mounted { target: "/a b\\".into(), kind: "ext4".into(), access: Access::ReadOnly });
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"a b"), None);
        assert_eq!(unescaped(b"\\0\\999\\"), b"\\0\\999\\");
        assert!(mounted().unwrap().iter().any(|mount| mount.target == Path::new("/proc")));
    }

    #[test]
    fn mount_refuses_an_option_with_a_zero_byte() {
        let fault = mount("x".as_ref(), Path::new("/"), "tmpfs", Access::ReadOnly, Trust::Full, "a\0b".as_ref());
        assert_eq!(fault.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
