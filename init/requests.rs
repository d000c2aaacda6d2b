//! What the system asked of its next boot: one-shot files on the data partition.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use gg_boot::places;
use gg_boot::settings::Reset;
use gg_boot::slot::Wanted;

use crate::journal::{Done, Failure};

/// What was asked by file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requests {
    pub(crate) slot: Wanted,
    pub(crate) reset: Reset,
}

impl Requests {
    pub(crate) const NONE: Self = Self { slot: Wanted::Usual, reset: Reset::None };
}

/// Reads them. The one for a slot is removed here, before that slot is tried: one that does not boot must not be
/// tried for ever. The one for a reset is removed by the reset, when it is done.
pub(crate) fn take(data: &Path) -> Result<Done<Requests>, Failure> {
    let slot = read(&data.join(places::REQUEST_SLOT))?;
    let reset = read(&data.join(places::REQUEST_RESET))?;
    if slot.is_some() {
        remove(data, places::REQUEST_SLOT)?;
    }
    let requests = Requests {
        slot: slot.as_deref().and_then(Wanted::parse).unwrap_or(Wanted::Usual),
        // Whoever wrote the file wants a reset; the word only says how much, and less is safer.
        reset: reset.as_deref().map_or(Reset::None, |text| Reset::parse(text).unwrap_or(Reset::Overlay)),
    };
    let strange =
        slot.iter().any(|text| Wanted::parse(text).is_none()) || reset.iter().any(|text| Reset::parse(text).is_none());
    let what = format!("slot {:?}, factory reset {:?}", requests.slot, requests.reset).to_lowercase();
    Ok(if strange {
        Done::Partly(requests, format!("a request cannot be read: {what}"), "the least it can mean")
    } else {
        Done::Well(requests, what)
    })
}

/// Removes one for good.
pub(crate) fn remove(data: &Path, name: &str) -> Result<(), Failure> {
    let path = data.join(name);
    let failure = |cause| Failure::new("remove", path.display(), cause);
    match fs::remove_file(&path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(failure(cause)),
        _ => {}
    }
    let directory = path.parent().unwrap_or(data);
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failure)
}

/// No more than a word; `None` if there is no such file.
fn read(path: &Path) -> Result<Option<String>, Failure> {
    let failure = |cause| Failure::new("read", path.display(), cause);
    let mut text = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(LONGEST).read_to_end(&mut text).map_err(failure)?,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(failure(cause)),
    };
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// Bytes of a request that are read.
const LONGEST: u64 = 64;
