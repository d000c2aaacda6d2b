//! The writable layer over a read-only slot: where its two directories lie on the data partition, and its options.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::slot::Slot;

/// One slot's writable layer. Each slot has its own: what one version wrote must not lie over the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layer {
    /// What was changed.
    pub upper: PathBuf,
    /// The kernel's scratch directory; must be on the same file system as `upper`.
    pub work: PathBuf,
}

impl Layer {
    /// Below the mounted data partition: `overlay/<slot>/{upper,work}`.
    pub fn on_data(data: &Path, slot: Slot) -> Self {
        Self::below(&of_slot(data, slot))
    }

    /// Directly below a directory, for a layer that is lost with the power.
    pub fn below(directory: &Path) -> Self {
        Self { upper: directory.join("upper"), work: directory.join("work") }
    }

    /// The options of `mount -t overlay`. A path with a comma or colon would be cut there by the kernel, so the
    /// paths of this crate hold none.
    pub fn options(&self, lower: &Path) -> OsString {
        let mut options = OsString::from("lowerdir=");
        options.push(lower);
        options.push(",upperdir=");
        options.push(&self.upper);
        options.push(",workdir=");
        options.push(&self.work);
        options
    }
}

/// The directory a factory reset of one slot removes.
pub fn of_slot(data: &Path, slot: Slot) -> PathBuf {
    all(data).join(slot.name())
}

/// The directory a factory reset removes.
pub fn all(data: &Path) -> PathBuf {
    data.join("overlay")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_of_two_slots_share_nothing() {
        let data = Path::new("/data");
        let (a, b) = (Layer::on_data(data, Slot::A), Layer::on_data(data, Slot::B));
        assert_eq!(a.upper, Path::new("/data/overlay/a/upper"));
        assert_eq!(b.work, Path::new("/data/overlay/b/work"));
        assert!(!a.upper.starts_with(b.upper.parent().unwrap()));
    }

    #[test]
    fn options_name_the_three_directories() {
        let layer = Layer::below(Path::new("/t"));
        assert_eq!(layer.options(Path::new("/slot")), "lowerdir=/slot,upperdir=/t/upper,workdir=/t/work");
    }
}
