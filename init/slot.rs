//! The system image: found by its label, known by its first bytes, mounted read-only.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use gg_boot::places::label;
use gg_boot::slot::Slot;
use gg_boot::superblock::{HEAD, Kind, identify};
use gg_sys::block::{self, Arrivals};
use gg_sys::mount::{self, Access, Trust};

use crate::ground::{Stage, Standing};
use crate::handover;
use crate::journal::{Done, Failure};

/// What we boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Image {
    Slot(Slot),
    /// The factory image.
    Rescue,
    /// What the kernel has mounted as root, where that is no slot with a label; or the initramfs itself.
    Here,
}

impl Image {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Slot(slot) => slot.name(),
            Self::Rescue => "rescue",
            Self::Here => "root",
        }
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Slot(slot) => slot.label(),
            Self::Rescue => label::RESCUE,
            Self::Here => "",
        }
    }
}

/// Waits for the partition of an image, then mounts it.
pub(crate) fn mount(
    image: Image,
    stage: &Stage,
    arrivals: Option<&Arrivals>,
    wait: Duration,
) -> Result<Done<()>, Failure> {
    let target = stage.slot();
    let failure = |cause| Failure::new("find", image.label(), cause);
    let device = match arrivals {
        Some(arrivals) => arrivals.wait_for(&[image.label()], wait),
        None => block::by_label(image.label()),
    };
    let device = device
        .map_err(failure)?
        .ok_or_else(|| Failure::because("find", image.label(), format!("not there after {} s", wait.as_secs())))?;
    let node = device.make_node().map_err(failure)?;
    let kind = identify(&head(&node)?);
    let name = match kind {
        Kind::Squashfs | Kind::Erofs | Kind::Ext4(_) => kind.name(),
        Kind::F2fs | Kind::Blank | Kind::Unknown => None,
    };
    let name = name.ok_or_else(|| {
        Failure::because("mount", node.display(), format!("it holds no system image ({kind:?})").to_lowercase())
    })?;
    // The journal is not replayed: an image is the same bytes as long as it is not updated.
    let options = if name == "ext4" { "noload" } else { "" };
    mount::mount(node.as_os_str(), &target, name, Access::ReadOnly, Trust::Full, options.as_ref())
        .map_err(|cause| Failure::new("mount", format_args!("{} as {name}", node.display()), cause))?;
    if !handover::could_boot(&target) {
        // Another image gets this place.
        let _ = mount::detach(&target);
        return Err(Failure::because("boot", node.display(), "it holds neither an init nor the daemon"));
    }
    Ok(Done::Well((), format!("{} is {}, {name}", image.label(), device.name)))
}

/// The first bytes of a device, as many as there are.
pub(crate) fn head(node: &Path) -> Result<Vec<u8>, Failure> {
    let failure = |cause| Failure::new("read", node.display(), cause);
    let mut head = Vec::with_capacity(HEAD);
    File::open(node).map_err(failure)?.take(HEAD as u64).read_to_end(&mut head).map_err(failure)?;
    Ok(head)
}

/// Shows the root we stand on as the slot. In an initramfs there is nothing to lay a layer over.
pub(crate) fn show_root(stage: &Stage) -> Result<Done<Image>, Failure> {
    let target = stage.slot();
    mount::bind(Path::new("/"), &target).map_err(|cause| Failure::new("bind", "/", cause))?;
    mount::make_read_only(&target).map_err(|cause| Failure::new("make read-only", target.display(), cause))?;
    let image = own_label().map_or(Image::Here, Image::Slot);
    Ok(Done::Well(image, format!("the root of the kernel, {}", image.name())))
}

/// Which slot the root of the kernel is.
fn own_label() -> Option<Slot> {
    let device = fs::metadata("/").ok()?.dev();
    let number = (gg_sys::block::major(device), gg_sys::block::minor(device));
    let found = block::devices().ok()?.into_iter().find(|found| found.number == number)?;
    let label = found.label?;
    [Slot::A, Slot::B].into_iter().find(|slot| slot.label().as_bytes() == label.as_bytes())
}

/// Where no image can be mounted, what carries an initramfs may carry the device: for tests and tiny devices.
pub(crate) fn initramfs_could_boot(standing: Standing) -> bool {
    standing == Standing::Initramfs && handover::could_boot(Path::new("/"))
}

/// Whether the name of a file is this one.
pub(crate) fn is_named(path: &Path, name: &str) -> bool {
    path.file_name().is_some_and(|file| file.as_bytes() == name.as_bytes())
}
