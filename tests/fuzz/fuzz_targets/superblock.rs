//! Whatever a partition begins with is told what it is, or unknown.
#![no_main]

use greengrass::boot::data::{Found, Policy, Remedy, Spare, remedies};
use greengrass::boot::superblock::{Kind, identify, needs_replay};

libfuzzer_sys::fuzz_target!(|head: &[u8]| {
    let kind = identify(head);
    assert!(!needs_replay(head) || !matches!(kind, Kind::Blank));
    for spare in [Spare::Seen, Spare::Absent] {
        for policy in [Policy::Fsck, Policy::Format, Policy::Never] {
            let remedies = remedies(Found::judge(kind, spare), policy);
            assert_eq!(remedies.last(), Some(&Remedy::Memory));
            // Nothing but a blank one is formatted unasked.
            let may_format = policy == Policy::Format || kind == Kind::Blank;
            assert!(may_format || !remedies.contains(&Remedy::Format));
        }
    }
});
