//! Bad input and faults, end to end: each is told to the user of greengrass-cli by name, what ran before still runs,
//! and the daemon takes the next deployment.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "faults/archives.rs"]
mod archives;
#[path = "faults/configuration.rs"]
mod configuration;
#[path = "faults/device.rs"]
mod device;
#[path = "faults/disk.rs"]
mod disk;
#[path = "faults/door.rs"]
mod door;
#[path = "faults/recipes.rs"]
mod recipes;
#[path = "faults/requests.rs"]
mod requests;
#[path = "faults/scripts.rs"]
mod scripts;
mod support;
