//! The watchdog in our hands: fed while we wait for anything, so that a boot that hangs ends in a reset. A slot on trial
//! has a deadline: who is not confirmed by then is no longer fed for.

use std::io;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use gg_sys::signal::Inbox;
use gg_sys::watchdog::Watchdog;

use crate::journal::{Done, Failure};
use crate::state;

/// Who sleeps, sleeps here: the watchdog is fed meanwhile, and children that ended wake us.
#[derive(Debug, Default)]
pub(crate) struct Vigil {
    watchdog: Option<Watchdog>,
    inbox: Option<Inbox>,
    deadline: Option<Deadline>,
}

/// When a slot on trial must be confirmed.
#[derive(Clone, Copy, Debug)]
struct Deadline(Instant);

impl Vigil {
    /// Signals are read from here on; until then the kernel ignores those to PID 1.
    pub(crate) fn open_inbox(&mut self) -> Result<Done<()>, Failure> {
        self.inbox = Some(Inbox::open_of_init().map_err(|cause| Failure::new("open", "the inbox of signals", cause))?);
        Ok(Done::Well((), String::new()))
    }

    pub(crate) fn has_watchdog(&self) -> bool {
        self.watchdog.is_some()
    }

    /// Starts the watchdog with a timeout in seconds.
    pub(crate) fn start(&mut self, timeout: u64) -> Result<Done<()>, Failure> {
        let device = Path::new("/dev/watchdog");
        let watchdog =
            Watchdog::open(device, timeout).map_err(|cause| Failure::new("open", device.display(), cause))?;
        let what = format!("{} s", watchdog.timeout());
        self.watchdog = Some(watchdog);
        Ok(Done::Well((), what))
    }

    /// From now on it is fed for so long, and longer only once the slot is confirmed.
    pub(crate) fn set_deadline(&mut self, time: Duration) {
        self.deadline = Some(Deadline(Instant::now() + time));
    }

    pub(crate) fn is_on_trial(&self) -> bool {
        self.deadline.is_some()
    }

    pub(crate) fn feed(&mut self) {
        if self.deadline.is_some_and(|Deadline(end)| Instant::now() >= end) {
            if !state::is_confirmed() {
                return;
            }
            self.deadline = None;
        }
        if let Some(watchdog) = &mut self.watchdog {
            // One that cannot be fed resets the machine: nothing better can be done about it here.
            let _ = watchdog.feed();
        }
    }

    /// Gives the watchdog back: stopped, so that a next init that knows nothing of it is not reset.
    pub(crate) fn stop(&mut self) -> Result<Done<()>, Failure> {
        match self.watchdog.take().map(Watchdog::stop) {
            Some(Err(cause)) => Err(Failure::new("stop", "/dev/watchdog", cause)),
            Some(Ok(())) | None => Ok(Done::Well((), String::new())),
        }
    }

    /// Lets go of it running: the next init must feed it.
    pub(crate) fn leave_running(&mut self) {
        self.feed();
        self.watchdog = None;
    }

    /// Leaves it to a process of its own that feeds it until the slot on trial is confirmed or its deadline is over:
    /// the next init knows of neither.
    pub(crate) fn leave_keeper(&mut self) -> Result<Done<()>, Failure> {
        let Some(Deadline(end)) = self.deadline else { return Ok(Done::Well((), String::new())) };
        let Some(watchdog) = self.watchdog.take() else { return Ok(Done::Well((), "there is none".to_owned())) };
        let left = end.saturating_duration_since(Instant::now()).as_secs();
        let timeout = watchdog.timeout();
        let started = Command::new("/proc/self/exe")
            .args([KEEPER, &left.to_string(), &timeout.to_string()])
            .stdin(watchdog.into_file())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = started.map_err(|cause| Failure::new("start", "the keeper of the watchdog", cause))?;
        // It is the next init's child, and outlives every waiting of ours.
        Ok(Done::Well((), format!("process {}, for {left} s", child.id())))
    }

    /// Hands the watchdog over to the program that this process becomes, as standard input. The words say to
    /// [`passed_on`](Self::passed_on) how many seconds it has, and how many are left until the deadline.
    pub(crate) fn pass_on(&mut self) -> io::Result<[String; 2]> {
        self.feed();
        let timeout = self.watchdog.as_ref().map(Watchdog::timeout);
        let left = self.deadline.map(|Deadline(end)| end.saturating_duration_since(Instant::now()).as_secs());
        if let Some(watchdog) = &self.watchdog {
            watchdog.become_stdin()?;
        }
        Ok([timeout, left].map(|seconds| seconds.map_or_else(|| NONE.to_owned(), |seconds| seconds.to_string())))
    }

    /// What the former program of this process passed on.
    pub(crate) fn passed_on([timeout, left]: [&str; 2]) -> Self {
        let watchdog = timeout.parse().ok().and_then(|timeout| Watchdog::from_stdin(timeout).ok());
        let deadline = left.parse().ok().map(|left| Deadline(Instant::now() + Duration::from_secs(left)));
        Self { watchdog, inbox: None, deadline }
    }

    /// Where there is no such program after all.
    pub(crate) fn take_back(&mut self) {
        // A daemon that is started with it could stop it by one letter, but has no reason to.
        let _ = self.watchdog.as_ref().map(Watchdog::leave_stdin);
    }

    /// The signals that wait.
    pub(crate) fn inbox(&self) -> Option<&Inbox> {
        self.inbox.as_ref()
    }

    /// Sleeps until a signal arrives, a meal is due, or the time is up.
    pub(crate) fn sleep(&mut self, limit: Duration) {
        self.feed();
        // Three meals in a timeout: one may come late.
        let meal = self.watchdog.as_ref().map(|watchdog| Duration::from_secs(watchdog.timeout()) / 3);
        let limit = meal.map_or(limit, |meal| limit.min(meal));
        let slept = self.inbox.as_ref().is_some_and(|inbox| inbox.wait(limit).is_ok());
        if !slept {
            std::thread::sleep(limit);
        }
    }

    /// Sleeps so long, whatever arrives.
    pub(crate) fn sleep_through(&mut self, time: Duration) {
        let start = Instant::now();
        while let Some(left) = time.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
            self.drain();
            self.sleep(left);
        }
    }

    /// Takes and forgets what waits: an unread signal would wake every sleep at once.
    pub(crate) fn drain(&self) {
        let Some(inbox) = &self.inbox else { return };
        while let Ok(Some(_)) = inbox.take() {}
    }
}

/// In place of a number of seconds.
const NONE: &str = "-";

/// The first argument of the process that [`Vigil::leave_keeper`] starts; the seconds until the deadline and those of
/// the watchdog follow.
pub(crate) const KEEPER: &str = "--keep-watchdog";

/// Feeds the watchdog that is its standard input until the slot is confirmed, then stops it. At the deadline it leaves
/// it running: the machine is reset, and the try is spent.
pub(crate) fn keep() -> ExitCode {
    let number = |index| std::env::args().nth(index).and_then(|text| text.parse().ok());
    let (Some(left), Some(timeout)) = (number(2), number(3)) else { return ExitCode::from(64) };
    let Ok(mut watchdog) = Watchdog::from_stdin(timeout) else { return ExitCode::FAILURE };
    let end = Instant::now() + Duration::from_secs(left);
    let meal = Duration::from_secs((timeout / 3).clamp(1, 10));
    loop {
        if state::is_confirmed() {
            return if watchdog.stop().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        if Instant::now() >= end {
            return ExitCode::FAILURE;
        }
        let _ = watchdog.feed();
        std::thread::sleep(meal.min(end.saturating_duration_since(Instant::now())));
    }
}
