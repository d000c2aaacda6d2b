//! A tar archive as an image: a file system is made on the slot, and the archive unpacked into it. Of the type `emptyfs`
//! there is no archive.
//!
//! ```text
//! wipe the first MiB -> mkfs -> mount, seen by nobody else -> read, verify, unpack -> flush -> unmount
//! ```
//!
//! There is nothing to read back: the archive has the SHA-256 of the manifest, each of its blocks was verified, and what
//! the file system made of it is the file system's. Memory is a piece, and the window of the packer. A rate limit counts the
//! bytes of the archive as it is packed.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use super::{FileStream, InstallError, Pay, Phase, Progress, wipe};
use crate::service::ota::bundle::{Bundle, MAX_CHUNK, Source};
use crate::store::file;
use crate::store::slot_device::{SlotDevice, Target};
use crate::store::tar::{self, UnpackError};
use crate::sys::directory::Directory;
use crate::sys::{fs, mount};
use crate::wire::bundle::manifest::{Image, Kind};
use crate::wire::bundle::stream;

/// The file system that an archive is unpacked into.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileSystem {
    kind: &'static str,
    mkfs: PathBuf,
    options: Vec<String>,
    /// Where it is mounted meanwhile.
    mount_point: PathBuf,
}

/// Where programs for administrators are, whatever the caller's `PATH` is.
const PLACES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

impl FileSystem {
    /// What it takes to make one; nothing is done yet.
    pub fn find(kind: &str, options: &[String], mount_point: &Path) -> Result<Self, ArchiveError> {
        let kind = match kind {
            "ext4" => "ext4",
            "vfat" => "vfat",
            other => return Err(ArchiveError::NoFileSystem { kind: other.to_owned() }),
        };
        let paths = PLACES.iter().map(|place| Path::new(place).join(format!("mkfs.{kind}")));
        let mkfs = paths.into_iter().find(|path| path.exists()).ok_or(ArchiveError::NoProgram { kind })?;
        Ok(Self { kind, mkfs, options: options.to_vec(), mount_point: mount_point.to_owned() })
    }

    fn make(&self, device: &Path) -> Result<(), ArchiveError> {
        let fault = |cause| ArchiveError::Run { program: self.mkfs.clone(), cause };
        let quiet: &[&str] = if self.kind == "ext4" { &["-q", "-F"] } else { &[] };
        let mut command = Command::new(&self.mkfs);
        command.args(quiet).args(&self.options).arg(device).stdin(Stdio::null()).stdout(Stdio::null());
        let done = command.output().map_err(fault)?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr).trim().chars().take(500).collect();
        Err(ArchiveError::Make { program: self.mkfs.clone(), said })
    }
}

/// Makes a file system on the slot and unpacks the archive into it. The slot is given back as it was given: open, and
/// nobody else's.
pub fn install(
    bundle: &Bundle,
    source: &dyn Source,
    image: &Image,
    (path, slot): (&Path, Target),
    file_system: &FileSystem,
    pay: Option<Pay<'_>>,
    report: &(dyn Fn(Progress) + Sync),
) -> Result<Target, InstallError> {
    wipe(&slot, MAX_CHUNK as u64)?;
    // Whoever makes and mounts it wants it alone.
    drop(slot);
    let made = file_system.make(path).map_err(InstallError::from);
    let filled = made.and_then(|()| {
        if image.kind == Kind::Empty {
            return Ok(());
        }
        let unpack = || unpack(bundle, source, image, &file_system.mount_point, pay, report);
        with_mounted(path, file_system.kind, &file_system.mount_point, unpack)?
    });
    let slot = Target::open(path).map_err(|cause| ArchiveError::Again { path: path.to_owned(), cause })?;
    match filled {
        Ok(()) => slot.sync().map_err(InstallError::Sync).map(|()| slot),
        Err(cause) => {
            // The failure is what to tell; a slot that cannot even be wiped is recorded as unusable all the same.
            let _ = wipe(&slot, MAX_CHUNK as u64);
            Err(cause)
        }
    }
}

/// Mounts a slot, calls a function, and takes the mount away. Nobody sees it but the function and what that starts: it is
/// in a mount table of its own, which ends with this call, however that ends.
pub fn with_mounted<T: Send>(
    path: &Path,
    kind: &str,
    mount_point: &Path,
    work: impl FnOnce() -> T + Send,
) -> Result<T, ArchiveError> {
    let fault = |cause| ArchiveError::Mount { path: path.to_owned(), cause };
    let mounted = || {
        mount::leave_shared_table().map_err(fault)?;
        file::make_directory(mount_point, 0o700).map_err(ArchiveError::Directory)?;
        // FAT has no owners: a name for one is no error then.
        let options = OsStr::new(if kind == "vfat" { "quiet" } else { "" });
        let (access, trust) = (mount::Access::ReadWrite, mount::Trust::NoPrivileges);
        mount::mount(path.as_os_str(), mount_point, kind, access, trust, options).map_err(fault)?;
        let done = work();
        mount::unmount(mount_point).map_err(fault)?;
        Ok(done)
    };
    thread::scope(|scope| scope.spawn(mounted).join().unwrap_or(Err(ArchiveError::Thread)))
}

