//! The device that is updated: which slot runs, who keeps which one boots, and what each slot is made of.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::installed::Installed;
use super::layout::{Layout, LayoutError, Place, Where};
use super::settings::{Settings, StatePlace};
use crate::boot::places::{self, label};
use crate::boot::report::Report;
use crate::boot::settings::{Loader, Origin, Settings as BootSettings, argument};
use crate::boot::slot::Slot;
use crate::boot::state::device::{self, DeviceSlots, Kind, OpenError};
use crate::boot::state::record::Record;
use crate::boot::state::slots::SlotsError;
use crate::sys::block;
use crate::wire::bundle::policy;

/// A device with two slots. It is for one thread, and is opened anew by whoever asks: nothing is kept but what the
/// disk says.
#[derive(Debug)]
pub struct Device {
    booted: Slot,
    kind: Kind,
    place: StatePlace,
    slots: DeviceSlots,
    layout: Layout,
    data: PathBuf,
}

impl Device {
    /// Finds out what runs and opens the state of the slots. Nothing is written, but that the files of a state that
    /// lies in files are made when they are not there.
    pub fn open(settings: &Settings) -> Result<Self, DeviceError> {
        let layout = Layout::of(&settings.slots)?;
        let signs = Signs::read()?;
        let booted = signs.booted(&layout, settings.greengrass.booted)?;
        let kind = signs.kind(settings)?;
        let data = settings.greengrass.data_directory.clone();
        let place = match settings.greengrass.state {
            StatePlace::Auto if has_partition(label::STATE)? => StatePlace::Partition,
            StatePlace::Auto => StatePlace::Files,
            said => said,
        };
        let slots = match (place, &settings.grubenv, kind) {
            (StatePlace::Partition | StatePlace::Auto, ..) => device::open(kind, booted)?,
            (StatePlace::Files, None, Kind::Grub | Kind::GrubRauc) => return Err(DeviceError::NoGrubenv),
            (StatePlace::Files, grubenv, _) => {
                let grubenv = grubenv.as_deref().unwrap_or(Path::new(""));
                device::open_files(kind, &data.join("state"), grubenv, booted)?
            }
        };
        Ok(Self { booted, kind, place, slots, layout, data })
    }

    /// Who keeps which slot boots, without opening anything.
    pub fn boot_loader(settings: &Settings) -> Result<Kind, DeviceError> {
        Signs::read()?.kind(settings)
    }

    /// The slot that runs.
    pub fn booted(&self) -> Slot {
        self.booted
    }

    /// Who keeps which slot boots.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether the record lies on `gg-state` or in files on data. In files, nobody settles a boot but us.
    pub fn state_place(&self) -> StatePlace {
        self.place
    }

