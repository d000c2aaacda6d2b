//! Values on the command line, parsed into what the daemon speaks; and the long help texts.

use std::time::Duration;

use clap_complete::Shell;

use crate::wire::name::{ComponentName, ComponentVersion, GroupName, NameError};
use crate::wire::run_with::PosixUser;
use crate::wire::state::FailureHandlingPolicy;

pub(super) const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 refused or not found, 64 the command line is \
    wrong, 69 the daemon cannot be reached.";

pub(super) const CREATE_EXAMPLES: &str = "Examples:\n  \
    greengrass-cli deployment create -r recipes -a artifacts -m HelloWorld=1.0.0 --wait\n  \
    greengrass-cli deployment create --remove HelloWorld\n  \
    greengrass-cli deployment create -m HelloWorld=1.0.0 -c '{\"HelloWorld\":{\"MERGE\":{\"name\":\"you\"}}}'\n\n\
    With --wait the exit code tells how the deployment ended: 0 succeeded, 1 failed, 2 cancelled or rejected.";

pub(super) const LOGS_EXAMPLES: &str = "Examples:\n  \
    greengrass-cli logs get -lf /greengrass/v2/logs/HelloWorld.log --follow\n  \
    greengrass-cli logs get -t -2h,-90min -f level=ERROR\n  \
    greengrass-cli logs get -t 2026-01-01T12:00:00,2026-01-02 -f Installed,serviceName=HelloWorld -b 2\n\n\
    Times are UTC: 2026-01-01, 12:00:00, 2026-01-01T12:00:00, or offsets from now such as -2d or -1hr-30min.\n\
    An empty or missing end of a window means now.";

pub(super) const FOLLOW_EXAMPLES: &str = "Examples:\n  \
    greengrass-cli logs follow\n  \
    greengrass-cli logs follow HelloWorld greengrass\n  \
    greengrass-cli logs follow -f level=WARN -a 3\n\n\
    The lines come through the daemon, so this needs no access to the log files; 'logs get' reads what was written \
    before.";

pub(super) const PUB_EXAMPLES: &str = "Examples:\n  \
    greengrass-cli pubsub pub sensors/kitchen '{\"celsius\": 21.5}'\n  \
    greengrass-cli pubsub pub greetings 'Good morning'\n  \
    greengrass-cli pubsub pub pictures/1 --binary --file picture.png\n  \
    date | greengrass-cli pubsub pub clock --file -\n\n\
    A JSON object is published as a JSON message, anything else as a binary one: a component that looks for the \
    other kind only does not see it. Behind -- a message may begin with a dash.";

pub(super) const SUB_EXAMPLES: &str = "Examples:\n  \
    greengrass-cli pubsub sub '#'\n  \
    greengrass-cli pubsub sub sensors/+/temperature greetings\n  \
    greengrass-cli --output json pubsub sub 'sensors/#' --count 1 --timeout 10\n\n\
    A line is the topic, a space and the message, in which control characters are replaced. With --output json it is \
    an object with topic, from, and json or binary (base64).\n\
    a/# takes a/b and a/b/c, but not a. Quote filters with #: it begins a comment in a shell.";

/// A span of time in seconds, with or without a fraction.
pub(super) fn seconds(text: &str) -> Result<Duration, ValueError> {
    let seconds: f64 = text.parse().map_err(|_| ValueError::Seconds)?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(span) if !span.is_zero() && span <= LONGEST => Ok(span),
        _ => Err(ValueError::Seconds),
    }
}

/// Clocks can count as far.
const LONGEST: Duration = Duration::from_secs(1_000_000_000);

/// `name=version`, the value of `--merge`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct NamedVersion {
    pub name: ComponentName,
    pub version: ComponentVersion,
}

impl NamedVersion {
    pub(super) fn parse(text: &str) -> Result<Self, ValueError> {
        let (name, version) = text.split_once('=').ok_or(ValueError::NoVersion)?;
        Ok(Self { name: ComponentName::parse(name.trim())?, version: ComponentVersion::parse(version.trim())? })
    }
}

/// `name:posixUser=user[:group]`, the value of `--runWith`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ComponentUser {
    pub name: ComponentName,
    /// None for a `windowsUser`, which means nothing on this system.
    pub user: Option<PosixUser>,
}

impl ComponentUser {
    pub(super) fn parse(text: &str) -> Result<Self, ValueError> {
        let (key, user) = text.split_once('=').ok_or(ValueError::NoUser)?;
        let (name, kind) = key.split_once(':').ok_or(ValueError::NoUser)?;
        let user = match kind {
            "posixUser" => Some(PosixUser::parse(user)?),
            "windowsUser" => None,
            _ => return Err(ValueError::NoUser),
        };
        Ok(Self { name: ComponentName::parse(name.trim())?, user })
    }
}

/// Names separated with commas; `&` counts as one too, as in the AWS CLI.
pub(super) fn names(text: &str) -> Result<Vec<ComponentName>, NameError> {
    text.split([',', '&']).map(|name| ComponentName::parse(name.trim())).collect()
}

/// The bare name of a thing group, as the group its roots are recorded for.
pub(super) fn group(text: &str) -> Result<GroupName, ValueError> {
    if text.contains(':') {
        return Err(ValueError::GroupWithColon);
    }
    Ok(GroupName::parse(&format!("thinggroup/{text}"))?)
}

pub(super) fn failure_policy(text: &str) -> Result<FailureHandlingPolicy, ValueError> {
    match text {
        "ROLLBACK" => Ok(FailureHandlingPolicy::Rollback),
        "DO_NOTHING" => Ok(FailureHandlingPolicy::DoNothing),
        _ => Err(ValueError::FailurePolicy),
    }
}

pub(super) fn shell(text: &str) -> Result<Shell, ValueError> {
    match text.parse() {
        Ok(shell @ (Shell::Bash | Shell::Zsh | Shell::Fish)) => Ok(shell),
        _ => Err(ValueError::Shell),
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ValueError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    User(#[from] crate::wire::run_with::RunWithError),
    #[error("write name=version, e.g. HelloWorld=1.0.0")]
    NoVersion,
    #[error("write name:posixUser=user[:group], e.g. HelloWorld:posixUser=ggc_user:ggc_group")]
    NoUser,
    #[error("a group name has no ':'; write the bare name of the thing group")]
    GroupWithColon,
    #[error("write ROLLBACK or DO_NOTHING, in capitals")]
    FailurePolicy,
    #[error("write a number of seconds above 0, such as 10 or 0.5")]
    Seconds,
    #[error("write bash, zsh or fish")]
    Shell,
}
