//! Versions of the daemon side by side: a launch directory for each, and links that say which one is started.
//!
//! The names are the reference nucleus'. All lie in `<root>/alts`, which is made by the first update:
//!
//! | name | what it is |
//! |---|---|
//! | `<deployment>/` | a launch directory: `greengrass`, `launch` (version, image), `tries` and `why` |
//! | `init/` | stands for the executable of the image, which is always there |
//! | `current` | what is started; without it `init` |
//! | `new` | what the next start makes `current` |
//! | `old` | what `current` was before; there while `current` is on trial |
//! | `broken` | what was given up |
//!
//! A link is put in its place by rename(2), so each names the one or the other at any moment, and never nothing that
//! was meant to be started.

use std::fs::File;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::file::{self, Backup, FileError};
use super::paths::Paths;
use crate::wire::name::ComponentVersion;

/// `<root>/alts`; cheap to clone. Every method blocks.
#[derive(Clone, Debug)]
pub struct Alts {
    directory: PathBuf,
}

/// The launch directories that the links name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Links {
    pub current: Option<String>,
    pub old: Option<String>,
    pub new: Option<String>,
    pub broken: Option<String>,
}

/// What a launch directory holds, beside the executable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Launch {
    /// Of the component that brought it.
    pub version: ComponentVersion,
    /// The version of the image's own executable when it was made: another image brings its own daemon.
    pub image: String,
}

/// How often a version on trial was started.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tries {
    pub count: u32,
    /// The last start, in seconds since the kernel's.
    pub at: u64,
    /// Which start of the kernel that was.
    pub boot: String,
    pub came_up: bool,
}

impl Alts {
    pub fn of(paths: &Paths) -> Self {
        Self { directory: paths.root().join("alts") }
    }

    /// The launch directory that the executable of this process lies in; none for the one of the image.
    pub fn launched(&self) -> Option<String> {
        let own = std::fs::read_link("/proc/self/exe").ok()?;
        let within = own.strip_prefix(self.directory.canonicalize().ok()?).ok()?;
        within.parent()?.to_str().filter(|name| !name.is_empty()).map(str::to_owned)
    }

    pub fn links(&self) -> Links {
        Links { current: self.link(CURRENT), old: self.link(OLD), new: self.link(NEW), broken: self.link(BROKEN) }
    }

