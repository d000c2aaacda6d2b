//! The slot state of the device we run on: its partitions found by label, or files where there are none.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use gg_sys::block;
use gg_sys::sector::{Access, Sectors};

use crate::places::label;
use crate::slot::Slot;

use super::backend::{
    Backend, BackendError, BootcountFile, CountFile, Gpt, Grub, GrubEnvironment, GrubRauc, InitSwitch, LOCK, Map,
    MapError, Uboot, UbootEnvironment, UbootMap,
};
use super::gpt::Table;
use super::grubenv;
use super::medium::SECTOR;
use super::ring::Ring;
use super::slots::Slots;
use super::store::Store;
use super::uboot::{parse_config, parse_initial};

/// What keeps the state of the boot loader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Grub,
    GrubRauc,
    /// Its environment lies where `/etc/fw_env.config` says.
    Uboot,
    /// The same, with the table of `/etc/greengrass/boot.map`.
    UbootMap,
    /// The partition table.
    Gpt,
    /// The same, and the file that U-Boot counts in.
    BootcountFile,
    InitSwitch,
}

impl Kind {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "grub" => Some(Self::Grub),
            "grub-rauc" => Some(Self::GrubRauc),
            "uboot" => Some(Self::Uboot),
            "uboot-map" => Some(Self::UbootMap),
            "gpt" => Some(Self::Gpt),
            "bootcount-file" => Some(Self::BootcountFile),
            "init-switch" => Some(Self::InitSwitch),
            _ => None,
        }
    }

    /// The word that [`Kind::parse`] takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grub => "grub",
            Self::GrubRauc => "grub-rauc",
            Self::Uboot => "uboot",
            Self::UbootMap => "uboot-map",
            Self::Gpt => "gpt",
            Self::BootcountFile => "bootcount-file",
            Self::InitSwitch => "init-switch",
        }
    }

    /// Whether its script may take a try from the confirmed slot, too, and must hear of each boot that went well: RAUC's
    /// scripts do.
    pub fn counts_each_boot(self) -> bool {
        matches!(self, Self::GrubRauc | Self::Uboot)
    }
}

