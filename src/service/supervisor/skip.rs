//! Whether a step is left out: looks for an executable on the path or for a file.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::wire::lifecycle::{SkipTest, Skipif};

/// `path` is the search path of the step, `work` the directory relative names start from.
pub(super) fn holds(skipif: &Skipif, path: &OsStr, work: &Path) -> bool {
    let found = match &skipif.test {
        SkipTest::OnPath(program) => std::env::split_paths(path).any(|directory| is_program(&directory.join(program))),
        SkipTest::Exists(file) => work.join(file).exists(),
    };
    found != skipif.negated
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn skipif_looks_where_it_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, mode| {
            let path = directory.path().join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (program, plain) = (file("program", 0o755), file("plain", 0o644));
        let path = std::env::join_paths([Path::new("/nowhere"), directory.path()]).unwrap();
        let table = [
            (SkipTest::OnPath("program".into()), true),
            (SkipTest::OnPath("plain".into()), false),
            (SkipTest::OnPath("missing".into()), false),
            (SkipTest::OnPath(program), true),
            (SkipTest::Exists("plain".into()), true),
            (SkipTest::Exists(plain), true),
            (SkipTest::Exists("missing".into()), false),
            (SkipTest::Exists("a\0b".into()), false),
        ];
        for (test, found) in table {
            for negated in [false, true] {
                let skipif = Skipif { negated, test: test.clone() };
                assert_eq!(holds(&skipif, &path, directory.path()), found != negated, "{skipif:?}");
            }
        }
    }
}
