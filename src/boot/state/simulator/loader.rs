//! Models of the boot loaders: what they read, count, write and start. They know only the bytes on the disk.

use crate::slot::Slot;
use crate::state::backend::{
    Backend, BootcountFile, CountFile, Gpt, Grub, GrubEnvironment, GrubRauc, InitSwitch, MOST_TRIES, Uboot,
    UbootEnvironment, choose,
};
use crate::state::gpt::{self, Bits, Table};
use crate::state::grubenv::{self, SIZE};
use crate::state::medium::{Medium, SECTOR};
use crate::state::store::Store;
use crate::state::uboot::{Copy, Form, decode, encode, newer};
use crate::state::variables::Variables;

use super::device::{COUNT, ENVIRONMENT, RECORD, block, loadable};
use super::disk::{Disk, Region};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loader {
    /// `init/image/grub.cfg`.
    Grub,
    /// The script of RAUC's manual.
    GrubRauc,
    /// `init/image/uboot.cmd`, with a redundant environment.
    Uboot,
    /// RAUC's script, with the same.
    UbootRauc,
    /// GRUB's `gptprio`, or the firmware of ChromeOS.
    Gpt,
    /// U-Boot with `CONFIG_BOOTCOUNT_FS` and the script of `backend/bootcount_file.rs`.
    BootcountFile,
    /// A fixed kernel: `gg-init` itself.
    InitSwitch,
}

impl Loader {
    pub const ALL: [Self; 7] =
        [Self::Grub, Self::GrubRauc, Self::Uboot, Self::UbootRauc, Self::Gpt, Self::BootcountFile, Self::InitSwitch];

    /// How many tries it can give.
    pub(crate) fn counts_to(self) -> u8 {
        match self {
            Self::GrubRauc => 1,
            Self::Grub | Self::Uboot | Self::UbootRauc | Self::Gpt | Self::BootcountFile | Self::InitSwitch => 3,
        }
    }

    /// Then it writes at each, too.
    pub fn counts_each_boot(self) -> bool {
        matches!(self, Self::GrubRauc | Self::UbootRauc)
    }

    /// Sectors of record and environment that an update may write, those of its one trial boot among them. From the second
    /// update on the other slot boots until it is disabled.
    pub(crate) fn most_writes(self) -> usize {
        const RECORD: usize = 4;
        const DISABLE: usize = 1;
        const TRIAL: usize = 1;
        const CONFIRM: usize = 1;
        const COUNT: usize = 1;
        match self {
            // What it falls back to is the confirmed slot. GRUB saves both sectors.
            Self::Grub => RECORD + TRIAL + 2 * COUNT + CONFIRM,
            Self::Uboot => RECORD + DISABLE + TRIAL + COUNT + CONFIRM,
            // With the boot before it, which is counted and given back.
            Self::GrubRauc => RECORD + DISABLE + TRIAL + 2 * COUNT + CONFIRM + (2 * COUNT + CONFIRM),
            Self::UbootRauc => RECORD + DISABLE + TRIAL + COUNT + CONFIRM + (COUNT + CONFIRM),
            // Both copies of the table; the boot loader writes their headers, too.
            Self::Gpt => RECORD + 2 * (DISABLE + TRIAL + 2 * COUNT + CONFIRM),
            // Both copies, and the file.
            Self::BootcountFile => RECORD + 3 * TRIAL + COUNT + 3 * CONFIRM,
            Self::InitSwitch => RECORD + COUNT,
        }
    }

    pub(crate) fn first_environment(self) -> Vec<[u8; SECTOR]> {
        self.environment(Some(Slot::A), None)
    }

