//! The writable layer over a read-only slot: where its two directories lie on the data partition, its options, and what
//! of it a new version inherits.

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

/// Which installation a slot's layer was made for: the one that is there. Written when all is copied.
pub fn inherited(data: &Path, slot: Slot) -> PathBuf {
    of_slot(data, slot).join("inherited")
}

/// The same, when the migrations have run on it.
pub fn migrated(data: &Path, slot: Slot) -> PathBuf {
    of_slot(data, slot).join("migrated")
}

/// What a new version inherits where its image does not say: who the device is, and how it is reached.
pub const KEPT: &str = "\
/etc/greengrass
/etc/machine-id
/etc/hostname
/etc/localtime
/etc/timezone
/etc/ssh/ssh_host_*
/etc/dropbear
/root/.ssh
/etc/config
/etc/network
/etc/netplan
/etc/systemd/network
/etc/NetworkManager/system-connections
/etc/wpa_supplicant*
/var/lib/iwd
/var/lib/systemd/random-seed
";

/// The paths of such a list: a line each, `#` for comments; `*` in the last part stands for anything. What leads out of
/// the root is left out.
pub fn kept(list: &str) -> impl Iterator<Item = &str> {
    let lines = list.lines().map(str::trim).filter(|line| line.starts_with('/'));
    lines.map(|line| line.trim_matches('/')).filter(|line| !line.split('/').any(|part| matches!(part, "" | "." | "..")))
}

/// Whether a name is one of those that a pattern stands for.
pub fn is_meant(pattern: &[u8], name: &[u8]) -> bool {
    let mut parts = pattern.split(|byte| *byte == b'*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        // Each but the last one is taken where it comes first.
        if let Some(part) = last.replace(part) {
            let Some(at) = find(rest, part) else { return false };
            rest = &rest[at + part.len()..];
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() { Some(0) } else { text.windows(part.len()).position(|window| window == part) }
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

    #[test]
    fn list_of_kept_paths_leads_nowhere_else() {
        let list = "# ours\n /etc/greengrass/ \n\n/etc/../data\nrelative\n/\n/etc//x\n/./a\n/etc/ssh/ssh_host_*\n";
        assert_eq!(kept(list).collect::<Vec<_>>(), ["etc/greengrass", "etc/ssh/ssh_host_*"]);
        assert_eq!(kept(KEPT).count(), KEPT.lines().count());
    }

    #[test]
    fn pattern_means_what_a_shell_would() {
        let cases = [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*", "x", true),
            ("ssh_host_*", "ssh_host_rsa_key", true),
            ("ssh_host_*", "ssh_config", false),
            ("ssh_host_*_key", "ssh_host_rsa_key.pub", false),
            ("ssh_host_*_key", "ssh_host_key", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("a*bc*c", "abcc", true),
            ("a*b*b", "ab", false),
        ];
        for (pattern, name, meant) in cases {
            assert_eq!(is_meant(pattern.as_bytes(), name.as_bytes()), meant, "{pattern} {name}");
        }
    }
}
