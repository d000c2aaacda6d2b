//! Making a bundle, with no program of the host: what `rauc bundle` makes of the same directory.
//!
//! One pass over the images: their blocks go into the squashfs and, block by block, into the tree. Blocks of zeros take no
//! room.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};

use crate::service::ota::trust::sign::{self, SignError, Signatory};
use crate::store::file::{self, Backup, FileError};
use crate::wire::bundle::manifest::{FileName, Format, Manifest, ManifestError, Verity};
use crate::wire::bundle::squashfs::{self, SUPERBLOCK, is_squashfs, pack, stored};
use crate::wire::bundle::trailer::{MAX_SIGNATURE, Trailer};
use crate::wire::bundle::verity::{BLOCK, BLOCK_SIZE, Builder};

/// What a bundle is made of, in its directory.
pub const MANIFEST: &str = "manifest.raucm";
/// Bytes the manifest may have.
const MAX_MANIFEST: u64 = 48 << 10;
/// Bytes of a block of the squashfs.
const DATA_BLOCK: u32 = 128 << 10;
/// What comes behind the name of an image for its `block-hash-index`.
const INDEX: &str = ".block-hash-index";

/// Whether the blocks of files are packed, by gzip. A block that gets no smaller never is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packing {
    /// All but images that are squashfs: those are packed themselves, and a device that has most of such an image fetches
    /// the rest in pieces of 4096 bytes, which it cannot where those lie packed in larger ones.
    Auto,
    Gzip,
    None,
}

/// Makes the bundle `target` of a directory with a manifest and the files that it names. `time` is in seconds since 1970.
/// When this fails there is no bundle.
pub fn create(
    directory: &Path,
    target: &Path,
    packing: Packing,
    signatories: &[Signatory],
    time: i64,
) -> Result<Manifest, CreateError> {
    let path = directory.join(MANIFEST);
    let draft = file::read(&path, MAX_MANIFEST)?.ok_or(CreateError::NoManifest { path })?;
    let mut manifest = Manifest::draft(&draft)?;
    let mut salt = vec![0; 32];
    SystemRandom::new().fill(&mut salt).map_err(|_| CreateError::Random)?;
    let mut fault = None;
    let written = file::write_with(target, 0o644, Backup::Drop, |out| {
        let output = Output::new(out, salt, packing);
        write(directory, output, &mut manifest, signatories, time).map_err(|cause| match cause {
            CreateError::Write(cause) => cause,
            cause => {
                fault = Some(cause);
                io::ErrorKind::Other.into()
            }
        })
    });
    match (fault, written) {
        (Some(cause), _) => Err(cause),
        (None, written) => Ok(written.map(|()| manifest)?),
    }
}

fn write(
    directory: &Path,
    mut output: Output<'_, '_>,
    manifest: &mut Manifest,
    signatories: &[Signatory],
    time: i64,
) -> Result<(), CreateError> {
    output.write(&[0; SUPERBLOCK])?;
    let mut files: Vec<squashfs::File> = Vec::new();
    let mut made = Vec::new();
    for image in &mut manifest.images {
        let Some(name) = &image.filename else { continue };
        let is_indexed = image.adaptive.iter().any(|method| method == "block-hash-index");
        let found = match made.iter().find(|(known, _): &&(FileName, Found)| known == name) {
            Some((_, found)) => found.clone(),
            None => add(directory, name, &mut output, &mut files)?,
        };
        if is_indexed && found.size % BLOCK != 0 {
            return Err(CreateError::PartOfBlock { path: directory.join(name.as_str()), size: found.size });
        }
        image.sha256 = Some(found.sha256);
        image.size = found.size;
        if is_indexed && !made.iter().any(|(known, _)| known == name) {
            let index = format!("{}{INDEX}", name.as_str());
            let blocks = output.blocks(&mut &found.index[..], Packing::None).map_err(CreateError::Write)?;
            files.push(blocks.file(index, 0o644));
        }
        made.push((name.clone(), found));
    }
    for name in manifest.hook.iter().chain(&manifest.handler) {
        if !files.iter().any(|file| file.name == name.as_str()) {
            add(directory, name, &mut output, &mut files)?;
        }
    }
    // RAUC has a copy among the files, without what is known of the tree only later, and signs anew from that one.
    if !files.iter().any(|file| file.name == MANIFEST) {
        let copy: String =
            manifest.encode().split_inclusive('\n').filter(|line| !line.starts_with("verity-")).collect();
        let blocks = output.blocks(&mut copy.as_bytes(), Packing::None).map_err(CreateError::Write)?;
        files.push(blocks.file(MANIFEST.to_owned(), 0o644));
    }
    let modified = u32::try_from(time).unwrap_or(0);
    let plan = squashfs::plan(files, DATA_BLOCK, modified, output.at);
    output.write(&plan.tables)?;
    let (out, tree, verity) = output.finish(&plan.superblock)?;
    manifest.format = Format::Verity(verity);

    let signature = sign::sign(manifest.encode().as_bytes(), signatories, time)?;
    let signature_size = signature.len() as u64;
    if signature_size > MAX_SIGNATURE {
        return Err(CreateError::TooLarge { found: signature_size });
    }
    let trailer = Trailer { signed_end: 0, signature_size };
    for part in [&tree[..], &signature, &trailer.encode()] {
        out.write_all(part).map_err(CreateError::Write)?;
    }
    Ok(())
}

/// What was found out of a file while it was copied.
#[derive(Clone)]
struct Found {
    sha256: [u8; 32],
    size: u64,
    /// SHA-256 of each 4096 bytes.
    index: Vec<u8>,
}