    /// An environment that says this.
    pub(crate) fn environment(self, ok: Option<Slot>, trial: Option<Slot>) -> Vec<[u8; SECTOR]> {
        let mut variables = Variables::default();
        let name = |slot: Option<Slot>| slot.map_or("", Slot::name);
        match self {
            Self::Grub => {
                variables.set("gg_ok", name(ok));
                variables.set("gg_try", name(trial));
                variables.set("gg_left", if trial.is_some() { "3" } else { "" });
                variables.set("gg_failed", "");
            }
            Self::GrubRauc => {
                let first = trial.or(ok);
                variables.set("ORDER", if first == Some(Slot::B) { "B A" } else { "A B" });
                for name in ["A_OK", "B_OK"] {
                    variables.set(name, "1");
                }
                for name in ["A_TRY", "B_TRY"] {
                    variables.set(name, "0");
                }
                variables.set("gg_ok", name(ok));
                variables.set("gg_try", name(trial));
            }
            Self::Uboot | Self::UbootRauc => {
                let first = trial.or(ok);
                variables.set("BOOT_ORDER", if first == Some(Slot::B) { "B A" } else { "A B" });
                variables.set("BOOT_A_LEFT", "3");
                variables.set("BOOT_B_LEFT", "3");
                variables.set("gg_ok", name(ok));
                variables.set("gg_try", name(trial));
                let copy = |flag| {
                    let copy = Copy { flag, variables: variables.clone() };
                    let bytes = encode(&copy, SECTOR, Form::Redundant).unwrap_or_default();
                    bytes.as_chunks::<SECTOR>().0.first().copied().unwrap_or([0; SECTOR])
                };
                return vec![copy(1), copy(2)];
            }
            Self::Gpt | Self::BootcountFile => {
                let confirmed = Bits { priority: 2, successful: true, ..Bits::default() };
                let on_trial = Bits { priority: 3, tries: 3, ..Bits::default() };
                let unused = Bits { tries: 15, ..Bits::default() };
                let mut bits = [Slot::A, Slot::B].map(|slot| match slot {
                    slot if Some(slot) == trial && trial != ok => on_trial,
                    slot if Some(slot) == ok => confirmed,
                    _ => unused,
                });
                let trial = trial.filter(|trial| Some(*trial) != ok);
                bits[0].bootable = ok == Some(Slot::A);
                bits[1].bootable = trial.or(ok) == Some(Slot::B);
                return self.table(bits, if trial.is_some() { [0xbd, 1, MOST_TRIES - 3, 1] } else { [0xbd, 1, 0, 0] });
            }
            Self::InitSwitch => return vec![],
        }
        block(&variables).to_vec()
    }

    /// One that says nothing. A partition table is still one: without it nobody finds a partition.
    pub(crate) fn destroyed(self, noise: [u8; SECTOR]) -> Vec<[u8; SECTOR]> {
        let bits = |byte: u8| Bits {
            bootable: byte & 1 != 0,
            priority: byte >> 1 & 7,
            tries: byte >> 4 & 7,
            successful: byte & 0x80 != 0,
        };
        match self {
            Self::Gpt | Self::BootcountFile => {
                self.table([bits(noise[0]), bits(noise[1])], [noise[2], noise[3], noise[4], noise[5]])
            }
            Self::Grub | Self::GrubRauc | Self::Uboot | Self::UbootRauc | Self::InitSwitch => vec![noise; 2],
        }
    }

    fn table(self, bits: [Bits; 2], count: [u8; 4]) -> Vec<[u8; SECTOR]> {
        let mut sectors = gpt::made(bits);
        if self == Self::BootcountFile {
            let mut file = [0xcc; SECTOR];
            file[..4].copy_from_slice(&count);
            sectors.push(file);
        }
        sectors
    }

    pub(crate) fn backend(self, disk: &Disk) -> Box<dyn Backend> {
        let environment = || GrubEnvironment::at(disk.region(ENVIRONMENT), 0);
        match self {
            Self::Grub => Box::new(Grub::new(environment())),
            Self::GrubRauc => Box::new(GrubRauc::new(environment())),
            Self::Uboot | Self::UbootRauc => Box::new(Uboot::new(uboot(disk))),
            Self::Gpt => Box::new(Gpt::new(table(disk))),
            Self::BootcountFile => {
                let file = CountFile::at(disk.region(COUNT), 0);
                Box::new(BootcountFile::new(Gpt::new(table(disk)), file))
            }
            Self::InitSwitch => Box::new(InitSwitch::new(store(disk))),
        }
    }

    /// From power-on to a kernel: its slot. `None`: it stands still.
    pub(crate) fn start(self, disk: &Disk) -> Option<Slot> {
        match self {
            Self::Grub => start_grub(disk),
            Self::GrubRauc => start_grub_rauc(disk),
            Self::Uboot => start_uboot(disk),
            Self::UbootRauc => start_uboot_rauc(disk),
            Self::Gpt => start_gpt(disk),
            Self::BootcountFile => start_bootcount_file(disk),
            Self::InitSwitch => choose(&store(disk)).ok().flatten().or(Some(Slot::A)),
        }
    }
}

pub(crate) fn store(disk: &Disk) -> Store<Region> {
    Store::in_files(disk.region(RECORD[0]), disk.region(RECORD[1]))
}

fn load(disk: &Disk) -> Option<Variables> {
    let mut block = [0; SIZE];
    disk.region(ENVIRONMENT).read(0, &mut block).ok()?;
    grubenv::decode(&block).ok()
}

/// GRUB writes both sectors, and only into a block that it could read.
fn save(disk: &Disk, change: impl FnOnce(&mut Variables)) -> bool {
    let Some(mut variables) = load(disk) else { return false };
    change(&mut variables);
    for (index, bytes) in block(&variables).into_iter().enumerate() {
        disk.write_sector(ENVIRONMENT + index, bytes);
    }
    disk.flush();
    true
}

