//! The command line of `greengrass dev`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use crate::wire::name::{ComponentName, ComponentVersion};

/// Runs a core on this machine, deploys the recipes of a folder, and shows what they do.
///
/// Without --merge, the highest version of every recipe in the folder is deployed.
/// Needs no privilege; as root, components run as a user of their own, in cgroups.
#[derive(Parser, Debug)]
#[command(name = "greengrass dev", bin_name = "greengrass dev", version, after_help = AFTER_HELP)]
pub struct Options {
    /// Root directory of the core
    #[arg(short, long, value_name = "DIR", default_value = "greengrass-dev")]
    pub root: PathBuf,

    /// Folder of recipes, as gdk component build leaves it
    #[arg(long, value_name = "DIR", default_value = "recipes")]
    pub recipes: PathBuf,

    /// Folder of artifacts, laid out COMPONENT/VERSION/FILE
    #[arg(long, value_name = "DIR")]
    pub artifacts: Option<PathBuf>,

    /// Deploy this component only; may be given again
    #[arg(short, long, value_name = "NAME=VERSION", value_parser = pair)]
    pub merge: Vec<(ComponentName, ComponentVersion)>,

    /// Empty the root directory first
    #[arg(long)]
    pub fresh: bool,

    /// User, or user:group, that components run as when started by root
    #[arg(short = 'u', long, value_name = "USER[:GROUP]")]
    pub component_default_user: Option<String>,
}

const AFTER_HELP: &str = "\
Examples:
  greengrass dev --recipes greengrass-build/recipes --artifacts greengrass-build/artifacts
  greengrass dev --fresh --recipes docs/examples/recipes --merge com.example.HelloShell=1.0.0

While it runs, ask the same core from another terminal:
  greengrass cli --ggcRootPath greengrass-dev component list";

impl Options {
    pub fn parse_from(arguments: Vec<OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(std::iter::once("dev".into()).chain(arguments))
    }
}

fn pair(text: &str) -> Result<(ComponentName, ComponentVersion), String> {
    let (name, version) = text.split_once('=').ok_or("write NAME=VERSION")?;
    let name = ComponentName::parse(name).map_err(|error| error.to_string())?;
    let version = ComponentVersion::parse(version).map_err(|error| error.to_string())?;
    Ok((name, version))
}
