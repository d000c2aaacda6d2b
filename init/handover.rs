//! The next program: the init of the image, or our own supervision of the daemon.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gg_boot::settings::{self, SUPERVISE, Settings};
use gg_sys::early;

use crate::ground::Standing;
use crate::journal::Failure;
use crate::slot::is_named;

/// Where images have their init.
const USUAL: [&str; 4] = ["/sbin/init", "/etc/init", "/usr/lib/systemd/systemd", "/bin/init"];

/// Who takes over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    Init(PathBuf),
    Supervise,
}

/// Whether an image that is not the root yet has something to run. Links are not followed: they lead to where the root
/// will be.
pub(crate) fn could_boot(image: &Path) -> bool {
    let places = USUAL.into_iter().chain(["/usr/bin/greengrassd", "/usr/bin/greengrass"]);
    places.into_iter().any(|path| image.join(&path[1..]).symlink_metadata().is_ok())
}

/// Whom to try, in this order; what is not there is left out.
pub(crate) fn candidates(settings: &Settings, cmdline: &str, standing: Standing) -> Vec<Next> {
    let named = match settings.init.as_str() {
        // The kernel has used `init=` itself where there is no initramfs: to start us.
        "" if standing == Standing::Initramfs => settings::plain_init(cmdline),
        "" => None,
        named => Some(named.to_owned()),
    };
    if named.as_deref() == Some(SUPERVISE) {
        return vec![Next::Supervise];
    }
    let paths = named.into_iter().map(PathBuf::from).chain(USUAL.into_iter().map(PathBuf::from));
    let mut found: Vec<Next> = Vec::new();
    for path in paths.filter(|path| is_program(path)) {
        // A link to ourselves means: supervise. To execute it would do the boot again.
        let is_us = path.canonicalize().is_ok_and(|path| is_named(&path, "gg-init"));
        let next = if is_us { Next::Supervise } else { Next::Init(path) };
        if !found.contains(&next) {
            found.push(next);
        }
    }
    if !found.contains(&Next::Supervise) && supervised(settings).is_ok() {
        found.push(Next::Supervise);
    }
    found
}

/// Becomes the init; returns only why it could not.
pub(crate) fn become_init(path: &Path) -> Failure {
    Failure::new("execute", path.display(), early::become_program::<&str>(path, &[]))
}

/// The program and the arguments of what is supervised.
pub(crate) fn supervised(settings: &Settings) -> Result<(PathBuf, Vec<&str>), Failure> {
    let mut words = settings.supervise.split_whitespace();
    let program = PathBuf::from(words.next().unwrap_or_default());
    if is_program(&program) {
        Ok((program, words.collect()))
    } else {
        Err(Failure::because("supervise", program.display(), "there is no such program"))
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|status| status.is_file() && status.permissions().mode() & 0o111 != 0)
}
