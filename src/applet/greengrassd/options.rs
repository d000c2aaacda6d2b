//! The command line of the daemon, in the reference nucleus' spelling and in ours.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use super::start::StartError;
use crate::store::paths::Paths;

/// Runs the core: keeps the deployed components running and answers greengrass-cli.
///
/// Stops on SIGTERM or Ctrl-C after stopping every component.
/// When NOTIFY_SOCKET is set, says READY=1 there once all doors are open.
#[derive(Parser, Debug)]
#[command(name = "greengrassd", version, after_help = AFTER_HELP)]
pub struct Options {
    /// Root directory: everything the daemon writes lies below it; GGC_ROOT_PATH names another default
    #[arg(short, long, value_name = "DIR", default_value_os_t = crate::applet::root::usual())]
    pub root: PathBuf,

    /// Take the configuration from this config.yaml or transaction log instead of the root's own
    #[arg(short = 'i', long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Merge this config.yaml into the configuration at start
    #[arg(long, value_name = "FILE", visible_alias = "init")]
    pub init_config: Option<PathBuf>,

    /// User, or user:group, that components run as unless their runWith says otherwise
    #[arg(short = 'u', long, value_name = "USER[:GROUP]")]
    pub component_default_user: Option<String>,

    /// AWS region of the device, given to components as AWS_REGION
    #[arg(long, value_name = "REGION")]
    pub aws_region: Option<String>,

    /// Group whose members may use greengrass-cli, beside root and the daemon's user
    #[arg(long, value_name = "GROUP", env = "GREENGRASS_OWNER_GROUP")]
    pub owner_group: Option<String>,

    /// Name of the cgroup that holds the components' cgroups
    #[arg(long, value_name = "NAME", env = "GREENGRASS_CGROUP_PARENT", default_value = "greengrass",
        value_parser = cgroup_parent)]
    pub cgroup_parent: String,

    /// Log to syslog instead of files, components too; outputType in the logging configuration overrides it
    #[arg(long, env = "GREENGRASS_SYSLOG")]
    pub syslog: bool,

    /// Run this with sh at the end when a component wants the device started again; for an init that looks at no code
    #[arg(long, value_name = "COMMAND", env = "GREENGRASS_REBOOT_COMMAND")]
    pub reboot_command: Option<String>,

    /// Give up a new version of the daemon itself that is not up so many seconds after its start
    #[arg(long, value_name = "SECONDS", env = "GREENGRASS_START_DEADLINE", default_value_t = 300)]
    pub start_deadline: u64,

    /// Only say that these options are understood
    #[arg(long, hide = true)]
    pub self_check: bool,

    /// Settings of updates of the system image, where they are not in /etc/greengrass/ota.conf
    #[arg(long, value_name = "FILE", env = "GREENGRASS_OTA_CONF")]
    pub ota_conf: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Exit codes: 0 stopped as asked, 1 failed, 64 wrong usage, 100 restart wanted, 101 reboot wanted.

Examples:
  greengrassd --root /greengrass/v2 --component-default-user ggc_user:ggc_group
  greengrassd --root /tmp/core --init-config config.yaml";

impl Options {
    pub fn parse_from(arguments: Vec<OsString>) -> Result<Self, clap::Error> {
        let words = arguments.into_iter().map(|word| match word.to_str() {
            // The reference nucleus has long names behind one dash.
            Some("-init") => "--init-config".into(),
            Some("-ar") => "--aws-region".into(),
            _ => word,
        });
        Self::try_parse_from(std::iter::once("greengrassd".into()).chain(words))
    }

    pub fn paths(&self) -> Result<Paths, StartError> {
        Ok(Paths::new(std::path::absolute(&self.root).map_err(StartError::Root)?))
    }
}

/// Whatever lives in this group at start is ended, so it must be nobody else's: not the root, no group of systemd.
fn cgroup_parent(name: &str) -> Result<String, &'static str> {
    let others = [".slice", ".scope", ".service"].iter().any(|end| name.ends_with(end));
    if others || name.contains('/') || matches!(name, "" | "." | "..") {
        return Err("write the plain name of a group that is for Greengrass alone, e.g. greengrass");
    }
    Ok(name.into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn options_take_the_spellings_of_the_reference() {
        Options::command().debug_assert();
        let words = ["-r", "/r", "-init", "c.yaml", "-ar", "eu-west-1", "-u", "ggc_user:ggc_group"];
        let options = Options::parse_from(words.iter().map(OsString::from).collect()).unwrap();
        assert_eq!(options.init_config, Some(PathBuf::from("c.yaml")));
        assert_eq!(options.aws_region.as_deref(), Some("eu-west-1"));
        assert_eq!(options.component_default_user.as_deref(), Some("ggc_user:ggc_group"));
        assert!(Options::parse_from(vec!["--no-such-option".into()]).is_err());
    }

    #[test]
    fn cgroup_parent_is_never_a_group_of_others() {
        assert_eq!(cgroup_parent("greengrass-2"), Ok("greengrass-2".into()));
        for bad in ["", ".", "..", "a/b", "/", "system.slice", "init.scope", "ssh.service"] {
            assert!(cgroup_parent(bad).is_err(), "{bad}");
        }
    }
}
