//! Models of the boot loaders: what they read, count, write and start. They know only the bytes on the disk.

use crate::slot::Slot;
use crate::state::backend::{Backend, Grub, GrubEnvironment, GrubRauc, InitSwitch, choose};
use crate::state::grubenv::{self, SIZE};
use crate::state::medium::{Medium, SECTOR};
use crate::state::store::Store;
use crate::state::variables::Variables;

use super::device::{ENVIRONMENT, RECORD, block, loadable};
use super::disk::{Disk, Region};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loader {
    /// `init/image/grub.cfg`.
    Grub,
    /// The script of RAUC's manual.
    GrubRauc,
    /// A fixed kernel: `gg-init` itself.
    InitSwitch,
}

impl Loader {
    pub const ALL: [Self; 3] = [Self::Grub, Self::GrubRauc, Self::InitSwitch];

    /// How many tries it can give.
    pub(crate) fn counts_to(self) -> u8 {
        match self {
            Self::GrubRauc => 1,
            Self::Grub | Self::InitSwitch => 3,
        }
    }

    pub(crate) fn counts_each_boot(self) -> bool {
        self == Self::GrubRauc
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
            Self::InitSwitch => return vec![],
        }
        block(&variables).to_vec()
    }

    pub(crate) fn backend(self, disk: &Disk) -> Box<dyn Backend> {
        let environment = || GrubEnvironment::at(disk.region(ENVIRONMENT), 0);
        match self {
            Self::Grub => Box::new(Grub::new(environment())),
            Self::GrubRauc => Box::new(GrubRauc::new(environment())),
            Self::InitSwitch => Box::new(InitSwitch::new(store(disk))),
        }
    }

    /// From power-on to a kernel: its slot. `None`: it stands still.
    pub(crate) fn start(self, disk: &Disk) -> Option<Slot> {
        match self {
            Self::Grub => start_grub(disk),
            Self::GrubRauc => start_grub_rauc(disk),
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
