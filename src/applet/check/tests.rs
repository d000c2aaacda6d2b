//! Verdicts on the facts of machines that are not here.

use std::path::PathBuf;

use super::facts::{
    Disk, Facts, Groups, Hierarchy, INTERPRETERS, Kernel, Libc, Memory, Options, Overlay, Protection, Trial,
};
use super::finding::{Finding, Group, Verdict};
use super::judge::findings;
use super::print::{self, Colour, Detail, Paper};
use crate::boot::kernel::{Configuration, Release, requirements};
use crate::sys::cgroup::Version;
use crate::sys::fs::Space;

const PLAIN: Paper = Paper { colour: Colour::Never, detail: Detail::Telling };

/// All options but these.
fn configuration(without: &[&str]) -> Configuration {
    let has = |option: &str| !without.contains(&option);
    let lines = requirements().iter().filter(|requirement| has(requirement.option));
    let text: String = lines.map(|requirement| format!("{}=y\n", requirement.option)).collect();
    Configuration::parse(text.as_bytes()).unwrap()
}

fn kernel(name: &str, without: &[&str]) -> Kernel {
    let options = Options::Told { by: "/proc/config.gz".into(), configuration: configuration(without) };
    Kernel { name: name.to_owned(), release: Release::parse(name), options, unusable: Vec::new() }
}

fn table(controllers: &[(&str, bool)]) -> Option<Vec<(String, bool)>> {
    Some(controllers.iter().map(|(name, enabled)| ((*name).to_owned(), *enabled)).collect())
}

fn hierarchy(version: Version, at: &str, controllers: &str) -> Hierarchy {
    Hierarchy { version, at: at.into(), controllers: controllers.split_whitespace().map(str::to_owned).collect() }
}

const ALL: [(&str, bool); 5] = [("cpu", true), ("devices", true), ("freezer", true), ("memory", true), ("pids", true)];

/// A gateway with everything: Debian 12, version 2.
fn gateway() -> Facts {
    Facts {
        is_root: true,
        kernel: kernel("6.1.0-44-amd64", &[]),
        is_ours: false,
        groups: Groups {
            table: table(&ALL),
            hierarchies: vec![hierarchy(Version::V2, "/sys/fs/cgroup", "cpuset cpu io memory pids")],
        },
        hard_links: Protection::On,
        symbolic_links: Protection::On,
        missing_streams: Vec::new(),
        has_var_run: true,
        libc: Libc { ours: "x86_64-unknown-linux-musl", loader: Some("ld-linux-x86-64.so.2".into()) },
        interpreters: INTERPRETERS.map(|one| (one, Some(PathBuf::from("/usr/bin").join(one.program)))).to_vec(),
        certificates: Some("/etc/ssl/certs/ca-certificates.crt".into()),
        memory: Some(Memory { total: 2 << 30, available: 1 << 30 }),
        disk: Disk {
            root: "/greengrass/v2".into(),
            space: Ok(Space { total: 8 << 30, free: 4 << 30, files: Some(500_000), read_only: false }),
        },
        now: 1_800_000_000,
        built: 1_790_000_000,
        watchdog: Some("/dev/watchdog0: iTCO_wdt".into()),
        overlay: Overlay { data: "/data".into(), kind: Some("ext4".into()), trial: Trial::Works },
        has_user: true,
        has_group: true,
        init: Some("/usr/lib/systemd/systemd".into()),
    }
}

fn one<'a>(findings: &'a [Finding], name: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.name == name).unwrap_or_else(|| panic!("no finding {name}"))
}

fn of(facts: &Facts, name: &str) -> (Verdict, String) {
    let findings = findings(facts);
    let finding = one(&findings, name);
    let bad = finding.verdict != Verdict::Ok;
    assert_eq!((finding.effect.is_some(), bad && finding.mend.is_none()), (bad, false), "{finding:?}");
    (finding.verdict, format!("{} {}", finding.what, finding.mend.clone().unwrap_or_default()))
}

#[test]
fn machine_with_everything_is_ok() {
    let findings = findings(&gateway());
    let bad: Vec<_> = findings.iter().filter(|finding| finding.verdict != Verdict::Ok).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(Verdict::of(&findings), Verdict::Ok);
}

#[test]
fn missing_option_names_the_line_to_add() {
    let mut facts = gateway();
    facts.kernel = kernel("6.1.0", &["CONFIG_KEYS", "CONFIG_EPOLL", "CONFIG_HAVE_ARCH_SECCOMP_FILTER"]);
    assert_eq!(
        of(&facts, "CONFIG_KEYS"),
        (Verdict::Degraded, "not set, nor mentioned in the kernel configuration: CONFIG_KEYS=y".into())
    );
    assert_eq!(of(&facts, "CONFIG_EPOLL").0, Verdict::Failed);
    assert!(!of(&facts, "CONFIG_HAVE_ARCH_SECCOMP_FILTER").1.contains("=y"), "no line sets it");
}

