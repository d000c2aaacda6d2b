//! How much others go first: `setpriority(2)`, `ioprio_set(2)`. Threads that are started later inherit both.

use std::io;

/// The class of the disk accesses of a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disk {
    /// 0 goes first, 7 last, among those of this class.
    BestEffort(u8),
    /// Only while nobody else wants the disk.
    Idle,
}

/// Sets the nice value of the calling thread, 0 to 19: `setpriority(2)`.
pub fn set_nice(nice: u8) -> io::Result<()> {
    Ok(rustix::process::setpriority_process(None, i32::from(nice))?)
}

/// Sets the class of the calling thread's disk accesses: `ioprio_set(2)`. A scheduler of the kernel that has no
/// classes does not heed it.
pub fn set_disk(class: Disk) -> io::Result<()> {
    const IOPRIO_WHO_PROCESS: libc::c_int = 1;
    const CLASS_SHIFT: u32 = 13;
    let (class, level) = match class {
        Disk::BestEffort(level) => (2, libc::c_int::from(level & 7)),
        Disk::Idle => (3, 0),
    };
    let priority: libc::c_int = class << CLASS_SHIFT | level;
    // SAFETY: the call takes three numbers and changes nothing but a setting of this thread, which is 0.
    let done = unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0 as libc::c_int, priority) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_steps_back_and_others_do_not() {
        let stepped = std::thread::spawn(|| {
            set_nice(19)?;
            set_disk(Disk::BestEffort(7))?;
            set_disk(Disk::Idle)
        });
        stepped.join().unwrap().unwrap();
        assert_ne!(rustix::process::getpriority_process(None).unwrap(), 19);
    }
}
