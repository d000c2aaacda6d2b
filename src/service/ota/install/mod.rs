//! Writing an image into a slot.
//!
//! ```text
//! wipe the first MiB -> each piece: read, verify, unpack, write -> flush -> write the first MiB -> flush -> read back, hash
//! ```
//!
//! The first MiB goes last, so that a slot that was cut off in the middle has no superblock and is nothing to anybody.
//! Each block is verified before it is unpacked, and what is in the slot at the end is read past the cache and must be what
//! has the SHA-256 of the manifest: by that hash, or, where all of it was written just now, by a sum that nobody else can
//! know ([`line`]). When anything fails the first MiB is wiped again.
//!
//! Two threads do whole pieces: so one waits for a device while the other unpacks, and nothing but a list of blocks and the
//! hash of the image is shared. Memory is two pieces a thread, in one large page, whatever the image is.

pub mod archive;
mod file_stream;
mod line;
mod pace;

pub use file_stream::FileStream;
pub use pace::{Pace, Paced, Pay};

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use ring::digest;

use super::adaptive::{Ground, Plan, Seeds};
use super::bundle::{Beside, Bundle, BundleError, Chunk, Chunks, Contents, MAX_CHUNK, Reader, Source};
use crate::store::aligned::{ALIGNMENT, Aligned};
use crate::store::slot_device::SlotDevice;
use crate::store::tar::UnpackError;
use crate::wire::bundle::manifest::{Image, Kind};
use crate::wire::bundle::stream;
use archive::ArchiveError;
use line::{Leaving, Line};

/// Threads, also where there is one core: one of them waits. More would be faster than any slot, and cost memory.
const THREADS: usize = 2;
/// Room for what a piece is read from, which begins and ends in the middle of blocks.
const PACKED: usize = MAX_CHUNK + (64 << 10);

/// How far an installation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    pub phase: Phase,
    pub done: u64,
    pub total: u64,
    /// Of what is done, bytes that were there already.
    pub kept: u64,
    /// Of the image, bytes that the device had and that were not fetched.
    pub reused: u64,
}

/// What to make of what is in the slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existing {
    /// Nothing.
    Overwrite,
    /// It may be the same for the greater part: it is read, and only what differs is written.
    Compare,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    Write,
    ReadBack,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::ReadBack => "read-back",
        }
    }
}

/// Whether an image can be installed into a slot of so many bytes. Asked before anything is written.
pub fn check(bundle: &Bundle, source: &dyn Source, image: &Image, capacity: Option<u64>) -> Result<(), InstallError> {
    if image.kind == Kind::Empty {
        return Ok(());
    }
    let Parts { mut reader, contents, mut chunks, .. } = Parts::open(bundle, source, image, capacity)?;
    if image.kind == Kind::Tar
        && let Some(chunk) = chunks.next(&mut reader)?
    {
        // How it is packed stands at its beginning.
        let mut first = vec![0; chunk.length];
        chunk.unpack(&mut reader, &mut contents.unpacker(), &mut first)?;
        stream::unpacked(&first[..]).map_err(|cause| ArchiveError::Unpack(UnpackError::Read(cause)))?;
    }
    Ok(())
}

/// What an image is written from.
struct Parts<'a> {
    reader: Reader<'a>,
    contents: Contents,
    chunks: Chunks,
    expected: [u8; 32],
    size: u64,
}

impl<'a> Parts<'a> {
    fn open(
        bundle: &'a Bundle,
        source: &'a dyn Source,
        image: &Image,
        capacity: Option<u64>,
    ) -> Result<Self, InstallError> {
        let not_installable = |why| InstallError::Kind { slot_class: image.slot_class.clone(), why };
        // An archive is no bigger or smaller than what it unpacks to.
        let capacity = match image.kind {
            Kind::Raw | Kind::Ext4 | Kind::Squashfs | Kind::Vfat => capacity,
            Kind::Tar | Kind::Empty => None,
            Kind::Other => {
                let kind = image.type_name().to_owned();
                return Err(InstallError::Type { slot_class: image.slot_class.clone(), kind });
            }
        };
        let (Some(name), Some(expected)) = (&image.filename, image.sha256) else {
            return Err(not_installable("the manifest names no file and SHA-256 for it"));
        };
        let mut reader = bundle.reader(source);
        let contents = Contents::open(&mut reader)?;
        let chunks = contents.file(&mut reader, name)?;
        let size = chunks.size();
        if size != image.size {
            let name = name.as_str().to_owned();
            return Err(BundleError::FileSize { name, found: size, expected: image.size }.into());
        }
        match capacity {
            Some(capacity) if size > capacity => Err(InstallError::TooSmall { capacity, size }),
            _ => Ok(Self { reader, contents, chunks, expected, size }),
        }
    }
}

