//! Everything that is asked before the first byte is written: which image goes where, and whether it can.

use std::io;
use std::path::{Path, PathBuf};

use super::super::adaptive::Seeds;
use super::super::bundle::{Bundle, BundleError, Source};
use super::super::install::archive::FileSystem;
use super::super::install::{self, InstallError};
use super::hooks::{HookError, Moment};
use crate::store::slot_device::{self, SlotDevice, Target as SlotTarget};
use crate::wire::bundle::manifest::{Image, Kind, Manifest};

/// A place that an image may be written to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    pub class: String,
    /// For messages, such as `rootfs.1`.
    pub name: String,
    pub path: PathBuf,
    /// RAUC's type of the slot.
    pub kind: String,
    /// For hooks, and for `mkfs`.
    pub bootname: Option<String>,
    pub parent: Option<String>,
    pub mkfs_options: Vec<String>,
}

impl Target {
    /// Of a device that somebody names.
    pub fn plain(class: &str, path: PathBuf) -> Self {
        Self {
            class: class.to_owned(),
            name: class.to_owned(),
            path,
            kind: "raw".to_owned(),
            bootname: None,
            parent: None,
            mkfs_options: Vec::new(),
        }
    }
}

/// What the settings allow.
#[derive(Clone, Copy, Debug)]
pub struct Allowed<'a> {
    pub hooks: bool,
    /// Where a slot is mounted while something is done in it.
    pub mount_point: &'a Path,
    /// Which of several images for one class is for this device.
    pub variant: Option<&'a str>,
}

/// One image on its way: it is asked for, and the slot is open and nobody else's.
#[derive(Debug)]
pub struct Job<'a> {
    pub image: &'a Image,
    pub target: Target,
    /// Not there while somebody else works on it in our name.
    pub device: Option<SlotTarget>,
    /// For an archive.
    pub file_system: Option<FileSystem>,
    /// What the device may have of it.
    pub seeds: Seeds,
}

/// The types of slots that bytes can be written to as they are.
const PLAIN: [&str; 5] = ["raw", "ext4", "vfat", "squashfs", "erofs"];

/// Finds a place for each image of the bundle, in the order of the places. What lies at the paths of `running` is not
/// touched. Nothing is written.
pub fn jobs<'a>(
    bundle: &'a Bundle,
    source: &dyn Source,
    targets: &[Target],
    running: &[PathBuf],
    allowed: Allowed<'_>,
) -> Result<Vec<Job<'a>>, PrepareError> {
    let images = images(&bundle.manifest, allowed)?;
    let is_known = |image: &&&Image| targets.iter().any(|target| target.class == image.slot_class);
    if let Some(image) = images.iter().find(|image| !is_known(image)) {
        return Err(PrepareError::NoSlot { class: image.slot_class.clone() });
    }
    let identity = |path: &PathBuf| slot_device::identity(path).ok();
    let mut taken: Vec<_> = running.iter().filter_map(identity).collect();
    let mut jobs = Vec::new();
    for target in targets {
        let Some(image) = images.iter().find(|image| image.slot_class == target.class) else { continue };
        let (slot, path) = (target.name.clone(), target.path.clone());
        if !PLAIN.contains(&target.kind.as_str()) {
            return Err(PrepareError::SlotType { slot, kind: target.kind.clone() });
        }
        let fault = |cause: io::Error| match cause.raw_os_error() {
            Some(slot_device::EBUSY) => PrepareError::InUse { slot: slot.clone(), path: path.clone() },
            _ => PrepareError::Open { slot: slot.clone(), path: path.clone(), cause },
        };
        // First of all: what runs is not even opened.
        let number = slot_device::identity(&path).map_err(fault)?;
        if taken.contains(&number) {
            return Err(PrepareError::Taken { slot, path });
        }
        taken.push(number);
        let device = SlotTarget::open(&path).map_err(fault)?;
        let refused = |cause| PrepareError::Image { class: image.slot_class.clone(), cause: Box::new(cause) };
        let mut file_system = None;
        if !Moment::Instead.is_in(image) {
            install::check(bundle, source, image, device.capacity()).map_err(refused)?;
            if matches!(image.kind, Kind::Tar | Kind::Empty) {
                if device.capacity().is_none() {
                    return Err(PrepareError::NoDevice { slot, path });
                }
                let made = FileSystem::find(&target.kind, &target.mkfs_options, allowed.mount_point);
                file_system = Some(made.map_err(|cause| refused(cause.into()))?);
            }
        }
        jobs.push(Job { image, target: target.clone(), device: Some(device), file_system, seeds: Seeds::default() });
    }
    Ok(jobs)
}

