//! What a new version inherits: at its first boot on trial the listed paths of the former version's writable layer are
//! copied into its own, then its migrations run on the copy. The former layer stays as it is, for a rollback.
//!
//! A process of its own copies, so that PID 1 does not grow. What says that the copy is complete is written last, and
//! names the installation; a layer without it is of an installation before, or half a copy, and is removed.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{self as unix, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gg_boot::overlay::{self, Layer};
use gg_boot::places;
use gg_boot::slot::Slot;
use gg_sys::early::Terminal;
use gg_sys::kmsg::{Kmsg, Level};
use gg_sys::{attribute, fs as sys};

use crate::ground::Stage;
use crate::journal::{Done, Failure};
use crate::slot::Image;
use crate::state::Installation;
use crate::tools;
use crate::watchdog::Vigil;

/// A slot on trial that was never confirmed.
#[derive(Clone, Debug)]
pub(crate) struct Heir {
    slot: Slot,
    /// In the files that say how far it is.
    name: String,
}

impl Heir {
    pub(crate) fn of(image: Image, (transaction, manifest): Installation) -> Option<Self> {
        let Image::Slot(slot) = image else { return None };
        Some(Self { slot, name: format!("{transaction:x}-{manifest:016x}") })
    }

    /// Copies, unless that is done. The data is still at its stage.
    pub(crate) fn inherit(&self, stage: &Stage, vigil: &mut Vigil) -> Result<Done<()>, Failure> {
        let data = stage.data();
        if says(&overlay::inherited(&data, self.slot), &self.name) {
            return Ok(Done::Well((), "there already".to_owned()));
        }
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let (data, list) = (text(data), text(stage.slot().join(&places::KEPT[1..])));
        let words = [CHILD, &data, &list, self.slot.name(), &self.name];
        match tools::run_in(None, Path::new("/proc/self/exe"), &words, Terminal::None, vigil)? {
            0 => Ok(Done::Well((), format!("from slot {}", self.slot.other().name()))),
            _ => Err(Failure::because("copy", "the former version's changes", "the log of the kernel says why")),
        }
    }

    /// Runs the migrations in the new root, unless they have all run. One that fails is run again with the next try.
    pub(crate) fn migrate(&self, stage: &Stage, vigil: &mut Vigil) -> Result<Done<()>, Failure> {
        let root = stage.root();
        let data = root.join(&places::DATA[1..]);
        let mark = overlay::migrated(&data, self.slot);
        if says(&mark, &self.name) {
            return Ok(Done::Well((), "done already".to_owned()));
        }
        let mut count = 0;
        for program in programs(&root)? {
            count += 1;
            match tools::run_in(Some(&root), &program, &[], Terminal::None, vigil)? {
                0 => {}
                code => return Err(Failure::because("migrate by", program.display(), format!("exit code {code}"))),
            }
        }
        write(&mark, &self.name).map_err(|cause| Failure::new("write", mark.display(), cause))?;
        Ok(Done::Well((), format!("{count} have run")))
    }
}

/// Those in the new root, as they are called there.
fn programs(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failure = |cause| Failure::new("read", places::MIGRATIONS, cause);
    let entries = match fs::read_dir(root.join(&places::MIGRATIONS[1..])) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failure)?,
    };
    let mut programs = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failure)?;
        let is_program = entry.metadata().is_ok_and(|facts| facts.is_file() && facts.mode() & 0o111 != 0);
        if is_program {
            programs.push(Path::new(places::MIGRATIONS).join(entry.file_name()));
        }
    }
    programs.sort();
    Ok(programs)
}

fn says(mark: &Path, name: &str) -> bool {
    fs::read_to_string(mark).is_ok_and(|text| text.trim() == name)
}

/// All that was written before is on the disk before the mark is.
fn write(mark: &Path, name: &str) -> io::Result<()> {
    let directory = mark.parent().unwrap_or(Path::new("/"));
    sys::sync_file_system(&File::open(directory)?)?;
    let mut file = File::create(mark)?;
    writeln!(file, "{name}")?;
    file.sync_all()?;
    File::open(directory)?.sync_all()
}

/// The first argument of the process that copies; the data, the list, the slot and the installation follow.
pub(crate) const CHILD: &str = "--inherit-layer";

pub(crate) fn child() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(2).collect();
    let [data, list, slot, name] = &words[..] else { return ExitCode::from(64) };
    let Some(slot) = Slot::parse(slot) else { return ExitCode::from(64) };
    let list = fs::read_to_string(list).unwrap_or_else(|_| overlay::KEPT.to_owned());
    match copy(Path::new(data), &list, slot, name) {
        Ok(()) => ExitCode::SUCCESS,
        Err((path, cause)) => {
            if let Ok(mut log) = Kmsg::open() {
                let _ = log.say(Level::Error, &format!("gg-init: cannot inherit {}: {cause}", path.display()));
            }
            ExitCode::FAILURE
        }
    }
}

