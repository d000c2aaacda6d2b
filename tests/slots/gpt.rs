//! The partition table: `sgdisk` makes and checks it, `sfdisk` reads the attributes of each copy.

use std::fs;
use std::path::Path;

use gg_boot::slot::Slot;
use gg_boot::state::backend::{Backend, BootcountFile, CountFile, Gpt, Trial, View};
use gg_boot::state::gpt::Table;
use gg_sys::sector::{Access, Sectors};

use crate::{has, run};

fn disk(path: &Path) {
    let text = path.to_str().unwrap();
    run("truncate", &["-s", "16M", text]);
    let parts = ["gg-esp", "gg-state", "gg-a", "gg-b"];
    let parts = parts.iter().zip(1..).flat_map(|(label, number)| {
        ["-n".to_owned(), format!("{number}:0:+1M"), "-c".to_owned(), format!("{number}:{label}")]
    });
    let arguments: Vec<String> = parts.chain(["-A", "4:set:60", text].map(str::to_owned)).collect();
    run("sgdisk", &arguments.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn table_that_we_change_is_whole_to_others() {
    if !has("sgdisk", "gdisk") || !has("sfdisk", "fdisk") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("disk.img");
    let text = path.to_str().unwrap();
    disk(&path);
    let open = || Gpt::new(Table::new(Sectors::open(&path, Access::ReadWrite).unwrap()));
    let attributes = |number| run("sfdisk", &["--part-attrs", text, number]).trim().to_owned();
    assert_eq!(open().read().unwrap(), View::LOST);
    open().set_confirmed(Slot::A).unwrap();
    assert_eq!(attributes("3"), "LegacyBIOSBootable GUID:49,56");
    open().set_trial(Slot::B, 5).unwrap();
    assert_eq!(attributes("3"), "LegacyBIOSBootable GUID:49,56");
    // What somebody else set stays.
    assert_eq!(attributes("4"), "LegacyBIOSBootable GUID:48,49,52,54,60");
    let trial = Some(Trial { slot: Slot::B, left: 5 });
    assert_eq!(open().read().unwrap(), View { ok: Some(Slot::A), trial, failed: None, spent: false });
    let checked = run("sgdisk", &["-v", text]);
    assert!(checked.contains("No problems found"), "{checked}");
    assert!(run("sgdisk", &["-i", "4", text]).contains("Partition name: 'gg-b'"));
    // The first copy is lost; what sgdisk makes of the second says the same.
    let mut bytes = fs::read(&path).unwrap();
    bytes[512..34 * 512].fill(0);
    fs::write(&path, bytes).unwrap();
    assert_eq!(open().read().unwrap(), View::LOST);
    run("sgdisk", &["-e", text]);
    assert_eq!(open().read().unwrap().trial, Some(Trial { slot: Slot::B, left: 5 }));
}

#[test]
fn count_is_the_four_bytes_that_u_boot_reads() {
    if !has("sgdisk", "gdisk") || !has("mformat", "mtools") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (path, esp, file) =
        (scratch.path().join("disk.img"), scratch.path().join("esp.img"), scratch.path().join("count"));
    let esp_text = esp.to_str().unwrap();
    disk(&path);
    fs::write(&file, [0xbd, 1, 0, 0]).unwrap();
    run("truncate", &["-s", "16M", esp_text]);
    run("mformat", &["-i", esp_text, "::"]);
    run("mmd", &["-i", esp_text, "::gg"]);
    run("mcopy", &["-i", esp_text, file.to_str().unwrap(), "::gg/count"]);
    let count = || {
        let read = scratch.path().join("read");
        run("mcopy", &["-n", "-o", "-i", esp_text, "::gg/count", read.to_str().unwrap()]);
        fs::read(read).unwrap()
    };
    let open = || {
        let medium = |path: &Path| Sectors::open(path, Access::ReadWrite).unwrap();
        BootcountFile::new(Gpt::new(Table::new(medium(&path))), CountFile::on_esp(medium(&esp)).unwrap())
    };
    open().set_confirmed(Slot::B).unwrap();
    open().set_trial(Slot::A, 3).unwrap();
    assert_eq!(count(), [0xbd, 1, 6, 1]);
    assert_eq!(open().read().unwrap().trial, Some(Trial { slot: Slot::A, left: 3 }));
    open().set_confirmed(Slot::A).unwrap();
    assert_eq!(count(), [0xbd, 1, 0, 0]);
    assert_eq!(open().read().unwrap(), View { ok: Some(Slot::A), trial: None, failed: None, spent: false });
}
