//! `greengrass ota bundle`: make, look at and verify bundles.

use std::ops::Range;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use ring::digest;

use super::trust::{TrustArguments, now, refused};
use super::{Failure, Output, print};
use crate::service::ota::adaptive::expect_file;
use crate::service::ota::bundle::create::{Packing, create};
use crate::service::ota::bundle::{Bundle, BundleError, Contents, FileSource, MAX_CHUNK, Source};
use crate::service::ota::trust::sign::{Padding, Signatory};
use crate::store::file;

/// Bytes a file with a key or certificates may have.
const MAX_FILE: u64 = 1 << 20;

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Make a bundle of a folder with manifest.raucm and the files that it names
    #[command(after_help = "The folder is the one that `rauc bundle` takes. A manifest.raucm, to begin with:\n\n\
        \x20 [update]\n\x20 compatible=my-board\n\x20 version=1.2.0\n\n\x20 [bundle]\n\x20 format=verity\n\n\
        \x20 [image.rootfs]\n\x20 filename=rootfs.squashfs\n\n\
        \x20 [meta.greengrass]\n\x20 floor=12\n\n\
        Several --key and --cert, in pairs, make a bundle that several have signed.\n\
        The time in the signature is SOURCE_DATE_EPOCH if it is set.")]
    Create(CreateArguments),
    /// Tell what is in a bundle and who signed it
    Info(InfoArguments),
    /// Read all of a bundle: signatures, every block, the SHA-256 of every image
    Verify(VerifyArguments),
}

#[derive(Args, Debug)]
pub(super) struct CreateArguments {
    /// Private key in a PEM file (PKCS#8): RSA, P-256, P-384 or Ed25519
    #[arg(long, required = true, value_name = "PEM")]
    key: Vec<PathBuf>,
    /// Certificate of the key, and behind it those of authorities between it and the root
    #[arg(long, required = true, value_name = "PEM")]
    cert: Vec<PathBuf>,
    /// Let RSA keys sign by PSS, not PKCS#1 v1.5
    #[arg(long)]
    pss: bool,
    /// How blocks are packed; auto: by gzip, but not those of an image that is squashfs, which is packed itself
    #[arg(long, value_enum, default_value_t = Compression::Auto, value_name = "METHOD")]
    compression: Compression,
    /// The images, and a manifest.raucm that names them
    folder: PathBuf,
    /// The file to make
    bundle: PathBuf,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum Compression {
    Auto,
    Gzip,
    None,
}

#[derive(Args, Debug)]
pub(super) struct InfoArguments {
    #[command(flatten)]
    trust: TrustArguments,
    /// Do not verify anything
    #[arg(long)]
    no_verify: bool,
    /// Print the manifest as it is signed, byte by byte: for a detached signature
    #[arg(long)]
    manifest: bool,
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// A file, or a URL with http: or https:
    bundle: PathBuf,
}

#[derive(Args, Debug)]
pub(super) struct VerifyArguments {
    #[command(flatten)]
    trust: TrustArguments,
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// A file, or a URL with http: or https:
    bundle: PathBuf,
}

impl Command {
    pub(super) fn run(self) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Create(arguments) => arguments.run(),
            Self::Info(arguments) => arguments.run(),
            Self::Verify(arguments) => arguments.run(),
        }
    }
}

impl CreateArguments {
    fn run(&self) -> Result<Vec<u8>, Failure> {
        if self.key.len() != self.cert.len() {
            return Err(Failure::Usage("there must be as many --cert as --key".to_owned()));
        }
        let padding = if self.pss { Padding::Pss } else { Padding::Pkcs1 };
        let read = |path: &PathBuf| {
            let missing =
                || Failure::Open { path: path.display().to_string(), cause: std::io::ErrorKind::NotFound.into() };
            file::read(path, MAX_FILE)?.ok_or_else(missing)
        };
        let mut signatories = Vec::new();
        for (key, cert) in self.key.iter().zip(&self.cert) {
            let signatory = Signatory::from_pem(&read(key)?, &read(cert)?, padding);
            signatories.push(signatory.map_err(|cause| Failure::Key { path: key.display().to_string(), cause })?);
        }
        let epoch = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
        let packing = match self.compression {
            Compression::Auto => Packing::Auto,
            Compression::Gzip => Packing::Gzip,
            Compression::None => Packing::None,
        };
        create(&self.folder, &self.bundle, packing, &signatories, epoch.unwrap_or_else(now))?;
        let opened = FileSource::open(&self.bundle);
        let source = opened.map_err(|cause| Failure::Open { path: self.bundle.display().to_string(), cause })?;
        let bundle = Bundle::open_unverified(&source).map_err(|cause| refused(&self.bundle, cause))?;
        Ok(print::text(&bundle, None).into_bytes())
    }
}

