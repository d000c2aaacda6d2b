//! The data partition: mounted, repaired or formatted by policy, and in its place a file system in memory.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gg_boot::data::{Found, Policy, Remedy, Spare, remedies};
use gg_boot::overlay::Layer;
use gg_boot::places::label;
use gg_boot::settings::Settings;
use gg_boot::superblock::{EXT4_SPARES, Kind, has_ext4_magic, identify, is_blank, needs_replay};
use gg_sys::block::{self, Arrivals};
use gg_sys::mount::{self, Access, Trust};

use crate::ground::{Stage, make_directory};
use crate::journal::{Done, Failure};
use crate::slot::head;
use crate::tools;
use crate::unsettled::Ending;
use crate::watchdog::Vigil;

/// What lies at the data partition's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Data {
    /// The partition: what is written stays.
    Kept,
    /// The partition, read-only, under a layer in memory: what was written is there, what is written is lost.
    Borrowed,
    /// Memory: nothing was there, and nothing stays.
    Lost,
}

impl Data {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Borrowed => "borrowed",
            Self::Lost => "lost",
        }
    }
}

/// The partition as it was found, before anything was done to it.
#[derive(Debug)]
pub(crate) struct Partition {
    node: PathBuf,
    pub(crate) found: Found,
    /// How its last use ended.
    pub(crate) before: Ending,
}

/// Waits for the partition and looks at it. Errors are `None`: there is nothing.
pub(crate) fn look(arrivals: Option<&Arrivals>, wait: Duration) -> Result<Done<Partition>, Failure> {
    let failure = |cause| Failure::new("find", label::DATA, cause);
    let device = match arrivals {
        Some(arrivals) => arrivals.wait_for(&[label::DATA], wait),
        None => block::by_label(label::DATA),
    };
    let device = device
        .map_err(failure)?
        .ok_or_else(|| Failure::because("find", label::DATA, format!("not there after {} s", wait.as_secs())))?;
    let node = device.make_node().map_err(failure)?;
    let (found, before) = judge(&node)?;
    Ok(Done::Well(Partition { node, found, before }, format!("{}, {found:?}", device.name).to_lowercase()))
}

fn judge(node: &Path) -> Result<(Found, Ending), Failure> {
    let failure = |cause| Failure::new("read", node.display(), cause);
    let device = File::open(node).map_err(failure)?;
    if read_mark(&device).map_err(failure)? {
        // A format of ours was cut short: what is there is no file system, whatever it looks like.
        return Ok((Found::Blank, Ending::Cut));
    }
    let head = head(node)?;
    let kind = identify(&head);
    let blank = kind == Kind::Blank && is_blank_throughout(&device).map_err(failure)?;
    let spare = if blank { Spare::Absent } else { Spare::Seen };
    let before = if needs_replay(&head) { Ending::Cut } else { Ending::Orderly };
    Ok((Found::judge(kind, spare), before))
}

/// Whether a blank beginning goes on blank, and no spare superblock is where mke2fs would have laid one.
fn is_blank_throughout(mut device: &File) -> io::Result<bool> {
    const BEGINNING: usize = 1024 * 1024;
    let mut block = vec![0; 64 * 1024];
    for _ in 0..BEGINNING / block.len() {
        let length = device.read(&mut block)?;
        if !is_blank(&block[..length]) {
            return Ok(false);
        }
    }
    let mut spare = [0; 1024];
    let has_spare = |at: &u64| device.read_exact_at(&mut spare, *at).is_ok() && has_ext4_magic(&spare);
    Ok(!EXT4_SPARES.iter().any(has_spare))
}

/// Tries what costs nothing: to mount what looks sound. `None` leaves it to [`mend`], once the tools of the slot are
/// at hand.
pub(crate) fn mount_sound(partition: &mut Partition, stage: &Stage) -> Result<Done<Data>, Failure> {
    let Some(Remedy::Mount(kind)) = remedies(partition.found, Policy::Never).first() else {
        return Err(Failure::because("mount", label::DATA, format!("it is {:?}", partition.found).to_lowercase()));
    };
    let result = mount_partition(&partition.node, kind, stage);
    match &result {
        // A kernel that does not know the file system says nothing about it: it must not be mended, still less formatted.
        Err(failure) if mount::is_unknown_to_kernel(failure.cause()) => {}
        Err(_) => partition.found = Found::Damaged,
        Ok(_) => {}
    }
    result
}

fn mount_partition(node: &Path, kind: &str, stage: &Stage) -> Result<Done<Data>, Failure> {
    let target = stage.data();
    let trust = Trust::NoPrivileges;
    let options = if kind == "ext4" { "errors=remount-ro" } else { "" };
    let what = format!("{}, {kind}", node.display());
    match mount::mount(node.as_os_str(), &target, kind, Access::ReadWrite, trust, options.as_ref()) {
        Ok(()) => return Ok(mounted(&target, what)),
        // The device itself refuses to be written.
        Err(cause) if matches!(cause.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied) => {}
        Err(cause) => return Err(Failure::new("mount", what, cause)),
    }
    let failure = |cause| Failure::new("mount", format_args!("{what} read-only"), cause);
    let below = stage.directory("data-below")?;
    // A journal that needs a replay cannot have one.
    let noload = if kind == "ext4" { "noload" } else { "" };
    mount::mount(node.as_os_str(), &below, kind, Access::ReadOnly, trust, options.as_ref())
        .or_else(|_| mount::mount(node.as_os_str(), &below, kind, Access::ReadOnly, trust, noload.as_ref()))
        .map_err(failure)?;
    let layer = Layer::below(&stage.memory("data-above", 25)?);
    make_directory(&layer.upper).map_err(failure)?;
    make_directory(&layer.work).map_err(failure)?;
    mount::mount("gg-data".as_ref(), &target, "overlay", Access::ReadWrite, trust, &layer.options(&below))
        .map_err(failure)?;
    Ok(Done::Partly(Data::Borrowed, format!("{what} is read-only"), "what is written is lost with the power"))
}

