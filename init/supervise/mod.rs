//! PID 1 as the supervisor of the daemon, on devices without another init.
//!
//! | state | event | next | effect |
//! | --- | --- | --- | --- |
//! | waiting | time is up | waiting | start |
//! | waiting | started | running | |
//! | waiting | did not start | waiting, longer | |
//! | running | ended | waiting, longer the sooner it ended | |
//! | running | ended with 100 | waiting, no time | |
//! | running | ended with 101 | over: reboot | |
//! | running | end asked for | stopping | terminate |
//! | waiting | end asked for | over | |
//! | stopping | ended | over | |
//! | stopping | time is up | stopping | kill |

mod anew;
mod state;
mod world;

use std::path::Path;

use gg_boot::settings::Settings;
use gg_sys::clock;
use gg_sys::early::{self, Terminal};
use gg_sys::kmsg::Level;
use gg_sys::power::End;
use gg_sys::process::{self, Reaped};
use gg_sys::signal::{self, Received, Send};

use crate::handover;
use crate::journal::Journal;
use crate::shutdown;
use crate::watchdog::Vigil;
pub(crate) use anew::{Passed, begin, resume};
pub(crate) use world::prepare;

use state::{Effect, Event, State};

pub(crate) fn run(journal: &mut Journal, vigil: &mut Vigil, settings: &Settings) -> ! {
    let mut state = State::new(clock::since_boot());
    loop {
        state = go_on(state, Event::Time, journal, settings);
        while let Some(event) = next_event(vigil) {
            state = go_on(state, event, journal, settings);
        }
        match &state {
            State::Over(how) => shutdown::run(journal, vigil, *how),
            state => {
                if let Some(left) = state.sleep(clock::since_boot()) {
                    vigil.sleep(left);
                }
            }
        }
    }
}

/// One event, and what follows from it at once.
fn go_on(state: State, event: Event, journal: &mut Journal, settings: &Settings) -> State {
    let (mut state, mut effect) = state.on(event, clock::since_boot(), settings.shutdown_grace);
    while let Some(now) = effect {
        let event = act(now, journal, settings);
        let Some(event) = event else { break };
        (state, effect) = state.on(event, clock::since_boot(), settings.shutdown_grace);
    }
    state
}

fn act(effect: Effect, journal: &mut Journal, settings: &Settings) -> Option<Event> {
    match effect {
        Effect::Start => Some(start(journal, settings)),
        Effect::Terminate(pid) => {
            // One that is gone already is reaped next.
            let _ = signal::send(pid, Send::Terminate);
            None
        }
        Effect::Kill(pid) => {
            journal.say(Level::Warning, "the daemon does not stop; it is killed");
            let _ = signal::send(pid, Send::Kill);
            None
        }
        Effect::Tell(text) => {
            journal.say(Level::Warning, &text);
            None
        }
    }
}

fn start(journal: &mut Journal, settings: &Settings) -> Event {
    let started = handover::supervised(settings).map_err(|failure| failure.to_string()).and_then(|(program, words)| {
        early::start(None::<&Path>, &program, &words, Terminal::None).map_err(|cause| cause.to_string())
    });
    match started {
        Ok(pid) => Event::Started(pid),
        Err(why) => {
            journal.say(Level::Error, &format!("the daemon does not start: {why}"));
            Event::NotStarted
        }
    }
}

/// What waits: children first, because ten thousand orphans that end are one signal. Each call reaps one, so nothing
/// is kept for them.
fn next_event(vigil: &mut Vigil) -> Option<Event> {
    loop {
        if let Ok(Reaped::Child { pid, end }) = process::reap_any() {
            vigil.feed();
            return Some(Event::Ended(pid, end));
        }
        let received = vigil.inbox()?.take().ok()??;
        if let Some(how) = asked(received) {
            return Some(Event::Asked(how));
        }
    }
}

/// What BusyBox's `poweroff`, `reboot` and `halt`, Ctrl-Alt-Del and a failing supply mean.
fn asked(received: Received) -> Option<End> {
    match received {
        Received::ChildEnded => None,
        Received::Terminate | Received::Interrupt => Some(End::Reboot),
        Received::User1 => Some(End::Halt),
        Received::User2 | Received::PowerFailure => Some(End::PowerOff),
    }
}