#[test]
fn option_of_the_boot_fails_only_a_device_of_ours() {
    let mut facts = gateway();
    facts.kernel = kernel("6.1.0", &["CONFIG_SQUASHFS"]);
    assert_eq!(of(&facts, "CONFIG_SQUASHFS").0, Verdict::Degraded);
    facts.is_ours = true;
    assert_eq!(of(&facts, "CONFIG_SQUASHFS").0, Verdict::Failed);
}

#[test]
fn release_is_judged_by_what_old_kernels_lack() {
    let mut facts = gateway();
    for (name, verdict, count) in [
        ("3.16.0", Verdict::Failed, 5),
        ("3.17.1", Verdict::Degraded, 4),
        ("4.4.302", Verdict::Degraded, 3),
        ("4.19", Verdict::Degraded, 1),
        ("5.2", Verdict::Ok, 1),
        ("nonsense", Verdict::Degraded, 1),
    ] {
        facts.kernel = kernel(name, &[]);
        let found: Vec<_> = findings(&facts).into_iter().filter(|finding| finding.name == "release").collect();
        assert_eq!((Verdict::of(&found), found.len()), (verdict, count), "{name}: {found:?}");
    }
}

#[test]
fn kernel_that_shows_nothing_is_probed_and_says_so() {
    let mut facts = gateway();
    facts.kernel.options = Options::Probed([("CONFIG_OVERLAY_FS", false), ("CONFIG_KEYS", true)].into());
    let all = findings(&facts);
    assert!(one(&all, "configuration").what.contains("probed"));
    assert_eq!(of(&facts, "CONFIG_OVERLAY_FS").0, Verdict::Degraded);
    assert_eq!(of(&facts, "CONFIG_KEYS"), (Verdict::Ok, "probed ".into()));
    assert!(!all.iter().any(|finding| finding.name == "CONFIG_MEMCG"), "what is not known is not judged");
}

#[test]
fn configuration_that_cannot_be_read_fails() {
    let mut facts = gateway();
    facts.kernel.options = Options::Refused;
    facts.kernel.unusable = vec![("/tmp/x".into(), "it is no kernel configuration".into())];
    assert_eq!(of(&facts, "configuration").0, Verdict::Failed);
}

/// An OpenWrt router: 128 MB, BusyBox, no control groups, data on overlay.
#[test]
fn small_router_is_degraded_where_it_is_small() {
    let mut facts = gateway();
    facts.kernel = kernel("6.6.93", &["CONFIG_CGROUPS", "CONFIG_MEMCG", "CONFIG_USER_NS", "CONFIG_WATCHDOG"]);
    facts.groups = Groups::default();
    facts.libc.loader = Some("ld-musl-mips-sf.so.1".into());
    facts.interpreters.iter_mut().skip(1).for_each(|(_, path)| *path = None);
    facts.certificates = None;
    facts.memory = Some(Memory { total: 120 << 20, available: 40 << 20 });
    facts.disk.space = Ok(Space { total: 60 << 20, free: 30 << 20, files: None, read_only: false });
    facts.watchdog = None;
    facts.overlay.trial = Trial::Fails("cannot mount an overlay: Invalid argument (os error 22)".into());
    let all = findings(&facts);
    let names: Vec<_> = all.iter().filter(|one| one.verdict == Verdict::Degraded).map(|one| &*one.name).collect();
    let expected = "CONFIG_CGROUPS CONFIG_MEMCG CONFIG_USER_NS CONFIG_WATCHDOG mounted certificates ram disk \
        watchdog overlay python3 node java";
    assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
    assert_eq!(Verdict::of(&all), Verdict::Degraded);
    assert_eq!(all.iter().filter(|finding| finding.group == Group::Cgroups).count(), 1, "one thing to mend");
}

/// A Raspberry Pi: version 1, and memory left out by the firmware's command line.
#[test]
fn disabled_controller_is_mended_on_the_command_line() {
    let mut facts = gateway();
    let mut controllers = ALL;
    controllers[3].1 = false;
    facts.groups.table = table(&controllers);
    facts.groups.hierarchies = ["cpu", "devices", "freezer", "pids"]
        .map(|name| hierarchy(Version::V1, &format!("/sys/fs/cgroup/{name}"), &format!("rw {name}")))
        .to_vec();
    let (verdict, text) = of(&facts, "memory");
    assert_eq!(verdict, Verdict::Degraded);
    assert!(text.contains("disabled at boot") && text.contains("cgroup_enable=memory"), "{text}");
    assert_eq!(of(&facts, "devices").0, Verdict::Ok);
    facts.groups.hierarchies.clear();
    assert!(of(&facts, "mounted").1.contains("mount -t cgroup2"));
    assert!(of(&facts, "memory").1.contains("disabled at boot"), "that is to be mended, too");
}

#[test]
fn controllers_are_found_in_either_version() {
    let mut facts = gateway();
    facts.groups.hierarchies[0].controllers = vec!["memory".into()];
    assert_eq!(of(&facts, "cpu"), (Verdict::Degraded, format!("enabled, but not mounted {MOUNT_CPU}")));
    assert_eq!(of(&facts, "freezer").0, Verdict::Ok);
    // Both are mounted, and version 1 has no freezer.
    facts.groups.hierarchies.push(hierarchy(Version::V1, "/sys/fs/cgroup/cpu,cpuacct", "rw cpu cpuacct"));
    assert_eq!(of(&facts, "cpu").0, Verdict::Ok);
    assert_eq!(of(&facts, "freezer").0, Verdict::Degraded);
    facts.groups.hierarchies = vec![hierarchy(Version::V2, "/cgroup2", "memory")];
    assert!(of(&facts, "mounted").1.contains("does not look"));
}

