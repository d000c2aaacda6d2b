//! The fragments are what their README says, complete, and the same for every user.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kernel-config")
}

#[test]
fn every_fragment_is_read() {
    for (file, text) in FRAGMENTS {
        let found = parse_fragment(file, text).unwrap();
        let lines = text.lines().filter(|line| line.ends_with("=y")).count();
        assert_eq!(found.len(), lines, "{file}");
        assert!(!found.is_empty(), "{file}");
    }
}

#[test]
fn no_option_is_required_twice() {
    let mut seen = BTreeSet::new();
    for requirement in requirements() {
        assert!(seen.insert(requirement.option), "{} stands twice", requirement.option);
    }
}

/// What AWS's dependency checker for the first generation asks for.
#[test]
fn every_option_of_the_device_tester_is_there() {
    let options = "IPC_NS UTS_NS USER_NS PID_NS CGROUPS CGROUP_DEVICE MEMCG POSIX_MQUEUE OVERLAY_FS \
        HAVE_ARCH_SECCOMP_FILTER SECCOMP_FILTER SECCOMP KEYS SHMEM INOTIFY_USER";
    for option in options.split_whitespace() {
        let found = requirements().iter().find(|requirement| requirement.option == format!("CONFIG_{option}"));
        let found = found.unwrap_or_else(|| panic!("no fragment has CONFIG_{option}"));
        assert!(found.user.contains("V1 device tester"), "{option}: {}", found.user);
        assert_eq!(found.settable, option != "HAVE_ARCH_SECCOMP_FILTER", "{option}");
    }
}

#[test]
fn every_file_is_compiled_in_and_listed_for_yocto() {
    let mut files: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".cfg"))
        .collect();
    files.sort();
    let compiled: Vec<&str> = FRAGMENTS.iter().map(|(file, _)| *file).collect();
    assert_eq!(compiled, files);
    let yocto = fs::read_to_string(folder().join("greengrass.scc")).unwrap();
    let listed: Vec<&str> = yocto
        .lines()
        .filter(|line| line.starts_with("kconf "))
        .filter_map(|line| line.split(' ').next_back())
        .collect();
    assert_eq!(listed, files);
}

/// A user that moved away would leave an option nobody needs.
#[test]
fn every_path_named_as_a_user_is_there() {
    let root = folder().join("..");
    for requirement in requirements() {
        let words = requirement.user.split([' ', ',', ':', ';']).filter(|word| word.contains('/'));
        for path in words.filter(|word| word.starts_with("src/") || word.starts_with("init/")) {
            assert!(root.join(path).exists(), "{}: {path} is not there", requirement.option);
        }
    }
}

#[test]
fn parse_names_file_line_and_fault() {
    const HEAD: &str = "# Concern.\n# scope: boot\n\n";
    let cases: &[(&str, FragmentError)] = &[
        ("", FragmentError::NoScope { file: "f" }),
        ("# Concern.\n\n# scope: boot\n", FragmentError::NoScope { file: "f" }),
        ("# Concern.\n# scope: boot\n\nCONFIG_A=y", FragmentError::NoUser { file: "f", line: 4, option: "CONFIG_A" }),
        (
            "# Concern.\n# scope: boot\n\n# missing: failed: all\nCONFIG_A=y",
            FragmentError::NoUser { file: "f", line: 5, option: "CONFIG_A" },
        ),
        ("# Concern.\n# scope: boot\n\n# user\nCONFIG_A=y", FragmentError::NoEffect { file: "f", line: 5 }),
        (
            "# Concern.\n# scope: boot\n\n# u\n# missing: perhaps: all\nCONFIG_A=y",
            FragmentError::NoEffect { file: "f", line: 6 },
        ),
        (
            "# Concern.\n# scope: boot\n\n# u\n# always before: long\n# missing: failed: a\nCONFIG_A=y",
            FragmentError::NoRelease { file: "f", line: 7 },
        ),
        (
            "# Concern.\n# scope: boot\n\n# u\n# missing: failed: a\nCONFIG_A=m",
            FragmentError::BadLine { file: "f", line: 6 },
        ),
        (
            "# Concern.\n# scope: boot\n\n# u\n# missing: failed: a\n# check: A=y",
            FragmentError::BadLine { file: "f", line: 6 },
        ),
    ];
    for (text, error) in cases {
        assert_eq!(parse_fragment("f", text).as_ref(), Err(error), "{text:?}");
    }
    assert_eq!(parse_fragment("f", HEAD), Ok(vec![]));
}
