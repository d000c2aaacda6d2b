//! The root directory of the daemon where no option names one.

use std::ffi::OsString;
use std::path::PathBuf;

/// What `GGC_ROOT_PATH` says, or the reference's place. A variable that is set and empty says nothing, as everywhere in
/// a shell: to take it for a path would be the working directory.
pub(super) fn usual() -> PathBuf {
    named(std::env::var_os("GGC_ROOT_PATH"))
}

fn named(variable: Option<OsString>) -> PathBuf {
    variable.filter(|path| !path.is_empty()).map_or_else(|| PathBuf::from("/greengrass/v2"), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_variable_names_nothing() {
        for unset in [None, Some(OsString::new())] {
            assert_eq!(named(unset), PathBuf::from("/greengrass/v2"));
        }
        assert_eq!(named(Some("/data/greengrass/v2".into())), PathBuf::from("/data/greengrass/v2"));
    }
}
