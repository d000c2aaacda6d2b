use std::os::unix::fs::symlink;

use super::*;

struct Scene {
    scratch: tempfile::TempDir,
    paths: Paths,
}

impl Scene {
    fn new() -> Self {
        let scratch = super::super::scratch();
        let paths = Paths::new(scratch.path().join("root"));
        for (directory, mode) in paths.directories() {
            file::make_directory(&directory, mode).unwrap();
        }
        Self { scratch, paths }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.scratch.path().join(below)
    }

    /// A file with its parents.
    fn put(&self, below: &str, content: &str) -> PathBuf {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    fn copy(&self, room: u64) -> Result<u64, ArtifactError> {
        copy_tree(&self.path("from"), &self.path("to"), 0o440, room)
    }
}

fn digest_of(content: &str) -> String {
    STANDARD.encode(Sha256::digest(content))
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Names below a directory.
fn listed(path: &Path) -> Vec<String> {
    let mut names = names(path).unwrap();
    names.sort();
    names
}

#[test]
fn incoming_appears_complete_with_its_mode_or_not_at_all() {
    let scene = Scene::new();
    let path = scene.path("artifact");
    let mut incoming = Incoming::begin(&path, 100).unwrap();
    incoming.write_all(b"content").unwrap();
    assert!(!path.exists());
    incoming.finish(Some(&digest_of("content")), 0o550).unwrap();
    assert_eq!((text(&path).as_str(), mode(&path)), ("content", 0o550));
    assert!(matches(&path, &digest_of("content")).unwrap());
    assert!(!matches(&path, "no base64 *").unwrap());
    assert!(!matches(&scene.path("none"), &digest_of("content")).unwrap());
}

#[test]
fn incoming_with_another_digest_leaves_what_was_there() {
    let scene = Scene::new();
    let path = scene.put("artifact", "old");
    for wrong in [digest_of("other"), "".into(), "%".into(), digest_of("content")[..20].into()] {
        let mut incoming = Incoming::begin(&path, 100).unwrap();
        incoming.write_all(b"content").unwrap();
        let refused = incoming.finish(Some(&wrong), 0o440).unwrap_err();
        let message = refused.to_string();
        assert!(message.contains(&digest_of("content")) && message.contains("artifact"), "{message}");
        assert_eq!(text(&path), "old");
        assert_eq!(listed(scene.scratch.path()), ["artifact", "root"]);
    }
}

#[test]
fn incoming_goes_on_where_it_was_interrupted() {
    let scene = Scene::new();
    let path = scene.path("artifact");
    let mut first = Incoming::begin(&path, 100).unwrap();
    first.write_all(b"con").unwrap();
    drop(first);
    let mut second = Incoming::resume(&path, 100, Some(7)).unwrap();
    assert_eq!(second.length(), 3);
    second.write_all(b"tent").unwrap();
    second.finish(Some(&digest_of("content")), 0o440).unwrap();
    assert_eq!(text(&path), "content");
}

#[test]
fn incoming_begins_anew_when_what_it_finds_is_no_beginning() {
    let scene = Scene::new();
    let (path, part) = (scene.path("artifact"), scene.path(".artifact.part"));
    let victim = scene.put("victim", "precious");
    for what in ["more than expected", "a link", "another name of a file", "a pipe"] {
        match what {
            "more than expected" => std::fs::write(&part, "far too long").unwrap(),
            "a link" => symlink(&victim, &part).unwrap(),
            "another name of a file" => std::fs::hard_link(&victim, &part).unwrap(),
            _ => assert!(std::process::Command::new("mkfifo").arg(&part).status().unwrap().success()),
        }
        let mut incoming = Incoming::resume(&path, 100, Some(7)).unwrap();
        assert_eq!(incoming.length(), 0, "{what}");
        incoming.write_all(b"content").unwrap();
        incoming.finish(None, 0o440).unwrap();
        assert_eq!((text(&path).as_str(), text(&victim).as_str()), ("content", "precious"), "{what}");
    }
}

#[test]
fn incoming_takes_no_more_than_its_room() {
    let scene = Scene::new();
    let mut incoming = Incoming::begin(&scene.path("artifact"), 4).unwrap();
    incoming.write_all(b"1234").unwrap();
    assert_eq!(incoming.write_all(b"5").unwrap_err().kind(), io::ErrorKind::QuotaExceeded);
    incoming.discard().unwrap();
    assert_eq!(listed(scene.scratch.path()), ["root"]);
}

#[test]
fn incoming_names_the_directory_that_is_missing_or_a_link() {
    let scene = Scene::new();
    symlink(scene.path("root"), scene.path("link")).unwrap();
    for place in ["none/file", "link/file"] {
        let refused = Incoming::begin(&scene.path(place), 1).unwrap_err().to_string();
        assert!(refused.contains(place.trim_end_matches("/file")), "{refused}");
    }
    assert!(matches!(Incoming::begin(Path::new("/"), 1), Err(ArtifactError::NotAFile { .. })));
    assert!(matches!(Incoming::begin(&scene.path("root/.."), 1), Err(ArtifactError::NotAFile { .. })));
}

#[test]
fn copy_tree_takes_files_with_any_name_and_says_how_much() {
    let scene = Scene::new();
    let hostile = ["-rf", " ", "a b", "*", "new\nline", "%2e%2e", "..file", ".hidden", "$(reboot)", "\u{202e}"];
    for name in hostile {
        scene.put(&format!("from/sub/{name}"), "12");
    }
    let raw = std::os::unix::ffi::OsStrExt::from_bytes(b"not utf-8 \xff");
    std::fs::write(scene.path("from").join(Path::new::<std::ffi::OsStr>(raw)), "12").unwrap();
    let longest = "n".repeat(245);
    scene.put(&format!("from/{longest}"), "12");
    assert_eq!(scene.copy(1000).unwrap(), 2 * (hostile.len() as u64 + 2));
    assert_eq!(listed(&scene.path("to/sub")).len(), hostile.len());
    assert_eq!(mode(&scene.path("to/sub/-rf")), 0o440);
    assert_eq!(mode(&scene.path("to/sub")), 0o755);
    assert_eq!(scene.copy(0).unwrap(), 0, "all is there already, so no room is needed");
}

#[test]
fn copy_tree_replaces_what_differs_and_leaves_the_rest() {
    let scene = Scene::new();
    scene.put("from/same", "same");
    scene.put("from/changed", "new!");
    scene.put("to/same", "same");
    scene.put("to/changed", "old!");
    scene.put("to/other", "other");
    let inode = |name: &str| std::fs::metadata(scene.path(name)).unwrap().ino();
    let before = inode("to/same");
    assert_eq!(scene.copy(100).unwrap(), 4);
    assert_eq!((inode("to/same"), mode(&scene.path("to/same"))), (before, 0o440));
    assert_eq!(text(&scene.path("to/changed")), "new!");
    assert_eq!(text(&scene.path("to/other")), "other");
}

#[test]
fn copy_tree_refuses_links_that_lead_out_and_what_is_no_file() {
    let scene = Scene::new();
    let secret = scene.put("secret", "secret");
    let link = scene.put("from/sub/link", "");
    let socket = scene.path("from/sub/socket");
    type Plant<'a> = Box<dyn Fn() + 'a>;
    let cases: [(&str, Plant<'_>); 5] = [
        ("leads out", Box::new(|| symlink(&secret, &link).unwrap())),
        ("leads out", Box::new(|| symlink("../../secret", &link).unwrap())),
        ("not a plain file", Box::new(|| symlink("/dev/zero", &link).unwrap())),
        ("not a plain file", Box::new(|| symlink(scene.path("root"), &link).unwrap())),
        ("cannot read", Box::new(|| symlink("link", &link).unwrap())),
    ];
    for (message, plant) in cases {
        std::fs::remove_file(&link).unwrap();
        plant();
        let refused = scene.copy(100).unwrap_err().to_string();
        assert!(refused.contains(message) && refused.contains("from/sub/link"), "{refused}");
        assert!(listed(&scene.path("to/sub")).is_empty());
    }
    std::fs::remove_file(&link).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert!(scene.copy(100).unwrap_err().to_string().contains("from/sub/socket"));
    std::fs::remove_file(&socket).unwrap();
    // One that stays inside is the file it leads to.
    scene.put("from/file", "inside");
    symlink("../file", &link).unwrap();
    assert_eq!(scene.copy(100).unwrap(), 12);
    assert!(std::fs::symlink_metadata(scene.path("to/sub/link")).unwrap().is_file());
}

#[test]
fn copy_tree_is_not_led_out_of_the_store_by_planted_links() {
    let scene = Scene::new();
    scene.put("from/sub/deep/file", "new");
    scene.put("from/sub/plain", "new");
    scene.put("from/sub/same", "same");
    let outside = scene.path("outside");
    let victim = scene.put("outside/file", "precious");
    let twin = scene.put("outside/twin", "same");
    std::fs::set_permissions(&twin, Permissions::from_mode(0o600)).unwrap();
    std::fs::create_dir_all(scene.path("to/sub")).unwrap();
    symlink(&outside, scene.path("to/sub/deep")).unwrap();
    symlink(&victim, scene.path("to/sub/plain")).unwrap();
    symlink(&victim, scene.path("to/sub/.plain.part")).unwrap();
    std::fs::hard_link(&twin, scene.path("to/sub/same")).unwrap();
    scene.copy(100).unwrap();
    assert_eq!(text(&victim), "precious");
    assert_eq!((mode(&twin), listed(&outside)), (0o600, vec!["file".into(), "twin".into()]));
    assert_eq!(text(&scene.path("to/sub/deep/file")), "new");
    assert!(std::fs::symlink_metadata(scene.path("to/sub/deep")).unwrap().is_dir());
    assert_eq!(listed(&scene.path("to/sub")), ["deep", "plain", "same"]);
}

#[test]
fn copy_tree_stops_at_its_room_and_leaves_no_debris() {
    let scene = Scene::new();
    scene.put("from/large", &"x".repeat(100));
    let refused = scene.copy(99).unwrap_err();
    assert!(matches!(&refused, ArtifactError::File(error) if error.is_full_disk()), "{refused}");
    assert!(refused.to_string().contains("to/large"), "{refused}");
    assert!(listed(&scene.path("to")).is_empty());
    assert_eq!(scene.copy(100).unwrap(), 100);
}

#[test]
fn copy_tree_holds_few_descriptors_and_refuses_bottomless_trees() {
    let scene = Scene::new();
    // More directories side by side than a process may usually have files open.
    for number in 0..1100 {
        std::fs::create_dir_all(scene.path(&format!("from/{number}"))).unwrap();
    }
    scene.copy(0).unwrap();
    assert_eq!(listed(&scene.path("to")).len(), 1100);
    scene.put(&format!("from/{}file", "d/".repeat(100)), "");
    assert!(matches!(scene.copy(0), Err(ArtifactError::TooDeep { .. })));
}

#[test]
fn room_is_what_the_limit_leaves() {
    let scene = Scene::new();
    scene.put("root/packages/artifacts/A/1.0.0/file", "12345");
    symlink("/", scene.path("root/packages/artifacts/A/1.0.0/everything")).unwrap();
    assert_eq!(size(&scene.paths.packages()).unwrap(), 5);
    assert_eq!(room(&scene.paths, 5).unwrap(), 0);
    assert_eq!(room(&scene.paths, 4).unwrap(), 0);
    assert!(room(&scene.paths, 12).unwrap() <= 7);
    assert!(room(&scene.paths, u64::MAX).unwrap() < u64::MAX - RESERVE, "the disk is a limit, too");
    let missing = room(&Paths::new(scene.path("none")), 1).unwrap_err().to_string();
    assert!(missing.contains("none/packages"), "{missing}");
}

#[test]
fn clean_up_removes_all_of_a_version_but_those_to_keep() {
    let scene = Scene::new();
    let name = |text: &str| ComponentName::parse(text).unwrap();
    let version = |text: &str| ComponentVersion::parse(text).unwrap();
    let recipes = Recipes::new(&scene.paths);
    for (component, number) in [("A", "1.0.0"), ("A", "2.0.0"), ("B", "1.0.0")] {
        scene.put(&format!("root/packages/artifacts/{component}/{number}/sub/file"), "x");
        scene.put(&format!("root/packages/artifacts-unarchived/{component}/{number}/bundle/file"), "x");
        recipes.save(&name(component), &version(number), crate::wire::recipe::Format::Json, b"{}").unwrap();
    }
    let victim = scene.put("outside/file", "precious");
    symlink(scene.path("outside"), scene.path("root/packages/artifacts/A/1.0.0/sub/link")).unwrap();
    symlink(scene.path("outside"), scene.path("root/packages/artifacts/A/3.0.0")).unwrap();
    // Not ours, and names no version has.
    let debris = scene.put("root/packages/artifacts/A/backup/file", "x");
    let keep = BTreeSet::from([(name("A"), version("2.0.0"))]);
    let (removed, failures) = clean_up(&scene.paths, &keep);
    assert!(failures.is_empty(), "{failures:?}");
    let removed: Vec<String> = removed.iter().map(|(name, version)| format!("{name} {version}")).collect();
    assert_eq!(removed, ["A 1.0.0", "A 3.0.0", "B 1.0.0"]);
    assert_eq!(text(&victim), "precious");
    assert!(debris.exists());
    assert_eq!(listed(&scene.path("root/packages/artifacts")), ["A"]);
    assert_eq!(listed(&scene.path("root/packages/artifacts/A")), ["2.0.0", "backup"]);
    assert_eq!(listed(&scene.path("root/packages/artifacts-unarchived/A")), ["2.0.0"]);
    assert_eq!(recipes.versions(&name("A")).unwrap(), [version("2.0.0")]);
    assert!(recipes.versions(&name("B")).unwrap().is_empty());
}
