//! Local publish/subscribe: messages between the components of this device, and with nobody else.
//!
//! Lower shelf: asks nobody. There is no task and no mailbox: publishing looks the subscribers up in a trie of filters
//! and hands the message to the [`Sink`] of each, in the publisher's own call. So the messages of one publisher reach
//! each subscriber in the order they were published. Nothing is kept: a message without subscribers is gone.
//!
//! What a publish costs depends on the filters that match it, in whole or in their first levels; not on the others.

mod handle;
mod inbox;
mod message;
#[cfg(test)]
mod tests;
mod trie;

pub use handle::{Handle, Sink, Subscription};
pub use inbox::{Inbox, Limit, Received};
pub use message::{Message, Payload};
