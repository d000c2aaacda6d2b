//! Lines for the local syslog daemon, RFC 3164, sent by a thread of their own.
//!
//! `/dev/log` blocks its writers when the syslog daemon hangs; only this thread may wait for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use syslog::{Facility, Formatter3164, Logger, LoggerBackend};

use super::{Entry, Level};

/// The way to the thread; dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Syslog {
    lines: SyncSender<(Level, String)>,
    lost: Arc<AtomicU64>,
}

impl Syslog {
    /// Lines that may wait for a slow syslog daemon; more are counted and dropped.
    const WAITING: usize = 1024;

    pub(super) fn start() -> Self {
        Self::start_at("/dev/log".into())
    }

    fn start_at(socket: PathBuf) -> Self {
        let (lines, inbox) = sync_channel::<(Level, String)>(Self::WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        let run = move || {
            let mut link: Option<Link> = None;
            for (level, line) in inbox {
                let missed = counter.swap(0, Ordering::Relaxed);
                if missed > 0 && !deliver(&mut link, &socket, Level::Warn, format!("{missed} log lines were lost")) {
                    counter.fetch_add(missed, Ordering::Relaxed);
                }
                if !deliver(&mut link, &socket, level, line) {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        // Without the thread the receiver is gone and every line counts as lost; the next reconfiguration tries again.
        let _ = std::thread::Builder::new().name("syslog".into()).stack_size(128 * 1024).spawn(run);
        Self { lines, lost }
    }

    pub(super) fn send(&self, log: &str, entry: &Entry<'_>) {
        let mut line = format!("{log}: ");
        if let Some(event) = entry.event {
            line.push_str(event);
            line.push_str(". ");
        }
        line.push_str(&entry.message);
        for (key, value) in entry.contexts {
            line.push_str(&format!(" {key}={value}"));
        }
        if let Some(cause) = entry.cause {
            line.push_str(": ");
            line.push_str(cause);
        }
        match self.lines.try_send((entry.level, line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Says one line now, for a program that ends soon. It is lost when the syslog daemon hangs or is not there.
pub fn tell(process: &str, level: Level, line: &str) {
    tell_at(Path::new("/dev/log"), process, level, line);
}

fn tell_at(socket: &Path, process: &str, level: Level, line: &str) {
    let formatter = formatter(process);
    let Ok(mut link) = syslog::unix_custom(formatter, socket) else { return };
    if let LoggerBackend::Unix(socket) = &link.backend
        && socket.set_write_timeout(Some(PATIENCE)).is_err()
    {
        return;
    }
    say(&mut link, level, line.to_owned());
}

/// How long one line may hold up its program.
const PATIENCE: Duration = Duration::from_secs(1);

type Link = Logger<LoggerBackend, Formatter3164>;

/// Tries the open link, then once a new one: the syslog daemon may have been restarted.
fn deliver(link: &mut Option<Link>, socket: &Path, level: Level, line: String) -> bool {
    if let Some(open) = link.as_mut()
        && say(open, level, line.clone())
    {
        return true;
    }
    *link = syslog::unix_custom(formatter("greengrass"), socket).ok();
    link.as_mut().is_some_and(|open| say(open, level, line))
}

fn formatter(process: &str) -> Formatter3164 {
    Formatter3164 {
        facility: Facility::LOG_DAEMON,
        hostname: None,
        process: process.to_owned(),
        pid: std::process::id(),
    }
}

fn say(link: &mut Link, level: Level, line: String) -> bool {
    match level {
        Level::Trace | Level::Debug => link.debug(line),
        Level::Info => link.info(line),
        Level::Warn => link.warning(line),
        Level::Error => link.err(line),
    }
    .is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    fn entry(level: Level, message: &str) -> Entry<'_> {
        Entry {
            time: std::time::SystemTime::UNIX_EPOCH,
            level,
            thread: "main",
            logger: "test",
            event: None,
            message: message.into(),
            contexts: &[],
            cause: None,
        }
    }

    #[test]
    fn lines_reach_the_syslog_daemon_again_after_it_was_restarted() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("log");
        let hear = |socket: &UnixDatagram| {
            let mut line = [0; 512];
            let length = socket.recv(&mut line).unwrap();
            String::from_utf8(line[..length].to_vec()).unwrap()
        };
        let listen = || {
            let socket = UnixDatagram::bind(&path).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            socket
        };
        let daemon = listen();
        let syslog = Syslog::start_at(path.clone());
        syslog.send("com.example.A", &entry(Level::Warn, "warm"));
        let line = hear(&daemon);
        // RFC 3164: <facility * 8 + severity>; 3 is daemon, 4 is warning.
        assert!(line.starts_with("<28>"), "{line}");
        assert!(line.contains(&format!("greengrass[{}]: ", std::process::id())), "{line}");
        assert!(line.contains("com.example.A: warm"), "{line}");

        drop(daemon);
        std::fs::remove_file(&path).unwrap();
        let daemon = listen();
        syslog.send("com.example.A", &entry(Level::Info, "again"));
        assert!(hear(&daemon).contains("again"));
    }

    #[test]
    fn one_line_is_said_at_once_and_holds_nobody_up() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("log");
        tell_at(&path, "greengrass-ota", Level::Warn, "nobody listens");
        let daemon = UnixDatagram::bind(&path).unwrap();
        tell_at(&path, "greengrass-ota", Level::Error, "event=install-failed");
        let mut line = [0; 512];
        let length = daemon.recv(&mut line).unwrap();
        let line = String::from_utf8_lossy(&line[..length]);
        assert!(line.starts_with("<27>"), "{line}");
        assert!(line.contains(&format!("greengrass-ota[{}]: event=install-failed", std::process::id())), "{line}");
    }
}
