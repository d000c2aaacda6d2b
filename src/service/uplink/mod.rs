//! Holds the link to the cloud: one MQTT connection with mutual TLS, which says whether the cloud is reached.
//!
//! ```text
//! config -> settings -> task -> state (pure) -> open: files, TLS, broker     watch<Link> -> health, greengrass-cli
//! ```
//!
//! | state | event | next | what is done |
//! |---|---|---|---|
//! | any | settings that say all | opening | connect with the files as they are now |
//! | any | settings that lack something, or cannot be | idle | wait for others |
//! | opening | accepted | held | keep it alive |
//! | opening | failed | resting | wait: a second, twice as long each time, two minutes at most |
//! | held | lost | resting | the same; from the beginning if it has held for a while |
//! | resting | rested | opening | connect |
//!
//! It never gives up, and it never asks: while the link is held nothing happens but a sign of life a minute, and
//! without settings nothing at all. Each attempt begins anew, with nothing of the former: files that were replaced are
//! read, and the name is looked up. Nothing is published or subscribed yet.

#[cfg(feature = "uplink")]
mod open;
#[cfg(feature = "uplink")]
mod settings;
#[cfg(feature = "uplink")]
mod state;
#[cfg_attr(not(feature = "uplink"), path = "left_out.rs")]
mod task;

pub use task::spawn;
