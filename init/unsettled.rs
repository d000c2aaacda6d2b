//! Boots that ended before the device settled, counted on the data partition: an init that crashes must not be tried
//! for ever.
//!
//! A boot counts when its data partition was not put in order at its end: a panic, a reset, a power cut. The daemon,
//! once it serves, removes the count; an ordinary boot after an ordinary end writes nothing.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use gg_boot::places;

use crate::journal::{Done, Failure};
use crate::requests;

/// What became of the boot before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    Orderly,
    Cut,
}

/// Counts the boot before, and tells how many in a row never settled. Reaching `limit` is worth a word; 0 is never.
pub(crate) fn count(data: &Path, before: Ending, limit: u64) -> Result<Done<u64>, Failure> {
    let path = data.join(places::UNSETTLED);
    let counted = fs::read_to_string(&path).ok().map(|text| text.trim().parse().unwrap_or(0_u64));
    if before == Ending::Orderly {
        if counted.is_some() {
            requests::remove(data, places::UNSETTLED)?;
        }
        return Ok(Done::Well(0, String::new()));
    }
    let count = counted.unwrap_or(0).saturating_add(1);
    write(&path, count).map_err(|cause| Failure::new("write", path.display(), cause))?;
    let what = format!("{count} in a row ended without order, and before the daemon served");
    Ok(if limit > 0 && count >= limit {
        Done::Partly(count, what, "gg-init runs the daemon itself")
    } else {
        Done::Well(count, what)
    })
}

/// On the disk before the next init can crash. A cut on the way leaves no number, which counts as none.
fn write(path: &Path, count: u64) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let mut file = File::create(path)?;
    writeln!(file, "{count}")?;
    file.sync_all()?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(data: &Path, before: Ending) -> (u64, bool) {
        match count(data, before, 3).expect("a count") {
            Done::Well(count, _) => (count, false),
            Done::Partly(count, _, _) => (count, true),
        }
    }

    #[test]
    fn cuts_in_a_row_are_counted_until_one_ends_in_order() {
        let data = tempfile::tempdir().expect("a directory");
        assert_eq!(counted(data.path(), Ending::Orderly), (0, false));
        assert!(!data.path().join("boot").exists(), "an ordinary boot writes nothing");
        let rows: Vec<_> = (0..4).map(|_| counted(data.path(), Ending::Cut)).collect();
        assert_eq!(rows, [(1, false), (2, false), (3, true), (4, true)]);
        assert_eq!(counted(data.path(), Ending::Orderly), (0, false));
        assert_eq!(counted(data.path(), Ending::Cut), (1, false));
    }

    #[test]
    fn nonsense_counts_as_none() {
        let data = tempfile::tempdir().expect("a directory");
        fs::create_dir(data.path().join("boot")).expect("a directory");
        for text in ["", "x", "-1", "99999999999999999999999", "1 2"] {
            fs::write(data.path().join(places::UNSETTLED), text).expect("a file");
            assert_eq!(counted(data.path(), Ending::Cut), (1, false), "{text:?}");
        }
        fs::write(data.path().join(places::UNSETTLED), u64::MAX.to_string()).expect("a file");
        assert_eq!(counted(data.path(), Ending::Cut), (u64::MAX, true));
        fs::write(data.path().join(places::UNSETTLED), [0xff; 4]).expect("a file");
        assert_eq!(counted(data.path(), Ending::Cut), (1, false));
    }
}
