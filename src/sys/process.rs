//! Children and other processes: `waitpid(2)`, `prctl(2)`, `proc(5)`.

use std::collections::HashMap;
use std::ffi::CStr;
use std::io;

use nix::sys::wait::{Id, WaitPidFlag};
use rustix::process::WaitOptions;

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    Code(i32),
    Signal(i32),
}

/// Takes the end of a child off the kernel's hands: `waitpid(2)` with `WNOHANG`. `None` while it lives.
pub fn reap(pid: i32) -> io::Result<Option<Ended>> {
    let pid = rustix::process::Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    let status = rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(pid), WaitOptions::NOHANG))?;
    Ok(status.and_then(|(_, status)| ended(status)))
}

/// Waits for whichever child ends next: `waitpid(2)`. `None` when there is no child left.
pub fn reap_next() -> io::Result<Option<(i32, Ended)>> {
    loop {
        match rustix::io::retry_on_intr(|| rustix::process::wait(WaitOptions::empty())) {
            Ok(Some((pid, status))) => match ended(status) {
                Some(end) => return Ok(Some((pid.as_raw_nonzero().get(), end))),
                None => continue,
            },
            Ok(None) => continue,
            Err(rustix::io::Errno::CHILD) => return Ok(None),
            Err(cause) => return Err(cause.into()),
        }
    }
}

/// Whichever child has ended already, reaped: `waitpid(2)` with `WNOHANG`.
pub fn reap_any() -> io::Result<Reaped> {
    match rustix::io::retry_on_intr(|| rustix::process::wait(WaitOptions::NOHANG)) {
        Ok(Some((pid, status))) => match ended(status) {
            Some(end) => Ok(Reaped::Child { pid: pid.as_raw_nonzero().get(), end }),
            None => Ok(Reaped::NoneEnded),
        },
        Ok(None) => Ok(Reaped::NoneEnded),
        Err(rustix::io::Errno::CHILD) => Ok(Reaped::Childless),
        Err(cause) => Err(cause.into()),
    }
}

/// What [`reap_any`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reaped {
    Child { pid: i32, end: Ended },
    NoneEnded,
    Childless,
}

/// A child that has ended and waits to be reaped, left as it is: `waitid(2)` with `WNOWAIT`.
pub fn peek_ended() -> io::Result<Option<i32>> {
    let options = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    match nix::sys::wait::waitid(Id::All, options) {
        Ok(status) => Ok(status.pid().map(nix::unistd::Pid::as_raw)),
        Err(nix::Error::ECHILD | nix::Error::EINTR) => Ok(None),
        Err(cause) => Err(cause.into()),
    }
}

/// Makes orphans among the descendants children of this process: `PR_SET_CHILD_SUBREAPER` of `prctl(2)`.
pub fn become_subreaper() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(rustix::process::Pid::from_raw(1))?)
}

/// Names this thread, and so a process of one thread, in process lists: `PR_SET_NAME` of `prctl(2)`.
pub fn set_name(name: &CStr) -> io::Result<()> {
    Ok(rustix::thread::set_name(name)?)
}

/// Whether the calling thread is the one the process started with: `gettid(2)`.
pub fn on_main_thread() -> bool {
    rustix::thread::gettid() == rustix::process::getpid()
}

/// The number of this process: `getpid(2)`.
pub fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// Every living process below `ancestor`, nearest first, without `ancestor`: `proc(5)`.
///
/// A snapshot: processes come and go while it is taken. Zombies are left out.
pub fn descendants(ancestor: i32) -> io::Result<Vec<i32>> {
    Ok(below(ancestor, &mut family()?))
}

/// Each child of `ancestor` with the living processes of its tree, itself first: `proc(5)`.
pub fn trees_below(ancestor: i32) -> io::Result<Vec<(i32, Vec<i32>)>> {
    let mut family = family()?;
    let children = family.remove(&ancestor).unwrap_or_default();
    let tree = |child: Member| {
        let own = (!child.dead).then_some(child.pid);
        (child.pid, own.into_iter().chain(below(child.pid, &mut family)).collect())
    };
    Ok(children.into_iter().map(tree).collect())
}

#[derive(Clone, Copy)]
struct Member {
    pid: i32,
    dead: bool,
}

/// All processes, by their parents.
fn family() -> io::Result<HashMap<i32, Vec<Member>>> {
    let mut children: HashMap<i32, Vec<Member>> = HashMap::new();
    for process in procfs::process::all_processes().map_err(io::Error::other)?.flatten() {
        // One that ends meanwhile is no relative any more.
        if let Ok(stat) = process.stat() {
            let member = Member { pid: stat.pid, dead: matches!(stat.state, 'Z' | 'X') };
            children.entry(stat.ppid).or_default().push(member);
        }
    }
    Ok(children)
}

