//! A new system on trial, judged by the link that its daemon really has.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use greengrass::boot::slot::Slot;
use greengrass::boot::state::machine::Phase;
use greengrass::boot::state::record::Reason;

use crate::broker::{Broker, Keys, Kind};
use crate::says;
use crate::support::{Core, eventually};

#[allow(dead_code, reason = "others take the rest")]
#[path = "../ota/install_stage.rs"]
mod stage;

use stage::{MIB, Stage, noise};

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Deadlines count from the start of the kernel.
fn since_boot() -> u64 {
    greengrass::sys::clock::since_boot().as_secs()
}

/// A device that has booted what was installed a moment ago, and the daemon on it.
fn on_trial(health: &str, keys: &Keys, port: u16, reached: Option<Duration>) -> (Stage, Core) {
    let stage = Stage::new();
    let patient = since_boot() + 3600;
    let health = format!(
        "{health}\nhealth-stable=0\nhealth-directory={}\nhealth-deadline={patient}\nhealth-daemon-deadline={patient}\n\
        health-components-deadline={patient}",
        stage.path("health.d").display()
    );
    stage.set("nice=1\n", &format!("{health}\nnice=1\n"));
    let bundle = stage.bundle("one", "version=1", "", &[("rootfs", &noise(MIB, 1))]);
    let done = stage.install(&[&bundle]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    if let Some(ago) = reached {
        fs::write(stage.path("data/cloud-reached"), format!("{}\n", now() - ago.as_secs())).unwrap();
    }
    // What lies in memory is gone with the reboot.
    fs::remove_dir_all(stage.path("run")).unwrap();
    stage.set("booted=a\n", "booted=b\n");
    let mut core = Core::new();
    let path = keys.path("config.yaml");
    fs::write(&path, keys.config("core", port, "")).unwrap();
    core.options.extend(["--init-config".to_owned(), path.to_str().unwrap().to_owned()]);
    core.options.extend(["--ota-conf".to_owned(), stage.path("ota.conf").to_str().unwrap().to_owned()]);
    core.environment.push(("GREENGRASS_REBOOT_COMMAND".into(), String::new()));
    (stage, core)
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A port where nobody ever answers.
fn silence(keys: &Keys) -> (TcpListener, u16) {
    let listener = TcpListener::bind((keys.address.as_str(), 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn link_that_is_up_passes_a_required_network_and_is_noted_afterwards() {
    let keys = Keys::new();
    keys.device("core", Kind::Pkcs8);
    let Some(broker) = Broker::start(&keys) else { return };
    let deadline = format!("health-network=required\nhealth-network-deadline={}", since_boot() + 3600);
    let (stage, mut core) = on_trial(&deadline, &keys, broker.port, None);
    core.start();
    says(&core, &["The new system is kept."]);
    let status = stage.slots(Slot::B).status().unwrap();
    assert_eq!((status.phase, status.record.ok), (Phase::Idle, Slot::B));
    eventually("it is noted when the cloud was reached", || stage.path("data/cloud-reached").exists());
    let reached: u64 = fs::read_to_string(stage.path("data/cloud-reached")).unwrap().trim().parse().unwrap();
    assert!(reached <= now(), "{reached}");
    assert_eq!(core.stop(), Some(0));
}

#[test]
fn outage_that_is_older_than_the_update_rolls_nothing_back() {
    let keys = Keys::new();
    keys.device("core", Kind::Pkcs8);
    let (_silent, port) = silence(&keys);
    let deadline = format!("health-network=auto\nhealth-network-deadline={}", since_boot());
    let (stage, mut core) = on_trial(&deadline, &keys, port, Some(DAY + HOUR));
    core.start();
    says(&core, &["The new system is kept."]);
    assert_eq!(stage.slots(Slot::B).status().unwrap().record.ok, Slot::B);
    assert_eq!(core.json(&["status"])["cloud"], "DOWN");
}

#[test]
fn system_that_lost_the_cloud_is_given_up_at_the_deadline() {
    let keys = Keys::new();
    keys.device("core", Kind::Pkcs8);
    let (_silent, port) = silence(&keys);
    // Whether it is over before the daemon is up does not matter.
    let deadline = format!("health-network=auto\nhealth-network-deadline={}", since_boot() + 5);
    let (stage, mut core) = on_trial(&deadline, &keys, port, Some(HOUR));
    core.spawn(&[]);
    eventually("the daemon asks for a reboot", || !core.is_alive());
    assert_eq!(core.wait(), Some(101), "{}", core.log());
    let status = stage.slots(Slot::B).status().unwrap();
    assert_eq!((status.record.ok, status.record.last_reason), (Slot::A, Reason::Health));
    assert!(fs::read_to_string(stage.path("data/rollback.json")).unwrap().contains("network: not within"));
}
