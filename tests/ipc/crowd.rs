//! Many hostile clients: none of them costs the daemon anything that stays.

use std::fs;

use super::client::{Client, Door, Witness};
use super::core;
use super::frame::{Draft, prelude};
use super::support::{Core, eventually};

/// Kilobytes of the daemon in memory.
fn resident(core: &Core) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", core.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

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
        resident(core)
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
    let before = resident(&core);
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
    let after = resident(&core);
    assert!(after < before + (16 << 10), "50 MB for one that does not read: from {before} to {after} KB");
    drop(deaf);
    assert!(core.is_alive());
}
