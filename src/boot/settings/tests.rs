use super::*;

fn from_arguments(cmdline: &str) -> (Settings, Vec<String>) {
    let (mut settings, mut findings) = (Settings::default(), Vec::new());
    settings.apply_arguments(cmdline, &mut findings);
    (settings, findings.iter().map(ToString::to_string).collect())
}

#[test]
fn table_and_defaults_agree() {
    let mut settings = Settings::default();
    for setting in TABLE.iter().filter(|setting| !setting.default.is_empty()) {
        assert!((setting.set)(&mut settings, setting.default).is_some(), "{}", setting.name);
        assert!(setting.about.ends_with('.'), "{}", setting.name);
    }
    assert_eq!(settings, Settings::default());
}

#[test]
fn arguments_set_what_they_name_and_leave_the_kernels_alone() {
    let (settings, findings) = from_arguments(
        "console=ttyS0 quiet gg.slot=b gg.data=never gg.supervise=\"/bin/x  -y z\" \"gg.init=/sbin/procd\" -- gg.slot=a\n",
    );
    assert_eq!((settings.slot, settings.data), (Wanted::This(crate::slot::Slot::B), Policy::Never));
    assert_eq!((settings.supervise.as_str(), settings.init.as_str()), ("/bin/x  -y z", "/sbin/procd"));
    assert_eq!(findings, Vec::<String>::new());
}

#[test]
fn nonsense_is_found_and_changes_nothing() {
    let (settings, findings) =
        from_arguments("gg.slot=c gg.colour=red gg.wait gg.wait=-1 gg.wait=601 gg.init=sh gg.= gg.rescue=yes");
    assert_eq!(settings, Settings::default());
    assert_eq!(findings.len(), 8);
    assert_eq!(findings[0], "kernel arguments: slot cannot be \"c\", only auto, a, b, other");
    assert_eq!(findings[1], "kernel arguments: there is no setting \"colour\"");
    assert_eq!(findings[2], "kernel arguments: \"wait\" has no value");
}

#[test]
fn file_may_hold_comments_spaces_and_quotes() {
    let (mut settings, mut findings) = (Settings::default(), Vec::new());
    let text = "# first\n\n cgroup = v1 \nsupervise=\"/bin/greengrassd --root /x\"\r\nbogus\n=\n";
    settings.apply_file(Origin::SlotFile, text, &mut findings);
    assert_eq!((settings.cgroup, settings.supervise.as_str()), (Cgroup::V1, "/bin/greengrassd --root /x"));
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[0].to_string(), "gg-init.conf of the slot: there is no setting \"bogus\"");
}

#[test]
fn flood_of_nonsense_is_bounded() {
    let (mut settings, mut findings) = (Settings::default(), Vec::new());
    settings.apply_file(Origin::InitramfsFile, &"x=y\n".repeat(10_000), &mut findings);
    assert_eq!(findings.len(), MOST_FINDINGS);
    for cmdline in ["\"", "gg.", "gg.slot=\"", "\"gg.slot=a", "==", "-- --", "\u{a0}gg.slot=\u{a0}"] {
        from_arguments(cmdline);
    }
}

#[test]
fn plain_init_is_the_last_one_before_the_dashes() {
    assert_eq!(plain_init("init=/a ro init=/b -- init=/c").as_deref(), Some("/b"));
    assert_eq!(plain_init("rdinit=/a"), None);
}

#[test]
fn manual_has_every_setting_as_the_table_has_it() {
    let manual = include_str!("../../../docs/manual/gg-init.md");
    for Setting { name, values, default, about, .. } in TABLE {
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        let row = format!("| `{name}` | {values} | {default} | {about} |");
        assert!(manual.contains(&row), "docs/manual/gg-init.md lacks: {row}");
    }
}