    pub fn slots(&self) -> &DeviceSlots {
        &self.slots
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Where `slot-a.json` and what else must last lies.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The slot-state record; none where there is none yet.
    pub fn record(&self) -> Result<Option<Record>, SlotsError> {
        match self.slots.status() {
            Ok(status) => Ok(Some(status.record)),
            Err(SlotsError::NoRecord) => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    /// The latest time that this device has trusted, in seconds since 1970.
    pub fn trusted_time(&self) -> Result<i64, SlotsError> {
        Ok(self.record()?.map_or(0, |record| i64::try_from(record.trusted_time).unwrap_or(i64::MAX)))
    }

    /// What the device has committed to, which a bundle is judged by.
    pub fn committed(&self, compatible: &str) -> Result<policy::Device, SlotsError> {
        let record = self.record()?;
        let data_min_reader = record.as_ref().map_or(0, |record| self.data_min_reader(record));
        Ok(policy::Device {
            compatible: compatible.to_owned(),
            floor: record.as_ref().map_or(0, |record| record.floor),
            key_epoch: record.as_ref().map_or(0, |record| record.key_epoch),
            data_min_reader,
        })
    }

    /// It is kept beside the data that it is about, and goes with them. The confirmed image has the highest that ever
    /// was committed, because a lower one is not installed.
    fn data_min_reader(&self, record: &Record) -> u32 {
        Installed::of(&self.data, record.ok, record).map_or(0, |known| known.data_min_reader)
    }
}

/// The device node of a place.
pub fn node(place: &Place) -> Result<PathBuf, DeviceError> {
    let label = match &place.device {
        Where::Path(path) => return Ok(path.clone()),
        Where::Label(label) => label,
    };
    let fault = |cause| DeviceError::Find { label: label.clone(), cause };
    let device = block::by_label(label).map_err(fault)?;
    let device = device.ok_or_else(|| DeviceError::NoPartition { label: label.clone(), slot: place.name.clone() })?;
    device.make_node().map_err(fault)
}

fn has_partition(label: &str) -> Result<bool, DeviceError> {
    let found = block::by_label(label).map_err(|cause| DeviceError::Find { label: label.to_owned(), cause })?;
    Ok(found.is_some())
}

/// What tells which slot runs, the surest first.
struct Signs {
    report: Option<Report>,
    cmdline: String,
    /// The number of the device that `/` is on.
    root: u64,
}

impl Signs {
    fn read() -> Result<Self, DeviceError> {
        let read = |path: &'static str| match fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(DeviceError::Read { path, cause }),
        };
        let report = read(places::REPORT)?.and_then(|text| Report::parse(&text).ok());
        let cmdline = read("/proc/cmdline")?.unwrap_or_default();
        let root = fs::metadata("/").map_err(|cause| DeviceError::Read { path: "/", cause })?.dev();
        Ok(Self { report, cmdline, root })
    }

    fn booted(&self, layout: &Layout, said: Option<Slot>) -> Result<Slot, DeviceError> {
        if let Some(name) = self.report.as_ref().and_then(|report| report.fact("slot")) {
            return Slot::parse(name).ok_or_else(|| DeviceError::NoSlotRuns { what: name.to_owned() });
        }
        let word = |name| argument(&self.cmdline, name);
        let of_ours = ["gg.slot", "gg.loaded"].iter().find_map(|name| Slot::parse(&word(name)?));
        let of_raucs = || layout.called(&word("rauc.slot")?);
        let found = of_ours.or_else(of_raucs).or_else(|| self.mounted(layout)).or(said);
        found.ok_or(DeviceError::NotKnown)
    }

    /// The slot that the root is on, or that `root=` names.
    fn mounted(&self, layout: &Layout) -> Option<Slot> {
        let root = argument(&self.cmdline, "root").unwrap_or_default();
        let named = match root.strip_prefix("PARTLABEL=") {
            Some(label) => block::by_label(label).ok().flatten().map(|device| device.node()),
            None => root.starts_with('/').then(|| PathBuf::from(root)),
        };
        let named = named.and_then(|path| number(&path));
        let is_root = |place: &Place| {
            let number = node(place).ok().and_then(|path| number(&path));
            number.is_some_and(|number| number == self.root || Some(number) == named)
        };
        [Slot::A, Slot::B].into_iter().find(|slot| layout.places(*slot).last().is_some_and(is_root))
    }

    fn kind(&self, settings: &Settings) -> Result<Kind, DeviceError> {
        if let Some(word) = &settings.bootloader {
            return settings.boot_loader().ok_or_else(|| DeviceError::BootLoader { word: word.clone() });
        }
        if let Some(kind) = self.report.as_ref().and_then(|report| Kind::parse(report.fact("backend")?)) {
            return Ok(kind);
        }
        let mut boot = BootSettings::default();
        let mut findings = Vec::new();
        boot.apply_file(Origin::SlotFile, &fs::read_to_string(places::SETTINGS).unwrap_or_default(), &mut findings);
        boot.apply_arguments(&self.cmdline, &mut findings);
        match boot.backend {
            Loader::This(kind) => Ok(kind),
            Loader::Auto if boot.loaded.is_some() => Ok(Kind::Grub),
            Loader::Auto | Loader::None => Err(DeviceError::NoBootLoader),
        }
    }
}

/// The number of a block device.
fn number(path: &Path) -> Option<u64> {
    let facts = fs::metadata(path).ok()?;
    facts.file_type().is_block_device().then(|| facts.rdev())
}

/// A device whose slots cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error("cannot read {path}")]
    Read {
        path: &'static str,
        #[source]
        cause: io::Error,
    },
    #[error(
        "which slot runs is not known: this system was not started by gg-init, and the kernel's arguments do not say; \
         say booted= in [greengrass] of /etc/greengrass/ota.conf"
    )]
    NotKnown,
    #[error("the system runs from {what:?}, which is neither of the two slots")]
    NoSlotRuns { what: String },
    #[error("bootloader={word} is not known here")]
    BootLoader { word: String },
    #[error("nobody keeps which slot boots; say bootloader= in [system]")]
    NoBootLoader,
    #[error("where GRUB's environment is mounted is not known; say grubenv= in [system]")]
    NoGrubenv,
    #[error("cannot look for the partition {label}")]
    Find {
        label: String,
        #[source]
        cause: io::Error,
    },
    #[error("there is no partition {label}, which is slot {slot}")]
    NoPartition { label: String, slot: String },
    #[error("cannot open the state of the slots")]
    Open(#[from] OpenError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(report: Option<&str>, cmdline: &str) -> Signs {
        let report = report.map(|text| Report::parse(&format!("greengrass-boot 1\n{text}")).unwrap());
        Signs { report, cmdline: cmdline.to_owned(), root: 0 }
    }

    #[test]
    fn slot_that_runs_is_told_by_the_surest_sign() {
        let layout = Layout::of(&[]).unwrap();
        let cases = [
            (Some("fact\tslot\tb\n"), "gg.slot=a", None, Some(Slot::B)),
            (Some("fact\tslot\trescue\n"), "gg.slot=a", Some(Slot::A), None),
            (Some(""), "quiet gg.loaded=b", Some(Slot::A), Some(Slot::B)),
            (None, "gg.slot=other gg.loaded=a", None, Some(Slot::A)),
            (None, "rauc.slot=b", None, Some(Slot::B)),
            (None, "rauc.slot=rootfs.0", None, Some(Slot::A)),
            (None, "rauc.slot=c root=/dev/null root=PARTLABEL=no-such", Some(Slot::B), Some(Slot::B)),
            (None, "", None, None),
        ];
        for (report, cmdline, said, expected) in cases {
            assert_eq!(signs(report, cmdline).booted(&layout, said).ok(), expected, "{report:?} {cmdline:?}");
        }
    }

    #[test]
    fn boot_loader_is_the_one_that_the_settings_or_the_boot_name() {
        let settings = |word: Option<&str>| Settings { bootloader: word.map(str::to_owned), ..Settings::default() };
        let report = Some("fact\tbackend\tuboot\n");
        let cases = [
            (report, "", Some("init-switch"), Some(Kind::InitSwitch)),
            (report, "gg.backend=grub", None, Some(Kind::Uboot)),
            (None, "gg.backend=grub-rauc", None, Some(Kind::GrubRauc)),
            (None, "gg.loaded=a", None, Some(Kind::Grub)),
            (report, "", Some("barebox"), None),
            (None, "", None, None),
        ];
        for (report, cmdline, word, expected) in cases {
            assert_eq!(signs(report, cmdline).kind(&settings(word)).ok(), expected, "{report:?} {cmdline:?} {word:?}");
        }
    }
}
