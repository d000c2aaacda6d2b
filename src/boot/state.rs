//! Slot state: which slot is confirmed, which is on trial, and what was meant; kept so that no cut loses it.
//!
//! **Intent in the record before, the boot loader's environment is the commit point, completion in the record after.**
//! The record ([`record`], two copies of 512 bytes in [`store`]) is the journal. The environment ([`backend`]) is what
//! boots. [`machine`] is pure: from both, and the slot that runs, it decides what is written next, in which order;
//! [`slots`] does that, and is what an installer calls. Every write is one sector over its own place, or over a copy
//! that is not in use. An ordinary boot writes nothing.
//!
//! | phase | record | environment | runs |
//! | --- | --- | --- | --- |
//! | idle | target empty, good, bad or unknown | ok | ok |
//! | writing | target writing | ok | ok |
//! | valid | target valid | ok | ok |
//! | prepared | trial = target | ok | ok |
//! | armed | trial = target | trial = target | ok |
//! | trial | trial = target | trial = target, tries left | target |
//!
//! `docs/journeys/slot-state.md` goes through each write and what a cut at it leaves.

pub mod backend;
mod crc;
pub mod device;
pub mod fat;
pub mod gpt;
pub mod grubenv;
pub mod machine;
pub mod medium;
pub mod record;
pub mod ring;
#[cfg(any(test, feature = "simulator"))]
pub mod simulator;
pub mod slots;
pub mod store;
pub mod uboot;
pub mod variables;
