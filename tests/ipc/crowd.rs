//! Many hostile clients: none of them costs the daemon anything that stays.

use std::fs;

use greengrass::sys::limit;
use serde_json::json;

use super::client::{Client, Door, Witness};
use super::frame::{Draft, prelude};
use super::support::{Core, eventually};
use super::{core, kilobytes};

fn open_files(core: &Core) -> usize {
    fs::read_dir(format!("/proc/{}/fd", core.pid())).unwrap().count()
}

/// One of those who come, do harm, and leave.
fn visit(door: &Door, number: usize) {
    let mut client = door.knock();
    match number % 8 {
        0 => {}
        1 => client.send(&[0xa5; 100]),
        2 => client.send(&Draft::connect(&door.token).bytes()[..40]),
        3 => {
            client.say(&Draft::connect("AAAAAAAAAAAAAAAA"));
            assert_eq!(client.receive().place(), (5, 0, 0));
        }
        4 => client.send(&prelude(24 << 20, 0)),
        5 => {
            client.say(&Draft::connect(&door.token));
            client.say(&Draft::request(1, "SubscribeToTopic", r#"{"topic":"a/+/#"}"#));
            assert_eq!([client.receive().place(), client.receive().place()], [(5, 1, 0), (0, 0, 1)]);
        }
        6 => {
            client.say(&Draft::connect(&door.token));
            client.say(&Draft::request(2, "SubscribeToTopic", "{}"));
            assert_eq!([client.receive().place(), client.receive().place()], [(5, 1, 0), (6, 0, 0)]);
        }
        _ => {
            client.say(&Draft::connect(&door.token));
            let long = format!(r#"{{"topic":"a","publishMessage":{{"binaryMessage":{{"message":"{}"#, "A".repeat(8192));
            let message = Draft::request(1, "PublishToTopic", &long).bytes();
            client.send(&message[..message.len() - 1]);
            assert_eq!(client.receive().place(), (5, 1, 0));
        }
    }
}

#[test]
fn ten_thousand_hostile_clients_leave_nothing_behind() {
    let (mut core, door) = core();
    let mut witness = Witness::new(&door);
    let rest = open_files(&core);
    let settle = |core: &Core, witness: &mut Witness| {
        eventually("every connection is closed", || open_files(core) <= rest);
        witness.sees_it_go_on("hostile clients");
        kilobytes(core, "VmRSS")
    };
    (0..1000).for_each(|number| visit(&door, number));
    let before = settle(&core, &mut witness);
    for number in 0..10_000 {
        visit(&door, number);
        if number % 1000 == 0 {
            witness.sees_it_go_on("another thousand");
        }
    }
    let after = settle(&core, &mut witness);
    assert!(after < before + 2048, "the daemon grew from {before} to {after} KB");
    assert!(core.is_alive());
}

#[test]
fn clients_that_say_nothing_do_not_keep_others_out() {
    let (mut core, door) = core();
    let mut witness = Witness::new(&door);
    let half = Draft::connect(&door.token).bytes();
    let silent: Vec<Client> = (0..600)
        .map(|number| {
            let mut client = door.knock();
            client.send(&half[..number % half.len()]);
            client
        })
        .collect();
    witness.sees_it_go_on("silent clients");
    assert_eq!(door.enter().ask(1, "SubscribeToTopic", r#"{"topic":"t"}"#).place(), (0, 0, 1));
    // They are sent away in the end, without having said who they are.
    for mut client in silent {
        assert_eq!(client.next(), None);
    }
    witness.sees_it_go_on("silent clients that were sent away");
    assert!(core.is_alive());
}

#[test]
fn client_that_never_reads_costs_a_bounded_amount() {
    let (mut core, door) = core();
    let mut witness = Witness::new(&door);
    let mut deaf = door.enter();
    assert_eq!(deaf.ask(1, "SubscribeToTopic", r#"{"topic":"flood"}"#).place(), (0, 0, 1));
    let mut publisher = door.enter();
    let before = kilobytes(&core, "VmRSS");
    let message = format!(
        r#"{{"topic":"flood","publishMessage":{{"binaryMessage":{{"message":"{}"}}}}}}"#,
        "A".repeat(256 << 10)
    );
    for stream in 1..=200 {
        assert_eq!(publisher.ask(stream, "PublishToTopic", &message).place(), (0, 2, stream));
        if stream % 20 == 0 {
            witness.sees_it_go_on("a flood");
        }
    }
    let after = kilobytes(&core, "VmRSS");
    assert!(after < before + (16 << 10), "50 MB for one that does not read: from {before} to {after} KB");
    drop(deaf);
    assert!(core.is_alive());
}

#[test]
fn thousand_clients_with_ten_subscriptions_each_hear_what_is_theirs() {
    const CLIENTS: usize = 1000;
    limit::raise_open_files().unwrap();
    // One principal gets a quarter of the connections, and the daemon needs some descriptors for itself.
    if limit::open_files().is_some_and(|files| files < 4 * 1024 + 256) {
        eprintln!("SKIPPED: the hard limit of open files, {:?}, is too small for a crowd", limit::open_files());
        return;
    }
    let (mut core, door) = core();
    let mut witness = Witness::new(&door);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| door.enter()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let topic = |stream| if stream == 10 { "all".to_owned() } else { format!("{number}/{stream}") };
        for stream in 1..=10 {
            client.say(&Draft::request(stream, "SubscribeToTopic", &json!({"topic": topic(stream)}).to_string()));
        }
        for stream in 1..=10 {
            assert_eq!(client.receive().place(), (0, 0, stream));
        }
    }
    witness.sees_it_go_on("10,000 subscriptions");
    let mut publisher = door.enter();
    let mut last = 0;
    let mut publish = |topic: String| {
        last += 1;
        let message = json!({"topic": topic, "publishMessage": {"jsonMessage": {"message": {"to": topic}}}});
        assert_eq!(publisher.ask(last, "PublishToTopic", &message.to_string()).place(), (0, 2, last));
    };
    (0..CLIENTS).for_each(|number| publish(format!("{number}/{}", number % 9 + 1)));
    publish("all".into());
    for (number, client) in clients.iter_mut().enumerate() {
        let stream = i32::try_from(number % 9 + 1).unwrap();
        for (stream, topic) in [(stream, format!("{number}/{stream}")), (10, "all".into())] {
            let event = client.receive();
            assert_eq!((event.place(), &event.json()["jsonMessage"]["message"]["to"]), ((0, 0, stream), &json!(topic)));
        }
    }
    drop(clients);
    witness.sees_it_go_on("a crowd that left");
    assert!(core.is_alive());
}
