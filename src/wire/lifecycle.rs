//! The lifecycle of a component as its recipe tells it, after selection and interpolation.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

mod read;

/// The steps a component has. A step the recipe spells wrongly is kept as its error: the reference
/// nucleus accepts the recipe and fails the step, so the verdict belongs to the lifecycle.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Lifecycle {
    /// Environment of every step.
    pub setenv: BTreeMap<String, String>,
    pub bootstrap: Option<Result<Bootstrap, StepError>>,
    pub install: Option<Result<Step, StepError>>,
    pub startup: Option<Result<Step, StepError>>,
    pub run: Option<Result<Step, StepError>>,
    pub shutdown: Option<Result<Step, StepError>>,
    pub recover: Option<Result<Step, StepError>>,
    pub uninstall: Option<Result<Step, StepError>>,
    /// Two errors further apart than this do not add up; the default is one hour.
    pub error_reset_time: Option<Duration>,
}

/// One step: a script and how to run it.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// Text handed to the shell as one `-c` argument.
    pub script: String,
    /// Run as the daemon's own user instead of the component's.
    pub requires_privilege: bool,
    pub skipif: Option<Skipif>,
    /// Overrides [`StepName::default_timeout`].
    pub timeout: Option<Duration>,
    /// Environment of this step alone.
    pub setenv: BTreeMap<String, String>,
}

/// A `Bootstrap` step.
#[derive(Clone, PartialEq, Debug)]
pub struct Bootstrap {
    pub step: Step,
    /// Run it again when a deployment is rolled back to this version.
    pub on_rollback: bool,
}

impl Bootstrap {
    /// Whether the step is the one that `SystemUpdate` stands for. It ends as if a reboot were needed, also where the
    /// bundle runs already.
    pub fn is_system_update(&self) -> bool {
        self.step.script == read::SYSTEM_UPDATE
    }
}

/// A condition under which a step is left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skipif {
    /// The condition began with `!`.
    pub negated: bool,
    pub test: SkipTest,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SkipTest {
    /// `onpath <executable>`
    OnPath(String),
    /// `exists <path>`
    Exists(String),
}

/// A step whose recipe text cannot be run; becomes the status code `<STEP>_CONFIG_NOT_VALID`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the {step} step is not valid: {fault}")]
pub struct StepError {
    pub step: StepName,
    pub fault: String,
}

/// The names of the steps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum StepName {
    Bootstrap,
    Install,
    Startup,
    Run,
    Shutdown,
    Recover,
    Uninstall,
}

impl StepName {
    /// How long a step may take when its recipe does not say; `None` is for ever.
    pub const fn default_timeout(self) -> Option<Duration> {
        match self {
            Self::Bootstrap | Self::Install | Self::Startup | Self::Uninstall => Some(Duration::from_secs(120)),
            Self::Recover => Some(Duration::from_secs(60)),
            Self::Shutdown => Some(Duration::from_secs(15)),
            Self::Run => None,
        }
    }

    /// The spelling of recipes and documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bootstrap => "Bootstrap",
            Self::Install => "Install",
            Self::Startup => "Startup",
            Self::Run => "Run",
            Self::Shutdown => "Shutdown",
            Self::Recover => "Recover",
            Self::Uninstall => "Uninstall",
        }
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
