//! What components feel when they talk: latency, throughput, sizes, crowds. Raw clients, but for the SDK's figure.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use gg_wire::eventstream::{MAX_MESSAGE, MessageType};
use serde_json::{Value, json};

use super::{Measured, median, milliseconds, rounded};
use crate::client::{Client, Door, publish_request};
use crate::core::{Core, PATIENCE};
use crate::proc::{Cost, pss_kib};

pub(super) fn latency(binary: &Path) -> io::Result<Measured> {
    let (core, door) = talking(binary)?;
    let mut pair = Pair::meet(&door, "bench/latency")?;
    pair.talk(&core, WARM_UP)?;
    let talk = pair.talk(&core, MESSAGES)?;
    let met = talk.p50_us <= LITE_P50_US / 5.0 && talk.cpu_us <= LITE_CPU_US / 8.0;
    let note = format!(
        "{MESSAGES} JSON messages of {SMALL} bytes, one in flight; {} context switches of the daemon each; \
         1/{:.0} of lite's p50, 1/{:.0} of its CPU",
        talk.switches,
        LITE_P50_US / talk.p50_us,
        LITE_CPU_US / talk.cpu_us
    );
    let value = json!({ "p50_us": talk.p50_us, "p99_us": talk.p99_us, "cpu_us": talk.cpu_us });
    Ok(Measured { value, met, note })
}

pub(super) fn sdk_throughput(binary: &Path) -> io::Result<Measured> {
    let python = crate::target().join("sdk/python/bin/python");
    if !python.exists() {
        let note = "SKIPPED: there is no Python SDK in target/sdk; `make sdk` fetches it".to_owned();
        return Ok(Measured { value: Value::Null, met: false, note });
    }
    let (core, door) = talking(binary)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("publisher.py");
    let mut publisher = Command::new(python)
        .args(["-B".as_ref(), script.as_os_str(), "bench/throughput".as_ref()])
        .args([WARM_UP.to_string(), MESSAGES.to_string()])
        .env("AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT", &door.socket)
        .env("SVCUID", &door.token)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (Some(mut start), Some(said)) = (publisher.stdin.take(), publisher.stdout.take()) else {
        return Err(io::Error::other("the publisher has no pipes"));
    };
    let mut said = BufReader::new(said).lines();
    let mut line = || said.next().unwrap_or_else(|| Err(io::Error::other("the publisher ended early")));
    line()?;
    let before = Cost::of(core.pid())?;
    writeln!(start)?;
    let report = line()?;
    let spent = Cost::of(core.pid())? - before;
    publisher.wait()?;
    let report: Value = serde_json::from_str(&report)?;
    let seconds = |name: &str| report[name].as_f64().unwrap_or(f64::NAN);
    let (ours, clients) = (each_us(spent.cpu_ns), seconds("cpu_seconds") * 1e6 / MESSAGES as f64);
    let share = ours / clients;
    let value = json!({
        "messages_per_s": (MESSAGES as f64 / seconds("seconds")).round(),
        "daemon_cpu_us": ours,
        "client_cpu_us": rounded(clients),
        "daemon_cpu_share_of_client": rounded(share),
    });
    let note = format!("{MESSAGES} messages of {SMALL} bytes, 32 in flight, the SDK at both ends in one process");
    Ok(Measured { value, met: share <= 0.1, note })
}

pub(super) fn largest_message(binary: &Path) -> io::Result<Measured> {
    let (_core, door) = talking(binary)?;
    let (mut passes, mut fails) = (SMALL, MAX_MESSAGE);
    while fails - passes > 1 {
        let bytes = passes.midpoint(fails);
        if goes_through(&door, bytes)? {
            passes = bytes;
        } else {
            fails = bytes;
        }
    }
    let note = format!(
        "one byte more does not; a frame may have {MAX_MESSAGE} bytes, {} of them are headers and context",
        MAX_MESSAGE - passes
    );
    Ok(Measured { value: json!({ "ipc_bytes": passes }), met: passes >= MAX_MESSAGE - ENVELOPE, note })
}

pub(super) fn clients(binary: &Path) -> io::Result<Measured> {
    let (core, door) = talking(binary)?;
    let mut pair = Pair::meet(&door, "bench/crowd")?;
    pair.talk(&core, WARM_UP)?;
    let alone = pair.talk(&core, MESSAGES)?;
    let empty = settled_kib(&core)?;
    let begun = Instant::now();
    let mut clients = (0..CLIENTS).map(|_| Client::connect(&door)).collect::<io::Result<Vec<_>>>()?;
    let connecting = begun.elapsed();
    let connected = settled_kib(&core)?;
    let begun = Instant::now();
    for (number, client) in clients.iter_mut().enumerate() {
        for subscription in 0..SUBSCRIPTIONS {
            client.subscribe(&format!("clients/{number}/inbox/{subscription}"))?;
        }
    }
    let subscribing = begun.elapsed();
    let subscribed = settled_kib(&core)?;
    let crowded = pair.talk(&core, MESSAGES)?;
    let count = clients.len();
    drop(clients);
    let left = settled_kib(&core)?;
    let bytes = |more: u64, less: u64, each: usize| more.saturating_sub(less) * 1024 / each as u64;
    let per_connection = bytes(connected, empty, count);
    let ratio = rounded(crowded.cpu_us / alone.cpu_us);
    let value = json!({
        "clients": count,
        "bytes_per_idle_connection": per_connection,
        "bytes_per_subscription": bytes(subscribed, connected, count * SUBSCRIPTIONS),
        "publish_cpu_ratio": ratio,
    });
    let note = format!(
        "connected in {} ms, {} subscriptions in {} ms; a publish to one of them costs {} us of CPU, {} us with 1; \
         {} KiB more than before when all have left",
        milliseconds(connecting),
        count * SUBSCRIPTIONS,
        milliseconds(subscribing),
        crowded.cpu_us,
        alone.cpu_us,
        left.saturating_sub(empty),
    );
    Ok(Measured { value, met: count >= 1000 && per_connection <= 8192 && ratio <= SAME, note })
}