fn unpack(
    bundle: &Bundle,
    source: &dyn Source,
    image: &Image,
    root: &Path,
    pay: Option<Pay<'_>>,
    report: &(dyn Fn(Progress) + Sync),
) -> Result<(), InstallError> {
    let (Some(name), Some(expected)) = (&image.filename, image.sha256) else {
        let why = "the manifest names no file and SHA-256 for it";
        return Err(InstallError::Kind { slot_class: image.slot_class.clone(), why });
    };
    let fault = |cause| ArchiveError::Mount { path: root.to_owned(), cause };
    let read = |cause| ArchiveError::Unpack(UnpackError::Read(cause));
    let directory = Directory::open(root).map_err(fault)?;
    let before = Cell::new(0);
    let tell = |done| {
        report(Progress { phase: Phase::Write, done, total: image.size, kept: 0, reused: 0 });
        if let Some(pay) = pay {
            pay(done - before.replace(done));
        }
    };
    let mut archive = FileStream::open(bundle, source, name, &tell)?;
    let stream = stream::unpacked(&mut archive).map_err(read)?;
    tar::unpack(stream, &directory).map_err(ArchiveError::Unpack)?;
    // What is behind the end of the archive belongs to the file, too.
    io::copy(&mut archive, &mut io::sink()).map_err(read)?;
    if archive.digest().as_ref() != expected {
        return Err(InstallError::Digest);
    }
    File::open(root).and_then(|root| fs::sync_file_system(&root)).map_err(InstallError::Sync)
}

/// Why an archive is not in a slot.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("an archive is unpacked into a slot with type=ext4 or type=vfat, and this one has type={kind}")]
    NoFileSystem { kind: String },
    #[error("there is no mkfs.{kind} on this device")]
    NoProgram { kind: &'static str },
    #[error("cannot run {}", program.display())]
    Run {
        program: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{} failed: {said}", program.display())]
    Make { program: PathBuf, said: String },
    #[error("cannot mount {}", path.display())]
    Mount {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("there is nowhere to mount it")]
    Directory(#[source] file::FileError),
    #[error("cannot open {} again", path.display())]
    Again {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error(transparent)]
    Unpack(UnpackError),
    #[error("a thread of the installation ended too early")]
    Thread,
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::Mutex;

    use super::*;
    use crate::service::ota::bundle::create::{Packing, create};
    use crate::service::ota::trust::mint::{Draft, Identity, KeyKind, NOW};

    /// A bundle with an archive of these files, packed by this program.
    fn bundle(program: &str, files: &[(&str, usize)]) -> Option<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        for (name, size) in files {
            let bytes: Vec<u8> = (0..*size as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let mut tar = Command::new("tar");
        tar.args(["-c", "-I", program, "-f", "image.tar.any"]).args(files.iter().map(|(name, _)| name));
        if !tar.current_dir(folder.path()).status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: tar or {program} is not there");
            return None;
        }
        let manifest = "[update]\ncompatible=board\n[image.rootfs]\nfilename=image.tar.any\n";
        std::fs::write(folder.path().join("manifest.raucm"), manifest).unwrap();
        let signer = Identity::root("root").issue(&Draft::signer("signer"), KeyKind::P256);
        let target = folder.path().join("bundle");
        create(folder.path(), &target, Packing::None, &[signer.signatory(&[])], NOW).unwrap();
        Some(std::fs::read(target).unwrap())
    }

    #[test]
    fn archive_pays_for_each_of_its_bytes_once() {
        for program in ["cat", "gzip -1", "xz -1", "zstd -1"] {
            let Some(bytes) = bundle(program, &[("one", 2_500_000), ("two", 1_300_000)]) else { continue };
            let bundle = Bundle::open_unverified(&bytes).unwrap();
            let image = &bundle.manifest.images[0];
            let root = tempfile::tempdir().unwrap();
            let paid = Mutex::new(Vec::new());
            let pay = |bytes| paid.lock().unwrap().push(bytes);
            unpack(&bundle, &bytes, image, root.path(), Some(&pay), &|_| {}).unwrap();
            assert_eq!(std::fs::metadata(root.path().join("two")).unwrap().len(), 1_300_000);
            let paid = paid.into_inner().unwrap();
            assert_eq!(paid.iter().sum::<u64>(), image.size, "{program}");
            // In pieces, so that nobody waits long for one.
            assert!(paid.iter().all(|bytes| (1..=MAX_CHUNK as u64).contains(bytes)), "{program}: {paid:?}");
        }
    }

    #[test]
    fn archive_that_is_packed_otherwise_is_refused_before_anything_is_written() {
        let Some(bytes) = bundle("bzip2", &[("one", 5_000)]) else { return };
        let bundle = Bundle::open_unverified(&bytes).unwrap();
        let refused = super::super::check(&bundle, &bytes, &bundle.manifest.images[0], None).unwrap_err();
        assert!(format!("{:?}", refused).contains("pack it by gzip, xz or zstd"), "{refused:?}");
    }
}
