//! GRUB: `grub-editenv` for the block, `grub-fstest` (GRUB's own drivers) for where it lies on a FAT file system.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::Path;

use gg_boot::slot::Slot;
use gg_boot::state::backend::{Backend, Grub, GrubEnvironment, GrubRauc, Trial, View};
use gg_boot::state::medium::Medium;
use gg_sys::sector::{Access, Sectors};

use crate::{has, run};

fn grubenv(path: &Path) {
    run("grub-editenv", &[path.to_str().unwrap(), "create"]);
    run("grub-editenv", &[path.to_str().unwrap(), "set", "gg_ok=a", "other=back\\slash"]);
}

#[test]
fn grub_editenv_reads_what_we_write_and_we_what_it_writes() {
    if !has("grub-editenv", "grub-common") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("grubenv");
    let text = path.to_str().unwrap();
    grubenv(&path);
    let open = || Grub::new(GrubEnvironment::at(Sectors::open(&path, Access::ReadWrite).unwrap(), 0));
    assert_eq!(open().read().unwrap(), View { ok: Some(Slot::A), trial: None, failed: None, spent: false });
    open().set_trial(Slot::B, 3).unwrap();
    let listed = run("grub-editenv", &[text, "list"]);
    assert_eq!(listed, "gg_ok=a\nother=back\\slash\ngg_try=b\ngg_left=3\ngg_failed=\n");
    run("grub-editenv", &[text, "set", "gg_left=2"]);
    assert_eq!(open().read().unwrap().trial, Some(Trial { slot: Slot::B, left: 2 }));
    open().set_confirmed(Slot::A).unwrap();
    assert_eq!(open().read().unwrap().failed, Some(Slot::B));
    let listed = run("grub-editenv", &[text, "list"]);
    assert_eq!(listed, "gg_ok=a\nother=back\\slash\ngg_try=\ngg_left=\ngg_failed=b\n");
    assert_eq!(fs::metadata(&path).unwrap().len(), 1024);
}

/// FAT12, FAT16 and FAT32, with clusters of less than the block and of more.
const KINDS: [(&str, &[&str]); 4] =
    [("1440K", &["-f", "1440"]), ("16M", &["-c", "1"]), ("64M", &["-F"]), ("64M", &["-c", "8"])];

fn make_esp(image: &Path, size: &str, options: &[&str]) {
    let text = image.to_str().unwrap();
    let _ = fs::remove_file(image);
    run("truncate", &["-s", size, text]);
    run("mformat", &[&["-i", text], options, &["::"]].concat());
    run("mmd", &["-i", text, "::EFI", "::gg"]);
    // Something in front, so that the block is not the first of everything.
    run("mcopy", &["-i", text, "/bin/true", "::gg/before"]);
}

#[test]
fn block_is_found_and_overwritten_on_each_kind_of_fat() {
    if !has("mformat", "mtools") || !has("grub-fstest", "grub-common") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let block = scratch.path().join("grubenv");
    grubenv(&block);
    for (size, options) in KINDS {
        let image = scratch.path().join("esp.img");
        let image_text = image.to_str().unwrap();
        make_esp(&image, size, options);
        run("mcopy", &["-i", image_text, block.to_str().unwrap(), "::gg/grubenv"]);
        let sectors = Sectors::open(&image, Access::ReadWrite).unwrap();
        let before = fs::read(&image).unwrap();
        let environment = GrubEnvironment::on_esp(sectors).unwrap();
        let place = usize::try_from(environment.place()).unwrap();
        Grub::new(environment).set_trial(Slot::B, 3).unwrap();
        let after = fs::read(&image).unwrap();
        let changed: Vec<usize> = (0..before.len() / 512)
            .filter(|sector| before[sector * 512..][..512] != after[sector * 512..][..512])
            .collect();
        assert_eq!(changed, [place / 512], "{size} {options:?}");
        let read = run("grub-fstest", &[image_text, "cat", "(loop0)/gg/grubenv"]);
        assert!(read.contains("\ngg_try=b\ngg_left=3\n"), "{size} {options:?}: {read}");
        assert_eq!(read.len(), 1024);
    }
}

/// A disk whose power goes before one of its writes.
struct Failing(Sectors, Cell<usize>);

