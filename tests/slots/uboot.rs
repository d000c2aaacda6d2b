//! U-Boot: `fw_printenv` and `fw_setenv` of libubootenv.

use std::fs;
use std::path::Path;

use gg_boot::slot::Slot;
use gg_boot::state::backend::{Backend, BackendError, Trial, Uboot, UbootEnvironment, View};
use gg_boot::state::device::{Kind, uboot};
use gg_boot::state::uboot::{Copy, Form, encode, parse_config};
use gg_boot::state::variables::Variables;
use gg_sys::sector::{Access, Sectors};

use crate::{has, run};

const SIZE: usize = 0x1000;

/// A disk with an environment, one copy or two, and what tells the tools of it.
fn disk(scratch: &Path, copies: usize) -> String {
    let image = scratch.join("disk.img");
    let mut variables = Variables::default();
    for (name, value) in [("bootcmd", "run it"), ("BOOT_ORDER", "A B"), ("BOOT_A_LEFT", "3"), ("BOOT_B_LEFT", "0")] {
        variables.set(name, value);
    }
    let form = if copies > 1 { Form::Redundant } else { Form::Single };
    let mut bytes = vec![0xff; 0x8000];
    let written = encode(&Copy { flag: 1, variables }, SIZE, form).unwrap();
    bytes[0x2000..0x3000].copy_from_slice(&written);
    fs::write(&image, bytes).unwrap();
    let lines: Vec<String> =
        [0x2000, 0x4000].iter().take(copies).map(|at| format!("{} {at:#x} {SIZE:#x}\n", image.display())).collect();
    let config = scratch.join("fw_env.config");
    fs::write(&config, lines.concat()).unwrap();
    config.to_str().unwrap().to_owned()
}

fn open(config: &str) -> Uboot<Sectors> {
    let places = parse_config(&fs::read_to_string(config).unwrap()).unwrap();
    let size = places[0].size;
    let open = |device: &str| Sectors::open(Path::new(device), Access::ReadWrite).unwrap();
    let places = places.into_iter().map(|place| (open(&place.device), place.offset)).collect();
    Uboot::new(UbootEnvironment::new(places, size))
}

#[test]
fn fw_printenv_reads_what_we_write_and_we_what_fw_setenv_writes() {
    if !has("fw_printenv", "libubootenv-tool") {
        return;
    }
    for copies in [1, 2] {
        let scratch = tempfile::tempdir().unwrap();
        let config = disk(scratch.path(), copies);
        let print = |name: &str| run("fw_printenv", &["-c", &config, "-n", name]).trim().to_owned();
        assert_eq!(print("bootcmd"), "run it");
        // Twice, so that each copy is written.
        for tries in [3, 2] {
            open(&config).set_trial(Slot::B, tries).unwrap();
            assert_eq!((print("BOOT_ORDER"), print("BOOT_B_LEFT")), ("B A".to_owned(), tries.to_string()));
            assert_eq!(print("bootcmd"), "run it");
        }
        for left in [1, 0] {
            run("fw_setenv", &["-c", &config, "BOOT_B_LEFT", &left.to_string()]);
            let view = open(&config).read().unwrap();
            assert_eq!((view.ok, view.trial), (Some(Slot::A), Some(Trial { slot: Slot::B, left })), "{copies}");
        }
        open(&config).set_confirmed(Slot::B).unwrap();
        assert_eq!((print("BOOT_ORDER"), print("BOOT_B_LEFT")), ("B A".to_owned(), "3".to_owned()));
        assert_eq!(open(&config).read().unwrap(), View { ok: Some(Slot::B), trial: None, failed: None, spent: false });
    }
}

#[test]
fn torn_copy_leaves_the_other_to_both() {
    if !has("fw_printenv", "libubootenv-tool") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let config = disk(scratch.path(), 2);
    let image = scratch.path().join("disk.img");
    open(&config).set_trial(Slot::B, 3).unwrap();
    // The newer copy is the second one.
    let mut bytes = fs::read(&image).unwrap();
    bytes[0x4010] ^= 1;
    fs::write(&image, bytes).unwrap();
    assert_eq!(run("fw_printenv", &["-c", &config, "-n", "BOOT_ORDER"]).trim(), "A B");
    assert_eq!(open(&config).read().unwrap().trial, None);
    open(&config).set_trial(Slot::B, 1).unwrap();
    assert_eq!(run("fw_printenv", &["-c", &config, "-n", "BOOT_B_LEFT"]).trim(), "1");
}

#[test]
fn environment_that_was_never_saved_is_begun_with_all_that_uboot_knows_or_not_at_all() {
    if !has("fw_printenv", "libubootenv-tool") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let config = disk(scratch.path(), 2);
    let image = scratch.path().join("disk.img");
    let blank = vec![0xff; 0x8000];
    fs::write(&image, &blank).unwrap();
    let open = || uboot(Kind::Uboot, Path::new(&config), Path::new("")).unwrap();
    assert_eq!(open().read().unwrap(), View::LOST);
    for refused in [open().set_trial(Slot::B, 3), open().set_confirmed(Slot::A), open().forget_failed()] {
        assert!(matches!(refused, Err(BackendError::NoEnvironment)), "{refused:?}");
    }
    assert_eq!(fs::read(&image).unwrap(), blank, "U-Boot would take a few variables for all there are");
    fs::write(scratch.path().join("u-boot-initial-env"), "bootcmd=run it; a=b\nbootdelay=0\nempty=\n").unwrap();
    open().set_trial(Slot::B, 3).unwrap();
    let print = |name: &str| run("fw_printenv", &["-c", &config, "-n", name]).trim().to_owned();
    assert_eq!(["bootcmd", "bootdelay", "BOOT_ORDER"].map(print), ["run it; a=b", "0", "B A"]);
}
