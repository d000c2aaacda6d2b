//! Plain directories that look like mounts.

use super::*;

fn file(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn mounts_tells_version_two_from_one_and_from_hybrid() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(mounts(root.path()), None);
    for name in ["memory", "cpu,cpuacct", "unified"] {
        file(&root.path().join(name).join("cgroup.procs"), "");
    }
    let hybrid = mounts(root.path()).unwrap();
    assert_eq!((hybrid.tree.version, hybrid.tree.directory), (Version::V2, root.path().join("unified")));
    assert_eq!(hybrid.cpu.unwrap().directory, root.path().join("cpu,cpuacct"));
    file(&root.path().join("freezer/cgroup.procs"), "");
    assert_eq!(mounts(root.path()).unwrap().tree.version, Version::V1);
    file(&root.path().join("cgroup.controllers"), "cpuset cpu io pids\n");
    let two = mounts(root.path()).unwrap();
    assert_eq!((two.tree.directory.as_path(), two.memory, two.cpu.is_some()), (root.path(), None, true));
}

#[test]
fn group_of_version_two_speaks_its_files() {
    let root = tempfile::tempdir().unwrap();
    let group = Group { version: Version::V2, directory: root.path().join("g/c") };
    for (name, text) in [
        ("cgroup.procs", "12\n0\n34\n"),
        ("run.1/cgroup.procs", "56\n"),
        ("cgroup.events", "populated 1\nfrozen 1\n"),
        ("cgroup.freeze", ""),
        ("cgroup.controllers", "cpu memory\n"),
        ("cgroup.subtree_control", ""),
        ("memory.max", ""),
        ("cpu.max", "max 50000\n"),
    ] {
        file(&group.directory.join(name), text);
    }
    let read = |name: &str| fs::read_to_string(group.directory.join(name)).unwrap();
    assert_eq!(group.processes().unwrap(), [12, 34, 56]);
    assert!(group.frozen().unwrap());
    group.freeze(Freeze::Frozen).unwrap();
    assert_eq!(read("cgroup.freeze"), "1");
    group.enable(&["memory", "rdma"]).unwrap();
    assert_eq!(read("cgroup.subtree_control"), "+memory");
    group.limit_memory(Some(4096)).unwrap();
    assert_eq!(read("memory.max"), "4096");
    group.limit_cpus(Some(0.5)).unwrap();
    assert_eq!(read("cpu.max").trim(), "25000 50000");
    // An old kernel lacks the file; it must not be made.
    assert!(group.kill_at_once().is_err() && !group.directory.join("cgroup.kill").exists());
}

#[test]
fn quota_stays_within_what_the_kernel_takes() {
    assert_eq!(quota(1.5, 100_000, 1), 150_000);
    assert_eq!(quota(0.000_001, 100_000, 1_000), 1_000);
    assert!(quota(f64::MAX, 100_000, 1) < u64::MAX / 1000);
}
