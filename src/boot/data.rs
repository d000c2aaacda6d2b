//! What to do with the data partition: pure. A damaged one is never formatted unless the policy says so.

use crate::superblock::{Health, Kind};

/// How far we may go to get a data partition that mounts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// Repair a damaged one, format a blank one.
    Fsck,
    /// The same, and format one that cannot be repaired.
    Format,
    /// Mount it as it is or do without.
    Never,
}

/// What was found where the data partition should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    Nothing,
    /// Nothing was ever on it, or a format of ours was cut short.
    Blank,
    /// A file system that should mount.
    Sound(&'static str),
    /// A file system that says it has errors, or that did not mount.
    Damaged,
}

impl Found {
    /// Judges the first bytes; whether a blank beginning has a spare superblock further on is the caller's to know.
    pub fn judge(kind: Kind, spare: Spare) -> Self {
        match (kind, spare) {
            (Kind::Ext4(Health::Errors), _) => Self::Damaged,
            (Kind::Blank, Spare::Absent) => Self::Blank,
            (kind, _) => kind.name().map_or(Self::Damaged, Self::Sound),
        }
    }
}

/// Whether a spare superblock was seen behind a blank beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spare {
    Seen,
    Absent,
}

/// One thing to try, cheapest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remedy {
    Mount(&'static str),
    Repair,
    Format,
    /// Memory in place of the partition: the last one always works.
    Memory,
}

/// What to try, in this order, until one gives a mounted file system.
pub fn remedies(found: Found, policy: Policy) -> &'static [Remedy] {
    match (found, policy) {
        (Found::Nothing, _) | (Found::Blank | Found::Damaged, Policy::Never) => &[Remedy::Memory],
        (Found::Blank, Policy::Fsck | Policy::Format) => &[Remedy::Format, Remedy::Memory],
        (Found::Damaged, Policy::Fsck) => &[Remedy::Repair, Remedy::Memory],
        (Found::Damaged, Policy::Format) => &[Remedy::Repair, Remedy::Format, Remedy::Memory],
        // The first try is the caller's; when it fails, what was found is `Damaged`.
        (Found::Sound("ext4"), _) => &[Remedy::Mount("ext4"), Remedy::Memory],
        (Found::Sound("f2fs"), _) => &[Remedy::Mount("f2fs"), Remedy::Memory],
        // A read-only file system is no data partition, and somebody's image may be the only copy.
        (Found::Sound(_), _) => &[Remedy::Memory],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_is_formatted_by_policy_alone() {
        for policy in [Policy::Fsck, Policy::Never] {
            assert!(!remedies(Found::Damaged, policy).contains(&Remedy::Format), "{policy:?}");
        }
        let order = remedies(Found::Damaged, Policy::Format);
        assert_eq!(order, [Remedy::Repair, Remedy::Format, Remedy::Memory]);
    }

    #[test]
    fn every_case_ends_in_memory() {
        for policy in [Policy::Fsck, Policy::Format, Policy::Never] {
            for found in [Found::Nothing, Found::Blank, Found::Damaged, Found::Sound("ext4"), Found::Sound("squashfs")]
            {
                assert_eq!(remedies(found, policy).last(), Some(&Remedy::Memory));
            }
        }
    }

    #[test]
    fn wiped_beginning_with_a_spare_is_damaged() {
        assert_eq!(Found::judge(Kind::Blank, Spare::Seen), Found::Damaged);
        assert_eq!(Found::judge(Kind::Blank, Spare::Absent), Found::Blank);
        assert_eq!(Found::judge(Kind::Unknown, Spare::Absent), Found::Damaged);
    }
}