fn add(
    directory: &Path,
    name: &FileName,
    output: &mut Output<'_, '_>,
    files: &mut Vec<squashfs::File>,
) -> Result<Found, CreateError> {
    let path = directory.join(name.as_str());
    let fault = |cause| CreateError::Image { path: path.clone(), cause };
    let mut from = File::open(&path).map_err(fault)?;
    let kind = from.metadata().map_err(fault)?;
    if !kind.is_file() || kind.len() == 0 {
        return Err(fault(io::ErrorKind::InvalidInput.into()));
    }
    let blocks = output.blocks(&mut from, output.packing).map_err(fault)?;
    let mode = if kind.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(blocks.digest.clone().finish().as_ref());
    let found = Found { sha256, size: blocks.size, index: blocks.index.clone() };
    files.push(blocks.file(name.as_str().to_owned(), mode));
    Ok(found)
}

/// A file's blocks that have been written.
struct Blocks {
    start: u64,
    size: u64,
    sizes: Vec<u32>,
    digest: digest::Context,
    index: Vec<u8>,
}

impl Blocks {
    fn file(self, name: String, mode: u16) -> squashfs::File {
        squashfs::File { name, mode, size: self.size, start: self.start, blocks: self.sizes }
    }
}

/// The data of a bundle, with the tree over it.
struct Output<'a, 'f> {
    out: &'a mut BufWriter<&'f File>,
    packing: Packing,
    tree: Builder,
    /// A block that is not whole yet.
    block: Vec<u8>,
    /// The first block, which has the superblock.
    first: Option<[u8; BLOCK_SIZE]>,
    at: u64,
}

impl<'a, 'f> Output<'a, 'f> {
    fn new(out: &'a mut BufWriter<&'f File>, salt: Vec<u8>, packing: Packing) -> Self {
        let (tree, block) = (Builder::new(salt), Vec::with_capacity(BLOCK_SIZE));
        Self { out, packing, tree, block, first: None, at: 0 }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), CreateError> {
        self.out.write_all(bytes).map_err(CreateError::Write)?;
        self.hash(bytes);
        Ok(())
    }

    fn hash(&mut self, mut bytes: &[u8]) {
        self.at += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = BLOCK_SIZE - self.block.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if let Ok(block) = <&[u8; BLOCK_SIZE]>::try_from(&self.block[..]) {
                self.first.get_or_insert(*block);
                self.tree.push(block);
                self.block.clear();
            }
        }
    }

    /// Copies a file as blocks.
    fn blocks(&mut self, from: &mut dyn Read, mut packing: Packing) -> io::Result<Blocks> {
        let digest = digest::Context::new(&digest::SHA256);
        let mut blocks = Blocks { start: self.at, size: 0, sizes: Vec::new(), digest, index: Vec::new() };
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let length = from.take(DATA_BLOCK.into()).read_to_end(&mut bytes)?;
            if length == 0 {
                return Ok(blocks);
            }
            if blocks.size == 0 && packing == Packing::Auto && is_squashfs(&bytes) {
                packing = Packing::None;
            }
            blocks.size += length as u64;
            blocks.digest.update(&bytes);
            for block in bytes.chunks(BLOCK_SIZE) {
                let mut whole = [0; BLOCK_SIZE];
                whole[..block.len()].copy_from_slice(block);
                blocks.index.extend_from_slice(digest::digest(&digest::SHA256, &whole).as_ref());
            }
            if bytes.iter().all(|byte| *byte == 0) {
                blocks.sizes.push(0);
                continue;
            }
            let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(0);
            let packed = if packing == Packing::None { None } else { pack(&bytes) };
            blocks.sizes.push(packed.as_deref().map_or_else(|| stored(size(&bytes)), size));
            let bytes = packed.as_deref().unwrap_or(&bytes);
            self.out.write_all(bytes)?;
            self.hash(bytes);
        }
    }

    /// Fills the last block, writes the superblock, and gives the tree.
    fn finish(mut self, superblock: &[u8; SUPERBLOCK]) -> Result<Finished<'a, 'f>, CreateError> {
        let missing = self.at.next_multiple_of(BLOCK) - self.at;
        let zeros = [0; BLOCK_SIZE];
        self.write(&zeros[..usize::try_from(missing).unwrap_or(0)])?;
        if let Some(mut first) = self.first {
            first[..SUPERBLOCK].copy_from_slice(superblock);
            self.tree.replace_first(&first);
        }
        self.out.seek(SeekFrom::Start(0)).map_err(CreateError::Write)?;
        self.out.write_all(superblock).map_err(CreateError::Write)?;
        self.out.seek(SeekFrom::End(0)).map_err(CreateError::Write)?;
        let (tree, verity) = self.tree.finish();
        Ok((self.out, tree, verity))
    }
}

/// Where the rest of the bundle goes, the tree, and what the manifest says of it.
type Finished<'a, 'f> = (&'a mut BufWriter<&'f File>, Vec<u8>, Verity);

/// Why no bundle was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("there is no {}", path.display())]
    NoManifest { path: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the manifest cannot be used")]
    Manifest(#[from] ManifestError),
    #[error("cannot take {} into the bundle: it must be a file that is not empty", path.display())]
    Image {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// RAUC refuses such a bundle.
    #[error(
        "{} has {size} bytes, and adaptive=block-hash-index is for whole blocks of {BLOCK}: pad it, or leave that out",
        path.display()
    )]
    PartOfBlock { path: PathBuf, size: u64 },
    #[error("cannot write the bundle")]
    Write(#[source] io::Error),
    #[error("the bundle cannot be signed")]
    Sign(#[from] SignError),
    #[error("the signature takes {found} bytes, and {MAX_SIGNATURE} are allowed")]
    TooLarge { found: u64 },
    #[error("the system gives no random numbers")]
    Random,
}
