//! What a message of nearly the protocol's limit costs the daemon.

use std::fs;

use super::core;
use super::frame::Draft;
use super::support::Core;

/// The frame as it came, the request that was read from it, and the event for all subscribers; nothing is copied
/// between them, and none has room for more than it holds.
#[test]
fn large_message_is_held_three_times_at_most() {
    const SIZE: usize = 23 << 20;
    let text = "A".repeat(SIZE);
    for message in [
        format!(r#"{{"jsonMessage":{{"message":{{"text":"{text}"}}}}}}"#),
        format!(r#"{{"binaryMessage":{{"message":"{text}"}}}}"#),
    ] {
        let (core, door) = core();
        let mut client = door.enter();
        assert_eq!(client.ask(1, "SubscribeToTopic", r#"{"topic":"t"}"#).place(), (0, 0, 1));
        let before = bytes_of(&core, "VmRSS");
        let publish = format!(r#"{{"topic":"t","publishMessage":{message}}}"#);
        client.say(&Draft::request(2, "PublishToTopic", &publish));
        let mut came = [client.receive(), client.receive()];
        came.sort_by_key(|frame| frame.place().2);
        assert_eq!(came.each_ref().map(super::frame::Frame::place), [(0, 0, 1), (0, 2, 2)]);
        let event = &came[0].bytes;
        assert!(event.len() > SIZE, "the event holds the message");
        let peak = bytes_of(&core, "VmHWM") - before;
        println!("{} MB at the peak for {} MB", peak / 1_000_000, SIZE / 1_000_000);
        assert!(peak < 3 * SIZE + SLACK, "{peak} bytes at the peak, for a message of {SIZE}");
    }
}

/// Buffers of the connection, and the allocator's own.
const SLACK: usize = 4 << 20;

fn bytes_of(core: &Core, field: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", core.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