pub(super) fn fan_out(binary: &Path) -> io::Result<Measured> {
    let (core, door) = talking(binary)?;
    let mut publisher = Client::connect(&door)?;
    let mut subscribers = (0..AUDIENCE).map(|_| Client::connect(&door)).collect::<io::Result<Vec<_>>>()?;
    for subscriber in &mut subscribers {
        subscriber.subscribe("bench/fan-out")?;
    }
    let request = publish_request("bench/fan-out", SMALL);
    let mut times = Vec::new();
    let before = Cost::of(core.pid())?;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        publisher.publish(&request)?;
        for subscriber in &mut subscribers {
            subscriber.receive()?.application()?;
        }
        times.push(begun.elapsed());
        publisher.receive()?.application()?;
    }
    let spent = Cost::of(core.pid())? - before;
    times.sort();
    let all = median(&times);
    let cpu_us = rounded(spent.cpu_ns as f64 / 1000.0 / (ROUNDS * AUDIENCE) as f64);
    let note = format!("{ROUNDS} messages of {SMALL} bytes; one thread reads all {AUDIENCE} subscribers");
    let value = json!({ "last_has_it_ms": milliseconds(all), "cpu_us_per_delivery": cpu_us });
    Ok(Measured { value, met: milliseconds(all) <= LITE_P50_US / 1000.0 * AUDIENCE as f64 / 5.0, note })
}

/// A daemon with a component through whose eyes the clients come.
fn talking(binary: &Path) -> io::Result<(Core, Door)> {
    let mut core = Core::new(binary)?;
    core.start()?;
    let door = core.deploy_talker(&["aws.greengrass.ipc.pubsub"])?;
    Ok((core, door))
}

/// One who publishes and one who listens.
struct Pair {
    publisher: Client,
    subscriber: Client,
    request: Vec<u8>,
}

/// What a message took.
struct Talk {
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
    switches: f64,
}

impl Pair {
    fn meet(door: &Door, topic: &str) -> io::Result<Self> {
        let (publisher, mut subscriber) = (Client::connect(door)?, Client::connect(door)?);
        subscriber.subscribe(topic)?;
        Ok(Self { publisher, subscriber, request: publish_request(topic, SMALL) })
    }

    fn talk(&mut self, core: &Core, messages: usize) -> io::Result<Talk> {
        let mut times = Vec::with_capacity(messages);
        let before = Cost::of(core.pid())?;
        for _ in 0..messages {
            let begun = Instant::now();
            self.publisher.publish(&self.request)?;
            self.subscriber.receive()?.application()?;
            times.push(begun.elapsed());
            self.publisher.receive()?.application()?;
        }
        let spent = Cost::of(core.pid())? - before;
        times.sort();
        let at = |part: f64| microseconds(times[((messages - 1) as f64 * part) as usize]);
        let each = |count: f64| rounded(count / messages as f64);
        let (cpu_us, switches) = (each(spent.cpu_ns as f64 / 1000.0), each(spent.switches as f64));
        Ok(Talk { p50_us: at(0.5), p99_us: at(0.99), cpu_us, switches })
    }
}

/// Whether a message of that many bytes arrives. Order is kept, so a later one tells that it will not.
fn goes_through(door: &Door, bytes: usize) -> io::Result<bool> {
    let mut pair = Pair::meet(door, "bench/largest")?;
    let sent = pair.publisher.publish(&publish_request("bench/largest", bytes));
    match sent.and_then(|()| pair.publisher.receive()) {
        Ok(answer) if answer.kind == MessageType::ProtocolError => return Ok(false),
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
            return Ok(false);
        }
        answer => answer?.application()?,
    };
    pair.publisher.publish(&pair.request)?;
    Ok(pair.subscriber.receive()?.application()?.len() >= bytes)
}

/// The daemon's memory once it does nothing any more.
fn settled_kib(core: &Core) -> io::Result<u64> {
    let begun = Instant::now();
    let mut before = Cost::of(core.pid())?;
    while begun.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(200));
        let now = Cost::of(core.pid())?;
        if now.cpu_ns == before.cpu_ns {
            break;
        }
        before = now;
    }
    pss_kib(core.pid())
}

fn each_us(cpu_ns: u64) -> f64 {
    rounded(cpu_ns as f64 / 1000.0 / MESSAGES as f64)
}

fn microseconds(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1e6)
}

const LITE_P50_US: f64 = 531.0;
const LITE_CPU_US: f64 = 513.0;
/// Bytes of a usual message.
const SMALL: usize = 100;
/// Messages before the measured ones: caches and branch predictors know the way then.
const WARM_UP: usize = 2_000;
const MESSAGES: usize = 20_000;
const CLIENTS: usize = 1_000;
const SUBSCRIPTIONS: usize = 10;
/// Subscribers of one message.
const AUDIENCE: usize = 100;
const ROUNDS: usize = 200;
/// Headers and JSON around a message, generously: what a frame may lack of its limit.
const ENVELOPE: usize = 1024;
/// Two costs that are the same, but for noise.
const SAME: f64 = 1.2;