const MOUNT_CPU: &str = "mount -t cgroup -o cpu cpu /sys/fs/cgroup/cpu";

#[test]
fn clock_before_the_build_is_told_with_both_dates() {
    let mut facts = gateway();
    facts.now = 12;
    let (verdict, text) = of(&facts, "clock");
    assert_eq!(verdict, Verdict::Degraded);
    assert!(text.contains("1970-01-01") && text.contains("2026-"), "{text}");
    facts.now = u64::MAX;
    assert_eq!(of(&facts, "clock").0, Verdict::Ok);
}

#[test]
fn room_is_judged_by_what_the_daemon_needs() {
    let mut facts = gateway();
    let space = |free, files, read_only| Ok(Space { total: 1 << 30, free, files, read_only });
    for (space, verdict) in [
        (space(19_000_000, None, false), Verdict::Failed),
        (space(1 << 29, Some(5), false), Verdict::Failed),
        (space(1 << 29, None, true), Verdict::Failed),
        (Err("permission denied".to_owned()), Verdict::Failed),
        (space(100_000_000, None, false), Verdict::Degraded),
        (space(1 << 29, Some(1000), false), Verdict::Ok),
    ] {
        facts.disk.space = space;
        assert_eq!(of(&facts, "disk").0, verdict, "{:?}", facts.disk);
    }
    for (available, verdict) in [(1 << 20, Verdict::Failed), (30 << 20, Verdict::Degraded), (64 << 20, Verdict::Ok)] {
        facts.memory = Some(Memory { total: 64 << 20, available });
        assert_eq!(of(&facts, "ram").0, verdict, "{available}");
    }
}

#[test]
fn what_is_missing_is_mended_by_a_command() {
    let mut facts = gateway();
    facts.is_root = false;
    facts.missing_streams = vec!["/dev/stdout"];
    facts.has_var_run = false;
    facts.hard_links = Protection::Off;
    facts.symbolic_links = Protection::Unknown;
    (facts.has_user, facts.has_group, facts.memory) = (false, false, None);
    facts.interpreters[0].1 = None;
    for (name, verdict, mend) in [
        ("privileges", Verdict::Degraded, "as root"),
        ("streams", Verdict::Degraded, "ln -s /proc/self/fd/1 /dev/stdout"),
        ("/var/run", Verdict::Degraded, "ln -s /run /var/run"),
        ("hardlinks", Verdict::Degraded, "sysctl -w fs.protected_hardlinks=1"),
        ("symlinks", Verdict::Degraded, "sysctl -w fs.protected_symlinks=1"),
        ("ggc_user", Verdict::Degraded, "adduser"),
        ("ggc_group", Verdict::Degraded, "addgroup"),
        ("ram", Verdict::Degraded, "mount proc"),
        ("sh", Verdict::Failed, "BusyBox"),
    ] {
        let all = findings(&facts);
        let finding = one(&all, name);
        assert_eq!(finding.verdict, verdict, "{name}");
        assert!(finding.mend.as_ref().is_some_and(|text| text.contains(mend)), "{finding:?}");
    }
}

#[test]
fn table_fits_eighty_columns_and_commands_no_terminal() {
    let mut facts = gateway();
    let every: Vec<_> = requirements().iter().map(|requirement| requirement.option).skip(1).collect();
    facts.kernel = kernel("3.1", &every);
    facts.groups = Groups::default();
    facts.init = Some("/sbin/init\x1b[2J\n".into());
    let all = findings(&facts);
    let text = print::text(&all, Verdict::of(&all), &PLAIN);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(!line.contains('\x1b') && line == line.trim_end(), "{line:?}");
    }
    assert!(text.contains("CONFIG_MEMCG=y") && text.contains("\nVerdict: failed ("), "{text}");
    let coloured = print::text(&all, Verdict::Failed, &Paper { colour: Colour::Always, detail: Detail::Every });
    assert!(coloured.contains("\x1b[31mfailed"), "{coloured}");
}

#[test]
fn json_holds_every_finding() {
    let facts = gateway();
    let all = findings(&facts);
    let document: serde_json::Value = serde_json::from_str(&print::json(&facts, &all, Verdict::of(&all))).unwrap();
    assert_eq!(document["verdict"], "ok");
    assert_eq!(document["findings"].as_array().unwrap().len(), all.len());
    assert_eq!(document["ok"], all.len());
    let option = document["findings"].as_array().unwrap().iter().find(|one| one["name"] == "CONFIG_MEMCG").unwrap();
    assert_eq!((&option["group"], &option["verdict"]), (&"kernel".into(), &"ok".into()));
    assert_eq!(document["kernel"]["configuration"], "/proc/config.gz");
}