impl Medium for Failing {
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_at(at, into)
    }
    fn write(&self, at: u64, sectors: &[u8]) -> io::Result<()> {
        let left = self.1.get().checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
        self.1.set(left);
        self.0.write_at(at, sectors)
    }
    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn lost_block_is_made_anew_on_each_kind_of_fat_wherever_that_is_cut() {
    if !has("mformat", "mtools") || !has("grub-fstest", "grub-common") || !has("fsck.fat", "dosfstools") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let block = scratch.path().join("grubenv");
    let short = scratch.path().join("short");
    grubenv(&block);
    fs::write(&short, "cut").unwrap();
    let image = scratch.path().join("esp.img");
    let text = image.to_str().unwrap();
    for (size, options) in KINDS {
        // Never there, deleted, and there with another size.
        for loss in 0..3 {
            make_esp(&image, size, options);
            match loss {
                0 => {}
                1 => {
                    run("mcopy", &["-i", text, block.to_str().unwrap(), "::gg/grubenv"]);
                    run("mcopy", &["-i", text, "/bin/false", "::gg/behind"]);
                    run("mdel", &["-i", text, "::gg/grubenv"]);
                }
                _ => {
                    run("mcopy", &["-i", text, short.to_str().unwrap(), "::gg/grubenv"]);
                }
            }
            let open = || Sectors::open(&image, Access::ReadWrite).unwrap();
            let neighbour = || run("grub-fstest", &[text, "crc", "(loop0)/gg/before"]);
            let before = neighbour();
            for writes in 0.. {
                assert!(GrubEnvironment::on_esp(open()).is_err(), "{size} {loss}: it is there after {writes} writes");
                let made = GrubEnvironment::made_on_esp(Failing(open(), Cell::new(writes)));
                assert_eq!(neighbour(), before, "{size} {loss} {writes}");
                if made.is_ok() {
                    break;
                }
            }
            // Blocks of the attempts that were cut belong to nobody, which is all that is wrong.
            run("sh", &["-c", "fsck.fat -a \"$0\" || [ $? -eq 1 ]", text]);
            run("fsck.fat", &["-n", text]);
            let environment = Grub::new(GrubEnvironment::on_esp(open()).unwrap());
            assert_eq!(environment.read().unwrap(), View { ok: None, trial: None, failed: None, spent: false });
            environment.set_confirmed(Slot::B).unwrap();
            let read = run("grub-fstest", &[text, "cat", "(loop0)/gg/grubenv"]);
            assert!(read.starts_with("# GRUB Environment Block\ngg_ok=b\n"), "{size} {loss}: {read}");
            assert_eq!(read.len(), 1024);
        }
    }
}

#[test]
fn variables_of_rauc_are_those_that_its_script_reads() {
    if !has("grub-editenv", "grub-common") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("grubenv");
    let text = path.to_str().unwrap();
    run("grub-editenv", &[text, "create"]);
    run("grub-editenv", &[text, "set", "ORDER=A B", "A_OK=1", "A_TRY=1", "B_OK=0", "B_TRY=0"]);
    let open = || GrubRauc::new(GrubEnvironment::at(Sectors::open(&path, Access::ReadWrite).unwrap(), 0));
    assert_eq!(open().read().unwrap(), View { ok: Some(Slot::A), trial: None, failed: None, spent: true });
    open().set_trial(Slot::B, 1).unwrap();
    let listed = run("grub-editenv", &[text, "list"]);
    assert!(listed.starts_with("ORDER=B A\nA_OK=1\nA_TRY=0\nB_OK=1\nB_TRY=0\n"), "{listed}");
    // The script boots it, and says so.
    run("grub-editenv", &[text, "set", "B_TRY=1"]);
    assert_eq!(open().read().unwrap().trial, Some(Trial { slot: Slot::B, left: 0 }));
    open().set_confirmed(Slot::B).unwrap();
    let listed = run("grub-editenv", &[text, "list"]);
    assert!(listed.starts_with("ORDER=B A\nA_OK=1\nA_TRY=0\nB_OK=1\nB_TRY=0\n"), "{listed}");
    assert_eq!(open().read().unwrap(), View { ok: Some(Slot::B), trial: None, failed: None, spent: false });
}