fn below(ancestor: i32, family: &mut HashMap<i32, Vec<Member>>) -> Vec<i32> {
    let mut found = Vec::new();
    let mut front = vec![ancestor];
    while let Some(parent) = front.pop() {
        for child in family.remove(&parent).unwrap_or_default() {
            front.push(child.pid);
            if !child.dead {
                found.push(child.pid);
            }
        }
    }
    found
}

/// The state letter of a process (`R`, `S`, `D`, `T`, `Z`, ...): `proc_pid_stat(5)`. `None` if there is no such process.
pub fn state(pid: i32) -> Option<char> {
    procfs::process::Process::new(pid).and_then(|process| process.stat()).map(|stat| stat.state).ok()
}

/// What tells a process from another that got its number later: `proc(5)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Clock ticks since the machine started.
    pub started: u64,
    /// The effective user.
    pub uid: u32,
}

/// Looks at a process; `None` when there is none of this number, or only its zombie.
pub fn identity(pid: i32) -> io::Result<Option<Identity>> {
    let look = || {
        let process = procfs::process::Process::new(pid)?;
        let stat = process.stat()?;
        let status = process.status()?;
        Ok(living(&stat).then_some(Identity { started: stat.starttime, uid: status.euid }))
    };
    there(look()).map(Option::flatten)
}

/// A process and all above it that we may see, nearest first, up to the init of our pid namespace; `None` when it is
/// gone.
///
/// A process never starts before its parent: a younger one above means that a parent has ended and its number is
/// another's already. Then, as when a parent ends on the way, the walk begins again.
pub fn line_of(pid: i32) -> io::Result<Option<Vec<i32>>> {
    let mut missed = None;
    for _ in 0..WALKS {
        let mut line = Vec::new();
        let mut youngest = u64::MAX;
        let mut next = pid;
        loop {
            match there(procfs::process::Process::new(next).and_then(|process| process.stat()))? {
                Some(stat) if stat.starttime <= youngest && (next != pid || living(&stat)) => {
                    youngest = stat.starttime;
                    line.push(next);
                    next = stat.ppid;
                }
                _ if next == pid => return Ok(None),
                // Who loses its parent has another before the old one is gone: this one is there, and hidden from us.
                None if missed == Some((line.clone(), next)) => return Ok(Some(line)),
                None => {
                    missed = Some((line, next));
                    break;
                }
                Some(_) => break,
            }
            // 0 is above init, and above what came in from another pid namespace.
            if next == 0 {
                return Ok(Some(line));
            }
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Parents that end while their children are looked at, one after the other.
const WALKS: usize = 16;

fn living(stat: &procfs::process::Stat) -> bool {
    !matches!(stat.state, 'Z' | 'X')
}

/// Tells a process that is gone from one that cannot be looked at.
fn there<T>(found: procfs::ProcResult<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(procfs::ProcError::NotFound(_)) => Ok(None),
        // It ended between open and read.
        Err(procfs::ProcError::Io(cause, _)) if cause.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(cause) => Err(io::Error::other(cause)),
    }
}

fn ended(status: rustix::process::WaitStatus) -> Option<Ended> {
    status.exit_status().map(Ended::Code).or_else(|| status.terminating_signal().map(Ended::Signal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn descendants_holds_a_grandchild() {
        let mut child =
            Command::new("sh").args(["-c", "sleep 77 & read x"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let below = loop {
            let below = descendants(pid).unwrap();
            if !below.is_empty() {
                break below;
            }
            std::thread::yield_now();
        };
        assert!(descendants(own_pid()).unwrap().contains(&pid));
        for pid in below {
            crate::signal::send(pid, crate::signal::Send::Kill).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(state(pid), None);
    }

    #[test]
    fn line_leads_from_a_process_over_its_parent_to_the_init() {
        let mut child = Command::new("sleep").arg("77").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let line = line_of(pid).unwrap().unwrap();
        assert_eq!(line[..2], [pid, own_pid()]);
        assert_eq!(identity(pid).unwrap().unwrap().uid, crate::account::own().uid);
        child.kill().unwrap();
        while state(pid) != Some('Z') {
            std::thread::yield_now();
        }
        // A zombie says nothing any more.
        assert_eq!((identity(pid).unwrap(), line_of(pid).unwrap()), (None, None));
        child.wait().unwrap();
        assert_eq!((identity(pid).unwrap(), line_of(pid).unwrap()), (None, None));
    }
}