impl InfoArguments {
    fn run(&self) -> Result<Vec<u8>, Failure> {
        let source = self.trust.source(&self.bundle)?;
        let bundle = if self.no_verify {
            Bundle::open_unverified(&*source).map_err(|cause| refused(&self.bundle, cause))?
        } else {
            self.trust.open(&self.trust.settings()?, &self.bundle, &*source)?
        };
        if self.manifest {
            return Ok(bundle.signed);
        }
        Ok(match self.output {
            Output::Text => print::text(&bundle, None),
            Output::Json => print::json(&bundle, None),
        }
        .into_bytes())
    }
}

impl VerifyArguments {
    fn run(&self) -> Result<Vec<u8>, Failure> {
        let source = self.trust.source(&self.bundle)?;
        let bundle = self.trust.open(&self.trust.settings()?, &self.bundle, &*source)?;
        let compression = verify(&bundle, &*source).map_err(|cause| refused(&self.bundle, cause))?;
        Ok(match self.output {
            Output::Text => print::text(&bundle, Some(compression)),
            Output::Json => print::json(&bundle, Some(compression)),
        }
        .into_bytes())
    }
}

/// Reads everything, and nothing twice but what several files share. Returns how the squashfs is packed.
fn verify(bundle: &Bundle, source: &dyn Source) -> Result<&'static str, BundleError> {
    let mut reader = bundle.reader(source);
    let contents = Contents::open(&mut reader)?;
    let mut unpacker = contents.unpacker();
    let mut room = vec![0; MAX_CHUNK];
    let mut seen: Vec<Range<u64>> = Vec::new();
    for image in &bundle.manifest.images {
        let Some(name) = &image.filename else { continue };
        let mut chunks = contents.file(&mut reader, name)?;
        let found = chunks.size();
        if found != image.size {
            let name = name.as_str().to_owned();
            return Err(BundleError::FileSize { name, found, expected: image.size });
        }
        expect_file(source, &contents, &mut reader, name)?;
        let mut hash = digest::Context::new(&digest::SHA256);
        while let Some(chunk) = chunks.next(&mut reader)? {
            chunk.unpack(&mut reader, &mut unpacker, &mut room)?;
            hash.update(&room[..chunk.length]);
            reader.is_done_until(chunk.source_end());
            match seen.last_mut() {
                Some(last) if last.end == chunk.source_at() => last.end = chunk.source_end(),
                _ => seen.push(chunk.source_at()..chunk.source_end()),
            }
        }
        if image.sha256.is_some_and(|expected| hash.finish().as_ref() != expected) {
            return Err(BundleError::FileDigest { name: name.as_str().to_owned() });
        }
    }
    let rest = gaps(seen, bundle.data_size());
    source.expect(&rest);
    for Range { start, end } in rest {
        for at in (start..end).step_by(MAX_CHUNK) {
            let length = (end - at).min(MAX_CHUNK as u64);
            reader.view(at, usize::try_from(length).unwrap_or(MAX_CHUNK))?;
        }
    }
    Ok(contents.compression())
}

/// What lies between and behind the ranges, until `end`.
fn gaps(mut ranges: Vec<Range<u64>>, end: u64) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut at = 0;
    let mut gaps = Vec::new();
    for range in ranges.into_iter().chain(std::iter::once(end..end)) {
        if range.start > at {
            gaps.push(at..range.start);
        }
        at = at.max(range.end);
    }
    gaps
}
