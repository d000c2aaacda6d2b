//! The command line of `greengrass-cli`: commands and options of the AWS one, plus ours.

use std::ffi::OsString;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::values::{self, ComponentUser, NamedVersion};
use crate::wire::name::{ComponentName, DeploymentId, GroupName};
use crate::wire::state::FailureHandlingPolicy;
use crate::wire::topic::{Topic, TopicFilter};

/// Reads a command line that comes after the program's name.
pub(super) fn parse(arguments: Vec<OsString>) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(std::iter::once("greengrass-cli".into()).chain(arguments.into_iter().map(spell_out)))
}

/// Options of several letters behind one dash, which the AWS CLI has and clap has not.
const SHORT_WORDS: &[(&str, &str)] = &[
    ("-fp", "--failure-handling-policy"),
    ("-lf", "--log-file"),
    ("-ld", "--log-dir"),
    ("-fol", "--follow"),
    ("-nc", "--no-color"),
];

fn spell_out(argument: OsString) -> OsString {
    let Some(text) = argument.to_str() else { return argument };
    let (word, value) = text.split_once('=').map_or((text, None), |(word, value)| (word, Some(value)));
    match (SHORT_WORDS.iter().find(|(short, _)| *short == word), value) {
        (Some((_, long)), Some(value)) => format!("{long}={value}").into(),
        (Some((_, long)), None) => (*long).into(),
        (None, _) => argument,
    }
}

