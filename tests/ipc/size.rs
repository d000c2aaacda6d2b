//! What a message of nearly the protocol's limit costs the daemon.

use super::frame::Draft;
use super::{core, kilobytes};

/// The frame as it came, the request that was read from it, and the event for all subscribers; nothing is copied
/// between them, and none has room for more than it holds.
#[test]
fn large_message_is_held_three_times_at_most() {
    const SIZE: u64 = 23 << 10;
    let text = "A".repeat(23 << 20);
    for message in [
        format!(r#"{{"jsonMessage":{{"message":{{"text":"{text}"}}}}}}"#),
        format!(r#"{{"binaryMessage":{{"message":"{text}"}}}}"#),
    ] {
        let (core, door) = core();
        let mut client = door.enter();
        assert_eq!(client.ask(1, "SubscribeToTopic", r#"{"topic":"t"}"#).place(), (0, 0, 1));
        let before = kilobytes(&core, "VmRSS");
        let publish = format!(r#"{{"topic":"t","publishMessage":{message}}}"#);
        client.say(&Draft::request(2, "PublishToTopic", &publish));
        let mut came = [client.receive(), client.receive()];
        came.sort_by_key(|frame| frame.place().2);
        assert_eq!(came.each_ref().map(super::frame::Frame::place), [(0, 0, 1), (0, 2, 2)]);
        assert!(came[0].bytes.len() > text.len(), "the event holds the message");
        let peak = kilobytes(&core, "VmHWM") - before;
        println!("{peak} KB at the peak for {SIZE} KB");
        assert!(peak < 3 * SIZE + SLACK, "{peak} KB at the peak, for a message of {SIZE} KB");
    }
}

/// Kilobytes: buffers of the connection, and the allocator's own.
const SLACK: u64 = 4 << 10;