/// Writes one image of the bundle into a slot as it is, and returns how many bytes it has. `report` is called from any thread.
///
/// The caller has recorded that the slot is being written, and that nobody starts it.
pub fn install(
    bundle: &Bundle,
    source: &dyn Source,
    image: &Image,
    slot: &dyn SlotDevice,
    existing: Existing,
    seeds: &Seeds,
    report: &(dyn Fn(Progress) + Sync),
) -> Result<u64, InstallError> {
    let Parts { mut reader, contents, mut chunks, expected, size } =
        Parts::open(bundle, source, image, slot.capacity())?;
    let kept = AtomicU64::new(0);
    // Before anything is wiped: it may have to be fetched.
    let plan = Plan::make(Ground { bundle, source, contents: &contents, reader: &mut reader, image, slot, seeds })?;
    // What is not unpacked is hashed when it is read back.
    let is_all_new = existing == Existing::Overwrite && !source.is_remote() && plan.is_all_missing();
    let line = if is_all_new { Line::new(size) } else { None };
    let job = Job { bundle, source, contents: &contents, slot, existing, plan: &plan, line, kept, report, size };
    wipe(slot, size)?;
    let written = job.write(&mut reader, &mut chunks, &expected).and_then(|()| job.read_back(&expected));
    match &written {
        Ok(()) => plan.keep(),
        Err(InstallError::Digest) => plan.forget(),
        Err(_) => {}
    }
    if written.is_err() {
        // The failure is what to tell; a slot that cannot even be wiped is recorded as unusable all the same.
        let _ = wipe(slot, size);
    }
    written.map(|()| size)
}

struct Job<'a> {
    bundle: &'a Bundle,
    source: &'a dyn Source,
    contents: &'a Contents,
    slot: &'a dyn SlotDevice,
    existing: Existing,
    plan: &'a Plan,
    /// None: the hash of the image is that of what is read back.
    line: Option<Line>,
    kept: AtomicU64,
    report: &'a (dyn Fn(Progress) + Sync),
    size: u64,
}

/// What the threads share: where the next piece is.
struct Queue<'q, 'a> {
    reader: &'q mut Reader<'a>,
    chunks: &'q mut Chunks,
    /// One of them failed; the others need not go on.
    is_over: bool,
}

