//! The link to the cloud, held by a real daemon to a real broker: mosquitto, with mutual TLS.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(feature = "uplink")]

#[path = "uplink/broker.rs"]
mod broker;
mod support;
#[cfg(feature = "ota")]
#[path = "uplink/trial.rs"]
mod trial;

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use broker::{Broker, Keys, Kind};
use support::{Core, PATIENCE, eventually};

/// How the daemon says that the link is.
fn link(core: &Core) -> String {
    core.json(&["status"])["cloud"].as_str().unwrap_or_default().to_owned()
}

fn becomes(core: &Core, state: &str) {
    until(core, &format!("the link is {state}"), || link(core) == state);
}

/// Waits for a line of the daemon's log that has all these words.
fn says(core: &Core, words: &[&str]) {
    let said = || core.log_of("greengrass").lines().any(|line| words.iter().all(|word| line.contains(word)));
    until(core, &format!("a line of the log has {words:?}"), said);
}

fn until(core: &Core, what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never came true: {what}\n{}", core.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn core(keys: &Keys, config: &str) -> Core {
    let mut core = Core::new();
    let path = keys.path("config.yaml");
    fs::write(&path, config).unwrap();
    core.options.extend(["--init-config".to_owned(), path.to_str().unwrap().to_owned()]);
    core.start();
    core
}

/// Changes the settings with a deployment.
fn set(core: &Core, settings: &str) {
    let update = format!("{{\"aws.greengrass.Nucleus\": {{\"MERGE\": {settings}}}}}");
    let done = core.cli(&["deployment", "create", "--wait", "--update-config", &update]);
    assert!(done.status.success(), "{}\n{}", String::from_utf8_lossy(&done.stderr), core.log());
}

#[test]
fn link_comes_up_goes_down_with_the_broker_and_comes_back() {
    let keys = Keys::new();
    keys.device("core", Kind::Sec1);
    let Some(mut broker) = Broker::start(&keys) else { return };
    let mut core = core(&keys, &keys.config("core", broker.port, ""));
    becomes(&core, "UP");
    says(&core, &["The cloud is reached.", "core"]);
    eventually("the broker knows the thing", || broker.said("as core"));
    broker.kill();
    becomes(&core, "DOWN");
    says(&core, &["The link to the cloud is lost."]);
    // The rest of the daemon goes on.
    assert!(core.states().is_empty());
    broker.start_again();
    becomes(&core, "UP");
    assert_eq!(core.stop(), Some(0));
    eventually("the daemon has said goodbye", || broker.said("Client core disconnected"));
}

#[test]
fn file_that_is_missing_or_wrong_is_named_and_read_when_it_is_there() {
    let keys = Keys::new();
    keys.device("core", Kind::Pkcs1);
    keys.device("other", Kind::Pkcs8);
    let Some(broker) = Broker::start(&keys) else { return };
    let (key, away) = (keys.path("core.key"), keys.path("away.key"));
    fs::rename(&key, &away).unwrap();
    let core = core(&keys, &keys.config("core", broker.port, ""));
    says(&core, &["system.privateKeyPath", "there is no", "core.key"]);
    assert_eq!(link(&core), "DOWN");
    fs::write(&key, "no key").unwrap();
    says(&core, &["system.privateKeyPath", "core.key", "no private key is in it"]);
    fs::copy(keys.path("other.key"), &key).unwrap();
    says(&core, &["core.key", "do not belong together"]);
    assert!(core.states().is_empty());
    fs::rename(&away, &key).unwrap();
    becomes(&core, "UP");
}

#[test]
fn stranger_is_not_trusted_and_a_stranger_is_not_let_in() {
    let (keys, others) = (Keys::new(), Keys::new());
    keys.device("core", Kind::Pkcs8);
    others.device("core", Kind::Pkcs8);
    let Some(broker) = Broker::start(&keys) else { return };
    let config = keys.config("core", broker.port, "");
    let swapped = |config: &str, name: &str| {
        let (ours, theirs) = (keys.path(name), others.path(name));
        config.replace(ours.to_str().unwrap(), theirs.to_str().unwrap())
    };
    let wary = core(&keys, &swapped(&config, "ca.pem"));
    says(&wary, &["no certificate of an authority in", "ca.pem", "cannot be trusted"]);
    assert_eq!(link(&wary), "DOWN");
    drop(wary);
    let unknown = core(&keys, &swapped(&swapped(&config, "core.pem"), "core.key"));
    says(&unknown, &["does not let core in", "core.pem", "system.certificateFilePath"]);
    assert_eq!(link(&unknown), "DOWN");
}

#[test]
fn link_is_configured_and_taken_away_while_the_daemon_runs() {
    let keys = Keys::new();
    keys.device("core", Kind::Pkcs8);
    let Some(broker) = Broker::start(&keys) else { return };
    let mut core = Core::new();
    core.start();
    assert_eq!(link(&core), "NOT_CONFIGURED");
    says(&core, &["No link to the cloud is configured.", "iotDataEndpoint"]);
    core.stop();
    // As somebody provisions the device.
    let path = keys.path("config.yaml");
    fs::write(&path, keys.config("core", broker.port, "keepAliveTimeoutMs: 1000")).unwrap();
    core.options.extend(["--init-config".to_owned(), path.to_str().unwrap().to_owned()]);
    core.start();
    assert_eq!(link(&core), "DOWN");
    says(&core, &["mqtt.keepAliveTimeoutMs must be larger"]);
    set(&core, "{\"mqtt\": {\"keepAliveTimeoutMs\": 60000}}");
    becomes(&core, "UP");
    set(&core, "{\"iotDataEndpoint\": \"\"}");
    becomes(&core, "NOT_CONFIGURED");
    eventually("the daemon has said goodbye", || broker.said("Client core disconnected"));
}

#[test]
fn port_of_the_web_is_asked_for_mqtt_by_alpn() {
    let keys = Keys::new();
    keys.device("core", Kind::Pkcs8);
    let address = format!("{}:443", keys.address);
    if let Err(cause) = TcpListener::bind(&address) {
        eprintln!("skipped: nobody may listen at port 443 here (it takes root): {cause}");
        return;
    }
    let mut server = Command::new("openssl");
    server.args(["s_server", "-accept", &address, "-alpn", "x-amzn-mqtt-ca", "-Verify", "1", "-verify_return_error"]);
    server.arg("-CAfile").arg(keys.path("ca.pem"));
    server.arg("-cert").arg(keys.path("server.pem")).arg("-key").arg(keys.path("server.key"));
    let said = keys.path("server.log");
    let mut server =
        server.stdin(Stdio::piped()).stdout(fs::File::create(&said).unwrap()).stderr(Stdio::null()).spawn().unwrap();
    let core = core(&keys, &keys.config("core", 443, ""));
    let is_asked = || fs::read_to_string(&said).unwrap().contains("ALPN protocols selected: x-amzn-mqtt-ca");
    until(&core, "the server is asked for MQTT", is_asked);
    server.kill().unwrap();
    server.wait().unwrap();
}
