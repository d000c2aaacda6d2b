//! One finding, and the verdict of all.

use clap::ValueEnum;
use serde::Serialize;

/// What a finding is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Group {
    /// Release and options
    Kernel,
    /// Control groups: mounted, with which controllers
    Cgroups,
    /// Init, devices and directories, C library, users
    System,
    /// Protection of links, root certificates
    Security,
    /// Memory, disk, clock, watchdog, overlay
    Resources,
    /// Interpreters
    Software,
}

/// How good a finding is. The order is that of badness.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    Degraded,
    Failed,
}

impl Verdict {
    pub(super) const ALL: [Self; 3] = [Self::Ok, Self::Degraded, Self::Failed];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
        }
    }

    /// The worst of all.
    pub(super) fn of(findings: &[Finding]) -> Self {
        findings.iter().map(|finding| finding.verdict).max().unwrap_or(Self::Ok)
    }
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Finding {
    pub group: Group,
    pub name: String,
    pub verdict: Verdict,
    /// What is there.
    pub what: String,
    /// What does not work.
    pub effect: Option<String>,
    /// What to do about it.
    pub mend: Option<String>,
    /// One of many of its kind; not worth a line to people when it is ok.
    #[serde(skip)]
    pub routine: bool,
}

impl Finding {
    pub(super) fn ok(group: Group, name: &str, what: impl Into<String>) -> Self {
        Self {
            group,
            name: name.to_owned(),
            verdict: Verdict::Ok,
            what: what.into(),
            effect: None,
            mend: None,
            routine: false,
        }
    }

    /// Not as it should be: what is there, what that costs, what to do.
    pub(super) fn bad(
        verdict: Verdict,
        group: Group,
        name: &str,
        what: impl Into<String>,
        effect: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        let (effect, mend) = (Some(effect.into()), Some(mend.into()));
        Self { verdict, effect, mend, ..Self::ok(group, name, what) }
    }

    pub(super) fn degraded(
        group: Group,
        name: &str,
        what: impl Into<String>,
        effect: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self::bad(Verdict::Degraded, group, name, what, effect, mend)
    }
}