type Fault = (PathBuf, io::Error);

fn copy(data: &Path, list: &str, slot: Slot, name: &str) -> Result<(), Fault> {
    let own = overlay::of_slot(data, slot);
    let at = |path: &Path| {
        let path = path.to_owned();
        move |cause| (path, cause)
    };
    match fs::remove_dir_all(&own) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err((own, cause)),
        _ => {}
    }
    let (from, to) = (Layer::on_data(data, slot.other()).upper, Layer::on_data(data, slot));
    for directory in [&to.upper, &to.work] {
        fs::create_dir_all(directory).map_err(at(directory))?;
    }
    if let Some(facts) = facts(&from)? {
        // The root of the layer is the root of the system.
        dress(&from, &to.upper, &facts, Dress::Plain).map_err(at(&to.upper))?;
        for path in overlay::kept(list) {
            descend(&from, &to.upper, path)?;
        }
    }
    let mark = overlay::inherited(data, slot);
    write(&mark, name).map_err(at(&mark))
}

/// One path of the list. Directories on the way are made as they are there; a link on the way leads nowhere.
fn descend(from: &Path, to: &Path, path: &str) -> Result<(), Fault> {
    let Some((first, rest)) = path.split_once('/') else { return each(from, to, path) };
    let (from, to) = (from.join(first), to.join(first));
    match facts(&from)? {
        Some(facts) if facts.is_dir() => {
            if self::facts(&to)?.is_none() {
                fs::create_dir(&to)
                    .and_then(|()| dress(&from, &to, &facts, Dress::Plain))
                    .map_err(|cause| (to.clone(), cause))?;
            }
            descend(&from, &to, rest)
        }
        _ => Ok(()),
    }
}

fn each(from: &Path, to: &Path, pattern: &str) -> Result<(), Fault> {
    if !pattern.contains('*') {
        return copy_entry(&from.join(pattern), &to.join(pattern), 0);
    }
    for entry in fs::read_dir(from).map_err(|cause| (from.to_owned(), cause))? {
        let name = entry.map_err(|cause| (from.to_owned(), cause))?.file_name();
        if overlay::is_meant(pattern.as_bytes(), name.as_encoded_bytes()) {
            copy_entry(&from.join(&name), &to.join(&name), 0)?;
        }
    }
    Ok(())
}

/// Deeper trees are refused.
const DEEPEST: usize = 64;

fn copy_entry(from: &Path, to: &Path, depth: usize) -> Result<(), Fault> {
    let fault = |cause| (from.to_owned(), cause);
    let (Some(facts), None) = (facts(from)?, facts(to)?) else { return Ok(()) };
    let kind = facts.file_type();
    if depth > DEEPEST {
        return Err(fault(io::ErrorKind::InvalidInput.into()));
    }
    if kind.is_dir() {
        fs::create_dir(to).and_then(|()| dress(from, to, &facts, Dress::Layer)).map_err(fault)?;
        for entry in fs::read_dir(from).map_err(fault)? {
            let name = entry.map_err(fault)?.file_name();
            copy_entry(&from.join(&name), &to.join(&name), depth + 1)?;
        }
        return Ok(());
    }
    let copied = if kind.is_file() {
        // One whose bytes are still in the slot below is not ours to copy.
        if attribute::is_there(from, c"trusted.overlay.metacopy") {
            return Ok(());
        }
        fs::copy(from, to).and_then(|_| dress(from, to, &facts, Dress::Layer))
    } else if kind.is_symlink() {
        fs::read_link(from)
            .and_then(|target| unix::symlink(target, to))
            .and_then(|()| unix::lchown(to, Some(facts.uid()), Some(facts.gid())))
    } else if kind.is_char_device() && facts.rdev() == 0 {
        // What was removed stays so.
        sys::make_whiteout(to)
    } else {
        // Sockets and pipes are made by whoever uses them.
        Ok(())
    };
    copied.map_err(fault)
}

/// How much a copy is like what it is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dress {
    /// Owner and mode: what is in the slot below stays to be seen.
    Plain,
    /// And attributes, those by which a directory hides what is below among them.
    Layer,
}

fn dress(from: &Path, to: &Path, facts: &Metadata, how: Dress) -> io::Result<()> {
    unix::lchown(to, Some(facts.uid()), Some(facts.gid()))?;
    // After the owner, whose change takes set-user-id bits away.
    fs::set_permissions(to, facts.permissions())?;
    if how == Dress::Layer {
        attribute::copy(from, to, |name| match name.strip_prefix(b"trusted.overlay.") {
            Some(own) => matches!(own, b"opaque" | b"redirect"),
            None => true,
        })?;
    }
    Ok(())
}

