//! Trials of a device whose state lies in files; a reboot is another `booted=` and a `/run` that is empty.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::boot::state::grubenv;
use crate::boot::state::machine::Candidate;
use crate::boot::state::variables::Variables;

const DEPLOYMENT: &str = "01234567-89ab-cdef-0123-456789abcdef";

struct Disk {
    scratch: TempDir,
}

impl Disk {
    /// Slot a runs, and the state is settled.
    fn new() -> Self {
        // Where files keep their blocks; not so in memory.
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
        fs::create_dir_all(&target).unwrap();
        let disk = Self { scratch: tempfile::tempdir_in(target).unwrap() };
        let mut variables = Variables::default();
        variables.set("gg_ok", "a");
        let env = disk.path("grubenv");
        fs::write(&env, grubenv::encode(&variables).unwrap()).unwrap();
        fs::File::open(&env).unwrap().sync_all().unwrap();
        let trials = disk.boot(Slot::A, "");
        assert_eq!(trials.look().unwrap(), Found::NoTrial);
        assert_eq!(trials.fate(DEPLOYMENT).unwrap(), Fate::Unknown);
        assert!(!trials.claim(DEPLOYMENT).unwrap());
        assert!(!disk.path("data").join("state").exists(), "nothing is made before the first update");
        // As the installer does before its first update.
        let (verdict, _) = disk.device(&trials).slots().settle(Moment::at(1)).unwrap();
        assert_eq!(verdict.name(), "fresh");
        assert_eq!(disk.boot(Slot::A, "").look().unwrap(), Found::NoTrial);
        disk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn boot(&self, slot: Slot, more: &str) -> Trials {
        let conf = self.path("ota.conf");
        let (data, run, env) = (self.path("data"), self.path("run"), self.path("grubenv"));
        let text = format!(
            "[system]\nbootloader=grub\ngrubenv={}\n[greengrass]\nstate=files\nbooted={}\ndata-directory={}\nlock={}\n{more}",
            env.display(),
            slot.name(),
            data.display(),
            run.join("ota.lock").display(),
        );
        fs::create_dir_all(&data).unwrap();
        fs::write(&conf, text).unwrap();
        let _ = fs::remove_dir_all(run);
        Trials::of_device(Some(&conf)).unwrap()
    }

    fn device(&self, trials: &Trials) -> Device {
        Device::open(&trials.settings().unwrap()).unwrap()
    }

    /// As `ota install` leaves it, for nobody's deployment.
    fn install(&self, trials: &Trials, profile: Option<&str>) {
        let device = self.device(trials);
        let candidate =
            Candidate { version: "2".to_owned(), manifest: [2; 32], transaction: 1, level: 0, floor: 0, key_epoch: 0 };
        let slot = device.slots().plan_install(candidate, 1).unwrap().target;
        device.slots().mark_written(1).unwrap();
        let installed = Installed { health_profile: profile.map(str::to_owned), ..Installed::default() };
        installed.write(device.data(), slot).unwrap();
        device.slots().arm(3, [0; 36], 1).unwrap();
    }
}

fn on_trial(found: Found) -> OnTrial {
    match found {
        Found::Trial(trial) => *trial,
        other => panic!("{other:?} is no trial"),
    }
}

#[test]
fn trial_is_found_kept_and_found_no_more() {
    let disk = Disk::new();
    let trials = disk.boot(Slot::A, "");
    disk.install(&trials, None);
    assert_eq!(trials.fate(DEPLOYMENT).unwrap(), Fate::Unknown);
    assert!(trials.claim(DEPLOYMENT).unwrap());
    assert_eq!(trials.fate(DEPLOYMENT).unwrap(), Fate::Armed);
    // The first start of a daemon in the boot that armed it.
    let _ = fs::remove_file(disk.path("run").join(SETTLED));
    assert_eq!(trials.look().unwrap(), Found::NoTrial);
    assert_eq!(trials.fate(DEPLOYMENT).unwrap(), Fate::Armed);
    let trials = disk.boot(Slot::B, "");
    let found = on_trial(trials.look().unwrap());
    assert_eq!((found.slot, found.version.as_str(), found.starts), (Slot::B, "2", 1));
    assert_eq!(on_trial(trials.look().unwrap()).starts, 2, "the daemon started again");
    assert_eq!(trials.fate(DEPLOYMENT).unwrap(), Fate::OnTrial);
    trials.commit().unwrap();
    trials.commit().unwrap();
    assert!(!trials.roll_back("too late").unwrap());
    assert_eq!(trials.look().unwrap(), Found::NoTrial);
    assert_eq!(trials.fate(DEPLOYMENT).unwrap(), Fate::Committed);
    assert!(!trials.claim(DEPLOYMENT).unwrap());
    let trials = disk.boot(Slot::B, "");
    assert_eq!(trials.look().unwrap(), Found::NoTrial);
    assert_eq!(trials.fate(DEPLOYMENT).unwrap(), Fate::Committed);
    assert_eq!(trials.fate("another").unwrap(), Fate::Unknown);
}

#[test]
fn trial_that_is_given_up_is_not_confirmed_and_tells_why() {
    let disk = Disk::new();
    let trials = disk.boot(Slot::A, "");
    disk.install(&trials, None);
    trials.claim(DEPLOYMENT).unwrap();
    let trials = disk.boot(Slot::B, "");
    on_trial(trials.look().unwrap());
    assert!(trials.roll_back("components: a is BROKEN").unwrap());
    // Killed before the reboot, the daemon starts again.
    assert_eq!(trials.look().unwrap(), Found::GivenUp);
    let expected = Fate::RolledBack("components: a is BROKEN".to_owned());
    assert_eq!(trials.fate(DEPLOYMENT).unwrap(), expected);
    let trials = disk.boot(Slot::A, "");
    assert_eq!(trials.look().unwrap(), Found::NoTrial);
    assert_eq!(trials.fate(DEPLOYMENT).unwrap(), expected);
}

#[test]
fn trial_that_hung_tells_that_its_tries_are_spent() {
    let disk = Disk::new();
    let trials = disk.boot(Slot::A, "");
    disk.install(&trials, None);
    trials.claim(DEPLOYMENT).unwrap();
    // As GRUB's script leaves it.
    let mut variables = Variables::default();
    for (name, value) in [("gg_ok", "a"), ("gg_failed", "b")] {
        variables.set(name, value);
    }
    fs::write(disk.path("grubenv"), grubenv::encode(&variables).unwrap()).unwrap();
    let trials = disk.boot(Slot::A, "");
    assert_eq!(trials.look().unwrap(), Found::NoTrial);
    let Fate::RolledBack(why) = trials.fate(DEPLOYMENT).unwrap() else { panic!("not rolled back") };
    assert!(why.contains("hung"), "{why}");
}

#[test]
fn boot_loader_that_counts_each_boot_hears_of_a_good_one() {
    let disk = Disk::new();
    let spent = |name: &str| {
        let bytes = fs::read(disk.path("grubenv")).unwrap();
        grubenv::decode(bytes.first_chunk().unwrap()).unwrap().text(name) == Some("1")
    };
    let boot = |slot, loader: &str| {
        let trials = disk.boot(slot, "");
        let conf = disk.path("ota.conf");
        let text = fs::read_to_string(&conf).unwrap().replace("bootloader=grub\n", &format!("bootloader={loader}\n"));
        fs::write(conf, text).unwrap();
        trials
    };
    let mut variables = Variables::default();
    for (name, value) in
        [("ORDER", "A B"), ("A_OK", "1"), ("A_TRY", "1"), ("B_OK", "1"), ("B_TRY", "1"), ("gg_ok", "a")]
    {
        variables.set(name, value);
    }
    fs::write(disk.path("grubenv"), grubenv::encode(&variables).unwrap()).unwrap();
    boot(Slot::A, "grub").tell_good_boot().unwrap();
    assert!(spent("A_TRY"), "the one that does not count is told nothing");
    let trials = boot(Slot::A, "grub-rauc");
    trials.tell_good_boot().unwrap();
    assert!(!spent("A_TRY") && spent("B_TRY"));
    // An update that waits for its trial goes on waiting.
    disk.install(&trials, None);
    trials.tell_good_boot().unwrap();
    assert!(matches!(disk.device(&trials).slots().status().unwrap().phase, Phase::Armed(Slot::B, _)));
}

#[test]
fn update_that_is_called_off_is_no_success() {
    let disk = Disk::new();
    let trials = disk.boot(Slot::A, "");
    disk.install(&trials, None);
    trials.claim(DEPLOYMENT).unwrap();
    assert!((0..3).all(|_| trials.ask_for_reboot().unwrap()));
    assert!(!trials.ask_for_reboot().unwrap());
    trials.cancel().unwrap();
    assert!(matches!(trials.fate(DEPLOYMENT).unwrap(), Fate::RolledBack(why) if why.contains("called off")));
}

#[test]
fn profile_of_the_bundle_is_laid_over_the_settings() {
    let disk = Disk::new();
    let more = "health-network=required\nhealth-stable=7\n[health.quick]\nstable=1\nnetwork=auto\n";
    let trials = disk.boot(Slot::A, more);
    disk.install(&trials, Some("quick"));
    let seconds = Duration::from_secs;
    let found = on_trial(disk.boot(Slot::B, more).look().unwrap());
    assert_eq!((found.health.stable, found.network), (seconds(1), Need::Wanted));
    // The cloud was reached just before.
    fs::write(disk.path("data").join(CLOUD_REACHED), "1700000000\n").unwrap();
    let trials = disk.boot(Slot::B, more);
    assert_eq!(on_trial(trials.look().unwrap()).network, Need::Required);
    // A version of ours that does not know the profile has its own settings.
    let plain = on_trial(disk.boot(Slot::B, "health-stable=7\nhealth-network=wanted\n").look().unwrap());
    assert_eq!((plain.health.stable, plain.network), (seconds(7), Need::Wanted));
}

#[test]
fn cloud_is_noted_as_reached_no_more_often_than_asked() {
    let disk = Disk::new();
    let trials = disk.boot(Slot::A, "");
    let path = disk.path("data").join(CLOUD_REACHED);
    let note = |before: &str| {
        fs::write(&path, before).unwrap();
        trials.note_cloud_reached(Duration::from_secs(3600)).unwrap();
        fs::read_to_string(&path).unwrap()
    };
    let fresh = format!("{}\n", now() - 1800);
    assert_eq!(note(&fresh), fresh);
    // Long ago, of a clock that was wrong, or torn.
    for before in [format!("{}", now() - 3601), format!("{}", now() + 86_400), "x".to_owned(), String::new()] {
        let noted: u64 = note(&before).trim().parse().unwrap();
        assert!(noted.abs_diff(now()) < 900, "{before:?} became {noted}");
    }
    fs::remove_dir_all(disk.path("data")).unwrap();
    trials.note_cloud_reached(Duration::ZERO).unwrap();
    assert!(path.exists());
}

#[test]
fn components_that_did_not_run_before_are_known() {
    let disk = Disk::new();
    let trials = disk.boot(Slot::A, "");
    let names = ["a".to_owned(), "b".to_owned()];
    trials.note_hopeless(&[]).unwrap();
    assert!(!disk.path("data").join(HOPELESS).exists(), "nothing to note, nothing written");
    trials.note_hopeless(&names).unwrap();
    disk.install(&trials, None);
    assert_eq!(on_trial(disk.boot(Slot::B, "").look().unwrap()).hopeless, names);
    trials.note_hopeless(&[]).unwrap();
    assert_eq!(on_trial(disk.boot(Slot::B, "").look().unwrap()).hopeless, Vec::<String>::new());
}

#[test]
fn mounts_are_what_the_boot_report_says() {
    let report = |text: &str| Report::parse(&format!("greengrass-boot 1\n{text}")).unwrap();
    let good = "fact\tslot\tb\nfact\tdata\tkept\nfact\troot\toverlay on data\nstep\troot\t1\t1\tok\toverlay/b\t\n";
    assert_eq!(mounts(&report(good), Slot::B), Ok(()));
    let cases = [
        (good.replace("kept", "lost"), "the data partition is lost"),
        (good.replace("slot\tb", "slot\ta"), "the root is of slot a"),
        (good.replace("ok\toverlay/b\t", "failed\tcannot mount the overlay\tmemory"), "cannot mount the overlay"),
        (String::new(), "the root is of slot not known"),
    ];
    for (text, why) in cases {
        assert_eq!(mounts(&report(&text), Slot::B), Err(why.to_owned()));
    }
}

#[test]
fn deployment_is_named_by_its_id_or_its_hash() {
    assert_eq!(&deployment_key(DEPLOYMENT), DEPLOYMENT.as_bytes());
    assert_eq!(deployment_key("d1")[..3], *b"d1\0");
    let arn = "arn:aws:greengrass:eu-west-1:123456789012:configuration:thinggroup/fleet:7";
    assert_ne!(deployment_key(arn), deployment_key(&arn.replace(":7", ":8")));
    assert!(deployment_key(arn).iter().all(u8::is_ascii_hexdigit));
}