impl Job<'_> {
    fn write(&self, reader: &mut Reader<'_>, chunks: &mut Chunks, expected: &[u8; 32]) -> Result<(), InstallError> {
        let Some(first) = chunks.next(reader)? else { return Ok(()) };
        let queue = Mutex::new(Queue { reader, chunks, is_over: false });
        let done = AtomicU64::new(0);
        // What comes from a server comes one after the other, and the kernel has it ready while this thread works.
        let threads = if self.source.is_remote() { 1 } else { THREADS };
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| self.work(None, &queue, &done))).collect();
            let mut result = self.work(Some(&first), &queue, &done);
            for other in others {
                let other = other.join().unwrap_or(Err(InstallError::Thread));
                // Who was left waiting knows less than who left.
                result = match (result, other) {
                    (Err(InstallError::Thread), Err(cause)) => Err(cause),
                    (result, other) => result.and(other),
                };
            }
            result
        })?;
        if let Some(line) = &self.line
            && line.digest().as_ref() != Some(expected)
        {
            return Err(InstallError::Digest);
        }
        self.sync()?;
        let mut room = Room::new();
        let mut worker = Worker::new(self, None, &mut room);
        worker.compose(&first)?;
        worker.write(&first)?;
        self.report(Phase::Write, self.size);
        self.sync()
    }

    /// Does pieces until there are none. The first one is only hashed.
    fn work(&self, first: Option<&Chunk>, queue: &Mutex<Queue<'_, '_>>, done: &AtomicU64) -> Result<(), InstallError> {
        let mut leaving = Leaving(self.line.as_ref());
        let mut room = Room::new();
        let mut worker = Worker::new(self, self.line.as_ref(), &mut room);
        let worked = first.filter(|_| self.line.is_some()).map_or(Ok(()), |first| worker.compose(first));
        let worked = worked.and_then(|()| self.work_on(&mut worker, queue, done)).and_then(|()| worker.hash());
        match &worked {
            Ok(()) => leaving.0 = None,
            Err(_) => {
                if let Ok(mut queue) = queue.lock() {
                    queue.is_over = true;
                }
            }
        }
        worked
    }

    fn work_on(
        &self,
        worker: &mut Worker<'_>,
        queue: &Mutex<Queue<'_, '_>>,
        done: &AtomicU64,
    ) -> Result<(), InstallError> {
        loop {
            let next = {
                let Ok(mut queue) = queue.lock() else { return Err(InstallError::Thread) };
                let Queue { reader, chunks, is_over } = &mut *queue;
                if *is_over { None } else { chunks.next(reader)? }
            };
            let Some(chunk) = next else { return Ok(()) };
            worker.compose(&chunk)?;
            worker.write(&chunk)?;
            let length = chunk.length as u64;
            self.report(Phase::Write, done.fetch_add(length, Ordering::Relaxed) + length);
            worker.reader.is_done_until(chunk.source_end());
        }
    }

    fn sync(&self) -> Result<(), InstallError> {
        self.slot.sync().map_err(InstallError::Sync)
    }

    fn report(&self, phase: Phase, done: u64) {
        let kept = self.kept.load(Ordering::Relaxed);
        (self.report)(Progress { phase, done, total: self.size, kept, reused: self.plan.reused() });
    }

    /// Judges what is in the slot, while the next piece is read.
    fn read_back(&self, expected: &[u8; 32]) -> Result<(), InstallError> {
        let mut rooms = Aligned::large(2 * MAX_CHUNK);
        let (full, next) = mpsc::sync_channel::<(&mut [u8], usize)>(1);
        let (empty, free) = mpsc::sync_channel::<&mut [u8]>(2);
        for room in rooms.bytes().chunks_mut(MAX_CHUNK) {
            // Two fit.
            let _ = empty.send(room);
        }
        thread::scope(|scope| {
            let reading = scope.spawn(move || -> Result<(), InstallError> {
                let mut at = 0;
                while at < self.size {
                    let Ok(buffer) = free.recv() else { return Ok(()) };
                    let length = usize::try_from(self.size - at).unwrap_or(MAX_CHUNK).min(MAX_CHUNK);
                    let whole = padded(at, length, self.slot);
                    self.slot
                        .read_at(&mut buffer[..whole], at)
                        .map_err(|cause| InstallError::ReadBack { at, cause })?;
                    if full.send((buffer, length)).is_err() {
                        return Ok(());
                    }
                    at += length as u64;
                }
                Ok(())
            });
            let mut hash = digest::Context::new(&digest::SHA256);
            let (mut done, mut is_same) = (0, true);
            while let Ok((buffer, length)) = next.recv() {
                match &self.line {
                    Some(line) => is_same &= line.is_same(done, &buffer[..length]),
                    None => hash.update(&buffer[..length]),
                }
                done += length as u64;
                self.report(Phase::ReadBack, done);
                // Whoever reads may have finished.
                let _ = empty.send(buffer);
            }
            reading.join().unwrap_or(Err(InstallError::Thread))?;
            let is_whole = done == self.size && (self.line.is_some() || hash.finish().as_ref() == expected);
            if is_same && is_whole { Ok(()) } else { Err(InstallError::Digest) }
        })
    }
}

/// A thread's memory: a piece, and what it is read from.
struct Room(Aligned);

impl Room {
    fn new() -> Self {
        Self(Aligned::large(MAX_CHUNK + PACKED))
    }
}

/// One thread's own: reader, unpacker and room for a piece.
struct Worker<'a> {
    job: &'a Job<'a>,
    line: Option<&'a Line>,
    reader: Reader<'a>,
    unpacker: crate::wire::bundle::squashfs::compression::Unpacker,
    out: &'a mut [u8],
    /// Where the piece belongs that is in `out` and not hashed, and its length.
    unhashed: Option<(u64, usize)>,
    /// What is in the slot, where that matters.
    found: Option<Aligned>,
}

impl<'a> Worker<'a> {
    fn new(job: &'a Job<'a>, line: Option<&'a Line>, room: &'a mut Room) -> Self {
        let (out, packed) = room.0.bytes().split_at_mut(MAX_CHUNK);
        let reader = job.bundle.reader(job.source).with_room(packed);
        let found = (job.existing == Existing::Compare).then(|| Aligned::new(MAX_CHUNK));
        Self { job, line, reader, unpacker: job.contents.unpacker(), out, unhashed: None, found }
    }