fn facts(path: &Path) -> Result<Option<Metadata>, Fault> {
    match fs::symlink_metadata(path) {
        Ok(facts) => Ok(Some(facts)),
        Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(cause) => Err((path.to_owned(), cause)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn upper(data: &Path, slot: Slot) -> PathBuf {
        Layer::on_data(data, slot).upper
    }

    fn put(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, text).expect("a file");
    }

    fn tree(path: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(path).expect("entries").flatten() {
            let name = entry.path();
            found.push(name.display().to_string());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.extend(tree(&name));
            }
        }
        found.sort();
        found
    }

    fn below(data: &Path, slot: Slot) -> Vec<String> {
        let upper = upper(data, slot);
        let cut = |path: String| path[upper.display().to_string().len()..].to_owned();
        tree(&upper).into_iter().map(cut).collect()
    }

    #[test]
    fn listed_paths_are_inherited_and_the_former_layer_stays() {
        let data = tempfile::tempdir().expect("a directory");
        let old = upper(data.path(), Slot::A);
        put(&old.join("etc/greengrass/ota.conf"), "ours");
        put(&old.join("etc/ssh/ssh_host_rsa_key"), "key");
        put(&old.join("etc/ssh/sshd_config"), "not listed");
        put(&old.join("usr/bin/tool"), "not listed");
        unix::symlink("/usr/share/zoneinfo/UTC", old.join("etc/localtime")).expect("a link");
        // A link on the way must not lead out of the layer.
        put(&data.path().join("outside/id"), "precious");
        unix::symlink(data.path().join("outside"), old.join("etc/dropbear")).expect("a link");
        fs::set_permissions(old.join("etc/ssh/ssh_host_rsa_key"), fs::Permissions::from_mode(0o600)).expect("a mode");
        let before = tree(&old);
        copy(data.path(), &format!("{}/etc/dropbear/id\n", overlay::KEPT), Slot::B, "1-a").expect("a copy");
        let expected = [
            "/etc",
            "/etc/dropbear",
            "/etc/greengrass",
            "/etc/greengrass/ota.conf",
            "/etc/localtime",
            "/etc/ssh",
            "/etc/ssh/ssh_host_rsa_key",
        ];
        assert_eq!(below(data.path(), Slot::B), expected);
        let new = upper(data.path(), Slot::B);
        assert_eq!(fs::metadata(new.join("etc/ssh/ssh_host_rsa_key")).expect("a file").mode() & 0o7777, 0o600);
        assert!(new.join("etc/dropbear").is_symlink(), "the link itself is a change, too");
        assert_eq!(tree(&old), before);
        assert!(says(&overlay::inherited(data.path(), Slot::B), "1-a"));
    }

    #[test]
    fn half_a_copy_and_an_older_one_are_removed() {
        let data = tempfile::tempdir().expect("a directory");
        put(&upper(data.path(), Slot::A).join("etc/hostname"), "thing");
        put(&upper(data.path(), Slot::B).join("etc/greengrass/stale"), "of an installation before");
        copy(data.path(), "/etc/hostname", Slot::B, "2-b").expect("a copy");
        assert_eq!(below(data.path(), Slot::B), ["/etc", "/etc/hostname"]);
        copy(data.path(), "/nothing", Slot::B, "3-c").expect("a copy");
        assert_eq!(below(data.path(), Slot::B), Vec::<String>::new());
        assert!(says(&overlay::inherited(data.path(), Slot::B), "3-c"));
    }

    #[test]
    fn what_cannot_be_copied_is_told_and_leaves_no_mark() {
        let data = tempfile::tempdir().expect("a directory");
        let old = upper(data.path(), Slot::A);
        put(&old.join("etc/hostname"), "thing");
        let mut deep = old.join("etc/greengrass");
        for _ in 0..DEEPEST + 2 {
            deep.push("d");
        }
        fs::create_dir_all(&deep).expect("directories");
        let (path, _) = copy(data.path(), overlay::KEPT, Slot::B, "4-d").expect_err("too deep");
        assert!(path.starts_with(old.join("etc/greengrass")), "{}", path.display());
        assert!(!overlay::inherited(data.path(), Slot::B).exists());
    }

    #[test]
    fn device_without_changes_inherits_nothing() {
        let data = tempfile::tempdir().expect("a directory");
        copy(data.path(), overlay::KEPT, Slot::A, "5-e").expect("a copy");
        assert_eq!(below(data.path(), Slot::A), Vec::<String>::new());
        assert!(says(&overlay::inherited(data.path(), Slot::A), "5-e"));
    }
}
