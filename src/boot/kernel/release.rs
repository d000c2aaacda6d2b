//! Kernel releases, and what old ones cannot do.

use std::fmt;

use super::fragment::Missing;

/// The first two numbers of `uname -r`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Release(pub u16, pub u16);

impl Release {
    /// Reads `6.1.0-44-cloud-amd64`, `5.10-rc1`, `4.4`.
    pub fn parse(text: &str) -> Option<Self> {
        let (major, rest) = text.split_once('.')?;
        let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
        Some(Self(number(major)?, number(&rest[..end])?))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What a kernel older than a release cannot do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    pub since: Release,
    pub missing: Missing,
    /// What does not work on an older one.
    pub effect: &'static str,
    /// Whose rule it is.
    pub user: &'static str,
}

impl Rule {
    pub fn is_met(&self, release: Release) -> bool {
        release >= self.since
    }
}

/// Every rule, the oldest release first.
///
/// What our code uses of newer kernels and does without where it is not there has no rule: `pidfd_open` (5.3),
/// `close_range` (5.11), `cgroup.kill` (5.14).
pub static RULES: &[Rule] = &[
    Rule {
        since: Release(3, 17),
        missing: Missing::Failed,
        effect: "neither the reference nor greengrass-rs runs: getrandom(2), memfd_create(2)",
        user: "src/sys/pipe.rs: memfd_create(2) for keepers; V1 device tester",
    },
    Rule {
        since: Release(4, 4),
        missing: Missing::Degraded,
        effect: "Lambda functions cannot run in a container",
        user: "V1 device tester",
    },
    Rule {
        since: Release(4, 13),
        missing: Missing::Degraded,
        effect: "members of the owner group are known by their primary group alone, and a component killed for want of \
            memory does not say so",
        user: "src/sys/peer.rs: SO_PEERGROUPS; src/sys/cgroup.rs: oom_kill",
    },
    Rule {
        since: Release(4, 15),
        missing: Missing::Degraded,
        effect: "CPU limits have no effect in control groups of version 2; mount version 1",
        user: "src/sys/cgroup.rs: cpu.max",
    },
    Rule {
        since: Release(5, 2),
        missing: Missing::Degraded,
        effect: "components cannot be paused in control groups of version 2; mount version 1",
        user: "src/sys/cgroup.rs: cgroup.freeze",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_is_the_first_two_numbers() {
        for (text, release) in [
            ("6.1.0-44-cloud-amd64", Some(Release(6, 1))),
            ("3.17", Some(Release(3, 17))),
            ("5.10-rc1", Some(Release(5, 10))),
            ("4.4.302+", Some(Release(4, 4))),
            ("", None),
            ("6", None),
            (".1", None),
            ("6.", None),
            ("+6.1", None),
            ("6.+1", None),
            ("99999.1", None),
            ("six.one", None),
        ] {
            assert_eq!(Release::parse(text), release, "{text:?}");
        }
    }

    #[test]
    fn releases_are_compared_by_number() {
        assert!(Release(3, 9) < Release(3, 17) && Release(3, 17) < Release(4, 4) && Release(4, 13) < Release(5, 2));
        assert!(RULES.is_sorted_by_key(|rule| rule.since));
        assert_eq!(RULES.iter().filter(|rule| !rule.is_met(Release(3, 16))).count(), RULES.len());
        assert!(RULES.iter().all(|rule| rule.is_met(Release(5, 2))));
    }
}