#[derive(Parser, Debug)]
#[command(
    name = "greengrass-cli",
    version,
    about = "Asks the Greengrass daemon of this machine: components, deployments, logs, configuration.",
    after_help = values::EXIT_CODES,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(super) struct Arguments {
    /// The root directory of Greengrass; GGC_ROOT_PATH names another default
    #[arg(
        long = "ggcRootPath",
        value_name = "DIR",
        default_value_os_t = crate::applet::root::usual(),
        global = true
    )]
    pub root: PathBuf,
    /// Text for people and scripts of the AWS CLI, or one JSON document
    #[arg(long, value_enum, default_value_t, global = true)]
    pub output: Output,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(super) enum Output {
    #[default]
    Text,
    Json,
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// List, restart, stop and pause components
    #[command(subcommand)]
    Component(Component),
    /// Create local deployments and see what became of them
    #[command(subcommand)]
    Deployment(Deployment),
    /// Publish and hear messages between components
    #[command(subcommand)]
    Pubsub(Pubsub),
    /// Read the logs of the daemon and of components
    #[command(subcommand)]
    Logs(Logs),
    /// Read the configuration
    #[command(subcommand)]
    Config(Config),
    /// Make a password for the local debug console, good for eight hours
    GetDebugPassword,
    /// Show the daemon's version, uptime, means of isolation and counts
    Status,
    /// Print the completion script of a shell
    Completion {
        #[arg(value_parser = values::shell)]
        shell: Shell,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum Component {
    /// List the components with version, state and configuration
    List,
    /// Show version, state and configuration of one component
    Details {
        #[arg(short, long, value_name = "NAME")]
        name: ComponentName,
    },
    /// Restart components
    Restart(Names),
    /// Stop components, until they or the daemon are restarted or a deployment changes them
    Stop(Names),
    /// Freeze the processes of components (needs cgroups)
    Pause(Names),
    /// Let paused components go on
    Resume(Names),
}

#[derive(Args, Debug)]
pub(super) struct Names {
    /// Components, separated with commas
    #[arg(short, long, value_name = "NAME,...", required = true, value_parser = values::names)]
    pub names: Vec<std::vec::Vec<ComponentName>>,
}

#[derive(Subcommand, Debug)]
pub(super) enum Deployment {
    /// Deploy components from local recipes and artifacts
    Create(Box<Create>),
    /// Withdraw a deployment that waits, or stop the one in hand
    Cancel(OneDeployment),
    /// Show what became of one deployment
    Status(OneDeployment),
    /// List the local deployments, newest first
    List,
}

#[derive(Args, Debug)]
pub(super) struct OneDeployment {
    #[arg(short = 'i', long = "deploymentId", value_name = "ID")]
    pub id: DeploymentId,
}

#[derive(Args, Debug, Default)]
#[command(after_help = values::CREATE_EXAMPLES)]
pub(super) struct Create {
    /// Component and version to add or update; repeat for more
    #[arg(short, long, value_name = "NAME=VERSION", value_parser = NamedVersion::parse)]
    pub merge: Vec<NamedVersion>,
    /// Components to remove, separated with commas
    #[arg(long, value_name = "NAME,...", value_parser = values::names)]
    pub remove: Vec<std::vec::Vec<ComponentName>>,
    /// Thing group the deployment counts for
    #[arg(short, long = "groupId", value_name = "GROUP", value_parser = values::group)]
    pub group: Option<GroupName>,
    /// Directory with recipe files, JSON or YAML
    #[arg(short, long = "recipeDir", value_name = "DIR")]
    pub recipe_dir: Option<PathBuf>,
    /// Directory with artifacts, laid out <component>/<version>/<file>
    #[arg(short, long = "artifactDir", value_name = "DIR")]
    pub artifact_dir: Option<PathBuf>,
    /// User and group a component runs as; repeat for more
    #[arg(long = "runWith", value_name = "NAME:posixUser=USER[:GROUP]", value_parser = ComponentUser::parse)]
    pub run_with: Vec<ComponentUser>,
    /// Limits by component, as JSON text or file: {"Name":{"memory":KB,"cpus":1.5}}
    #[arg(long = "systemLimits", value_name = "JSON|FILE")]
    pub system_limits: Option<String>,
    /// Configuration by component, as JSON text or file: {"Name":{"MERGE":{...},"RESET":["/pointer"]}}
    #[arg(short = 'c', long = "update-config", value_name = "JSON|FILE")]
    pub update_config: Option<String>,
    /// What to do when the deployment fails, ROLLBACK or DO_NOTHING; also -fp [default: DO_NOTHING]
    #[arg(long = "failure-handling-policy", value_name = "POLICY", value_parser = values::failure_policy)]
    pub failure_policy: Option<FailureHandlingPolicy>,
    /// Wait for the end, telling the progress on standard error
    #[arg(long)]
    pub wait: bool,
}

#[derive(Subcommand, Debug)]
pub(super) enum Pubsub {
    /// Publish one message to the components of this device
    Pub(Publish),
    /// Show the messages that are published, one a line, until Ctrl-C
    Sub(Subscribe),
}

#[derive(Args, Debug)]
#[command(after_help = values::PUB_EXAMPLES)]
pub(super) struct Publish {
    /// Topic, without wildcards, e.g. sensors/kitchen/temperature
    #[arg(value_name = "TOPIC")]
    pub topic: Topic,
    /// The message: a JSON object, or else text
    #[arg(value_name = "MESSAGE", required_unless_present = "file")]
    pub message: Option<OsString>,
    /// Take the message from a file; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "message")]
    pub file: Option<PathBuf>,
    /// Fail unless the message is a JSON object
    #[arg(long, conflicts_with = "binary")]
    pub json: bool,
    /// Publish the bytes as a binary message, even if they are JSON
    #[arg(long)]
    pub binary: bool,
}

#[derive(Args, Debug)]
#[command(after_help = values::SUB_EXAMPLES)]
pub(super) struct Subscribe {
    /// Topics, or filters with + for one level and # for all further ones
    #[arg(value_name = "FILTER", required = true)]
    pub filters: Vec<TopicFilter>,
    /// End after so many messages
    #[arg(short, long, value_name = "N")]
    pub count: Option<NonZeroU64>,
    /// End after so many seconds; with --count it is a failure when fewer messages came
    #[arg(short, long, value_name = "SECONDS", value_parser = values::seconds)]
    pub timeout: Option<Duration>,
}

#[derive(Subcommand, Debug)]
pub(super) enum Logs {
    /// Merge log files in order of time, filter and show them
    Get(Box<Get>),
    /// Show log lines as the daemon writes them, until Ctrl-C
    Follow(Follow),
    /// List the log files in directories
    ListLogFiles {
        /// Directory to look in; repeat for more; also -ld [default: logs/ of the root directory]
        #[arg(long = "log-dir", value_name = "DIR")]
        log_dir: Vec<PathBuf>,
    },
    /// List the keys that filters know
    ListKeywords {
        /// Those of syslog lines
        #[arg(short, long)]
        syslog: bool,
    },
}

#[derive(Args, Debug, Default)]
#[command(after_help = values::LOGS_EXAMPLES)]
pub(super) struct Get {
    /// Log file; repeat for more; also -lf
    #[arg(long = "log-file", value_name = "FILE")]
    pub log_file: Vec<PathBuf>,
    /// Directory of log files; repeat for more; also -ld [default: logs/ of the root directory]
    #[arg(long = "log-dir", value_name = "DIR")]
    pub log_dir: Vec<PathBuf>,
    /// Time window; repeat for more
    #[arg(short, long, value_name = "BEGIN,END", allow_hyphen_values = true)]
    pub time_window: Vec<String>,
    /// Keywords, regular expressions or key=value: commas mean or, repeating means and
    #[arg(short, long, value_name = "EXPRESSION", allow_hyphen_values = true)]
    pub filter: Vec<String>,
    /// Lines to show before a match
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    pub before: usize,
    /// Lines to show after a match
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    pub after: usize,
    /// Log entries held in memory at once
    #[arg(short, long, value_name = "N", default_value_t = 100)]
    pub max_log_queue_size: usize,
    /// Go on with new lines as they are written; also -fol
    #[arg(long)]
    pub follow: bool,
    /// Never colour what matched; also -nc
    #[arg(long = "no-color")]
    pub no_color: bool,
    /// Show every field of a line
    #[arg(short, long)]
    pub verbose: bool,
    /// Lines are syslog lines (RFC 3164)
    #[arg(short, long)]
    pub syslog: bool,
}

#[derive(Args, Debug)]
#[command(after_help = values::FOLLOW_EXAMPLES)]
pub(super) struct Follow {
    /// Components to hear; greengrass is the daemon itself [default: all]
    #[arg(value_name = "COMPONENT")]
    pub components: Vec<ComponentName>,
    /// Keywords, regular expressions or key=value: commas mean or, repeating means and
    #[arg(short, long, value_name = "EXPRESSION", allow_hyphen_values = true)]
    pub filter: Vec<String>,
    /// Lines to show before a match
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    pub before: usize,
    /// Lines to show after a match
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    pub after: usize,
    /// Never colour what matched; also -nc
    #[arg(long = "no-color")]
    pub no_color: bool,
    /// Show every field of a line
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Subcommand, Debug)]
pub(super) enum Config {
    /// Print the value at a key path, as JSON
    Get {
        /// Keys joined with dots or slashes, e.g. services.HelloWorld.configuration
        #[arg(value_name = "KEYPATH")]
        key_path: String,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn line(text: &str) -> Arguments {
        parse(text.split(' ').map(OsString::from).collect()).unwrap()
    }

    #[test]
    fn definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn create_takes_every_spelling_of_the_aws_cli() {
        let arguments = line(
            "deployment create -m A=1.0.0 --merge B=2.0.0-rc.1 --remove C,D -g lamps -r recipes -a artifacts \
             --runWith A:posixUser=u:g --systemLimits {} -c {} -fp ROLLBACK",
        );
        let Command::Deployment(Deployment::Create(create)) = arguments.command else { panic!() };
        assert_eq!(create.merge.len(), 2);
        assert_eq!(create.remove.concat().len(), 2);
        assert_eq!(create.failure_policy, Some(FailureHandlingPolicy::Rollback));
        for bad in ["-m A", "-m A=1", "--remove a/b", "-fp rollback", "-g a:b", "--runWith A=u", "--runWith A:x=u"] {
            let line = format!("deployment create {bad}");
            assert!(parse(line.split(' ').map(OsString::from).collect()).is_err(), "{bad}");
        }
    }

    #[test]
    fn logs_takes_every_spelling_of_the_aws_cli() {
        let arguments = line(
            "logs get -lf a.log --log-file=b.log -ld=logs -t -2d,+1h -f installed -f name=a,name=b -b 1 -a 2 -m 10 \
             -fol -nc -v -s",
        );
        let Command::Logs(Logs::Get(get)) = arguments.command else { panic!() };
        assert_eq!((get.log_file.len(), get.log_dir.len(), get.filter.len()), (2, 1, 2));
        assert_eq!(get.time_window, ["-2d,+1h"]);
        assert!(get.follow && get.no_color && get.verbose && get.syslog);
    }

    #[test]
    fn pubsub_refuses_what_cannot_be_meant() {
        let arguments = line("pubsub sub a/# b -c 3 -t 0.5");
        let Command::Pubsub(Pubsub::Sub(subscribe)) = arguments.command else { panic!() };
        assert_eq!((subscribe.filters.len(), subscribe.count), (2, NonZeroU64::new(3)));
        assert_eq!(subscribe.timeout, Some(Duration::from_millis(500)));
        let arguments = line("pubsub pub t --file - --json");
        let Command::Pubsub(Pubsub::Pub(publish)) = arguments.command else { panic!() };
        assert!(publish.message.is_none() && publish.json);
        let bad = ["pub", "pub t", "pub a/# m", "pub // m", "pub t m --file f", "pub t m --json --binary", "pub t m n"];
        let more = ["sub", "sub a -c 0", "sub a -t 0", "sub a -t -1", "sub a -t nan", "sub a -t 1e99", "sub a -t x"];
        for bad in bad.into_iter().chain(more) {
            let words = format!("pubsub {bad}");
            assert!(parse(words.split(' ').map(OsString::from).collect()).is_err(), "{bad}");
        }
        assert!(parse(["pubsub", "sub", ""].map(OsString::from).to_vec()).is_err());
    }

    #[test]
    fn names_are_split_at_commas_and_trimmed() {
        let words = ["component", "restart", "-n", "A, B&C"].map(OsString::from).to_vec();
        let Command::Component(Component::Restart(names)) = parse(words).unwrap().command else { panic!() };
        let names: Vec<_> = names.names.iter().flatten().map(ComponentName::as_str).collect();
        assert_eq!(names, ["A", "B", "C"]);
    }
}
