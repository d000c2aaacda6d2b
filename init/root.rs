//! The new root: the slot with a writable layer over it, the data and what the kernel shows inside, then the switch.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use gg_boot::overlay::{self, Layer};
use gg_boot::places;
use gg_boot::settings::{Overlay, Settings};
use gg_sys::mount::{self, Access, Trust};

use crate::data::Data;
use crate::ground::{Stage, Standing, make_directory};
use crate::journal::{Done, Failure};
use crate::slot::Image;

/// Where what is written to the root goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Root {
    Kept,
    Memory,
    ReadOnly,
}

impl Root {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kept => "overlay on data",
            Self::Memory => "overlay in memory",
            Self::ReadOnly => "read-only",
        }
    }
}

/// Lays the layer over the slot, on the data partition.
pub(crate) fn overlay_on_data(image: Image, stage: &Stage) -> Result<Done<Root>, Failure> {
    let layer = match image {
        Image::Slot(slot) => Layer::on_data(&stage.data(), slot),
        Image::Rescue | Image::Here => Layer::below(&overlay::all(&stage.data()).join(image.name())),
    };
    lay(&layer, stage)?;
    Ok(Done::Well(Root::Kept, format!("overlay/{}", image.name())))
}

/// The same in memory.
pub(crate) fn overlay_in_memory(stage: &Stage, settings: &Settings) -> Result<Done<Root>, Failure> {
    lay(&Layer::below(&stage.memory("root-memory", settings.overlay_size)?), stage)?;
    Ok(Done::Well(Root::Memory, String::new()))
}

fn lay(layer: &Layer, stage: &Stage) -> Result<(), Failure> {
    for directory in [&layer.upper, &layer.work] {
        make_directory(directory).map_err(|cause| Failure::new("make", directory.display(), cause))?;
    }
    let options = layer.options(&stage.slot());
    mount::mount("gg-root".as_ref(), &stage.root(), "overlay", Access::ReadWrite, Trust::Full, &options)
        .map_err(|cause| Failure::new("mount", "the overlay", cause))
}

/// The slot as it is.
pub(crate) fn plain(stage: &Stage) -> Result<Done<Root>, Failure> {
    let failure = |cause| Failure::new("bind", stage.slot().display(), cause);
    mount::bind(&stage.slot(), &stage.root()).map_err(failure)?;
    mount::make_read_only(&stage.root()).map_err(failure)?;
    Ok(Done::Well(Root::ReadOnly, String::new()))
}

/// What to do, in this order, for the layer that is wanted.
pub(crate) fn ways(settings: &Settings, image: Image, data: Data) -> &'static [Overlay] {
    match (settings.overlay, image, data) {
        (Overlay::None, _, _) => &[Overlay::None],
        // The factory image is what it was when it left the factory.
        (_, Image::Rescue, _) | (Overlay::Memory, _, _) | (_, _, Data::Lost | Data::Borrowed) => {
            &[Overlay::Memory, Overlay::None]
        }
        (Overlay::Data, _, Data::Kept) => &[Overlay::Data, Overlay::Memory, Overlay::None],
    }
}

/// Moves into the new root what must not be lost: a mount that stays behind is out of reach.
pub(crate) fn furnish(stage: &Stage) -> Result<Done<()>, Failure> {
    let root = stage.root();
    let within = |path: &str| root.join(&path[1..]);
    let move_to = |from: PathBuf, to: PathBuf| {
        make_directory(&to)
            .and_then(|()| mount::move_to(&from, &to))
            .map_err(|cause| Failure::new("move", format_args!("{} to {}", from.display(), to.display()), cause))
    };
    // A /run of its own: ours holds the stage, and the root that is about to leave it.
    let run = within("/run");
    make_directory(&run)
        .and_then(|()| {
            mount::mount(
                "run".as_ref(),
                &run,
                "tmpfs",
                Access::ReadWrite,
                Trust::NoPrivileges,
                OsStr::new("mode=755,size=20%"),
            )
        })
        .map_err(|cause| Failure::new("mount", "tmpfs at /run", cause))?;
    // Needed by everything, so first; a root without these directories is none.
    for path in ["/dev", "/proc", "/sys"] {
        move_to(PathBuf::from(path), within(path))?;
    }
    // For looking at, and for what updates it: the device runs without.
    let slot = move_to(stage.slot(), within(places::SLOT));
    let data = move_to(stage.data(), within(places::DATA));
    match slot.and(data) {
        Ok(()) => Ok(Done::Well((), String::new())),
        Err(failure) => Ok(Done::Partly((), failure.to_string(), "it is out of reach")),
    }
}

/// Makes it the root, and gives the memory of the initramfs back.
pub(crate) fn switch(stage: &Stage, standing: Standing) -> Result<Done<()>, Failure> {
    let root = stage.root();
    let old = gg_sys::root::switch(&root).map_err(|cause| Failure::new("switch to", root.display(), cause))?;
    if standing == Standing::Slot {
        return Ok(Done::Well((), String::new()));
    }
    match old.empty() {
        Ok(0) => Ok(Done::Well((), String::new())),
        Ok(left) => Ok(Done::Well((), format!("{left} files of the initramfs stay in memory"))),
        Err(cause) => Ok(Done::Well((), format!("the initramfs stays in memory: {cause}"))),
    }
}

/// In an initramfs that is the device: nothing to switch to, only the data to put where it belongs.
pub(crate) fn stay(stage: &Stage) -> Result<Done<()>, Failure> {
    let failure = |cause| Failure::new("move", stage.data().display(), cause);
    make_directory(Path::new(places::DATA)).map_err(failure)?;
    mount::move_to(&stage.data(), Path::new(places::DATA)).map_err(failure)?;
    Ok(Done::Well((), "the initramfs is the root".to_owned()))
}

/// Puts the report of the boot before aside. A cut loses at most the reports: nothing here waits for the disk.
pub(crate) fn keep_former_report() {
    let data = Path::new(places::DATA);
    let _ = fs::rename(data.join(places::KEPT_REPORT), data.join(places::FORMER_REPORT));
}

/// Writes the report where the system finds it, and on the data partition.
pub(crate) fn publish(report: &str, data: Data) -> Result<(), Failure> {
    write(Path::new(places::REPORT), report)?;
    if data == Data::Kept { write(&Path::new(places::DATA).join(places::KEPT_REPORT), report) } else { Ok(()) }
}

/// Keeps the report of a boot that ends before it has a root, on data wherever that is mounted.
pub(crate) fn keep_report(report: &str, data: &Path) -> Result<(), Failure> {
    let kept = data.join(places::KEPT_REPORT);
    let _ = fs::rename(&kept, data.join(places::FORMER_REPORT));
    write(&kept, report)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    make_directory(directory)
        .and_then(|()| fs::write(path, text))
        .map_err(|cause| Failure::new("write", path.display(), cause))
}
