//! The factory reset: erases what was asked, and only then forgets that it was asked; a power cut repeats it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use gg_boot::settings::Reset;
use gg_boot::{overlay, places};

use crate::journal::{Done, Failure};
use crate::requests;

pub(crate) fn erase(data: &Path, what: Reset) -> Result<Done<()>, Failure> {
    match what {
        Reset::None => return Ok(Done::Well((), "not asked for".to_owned())),
        Reset::Overlay => remove(&overlay::all(data))?,
        Reset::Data => erase_all(data)?,
    }
    // What was erased is gone before the request is: the other way round a cut would leave half of it.
    let failure = |cause| Failure::new("sync", data.display(), cause);
    File::open(data).and_then(|data| gg_sys::fs::sync_file_system(&data)).map_err(failure)?;
    requests::remove(data, places::REQUEST_RESET)?;
    Ok(Done::Well((), format!("{what:?} erased").to_lowercase()))
}

/// Everything but the request, and the directory it lies in.
fn erase_all(data: &Path) -> Result<(), Failure> {
    let request = data.join(places::REQUEST_RESET);
    let kept = request.parent().unwrap_or(data).to_owned();
    for directory in [data, &kept] {
        let failure = |cause| Failure::new("read", directory.display(), cause);
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
            Err(cause) => return Err(failure(cause)),
        };
        for entry in entries {
            let path = entry.map_err(failure)?.path();
            if path != kept && path != request {
                remove(&path)?;
            }
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), Failure> {
    let is_directory = path.symlink_metadata().map(|status| status.is_dir());
    let removed = match is_directory {
        Ok(true) => fs::remove_dir_all(path),
        Ok(false) => fs::remove_file(path),
        Err(cause) => Err(cause),
    };
    match removed {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(Failure::new("erase", path.display(), cause)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> tempfile::TempDir {
        let data = tempfile::tempdir().expect("a directory");
        for file in ["overlay/a/upper/etc/x", "greengrass/v2/y", "boot/report", "z"] {
            let path = data.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
            fs::write(path, "x").expect("a file");
        }
        fs::write(data.path().join(places::REQUEST_RESET), "data").expect("a request");
        data
    }

    fn names(data: &Path) -> Vec<String> {
        let entries = fs::read_dir(data).expect("entries");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn overlay_reset_leaves_the_data() {
        let data = data();
        erase(data.path(), Reset::Overlay).expect("a reset");
        assert_eq!(names(data.path()), ["boot", "greengrass", "z"]);
        assert_eq!(names(&data.path().join("boot")), ["report"]);
    }

    #[test]
    fn data_reset_leaves_nothing_and_can_be_repeated() {
        let data = data();
        for _ in 0..2 {
            erase(data.path(), Reset::Data).expect("a reset");
            assert_eq!(names(data.path()), ["boot"]);
            assert_eq!(names(&data.path().join("boot")), Vec::<String>::new());
        }
    }

    #[test]
    fn request_is_forgotten_last() {
        let data = data();
        erase_all(data.path()).expect("a reset");
        assert_eq!(names(&data.path().join("boot")), ["factory-reset"]);
    }
}
