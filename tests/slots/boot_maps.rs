//! The tables of OpenWrt's boards with two firmware partitions, in environments as those boards have them: what is armed
//! and confirmed is what `fw_printenv` of libubootenv says, and what their boot loaders change is understood.

use std::fs;
use std::path::Path;

use gg_boot::slot::Slot;
use gg_boot::state::backend::{Backend, Trial, View};
use gg_boot::state::device::{Kind, uboot};
use gg_boot::state::uboot::{Copy, Form, encode};
use gg_boot::state::variables::Variables;

use crate::{has, run};

const SIZE: usize = 0x2000;

struct Board {
    scratch: tempfile::TempDir,
    config: String,
    map: String,
}

impl Board {
    fn new(map: &str, variables: &[(&str, &str)]) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let mut environment = Variables::default();
        for (name, value) in variables {
            environment.set(name, value);
        }
        let image = scratch.path().join("mtd");
        let mut bytes = vec![0xff; 0x8000];
        let copy = encode(&Copy { flag: 1, variables: environment }, SIZE, Form::Redundant).unwrap();
        bytes[..SIZE].copy_from_slice(&copy);
        fs::write(&image, bytes).unwrap();
        let config = scratch.path().join("fw_env.config");
        let image = image.display();
        fs::write(&config, format!("{image} 0x0 {SIZE:#x}\n{image} 0x4000 {SIZE:#x}\n")).unwrap();
        let maps = Path::new(env!("CARGO_MANIFEST_DIR")).join("openwrt-feed/greengrass-rs/files/boot-maps");
        let map = maps.join(map).to_str().unwrap().to_owned();
        Self { config: config.to_str().unwrap().to_owned(), scratch, map }
    }

    fn backend(&self) -> Box<dyn Backend> {
        assert!(self.scratch.path().exists());
        uboot(Kind::UbootMap, Path::new(&self.config), Path::new(&self.map)).unwrap()
    }

    fn view(&self) -> View {
        self.backend().read().unwrap()
    }

    fn print(&self, name: &str) -> String {
        run("fw_printenv", &["-c", &self.config, "-n", name]).trim().to_owned()
    }

    fn set(&self, name: &str, value: &str) {
        run("fw_setenv", &["-c", &self.config, name, value]);
    }
}

fn confirmed(slot: Slot) -> View {
    View { ok: Some(slot), trial: None, failed: None, spent: false }
}

#[test]
fn linksys_boots_the_other_partition_and_may_come_back_by_itself() {
    if !has("fw_printenv", "libubootenv-tool") {
        return;
    }
    let factory = [("boot_part", "1"), ("bootcmd", "run nandboot"), ("auto_recovery", "no"), ("ethaddr", "00:11:22")];
    let board = Board::new("linksys.map", &factory);
    assert_eq!(board.view(), confirmed(Slot::A));
    board.backend().set_trial(Slot::B, 3).unwrap();
    let said = ["boot_part", "bootcmd", "auto_recovery", "ethaddr"].map(|name| board.print(name));
    assert_eq!(said, ["2", "run altnandboot", "yes", "00:11:22"]);
    assert_eq!(board.view().trial.map(|trial| trial.slot), Some(Slot::B));
    // What U-Boot does after three boots: the marker of the trial stays, and belongs to no row.
    board.set("boot_part", "1");
    board.set("bootcmd", "run nandboot");
    assert_eq!(board.view(), View::LOST);
    board.backend().set_confirmed(Slot::A).unwrap();
    assert_eq!(board.view(), confirmed(Slot::A));
    // What sysupgrade of OpenWrt does there is a confirmed slot, as before.
    board.set("boot_part", "2");
    board.set("bootcmd", "run altnandboot");
    assert_eq!(board.view(), confirmed(Slot::B));
}

#[test]
fn tp_link_boots_by_index() {
    if !has("fw_printenv", "libubootenv-tool") {
        return;
    }
    let board = Board::new("tp-link.map", &[("tp_boot_idx", "0"), ("baudrate", "115200")]);
    assert_eq!(board.view(), confirmed(Slot::A));
    board.backend().set_trial(Slot::B, 1).unwrap();
    assert_eq!((board.print("tp_boot_idx"), board.print("baudrate")), ("1".to_owned(), "115200".to_owned()));
    assert_eq!(board.view().trial.map(|trial| trial.slot), Some(Slot::B));
    board.backend().set_confirmed(Slot::B).unwrap();
    assert_eq!(board.view(), confirmed(Slot::B));
    assert_eq!(board.print("tp_boot_idx"), "1");
    board.backend().set_trial(Slot::A, 1).unwrap();
    assert_eq!(board.print("tp_boot_idx"), "0");
}

#[test]
fn boot_count_is_followed_until_it_is_spent() {
    if !has("fw_printenv", "libubootenv-tool") {
        return;
    }
    let factory = [("boot_part", "1"), ("upgrade_available", "0"), ("bootcount", "0"), ("bootlimit", "3")];
    let board = Board::new("bootcount.map", &factory);
    board.backend().set_trial(Slot::B, 2).unwrap();
    for (count, left) in [("0", 2), ("1", 1), ("2", 0)] {
        board.set("bootcount", count);
        assert_eq!(board.view().trial, Some(Trial { slot: Slot::B, left }));
    }
    board.backend().set_confirmed(Slot::B).unwrap();
    assert_eq!((board.print("upgrade_available"), board.print("bootcount")), ("0".to_owned(), "0".to_owned()));
    assert_eq!(board.view(), confirmed(Slot::B));
}

#[test]
fn every_table_of_the_feed_is_one() {
    let maps = Path::new(env!("CARGO_MANIFEST_DIR")).join("openwrt-feed/greengrass-rs/files/boot-maps");
    let mut names: Vec<_> =
        fs::read_dir(maps).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["bootcount.map", "linksys.map", "tp-link.map"], "each has a test of its own here");
}