    /// `None` where the directory is damaged, or gone.
    pub fn launch(&self, name: &str) -> Option<Launch> {
        let text = self.text(name, LAUNCH)?;
        let (version, image) = text.trim_end().split_once('\n')?;
        self.program(name).is_file().then_some(())?;
        Some(Launch { version: ComponentVersion::parse(version).ok()?, image: image.to_owned() })
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name).join(PROGRAM)
    }

    /// Makes a launch directory around a copy of the executable. No link names it yet. What a former attempt left of
    /// it goes.
    pub fn make(&self, name: &str, program: &Path, launch: &Launch) -> Result<(), FileError> {
        let directory = self.directory.join(name);
        file::make_directory(&self.directory, 0o700)?;
        file::remove_directory(&directory)?;
        file::make_directory(&directory, 0o700)?;
        let unread = |cause| FileError::Read { path: program.to_owned(), cause };
        let mut from = File::open(program).map_err(unread)?;
        file::write_with(&directory.join(PROGRAM), 0o755, Backup::Drop, |to| io::copy(&mut from, to).map(drop))?;
        let text = format!("{}\n{}\n", launch.version, launch.image);
        file::write(&directory.join(LAUNCH), 0o600, Backup::Drop, text.as_bytes())
    }

    /// The next start shall make this one `current`. Without an end of a former trial lying about: it would be taken for
    /// the end of this one.
    pub fn offer(&self, name: &str) -> Result<(), FileError> {
        file::remove(&self.directory.join(BROKEN))?;
        file::sync_directory(&self.directory)?;
        self.point(NEW, name)
    }

    /// For people who look: where the image's own executable is.
    pub fn show_image(&self, program: &Path) -> Result<(), FileError> {
        let directory = self.directory.join(IMAGE);
        file::make_directory(&directory, 0o700)?;
        let link = directory.join(PROGRAM);
        if std::fs::read_link(&link).is_ok_and(|there| there == program) {
            return Ok(());
        }
        file::remove(&link)?;
        symlink(program, &link).map_err(|cause| FileError::Create { path: link, cause })
    }

    /// `new` becomes `current`, on trial; `old` is to be what is started should it fail.
    pub fn enter(&self, old: &str) -> Result<(), FileError> {
        self.point(OLD, old)?;
        self.rename(NEW, CURRENT)
    }

    /// Gives `current` up: first what says why, then the sign, then `old` takes its place.
    pub fn give_up(&self, name: &str, why: &str) -> Result<(), FileError> {
        file::write(&self.directory.join(name).join(WHY), 0o600, Backup::Drop, why.as_bytes())?;
        self.point(BROKEN, name)?;
        self.go_back()
    }

    /// `old` becomes `current`.
    pub fn go_back(&self) -> Result<(), FileError> {
        self.rename(OLD, CURRENT)
    }

    /// Why this one was given up.
    pub fn why(&self, name: &str) -> String {
        self.text(name, WHY).unwrap_or_else(|| "nobody knows why".to_owned())
    }

    /// `None` before the first start, and where the file is damaged.
    pub fn tries(&self, name: &str) -> Option<Tries> {
        let text = self.text(name, TRIES)?;
        let mut words = text.split_whitespace();
        Some(Tries {
            count: words.next()?.parse().ok()?,
            at: words.next()?.parse().ok()?,
            boot: words.next()?.to_owned(),
            came_up: words.next() == Some(UP),
        })
    }

    pub fn write_tries(&self, name: &str, tries: &Tries) -> Result<(), FileError> {
        let up = if tries.came_up { UP } else { "" };
        let text = format!("{} {} {} {up}\n", tries.count, tries.at, tries.boot);
        file::write(&self.directory.join(name).join(TRIES), 0o600, Backup::Drop, text.as_bytes())
    }

    /// Ends the trial well. `current` stays what it is.
    pub fn keep(&self) -> Result<(), FileError> {
        let old = self.directory.join(OLD);
        if std::fs::symlink_metadata(&old).is_err() {
            return Ok(());
        }
        file::remove(&old)?;
        file::sync_directory(&self.directory)
    }

    /// Removes what no start needs. Nothing is written when that is nothing.
    pub fn tidy(&self) -> Result<(), FileError> {
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return Ok(()) };
        let links = self.links();
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is = |other: &str| name == other;
            let is_started = [&links.current, &links.old].into_iter().flatten().any(|needed| is(needed));
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if !is_started && !is(IMAGE) {
                    file::remove_directory(&entry.path())?;
                }
            } else if !is(CURRENT) && !is(OLD) {
                file::remove(&entry.path())?;
            }
        }
        if let Some(current) = links.current.filter(|_| links.old.is_none()) {
            self.forget_tries(&current)?;
        }
        Ok(())
    }

    /// Of one that is kept they mean nothing.
    pub fn forget_tries(&self, name: &str) -> Result<(), FileError> {
        file::remove(&self.directory.join(name).join(TRIES))
    }

    /// A name of one segment, or none: what else such a link says is not ours.
    fn link(&self, link: &str) -> Option<String> {
        let target = std::fs::read_link(self.directory.join(link)).ok()?;
        target
            .to_str()
            .filter(|name| !name.is_empty() && !name.starts_with('.') && !name.contains('/'))
            .map(str::to_owned)
    }

    fn point(&self, link: &str, name: &str) -> Result<(), FileError> {
        let fresh = self.directory.join(FRESH);
        file::remove(&fresh)?;
        symlink(name, &fresh).map_err(|cause| FileError::Create { path: fresh, cause })?;
        self.rename(FRESH, link)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), FileError> {
        let to = self.directory.join(to);
        std::fs::rename(self.directory.join(from), &to).map_err(|cause| FileError::Replace { path: to, cause })?;
        file::sync_directory(&self.directory)
    }

    fn text(&self, name: &str, file: &str) -> Option<String> {
        String::from_utf8(file::read(&self.directory.join(name).join(file), 64 << 10).ok()??).ok()
    }
}