/// A full one is told while there is still somebody to tell: soon nothing can be written any more.
fn mounted(target: &Path, what: String) -> Done<Data> {
    match gg_sys::fs::free_space(target) {
        Ok(free) if free < NEARLY_FULL => {
            let what = format!("{what} is full: {free} bytes are free");
            Done::Partly(Data::Kept, what, "writes fail until something is removed")
        }
        Ok(_) | Err(_) => Done::Well(Data::Kept, what),
    }
}

/// Less free space than this is worth a word.
const NEARLY_FULL: u64 = 1024 * 1024;

/// Does what the policy allows for a partition that did not mount, cheapest first.
pub(crate) fn mend(
    partition: &Partition,
    policy: Policy,
    stage: &Stage,
    vigil: &mut Vigil,
) -> Result<Done<Data>, Failure> {
    let mut last = Failure::because("use", label::DATA, "the policy allows nothing more (gg.data)");
    for remedy in remedies(partition.found, policy) {
        let mended = match remedy {
            Remedy::Repair => repair(&partition.node, &stage.slot(), vigil),
            Remedy::Format => format(&partition.node, &stage.slot(), vigil),
            Remedy::Mount(_) => continue,
            Remedy::Memory => break,
        };
        match mended.and_then(|what| Ok((what, mount_partition(&partition.node, "ext4", stage)?))) {
            Ok((what, Done::Well(data, how) | Done::Partly(data, how, _))) => {
                finish_format(&partition.node)?;
                if partition.found == Found::Blank {
                    // The first boot of a device, or the second of one whose first was cut.
                    return Ok(Done::Well(data, format!("{what}: {how}")));
                }
                // Worth a word: something was changed that we did not write.
                return Ok(Done::Partly(data, format!("{what}: {how}"), "what could not be saved is lost"));
            }
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

fn repair(node: &Path, slot: &Path, vigil: &mut Vigil) -> Result<&'static str, Failure> {
    /// Errors are left, or the check itself failed.
    const LEFT_UNCORRECTED: i32 = 4;
    let path = node.to_string_lossy();
    // First what is safe, then what an operator would say yes to as well: there is none here.
    for way in ["-p", "-y"] {
        if tools::run("e2fsck", &[way, &path], slot, vigil)? < LEFT_UNCORRECTED {
            return Ok("repaired");
        }
    }
    Err(Failure::because("repair", node.display(), "e2fsck leaves errors"))
}

/// Makes a file system; repeated from the beginning by the next boot when the power is cut on the way.
fn format(node: &Path, slot: &Path, vigil: &mut Vigil) -> Result<&'static str, Failure> {
    let failure = |cause| Failure::new("format", node.display(), cause);
    let device = File::options().read(true).write(true).open(node).map_err(failure)?;
    let end = tail(&device).map_err(failure)?;
    // What says that the format is in hand lies behind the file system, where mke2fs does not write.
    write_mark(&device, end, MARK).map_err(failure)?;
    let blocks = format!("{}k", end / 4096 * 4);
    let path = node.to_string_lossy();
    let arguments = ["-F", "-q", "-t", "ext4", "-L", label::DATA, "-E", "lazy_itable_init=1", &path, &blocks];
    match tools::run("mke2fs", &arguments, slot, vigil)? {
        0 => Ok("formatted"),
        code => Err(Failure::because("format", node.display(), format!("mke2fs ended with code {code}"))),
    }
}

/// Takes the mark away once the file system has mounted.
fn finish_format(node: &Path) -> Result<(), Failure> {
    let failure = |cause| Failure::new("finish", format_args!("the format of {}", node.display()), cause);
    let device = File::open(node).map_err(failure)?;
    if !read_mark(&device).map_err(failure)? {
        return Ok(());
    }
    let device = File::options().read(true).write(true).open(node).map_err(failure)?;
    let end = tail(&device).map_err(failure)?;
    write_mark(&device, end, &[0; MARK.len()]).map_err(failure)
}

/// Written where the file system ends, while it is being made.
const MARK: &[u8; 16] = b"gg-init formats\n";
/// Left free at the end of the partition.
const TAIL: u64 = 64 * 1024;

fn tail(mut device: &File) -> io::Result<u64> {
    let size = device.seek(SeekFrom::End(0))?;
    size.checked_sub(TAIL).ok_or_else(|| io::Error::other("too small"))
}

fn read_mark(device: &File) -> io::Result<bool> {
    let mut mark = [0; MARK.len()];
    let Ok(at) = tail(device) else { return Ok(false) };
    let mut device = device;
    device.read_exact_at(&mut mark, at)?;
    device.seek(SeekFrom::Start(0))?;
    Ok(mark == *MARK)
}

fn write_mark(mut device: &File, at: u64, mark: &[u8]) -> io::Result<()> {
    device.seek(SeekFrom::Start(at))?;
    device.write_all(mark)?;
    device.sync_all()
}

/// Memory in the data partition's place, so that the device runs and can say what is wrong with it.
pub(crate) fn in_memory(stage: &Stage, settings: &Settings) -> Result<Done<Data>, Failure> {
    let memory = stage.memory("data-memory", settings.overlay_size)?;
    let target = stage.data();
    mount::move_to(&memory, &target).map_err(|cause| Failure::new("move", memory.display(), cause))?;
    fs::create_dir_all(target.join("boot")).map_err(|cause| Failure::new("make", target.display(), cause))?;
    Ok(Done::Partly(Data::Lost, "data is in memory".to_owned(), "what is written is lost with the power"))
}