/// `init/image/grub.cfg`, line by line.
fn start_grub(disk: &Disk) -> Option<Slot> {
    let variables = load(disk).unwrap_or_default();
    let slot = |name| variables.text(name).and_then(Slot::parse);
    let ok = slot("gg_ok").unwrap_or(Slot::A);
    if let Some(trial) = slot("gg_try").filter(|trial| *trial != ok) {
        let end_trial = || {
            save(disk, |variables| {
                variables.set("gg_ok", ok.name());
                variables.set("gg_failed", trial.name());
                variables.set("gg_try", "");
                variables.set("gg_left", "");
            })
        };
        let left =
            variables.text("gg_left").and_then(|left| left.parse::<u8>().ok()).filter(|left| (1..=9).contains(left));
        match left {
            Some(left) => {
                let saved = save(disk, |variables| {
                    variables.set("gg_ok", ok.name());
                    variables.set("gg_left", &(left - 1).to_string());
                });
                if saved {
                    if loadable(disk, trial).is_some() {
                        return Some(trial);
                    }
                    end_trial();
                }
            }
            None => {
                end_trial();
            }
        }
    }
    [ok, ok.other()].into_iter().find(|slot| loadable(disk, *slot).is_some())
}

/// The script of fielded RAUC images: the first in order that is fine and was not tried, then a menu entry for each in
/// turn, which a machine without a keyboard goes through from the top.
fn start_grub_rauc(disk: &Disk) -> Option<Slot> {
    let variables = load(disk).unwrap_or_default();
    let order = variables.text("ORDER").unwrap_or("A B");
    let named = |name: &str| match name {
        "A" => Some((Slot::A, "A_OK", "A_TRY")),
        "B" => Some((Slot::B, "B_OK", "B_TRY")),
        _ => None,
    };
    let fit = order
        .split(' ')
        .filter_map(named)
        .find(|(_, ok, tried)| variables.text(ok) == Some("1") && variables.text(tried).unwrap_or("0") == "0");
    // None is left: the script's default, the first menu entry.
    let (chosen, _, tried) = fit.unwrap_or((Slot::A, "A_OK", "A_TRY"));
    if fit.is_some() {
        save(disk, |variables| variables.set(tried, "1"));
    }
    loadable(disk, chosen).map(|_| chosen)
}

fn uboot(disk: &Disk) -> UbootEnvironment<Region> {
    let places = (0..2).map(|copy| (disk.region(ENVIRONMENT + copy), 0)).collect();
    UbootEnvironment::new(places, SECTOR)
}

/// U-Boot's environment in its memory, and where it is saved next.
struct Saved {
    copy: Copy,
    target: usize,
}

impl Saved {
    /// Where no copy is whole, it is the one that U-Boot was built with, of which the script makes this.
    fn load(disk: &Disk) -> Self {
        let [first, second] = [0, 1].map(|copy| decode(&disk.sector(ENVIRONMENT + copy), Form::Redundant).ok());
        let newest = newer(first.as_ref().map(|copy| copy.flag), second.as_ref().map(|copy| copy.flag));
        let (copy, target) = match newest {
            Some(0) => (first, 1),
            _ => (second, 0),
        };
        let mut copy = copy.unwrap_or(Copy { flag: 0, variables: Variables::default() });
        for (name, value) in [("BOOT_ORDER", "A B"), ("BOOT_A_LEFT", "3"), ("BOOT_B_LEFT", "3")] {
            if copy.variables.text(name).is_none() {
                copy.variables.set(name, value);
            }
        }
        Self { copy, target }
    }

    fn save(&mut self, disk: &Disk) -> Option<()> {
        self.copy.flag = self.copy.flag.wrapping_add(1);
        let bytes = encode(&self.copy, SECTOR, Form::Redundant).unwrap_or_default();
        disk.write_sector(ENVIRONMENT + self.target, *bytes.as_chunks::<SECTOR>().0.first()?);
        disk.flush();
        self.target = 1 - self.target;
        Some(())
    }