/// The slots of a device, on its disks.
pub type DeviceSlots = Slots<'static, Rc<Sectors>>;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot look for the partition {0}")]
    Find(&'static str, #[source] io::Error),
    #[error("there is no partition {0}")]
    NoPartition(&'static str),
    #[error("cannot open {}", .0.display())]
    Open(PathBuf, #[source] io::Error),
    #[error("cannot make {}", .0.display())]
    Make(PathBuf, #[source] io::Error),
    #[error("{} cannot be overwritten in place", .0.display())]
    Moves(PathBuf),
    #[error("{} is no table of variables", .0.display())]
    Map(PathBuf, #[source] MapError),
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// The state on `gg-state`, the boot loader's on `gg-esp`. Nothing is written.
pub fn open(kind: Kind, booted: Slot) -> Result<DeviceSlots, OpenError> {
    let state = partition(label::STATE)?;
    let environment = || Ok(GrubEnvironment::on_esp(partition(label::ESP)?)?);
    let backend = backend(kind, environment, || Store::on_partition(state.clone()))?;
    Ok(Slots::new(Store::on_partition(state.clone()), backend, Some(Ring::on_partition(state)), booted))
}

/// Makes the environment file of our own script for GRUB anew, empty, where it is lost. For the boot, before anything
/// is mounted; what the file should say, the record knows.
pub fn make_grub_environment() -> Result<(), OpenError> {
    GrubEnvironment::made_on_esp(partition(label::ESP)?)?;
    Ok(())
}

/// The record alone.
pub fn open_store() -> Result<Store<Rc<Sectors>>, OpenError> {
    Ok(Store::on_partition(partition(label::STATE)?))
}

/// For a disk of somebody else's layout: the record in two files of a directory on data, made when they are not there,
/// and GRUB's environment in the file that is mounted at `grubenv`.
pub fn open_files(kind: Kind, directory: &Path, grubenv: &Path, booted: Slot) -> Result<DeviceSlots, OpenError> {
    let first = in_place(&directory.join("record.0"), FILE)?;
    let second = in_place(&directory.join("record.1"), FILE)?;
    let events = in_place(&directory.join("events"), EVENTS)?;
    let store = || Store::in_files(first.clone(), second.clone());
    let environment = || Ok(GrubEnvironment::at(existing(grubenv, grubenv::SIZE as u64)?, 0));
    let backend = backend(kind, environment, store)?;
    Ok(Slots::new(store(), backend, Some(Ring::in_file(events, EVENTS)), booted))
}

/// Both places that only some of them have are opened by those alone.
fn backend(
    kind: Kind,
    environment: impl FnOnce() -> Result<GrubEnvironment<Rc<Sectors>>, OpenError>,
    store: impl FnOnce() -> Store<Rc<Sectors>>,
) -> Result<Box<dyn Backend>, OpenError> {
    Ok(match kind {
        Kind::Grub => Box::new(Grub::new(environment()?)),
        Kind::GrubRauc => Box::new(GrubRauc::new(environment()?)),
        Kind::Uboot | Kind::UbootMap => uboot(kind, Path::new(FW_ENV_CONFIG), Path::new(BOOT_MAP))?,
        Kind::Gpt => Box::new(Gpt::new(table()?)),
        Kind::BootcountFile => {
            let file = CountFile::on_esp(partition(label::ESP)?)?;
            Box::new(BootcountFile::new(Gpt::new(table()?), file))
        }
        Kind::InitSwitch => Box::new(InitSwitch::new(store())),
    })
}

/// U-Boot's environment where its own tools have it, and locked as they lock it.
pub fn uboot(kind: Kind, config: &Path, map: &Path) -> Result<Box<dyn Backend>, OpenError> {
    let read = |path: &Path| fs::read_to_string(path).map_err(|cause| OpenError::Open(path.to_owned(), cause));
    let places = parse_config(&read(config)?).map_err(BackendError::from)?;
    let size = places[0].size;
    let opened = places.into_iter().map(|place| Ok((open_sectors(Path::new(&place.device))?, place.offset)));
    let environment = UbootEnvironment::new(opened.collect::<Result<_, OpenError>>()?, size).locked(Path::new(LOCK));
    let environment = match read(&config.with_file_name(INITIAL)) {
        Ok(text) => environment.beginning_as(parse_initial(&text)),
        Err(_) => environment,
    };
    if kind == Kind::UbootMap {
        let map = Map::parse(&read(map)?).map_err(|cause| OpenError::Map(map.to_owned(), cause))?;
        return Ok(Box::new(UbootMap::new(environment, map)));
    }
    Ok(Box::new(Uboot::new(environment)))
}

const FW_ENV_CONFIG: &str = "/etc/fw_env.config";
/// Beside it, optional: what U-Boot was built with, as its `make u-boot-initial-env` writes it.
const INITIAL: &str = "u-boot-initial-env";
const BOOT_MAP: &str = "/etc/greengrass/boot.map";

/// A block of most file systems, so that a copy shares none with anything else.
const FILE: u64 = 4096;
const EVENTS: u64 = 128 * SECTOR as u64;

fn partition(label: &'static str) -> Result<Rc<Sectors>, OpenError> {
    let device = block::by_label(label).map_err(|cause| OpenError::Find(label, cause))?;
    let device = device.ok_or(OpenError::NoPartition(label))?;
    let node = device.make_node().map_err(|cause| OpenError::Find(label, cause))?;
    open_sectors(&node)
}

/// Of the disk that slot a is a partition of.
fn table() -> Result<Table<Rc<Sectors>>, OpenError> {
    let failure = |cause| OpenError::Find(label::SLOT_A, cause);
    let slot = block::by_label(label::SLOT_A).map_err(failure)?.ok_or(OpenError::NoPartition(label::SLOT_A))?;
    let disk = slot.disk().and_then(|disk| disk.make_node()).map_err(failure)?;
    Ok(Table::new(open_sectors(&disk)?))
}

fn open_sectors(path: &Path) -> Result<Rc<Sectors>, OpenError> {
    // A disk that cannot be written can still be read, and says so when it must be written.
    let opened = Sectors::open(path, Access::ReadWrite).or_else(|_| Sectors::open(path, Access::Read));
    Ok(Rc::new(opened.map_err(|cause| OpenError::Open(path.to_owned(), cause))?))
}

/// A file that keeps its blocks; made of zeros where there is none.
fn in_place(path: &Path, size: u64) -> Result<Rc<Sectors>, OpenError> {
    if !path.exists() {
        Sectors::make(path, size).map_err(|cause| OpenError::Make(path.to_owned(), cause))?;
    }
    existing(path, size)
}

fn existing(path: &Path, size: u64) -> Result<Rc<Sectors>, OpenError> {
    let sectors = open_sectors(path)?;
    match sectors.stays_in_place(size) {
        Ok(true) => Ok(sectors),
        Ok(false) => Err(OpenError::Moves(path.to_owned())),
        Err(cause) => Err(OpenError::Open(path.to_owned(), cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::machine::{Candidate, Phase, Verdict};
    use crate::state::slots::{Moment, Progress, Then};

    fn candidate() -> Candidate {
        Candidate { version: "2".to_owned(), manifest: [2; 32], transaction: 1, level: 0, floor: 0, key_epoch: 0 }
    }

    #[test]
    fn state_in_files_goes_through_an_update() {
        let scratch = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let env = scratch.path().join("grubenv");
        let mut variables = crate::state::variables::Variables::default();
        variables.set("gg_ok", "a");
        fs::write(&env, grubenv::encode(&variables).unwrap()).unwrap();
        fs::File::open(&env).unwrap().sync_all().unwrap();
        let open = |booted| open_files(Kind::Grub, &scratch.path().join("state"), &env, booted).unwrap();
        let slots = open(Slot::A);
        assert_eq!(slots.settle(Moment::at(1)).unwrap(), (Verdict::Fresh, Then::GoOn));
        assert_eq!(slots.settle(Moment::at(1)).unwrap(), (Verdict::Ordinary, Then::GoOn));
        assert_eq!(slots.plan_install(candidate(), 2).unwrap().progress, Progress::New);
        assert_eq!(slots.plan_install(candidate(), 2).unwrap().progress, Progress::Begun);
        slots.mark_written(3).unwrap();
        slots.arm(3, [0; 36], 4).unwrap();
        assert_eq!(slots.status().unwrap().phase, Phase::Armed(Slot::B, 3));
        let slots = open(Slot::B);
        assert_eq!(slots.settle(Moment::at(5)).unwrap().0, Verdict::Trial(Slot::B, 3));
        slots.confirm(6).unwrap();
        assert_eq!(slots.settle(Moment::at(7)).unwrap().0, Verdict::Ordinary);
        assert_eq!(slots.status().unwrap().record.ok, Slot::B);
        assert_eq!(fs::metadata(&env).unwrap().len(), 1024);
    }

    #[test]
    fn environment_with_a_hole_is_refused() {
        let scratch = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let env = scratch.path().join("grubenv");
        fs::File::create(&env).unwrap().set_len(1024).unwrap();
        let opened = open_files(Kind::Grub, &scratch.path().join("state"), &env, Slot::A);
        assert!(matches!(opened, Err(OpenError::Moves(path)) if path == env));
    }
}