    /// Reads, verifies and unpacks a piece.
    fn compose(&mut self, chunk: &Chunk) -> Result<(), InstallError> {
        if self.line.is_some() {
            chunk.load(&mut self.reader)?;
            self.hash()?;
        }
        let wanted = self.job.plan.fill(chunk, self.out);
        chunk.unpack_wanted(&mut self.reader, &mut self.unpacker, self.out, &wanted)?;
        if let Some(line) = self.line {
            line.note(chunk.at, &self.out[..chunk.length]);
            self.unhashed = Some((chunk.at, chunk.length));
        }
        Ok(())
    }

    /// Hashes the last piece, beside the verifying of what the next one is read from.
    fn hash(&mut self) -> Result<(), InstallError> {
        let (Some(line), Some((at, length))) = (self.line, self.unhashed.take()) else { return Ok(()) };
        let Some(running) = line.turn(at) else { return Err(InstallError::Thread) };
        let (blocks, rest) = self.out[..length].as_chunks();
        let mut beside = Beside { running, blocks };
        self.reader.verify(Some(&mut beside))?;
        beside.running.update(beside.blocks);
        line.pass(beside.running, at + length as u64, rest);
        Ok(())
    }

    fn write(&mut self, chunk: &Chunk) -> Result<(), InstallError> {
        let Job { plan, slot, ref kept, .. } = *self.job;
        let whole = padded(chunk.at, chunk.length, slot);
        self.out[chunk.length..whole].fill(0);
        let (out, at) = (&*self.out, chunk.at);
        let parts = plan.parts(chunk, whole);
        if let (Some(found), [part]) = (&mut self.found, &parts[..])
            && part.len() == whole
        {
            let found = &mut found.bytes()[..whole];
            // What cannot be read may be written all the same.
            if slot.read_at(found, at).is_ok() && *found == out[..whole] {
                kept.fetch_add(chunk.length as u64, Ordering::Relaxed);
                plan.note(chunk, &out[..chunk.length]);
                return Ok(());
            }
        }
        let written: usize = parts.iter().map(|part| part.len()).sum();
        kept.fetch_add(whole.saturating_sub(written).min(chunk.length) as u64, Ordering::Relaxed);
        for part in parts {
            let at = at + part.start as u64;
            slot.write_at(&out[part], at).map_err(|cause| InstallError::Write { at, cause })?;
        }
        plan.note(chunk, &out[..chunk.length]);
        Ok(())
    }
}

/// How many bytes direct I/O takes for `length`, at the end of the image.
fn padded(at: u64, length: usize, slot: &dyn SlotDevice) -> usize {
    let whole = length.next_multiple_of(ALIGNMENT);
    match slot.capacity() {
        // A device whose end is no multiple of 4096 has sectors of 512 bytes.
        Some(capacity) if at + whole as u64 > capacity => length.next_multiple_of(512),
        _ => whole,
    }
}

/// Makes the slot nothing that anybody would mount or boot.
pub fn wipe(slot: &dyn SlotDevice, size: u64) -> Result<(), InstallError> {
    let length = usize::try_from(size).unwrap_or(MAX_CHUNK).min(MAX_CHUNK);
    let mut zeros = Aligned::new(MAX_CHUNK);
    let whole = padded(0, length, slot);
    slot.write_at(&zeros.bytes()[..whole], 0).map_err(|cause| InstallError::Write { at: 0, cause })?;
    slot.sync().map_err(InstallError::Sync)
}

/// Why a slot holds no image.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error("the image for {slot_class:?} is not installed: {why}")]
    Kind { slot_class: String, why: &'static str },
    #[error(
        "the image for {slot_class:?} is of the type {kind}, which is not installed here; raw, ext4, squashfs, vfat, tar and \
        emptyfs are"
    )]
    Type { slot_class: String, kind: String },
    #[error("the slot has {capacity} bytes, and the image {size}")]
    TooSmall { capacity: u64, size: u64 },
    #[error("cannot write the slot at byte {at}")]
    Write {
        at: u64,
        #[source]
        cause: io::Error,
    },
    #[error("cannot flush the slot")]
    Sync(#[source] io::Error),
    #[error("cannot read the slot back at byte {at}")]
    ReadBack {
        at: u64,
        #[source]
        cause: io::Error,
    },
    #[error("the slot does not hold what was written to it, or the image is not the one in the manifest")]
    Digest,
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("a thread of the installation ended too early")]
    Thread,
}

#[cfg(test)]
mod tests;