/// The images that are for this device, and no program that must run for it.
fn images<'a>(manifest: &'a Manifest, allowed: Allowed<'_>) -> Result<Vec<&'a Image>, PrepareError> {
    if manifest.handler.is_some() {
        return Err(PrepareError::Handler);
    }
    if manifest.hook.is_some() && !allowed.hooks {
        return Err(PrepareError::Hooks);
    }
    let mut images: Vec<&Image> = Vec::new();
    for image in &manifest.images {
        if image.artifact.is_some() {
            return Err(PrepareError::Artifact { name: image.section() });
        }
        // As RAUC does: of a class the image for this variant, else the one for none.
        if images.iter().any(|other| other.slot_class == image.slot_class) {
            continue;
        }
        let of_class = || manifest.images.iter().filter(|other| other.slot_class == image.slot_class);
        let is_ours = |other: &&Image| other.variant.is_some() && other.variant.as_deref() == allowed.variant;
        let Some(image) = of_class().find(is_ours).or_else(|| of_class().find(|other| other.variant.is_none())) else {
            let (class, variant) = (image.slot_class.clone(), allowed.variant.unwrap_or("none").to_owned());
            return Err(PrepareError::Variant { class, variant });
        };
        if !image.convert.is_empty() && !image.convert.iter().any(|method| method == "keep") {
            return Err(PrepareError::Converted { class: image.slot_class.clone() });
        }
        images.push(image);
    }
    Ok(images)
}

impl From<HookError> for PrepareError {
    fn from(cause: HookError) -> Self {
        Self::Hook(Box::new(cause))
    }
}

impl PrepareError {
    /// The bundle could not be read: that may go by.
    pub fn is_of_source(&self) -> bool {
        let Self::Image { cause, .. } = self else { return false };
        matches!(**cause, InstallError::Bundle(BundleError::Read { .. }))
    }
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error(
        "the bundle brings a program that installs it ([handler]), and such are not run here; make it with images, and hooks \
        where it takes a program"
    )]
    Handler,
    #[error("the bundle has hooks, and the settings do not say allow-hooks=true in [greengrass]")]
    Hooks,
    #[error(
        "the images for {class:?} are for other variants than that of this device, which is {variant}; \
        see variant-name, variant-file and variant-dtb in [system]"
    )]
    Variant { class: String, variant: String },
    #[error(
        "the bundle has the artifact {name:?}, and artifacts are not installed here: bring it as a component, or in the \
        image of a slot"
    )]
    Artifact { name: String },
    #[error(
        "the image for {class:?} was converted (convert=) and is not in the bundle itself; make it without, or with keep"
    )]
    Converted { class: String },
    #[error("the bundle has the version {version:?}, and min-bundle-version is {least}")]
    TooOld { version: String, least: String },
    #[error("the bundle has an image for {class:?}, and this device has no such slot")]
    NoSlot { class: String },
    #[error("the bundle has no image for {class:?}, which is the system itself")]
    NoSystem { class: String },
    #[error("the slot {slot} is only to be read")]
    ReadOnly { slot: String },
    #[error("the slot {slot} is of the type {kind}, which is not written here")]
    SlotType { slot: String, kind: String },
    #[error("the slot {slot} is {}, which runs or is another slot, too", path.display())]
    Taken { slot: String, path: PathBuf },
    #[error("the slot {slot} ({}) is mounted or otherwise in use", path.display())]
    InUse { slot: String, path: PathBuf },
    #[error("cannot open the slot {slot} ({})", path.display())]
    Open {
        slot: String,
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("the image for {class:?} cannot be installed")]
    Image {
        class: String,
        #[source]
        cause: Box<InstallError>,
    },
    #[error("the slot {slot} ({}) is no block device, and an archive is unpacked into one", path.display())]
    NoDevice { slot: String, path: PathBuf },
    #[error(transparent)]
    Hook(Box<HookError>),
    #[error("the bundle has {size} bytes, and max-bundle-size is {limit}")]
    TooLarge { size: u64, limit: u64 },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(images: &str, variant: Option<&str>) -> Result<Vec<String>, PrepareError> {
        let manifest = Manifest::draft(format!("[update]\ncompatible=x\n{images}").as_bytes()).unwrap();
        let allowed = Allowed { hooks: false, mount_point: Path::new("/"), variant };
        Ok(super::images(&manifest, allowed)?.iter().map(|image| image.section()).collect())
    }

    #[test]
    fn image_is_the_one_for_the_variant_else_the_one_for_none() {
        let both = "[image.dtb.v1]\nfilename=a\n[image.rootfs]\nfilename=b\n[image.dtb]\nfilename=c\n[image.dtb.v2]\nfilename=d\n";
        for (variant, dtb) in [(Some("v1"), "dtb.v1"), (Some("v2"), "dtb.v2"), (Some("v3"), "dtb"), (None, "dtb")] {
            assert_eq!(chosen(both, variant).unwrap(), [dtb, "rootfs"], "{variant:?}");
        }
        let only = "[image.dtb.ti,bone.v1]\nfilename=a\n";
        assert_eq!(chosen(only, Some("ti,bone.v1")).unwrap(), ["dtb.ti,bone.v1"]);
        for variant in [None, Some("v1"), Some("")] {
            assert!(matches!(chosen(only, variant), Err(PrepareError::Variant { .. })), "{variant:?}");
        }
    }

    #[test]
    fn image_that_is_nothing_for_a_slot_is_refused() {
        assert!(matches!(chosen("[image.files/app]\nfilename=a\n", None), Err(PrepareError::Artifact { .. })));
        assert!(matches!(chosen("[handler]\nfilename=a\n", None), Err(PrepareError::Handler)));
        assert!(matches!(chosen("[hooks]\nfilename=a\n", None), Err(PrepareError::Hooks)));
    }
}
