//! How far an installation is: one line on a terminal, drawn again and again, and the sums that metrics tell of.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::Output;
use crate::service::ota::device::Device;
use crate::service::ota::headway::Headway;
use crate::service::ota::settings::Settings;
use crate::service::ota::status::Overview;
use crate::service::ota::totals::Totals;
use crate::service::ota::update::Event;

/// Hears what is told of an installation, from any thread.
pub(super) struct Meter {
    begun: Instant,
    is_drawn: bool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Who watches from elsewhere.
    headway: Option<Headway>,
    /// Images that are in their places.
    images: usize,
    /// Bytes of them that the device had already.
    reused: u64,
    /// What is measured, and since when.
    stage: Option<Stage>,
    drawn_at: Option<Instant>,
}

/// One image, written or read back.
struct Stage {
    name: String,
    begun: Instant,
}

/// Where an installation is.
#[derive(Clone, Copy)]
struct Place<'a> {
    stage: &'a str,
    done: u64,
    /// Since this stage began, and since all of it did.
    elapsed: [Duration; 2],
    /// Of everything.
    percent: u64,
}

/// Often enough to look alive, and seldom enough for a serial console.
const PERIOD: Duration = Duration::from_millis(200);
/// Letters of the bar.
const WIDTH: usize = 24;
/// Back to the first column, and nothing behind it.
const ERASE: &str = "\r\x1b[K";

impl Meter {
    /// Draws on a terminal alone, and beside nothing that programs read.
    pub(super) fn new(output: Output) -> Self {
        let is_drawn = output == Output::Text && io::stderr().is_terminal();
        Self { begun: Instant::now(), is_drawn, seen: Mutex::default() }
    }

    /// From now on others can tell how far it is, too.
    pub(super) fn announce(&self, headway: Headway) {
        if let Ok(mut seen) = self.seen.lock() {
            seen.headway = Some(headway);
        }
    }

    pub(super) fn hear(&self, event: &Event<'_>) {
        let Ok(mut seen) = self.seen.lock() else { return };
        if let (Event::Progress { percent, .. }, Some(headway)) = (event, &seen.headway) {
            headway.tell(*percent);
        }
        match event {
            Event::Image { kept, reused, .. } => {
                seen.images += 1;
                // Those that are kept are reused, where that is looked for at all.
                seen.reused = seen.reused.saturating_add(*kept.max(reused));
                self.erase();
            }
            Event::Progress { class, phase, done, percent, .. } if self.is_drawn => {
                let now = Instant::now();
                let name = format!("{class} {}", phase.name());
                let since = match seen.stage.take().filter(|stage| stage.name == name) {
                    Some(stage) => stage.begun,
                    None => now,
                };
                if seen.drawn_at.is_none_or(|at| now - at >= PERIOD) {
                    seen.drawn_at = Some(now);
                    let elapsed = [now - since, now - self.begun];
                    draw(&format!("{ERASE}{}", line(Place { stage: &name, done: *done, elapsed, percent: *percent })));
                }
                seen.stage = Some(Stage { name, begun: since });
            }
            _ => {}
        }
    }

    /// No half a line stays behind, whatever comes next.
    pub(super) fn erase(&self) {
        if self.is_drawn {
            draw(ERASE);
        }
    }

    /// What of it lasts: the sums, and the copy for everybody. An installation is done without them, too.
    pub(super) fn keep(&self, device: &Device, settings: &Settings, bytes_fetched: u64) {
        let (images, bytes_reused) = self.seen.lock().map_or((0, 0), |seen| (seen.images, seen.reused));
        // What only was armed took no time.
        if images > 0 {
            let milliseconds = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            let installation = Totals { bytes_fetched, bytes_reused, last_duration_milliseconds: milliseconds };
            let _ = Totals::add(device.data(), installation);
        }
        if let Ok(overview) = Overview::of(device) {
            let _ = overview.publish(settings);
        }
    }
}

/// A terminal that is gone is no reason to end.
fn draw(text: &str) {
    let mut terminal = io::stderr().lock();
    let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
}

fn line(place: Place<'_>) -> String {
    let Place { stage, done, elapsed: [of_stage, of_all], percent } = place;
    let percent = percent.min(100);
    let filled = usize::try_from(percent).unwrap_or(0) * WIDTH / 100;
    let mut text = format!("{stage:<18.18} [{}{}] {percent:>3} %", "#".repeat(filled), ".".repeat(WIDTH - filled));
    if !of_stage.is_zero() {
        let _ = write!(text, " {:>6.1} MB/s", done as f64 / of_stage.as_secs_f64() / 1e6);
    }
    // Too early, a guess is worse than none.
    if (2..100).contains(&percent) {
        let left = of_all.as_secs().saturating_mul(100 - percent) / percent;
        let _ = write!(text, " {:>3}:{:02} left", left / 60, left % 60);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_fits_a_terminal_and_says_when_it_is_done() {
        let elapsed = [Duration::from_secs(2), Duration::from_secs(60)];
        let place = Place { stage: "rootfs write", done: 30_000_000, elapsed, percent: 25 };
        assert_eq!(line(place), "rootfs write       [######..................]  25 %   15.0 MB/s   3:00 left");
        let place = Place { stage: &"long".repeat(20), done: u64::MAX, elapsed: [Duration::ZERO; 2], percent: 1000 };
        let line = line(place);
        assert_eq!((line.len(), line.ends_with("100 %")), (18 + 3 + WIDTH + 6, true), "{line}");
    }

    #[test]
    fn meter_without_a_terminal_only_counts() {
        let meter = Meter { begun: Instant::now(), is_drawn: false, seen: Mutex::default() };
        let path = std::path::Path::new("/dev/x");
        for (kept, reused) in [(3, 0), (1, 4)] {
            meter.hear(&Event::Image { class: "rootfs", path, size: 9, kept, reused, elapsed: Duration::ZERO });
        }
        let seen = meter.seen.into_inner().unwrap();
        assert_eq!((seen.images, seen.reused), (2, 7));
    }
}
