//! The watchdog in our hands: fed while we wait for anything, so that a boot that hangs ends in a reset.

use std::path::Path;

use gg_sys::signal::Inbox;
use gg_sys::watchdog::Watchdog;
use std::time::{Duration, Instant};

use crate::journal::{Done, Failure};

/// Who sleeps, sleeps here: the watchdog is fed meanwhile, and children that ended wake us.
#[derive(Debug, Default)]
pub(crate) struct Vigil {
    watchdog: Option<Watchdog>,
    inbox: Option<Inbox>,
}

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

    pub(crate) fn feed(&mut self) {
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