    /// The slots in order, each with what it has left.
    fn order(&self) -> Vec<(Slot, &'static str, u8)> {
        let text = |name| self.copy.variables.text(name);
        let known = |name| match name {
            "A" => Some((Slot::A, "BOOT_A_LEFT")),
            "B" => Some((Slot::B, "BOOT_B_LEFT")),
            _ => None,
        };
        let left = |name| text(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        let names = text("BOOT_ORDER").unwrap_or_default().split(' ');
        names.filter_map(known).map(|(slot, name)| (slot, name, left(name))).collect()
    }
}

/// `init/image/uboot.cmd`, line by line: the first in order that has something left and can be loaded; one is taken away
/// and saved before, unless it is the confirmed one. Then the confirmed one, and then the other.
fn start_uboot(disk: &Disk) -> Option<Slot> {
    let mut saved = Saved::load(disk);
    let ok = saved.copy.variables.text("gg_ok").and_then(Slot::parse);
    for (slot, name, left) in saved.order() {
        if !(1..=9).contains(&left) {
            continue;
        }
        if Some(slot) != ok {
            saved.copy.variables.set(name, &(left - 1).to_string());
            saved.save(disk)?;
        }
        if loadable(disk, slot).is_some() {
            return Some(slot);
        }
    }
    for (slot, name) in [(Slot::A, "BOOT_A_LEFT"), (Slot::B, "BOOT_B_LEFT")] {
        if ok != Some(slot.other()) {
            saved.copy.variables.set(name, "3");
        }
    }
    saved.save(disk)?;
    let ok = ok.unwrap_or(Slot::A);
    [ok, ok.other()].into_iter().find(|slot| loadable(disk, *slot).is_some())
}

/// The first in order that has something left; one is taken away and saved. What cannot be loaded resets the board.
fn start_uboot_rauc(disk: &Disk) -> Option<Slot> {
    let mut saved = Saved::load(disk);
    let Some((slot, name, left)) = saved.order().into_iter().find(|(_, _, left)| *left > 0) else {
        // No tries are left: the script gives each slot three again, and resets.
        saved.copy.variables.set("BOOT_A_LEFT", "3");
        saved.copy.variables.set("BOOT_B_LEFT", "3");
        saved.save(disk)?;
        return None;
    };
    saved.copy.variables.set(name, &(left - 1).to_string());
    saved.save(disk)?;
    loadable(disk, slot).map(|_| slot)
}

/// The table's first sector would be the one before it, which is the record's and is never looked at.
fn table(disk: &Disk) -> Table<Region> {
    Table::new(disk.region(ENVIRONMENT - 1))
}

/// By priority, what was successful or has tries left; one is taken off, with new checksums. A table that was cut off
/// in the middle of that is made whole from its other copy first.
fn start_gpt(disk: &Disk) -> Option<Slot> {
    if table(disk).read().is_err() {
        let second = gpt::bits_in(&disk.sector(ENVIRONMENT + 2));
        for (index, sector) in gpt::made(second).into_iter().enumerate() {
            disk.write_sector(ENVIRONMENT + index, sector);
        }
        disk.flush();
    }
    let bits = table(disk).read().ok()?;
    let mut order = [Slot::A, Slot::B];
    order.sort_by_key(|slot| std::cmp::Reverse(bits[slot.index()].priority));
    for slot in order {
        let Bits { priority, tries, successful, .. } = bits[slot.index()];
        if priority == 0 || !successful && tries == 0 {
            continue;
        }
        if !successful {
            let mut counted = table(disk).read().ok()?;
            counted[slot.index()].tries -= 1;
            let [header, array, second_array, second_header] = gpt::made(counted)[..] else { return None };
            for (index, sector) in [(1, array), (0, header), (2, second_array), (3, second_header)] {
                disk.write_sector(ENVIRONMENT + index, sector);
                disk.flush();
            }
        }
        if loadable(disk, slot).is_some() {
            return Some(slot);
        }
    }
    // The script's menu.
    [Slot::A, Slot::B].into_iter().find(|slot| loadable(disk, *slot).is_some())
}

/// U-Boot counts while it is told to; the script knows which partitions are bootable, and nothing else.
fn start_bootcount_file(disk: &Disk) -> Option<Slot> {
    const BOOTLIMIT: u8 = 9;
    let mut file = disk.sector(COUNT);
    let (mut count, mut counts) = (0, true);
    if file[..2] == [0xbd, 1] {
        (count, counts) = (file[2], file[3] != 0);
    }
    count = count.wrapping_add(1);
    if counts {
        file[..4].copy_from_slice(&[0xbd, 1, count, 1]);
        disk.write_sector(COUNT, file);
        disk.flush();
    }
    let (boots, confirmed) = match table(disk).read().ok()?.map(|bits| bits.bootable) {
        [true, false] => (Slot::A, Slot::A),
        [false, true] => (Slot::B, Slot::B),
        [true, true] => (Slot::B, Slot::A),
        [false, false] => (Slot::A, Slot::B),
    };
    let first = if counts && count > BOOTLIMIT { confirmed } else { boots };
    [first, confirmed, Slot::A, Slot::B].into_iter().find(|slot| loadable(disk, *slot).is_some())
}