/// The name of the launch directory that stands for the image's own executable.
pub const IMAGE: &str = "init";
const CURRENT: &str = "current";
const OLD: &str = "old";
const NEW: &str = "new";
const BROKEN: &str = "broken";
/// A link before it is put in its place.
const FRESH: &str = "link+";
/// Of this name, so that no applet is chosen by it.
const PROGRAM: &str = "greengrass";
const LAUNCH: &str = "launch";
const TRIES: &str = "tries";
const WHY: &str = "why";
const UP: &str = "up";

#[cfg(test)]
mod tests {
    use super::*;

    fn alts() -> (tempfile::TempDir, Alts, PathBuf) {
        let scratch = tempfile::tempdir().unwrap();
        let program = scratch.path().join("program");
        std::fs::write(&program, "new").unwrap();
        let alts = Alts::of(&Paths::new(scratch.path().to_owned()));
        (scratch, alts, program)
    }

    fn launch() -> Launch {
        Launch { version: ComponentVersion::parse("2.19.0").unwrap(), image: "0.1.0".to_owned() }
    }

    #[test]
    fn links_go_on_and_back() {
        let (_scratch, alts, program) = alts();
        assert_eq!(alts.links(), Links::default());
        alts.make("a", &program, &launch()).unwrap();
        assert_eq!((alts.launch("a"), alts.launch("b")), (Some(launch()), None));
        alts.offer("a").unwrap();
        alts.enter(IMAGE).unwrap();
        let name = |name: &str| Some(name.to_owned());
        let trial = Links { current: name("a"), old: name(IMAGE), ..Links::default() };
        assert_eq!(alts.links(), trial);
        let tries = Tries { count: 2, at: 7, boot: "x".to_owned(), came_up: true };
        alts.write_tries("a", &tries).unwrap();
        assert_eq!(alts.tries("a"), Some(tries));
        alts.give_up("a", "it is bad").unwrap();
        assert_eq!(alts.links(), Links { current: name(IMAGE), broken: name("a"), ..Links::default() });
        assert_eq!(alts.why("a"), "it is bad");
        alts.tidy().unwrap();
        assert_eq!(alts.links(), Links { current: name(IMAGE), ..Links::default() });
        assert_eq!(alts.launch("a"), None);
    }

    #[test]
    fn kept_one_stays_with_all_it_needs_and_nothing_else() {
        let (_scratch, alts, program) = alts();
        for name in ["a", "b"] {
            alts.make(name, &program, &launch()).unwrap();
            alts.offer(name).unwrap();
            alts.enter(alts.links().current.as_deref().unwrap_or(IMAGE)).unwrap();
            alts.write_tries(name, &Tries::default()).unwrap();
            alts.tidy().unwrap();
            assert!(alts.links().old.is_some(), "a trial is not ended by tidying");
            alts.keep().unwrap();
            alts.tidy().unwrap();
        }
        assert_eq!(alts.links(), Links { current: Some("b".to_owned()), ..Links::default() });
        assert_eq!((alts.launch("a"), alts.launch("b")), (None, Some(launch())));
        assert_eq!(alts.tries("b"), None);
    }

    #[test]
    fn link_that_leads_elsewhere_names_nothing() {
        let (_scratch, alts, program) = alts();
        alts.make("a", &program, &launch()).unwrap();
        for target in ["/etc", "../work", "..", "a/b"] {
            alts.point(CURRENT, target).unwrap();
            assert_eq!(alts.links(), Links::default(), "{target}");
        }
    }
}
