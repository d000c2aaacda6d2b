//! What lies on a partition, told from its first bytes: pure. Wrong bytes give `Unknown`, never a panic.

/// How much of a partition [`identify`] wants to see; less is fine and tells less.
pub const HEAD: usize = 4096;

/// A file system we may meet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Ext4(Health),
    F2fs,
    Squashfs,
    Erofs,
    /// All of what was shown is zero, or erased flash.
    Blank,
    Unknown,
}

/// What an ext4 superblock says of its file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Health {
    /// Unmounted, or to be replayed from its journal by the next mount.
    Good,
    /// The kernel met an error in it: check before the next mount.
    Errors,
}

impl Kind {
    /// The type for `mount(2)`.
    pub fn name(self) -> Option<&'static str> {
        match self {
            // ext2 and ext3 have the same magic, and the driver of ext4 mounts them.
            Self::Ext4(_) => Some("ext4"),
            Self::F2fs => Some("f2fs"),
            Self::Squashfs => Some("squashfs"),
            Self::Erofs => Some("erofs"),
            Self::Blank | Self::Unknown => None,
        }
    }
}

/// Tells what the first bytes of a partition are.
pub fn identify(head: &[u8]) -> Kind {
    if head.get(..4) == Some(b"hsqs") {
        return Kind::Squashfs;
    }
    match head.get(1024..1028) {
        Some([0x10, 0x20, 0xf5, 0xf2]) => return Kind::F2fs,
        Some([0xe2, 0xe1, 0xf5, 0xe0]) => return Kind::Erofs,
        _ => {}
    }
    if has_ext4_magic(head.get(1024..).unwrap_or_default()) {
        return Kind::Ext4(match head.get(1024 + EXT4_STATE) {
            Some(state) if state & EXT4_ERROR_FS != 0 => Health::Errors,
            _ => Health::Good,
        });
    }
    if !head.is_empty() && is_blank(head) { Kind::Blank } else { Kind::Unknown }
}

/// Whether an ext4 was mounted when the power went, the kernel panicked or the machine was reset: its journal is to be
/// replayed. After an orderly end it is not.
pub fn needs_replay(head: &[u8]) -> bool {
    let superblock = head.get(1024..).unwrap_or_default();
    has_ext4_magic(superblock) && superblock.get(EXT4_INCOMPATIBLE).is_some_and(|bits| bits & EXT4_RECOVER != 0)
}

/// Zero throughout, or erased flash throughout.
pub fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0) || bytes.iter().all(|byte| *byte == 0xff)
}

/// Whether an ext4 superblock, given from its own beginning, carries the magic number.
pub fn has_ext4_magic(superblock: &[u8]) -> bool {
    superblock.get(EXT4_MAGIC..EXT4_MAGIC + 2) == Some(&[0x53, 0xef])
}

/// Where mke2fs lays the first spare superblock, for blocks of 1, 2 and 4 KiB. A partition whose beginning is wiped
/// but that has a spare is damaged, not blank.
pub const EXT4_SPARES: [u64; 3] = [8193 * 1024, 16_384 * 2048, 32_768 * 4096];

const EXT4_MAGIC: usize = 0x38;
const EXT4_STATE: usize = 0x3a;
const EXT4_ERROR_FS: u8 = 2;
const EXT4_INCOMPATIBLE: usize = 0x60;
const EXT4_RECOVER: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn head(at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut head = vec![0; HEAD];
        head[at..at + bytes.len()].copy_from_slice(bytes);
        head
    }

    #[test]
    fn identify_knows_each_magic() {
        let cases = [
            (head(0, b"hsqs"), Kind::Squashfs),
            (head(1024, &[0xe2, 0xe1, 0xf5, 0xe0]), Kind::Erofs),
            (head(1024, &[0x10, 0x20, 0xf5, 0xf2]), Kind::F2fs),
            (head(1024 + 0x38, &[0x53, 0xef, 1]), Kind::Ext4(Health::Good)),
            (head(1024 + 0x38, &[0x53, 0xef, 3]), Kind::Ext4(Health::Errors)),
            (vec![0; HEAD], Kind::Blank),
            (vec![0xff; HEAD], Kind::Blank),
            (head(9, b"x"), Kind::Unknown),
        ];
        for (head, kind) in cases {
            assert_eq!(identify(&head), kind);
        }
    }

    #[test]
    fn journal_to_be_replayed_is_seen() {
        let mut dirty = head(1024 + 0x38, &[0x53, 0xef, 1]);
        assert!(!needs_replay(&dirty));
        dirty[1024 + 0x60] = 0xc6;
        assert!(needs_replay(&dirty));
        dirty[1024 + 0x38] = 0;
        assert!(!needs_replay(&dirty));
    }

    #[test]
    fn identify_bears_any_length() {
        let full = head(1024 + 0x38, &[0x53, 0xef, 3]);
        for length in 0..full.len() {
            let _ = identify(&full[..length]);
            let _ = needs_replay(&full[..length]);
        }
        assert_eq!(identify(&[]), Kind::Unknown);
    }
}
