//! Brings the artifacts of resolved components into the store, and has each checked, unpacked and made readable.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::base::pause::jittered;
use crate::base::report::Report;
use crate::net::download::{Download, Part};
use crate::net::http::{Client, HttpError, Verdict};
use crate::store::archive::{self, ArchiveError, Existing};
use crate::store::artifacts::{self, ArtifactError, Incoming};
use crate::store::file::{self, FileError};
use crate::store::paths::Paths;
use crate::sys::account::is_root;
use crate::wire::deployment_error::{ErrorCode, ErrorStack};
use crate::wire::name::{ComponentName, ComponentVersion};
use crate::wire::recipe::{Artifact, ArtifactScheme, Unarchive};

/// The artifacts of one component.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) name: ComponentName,
    pub(super) version: ComponentVersion,
    pub(super) artifacts: Vec<Artifact>,
}

/// Fetches one after the other. Blocks.
pub(super) struct Fetcher<'a> {
    pub(super) paths: &'a Paths,
    pub(super) client: &'a Client,
    /// `componentStoreMaxSizeBytes`
    pub(super) store_limit: u64,
    pub(super) retries: Retries,
    /// Set when nobody waits any more.
    pub(super) cancelled: &'a AtomicBool,
    pub(super) progress: &'a dyn Fn(String),
}

/// How often and how patiently a download is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Retries {
    pub(super) attempts: u32,
    pub(super) first_pause: Duration,
    pub(super) longest_pause: Duration,
}

impl Default for Retries {
    /// Somebody waits for a local deployment, so it gives up within a minute or so.
    fn default() -> Self {
        Self { attempts: 5, first_pause: Duration::from_millis(500), longest_pause: Duration::from_secs(15) }
    }
}

impl Fetcher<'_> {
    /// First looks whether all can be fetched at all, then fetches.
    pub(super) fn fetch_all(&self, orders: &[Order]) -> Result<(), FetchError> {
        for (order, artifact) in artifacts(orders) {
            self.check(order, artifact)?;
        }
        for (order, artifact) in artifacts(orders) {
            self.fetch(order, artifact)?;
        }
        Ok(())
    }

    fn check(&self, order: &Order, artifact: &Artifact) -> Result<(), FetchError> {
        let what = || Named { component: order.name.clone(), uri: artifact.uri.to_string() };
        match artifact.uri.scheme() {
            ArtifactScheme::None => return Err(FetchError::NoScheme { what: what() }),
            ArtifactScheme::Unsupported => return Err(FetchError::Scheme { what: what() }),
            ArtifactScheme::Docker => return Err(FetchError::Docker { what: what() }),
            _ => {}
        }
        if artifact.uri.file_name().is_none() {
            return Err(FetchError::NoFileName { what: what() });
        }
        match &artifact.digest {
            Some(digest) if digest.algorithm.is_none() => Err(FetchError::NoAlgorithm { what: what() }),
            Some(digest) if !digest.algorithm.as_deref().is_some_and(|a| a.eq_ignore_ascii_case("SHA-256")) => {
                Err(FetchError::Algorithm { what: what(), algorithm: digest.algorithm.clone().unwrap_or_default() })
            }
            _ => Ok(()),
        }
    }

    fn fetch(&self, order: &Order, artifact: &Artifact) -> Result<(), FetchError> {
        let what = Named { component: order.name.clone(), uri: artifact.uri.to_string() };
        let Some(file_name) = artifact.uri.file_name() else { return Err(FetchError::NoFileName { what }) };
        let target = self.paths.artifacts(&order.name, &order.version).join(file_name);
        let mode = mode_of(artifact);
        self.check_cancelled()?;
        if !is_in_place(artifact, &target)? {
            (self.progress)(format!("fetching {file_name} of {}", order.name));
            match artifact.uri.scheme() {
                ArtifactScheme::File => self.take_file(&what, artifact, &target)?,
                ArtifactScheme::Http | ArtifactScheme::Https => self.download(&what, artifact, &target)?,
                _ => return Err(FetchError::NoCloud { what, file: file_name.into(), version: order.version.clone() }),
            }
        }
        file::set_mode(&target, mode)?;
        if artifact.unarchive == Unarchive::Zip {
            let below = self.paths.unarchived(&order.name, &order.version);
            let unpacked = below.join(archive::directory_name(file_name));
            let existing = if is_older(&unpacked, &target) { Existing::Replace } else { Existing::Keep };
            if existing == Existing::Replace {
                (self.progress)(format!("unpacking {file_name} of {}", order.name));
                file::make_directory(&below, 0o755)?;
            }
            let room = if existing == Existing::Replace { self.room()? } else { 0 };
            archive::unpack(&target, &unpacked, mode, room, existing)
                .map_err(|cause| FetchError::Unpack { what, cause })?;
        }
        Ok(())
    }

    fn take_file(&self, what: &Named, artifact: &Artifact, target: &Path) -> Result<(), FetchError> {
        let unread = |cause| FetchError::ReadFile { what: what.clone(), cause };
        let source = local_path(artifact.uri.after_scheme());
        let found = source.metadata().map_err(unread)?;
        if !found.is_file() {
            return Err(unread(io::Error::other("it is not a regular file")));
        }
        let mut reader = std::fs::File::open(&source).map_err(unread)?;
        let room = self.room_for(what, found.len())?;
        make_parent(target)?;
        let mut incoming = Incoming::begin(target, room).map_err(|cause| stored(what, cause))?;
        let mut buffer = vec![0; BUFFER];
        loop {
            self.check_cancelled()?;
            match reader.read(&mut buffer).map_err(unread)? {
                0 => break,
                n => incoming.write_all(&buffer[..n]).map_err(|cause| unwritten(what, cause))?,
            }
        }
        keep(what, artifact, incoming)
    }

    fn download(&self, what: &Named, artifact: &Artifact, target: &Path) -> Result<(), FetchError> {
        make_parent(target)?;
        let mut pause = self.retries.first_pause;
        let mut attempt = 1;
        loop {
            let fault = match self.download_once(what, artifact, target) {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            match fault.verdict() {
                Verdict::GiveUp => return Err(fault),
                Verdict::StartOver => {
                    let incoming = Incoming::begin(target, 0).map_err(|cause| stored(what, cause))?;
                    incoming.discard().map_err(|cause| stored(what, cause))?;
                }
                Verdict::TryAgain => {}
            }
            if attempt >= self.retries.attempts {
                return Err(fault);
            }
            tracing::warn!(component = %what.component, attempt, cause = %Report(&fault), "A download is tried again.");
            attempt += 1;
            self.wait(jittered(pause))?;
            pause = (pause * 2).min(self.retries.longest_pause);
        }
    }

    fn download_once(&self, what: &Named, artifact: &Artifact, target: &Path) -> Result<(), FetchError> {
        let fault = |cause| FetchError::Download { what: what.clone(), cause };
        let room = self.room()?;
        let mut incoming = Incoming::resume(target, room, None).map_err(|cause| stored(what, cause))?;
        let download = Download::begin(self.client, artifact.uri.as_str(), incoming.length()).map_err(fault)?;
        loop {
            self.check_cancelled()?;
            match download.next(CANCEL_LATENCY).map_err(fault)? {
                None => {}
                Some(Part::Begun { start, total }) => {
                    if start != incoming.length() {
                        incoming = Incoming::begin(target, room).map_err(|cause| stored(what, cause))?;
                    }
                    if let Some(total) = total {
                        self.room_for(what, total.saturating_sub(start))?;
                    }
                }
                Some(Part::Bytes(bytes)) => incoming.write_all(&bytes).map_err(|cause| unwritten(what, cause))?,
                Some(Part::End) => return keep(what, artifact, incoming),
            }
        }
    }

    fn room(&self) -> Result<u64, FetchError> {
        artifacts::room(self.paths, self.store_limit).map_err(|cause| FetchError::Room { cause })
    }

    fn room_for(&self, what: &Named, coming: u64) -> Result<u64, FetchError> {
        match self.room()? {
            room if room < coming => Err(FetchError::TooLarge { what: what.clone(), coming, room }),
            room => Ok(room),
        }
    }

    fn check_cancelled(&self) -> Result<(), FetchError> {
        if self.cancelled.load(Ordering::Relaxed) { Err(FetchError::Cancelled) } else { Ok(()) }
    }

    fn wait(&self, pause: Duration) -> Result<(), FetchError> {
        let until = Instant::now() + pause;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            self.check_cancelled()?;
            thread::sleep(left.min(CANCEL_LATENCY));
        }
        self.check_cancelled()
    }
}

fn artifacts(orders: &[Order]) -> impl Iterator<Item = (&Order, &Artifact)> {
    orders.iter().flat_map(|order| order.artifacts.iter().map(move |artifact| (order, artifact)))
}

/// A file with no digest to compare counts as the right one.
fn is_in_place(artifact: &Artifact, target: &Path) -> Result<bool, FetchError> {
    match &artifact.digest {
        Some(digest) => artifacts::matches(target, &digest.value)
            .map_err(|cause| FetchError::Compare { path: target.to_owned(), cause }),
        None => Ok(target.is_file()),
    }
}

/// Whether the directory is missing, or an archive came after it was unpacked.
fn is_older(unpacked: &Path, archive: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|found| found.modified()).ok();
    match (modified(unpacked), modified(archive)) {
        (Some(unpacked), Some(archive)) => unpacked < archive,
        _ => true,
    }
}

fn make_parent(target: &Path) -> Result<(), FetchError> {
    match target.parent() {
        Some(parent) => Ok(file::make_directory(parent, 0o755)?),
        None => Ok(()),
    }
}

/// As the reference nucleus: its own user may write only where it is not root, who may anyway.
fn mode_of(artifact: &Artifact) -> u32 {
    artifact.permission.mode_bits() | if is_root() { 0 } else { 0o200 }
}

/// Checks the digest and puts the file in its place; a wrong one is removed.
fn keep(what: &Named, artifact: &Artifact, incoming: Incoming) -> Result<(), FetchError> {
    let digest = artifact.digest.as_ref().map(|digest| digest.value.as_str());
    incoming.finish(digest, mode_of(artifact)).map_err(|cause| stored(what, cause))
}

fn stored(what: &Named, cause: ArtifactError) -> FetchError {
    FetchError::Store { what: what.clone(), cause }
}

fn unwritten(what: &Named, cause: io::Error) -> FetchError {
    FetchError::Write { what: what.clone(), cause }
}

/// The path of a `file:` URI: an empty or local host is left out, `%20` is a blank.
fn local_path(after_scheme: &str) -> PathBuf {
    let path = match after_scheme.strip_prefix("//") {
        Some(rest) => rest.strip_prefix("localhost").filter(|rest| rest.starts_with('/')).unwrap_or(rest),
        None => after_scheme,
    };
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = path.get(at + 1..at + 3).filter(|_| byte == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(hex.unwrap_or(byte));
        at += if hex.is_some() { 3 } else { 1 };
    }
    OsString::from_vec(decoded).into()
}

/// An artifact, for messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Named {
    component: ComponentName,
    uri: String,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the artifact {} of {}", self.uri, self.component)
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{what} has no scheme; write for example file:///path/to/it or https://host/path/to/it")]
    NoScheme { what: Named },
    #[error("{what} has a scheme that is not supported; use file:, http:, https: or s3:")]
    Scheme { what: Named },
    #[error(
        "{what} is a container image, and aws.greengrass.DockerApplicationManager, which would fetch it, is not part of this daemon"
    )]
    Docker { what: Named },
    #[error("{what} does not end in a file name")]
    NoFileName { what: Named },
    #[error("{what} has a digest, and its recipe does not say by which algorithm; add \"Algorithm\": \"SHA-256\"")]
    NoAlgorithm { what: Named },
    #[error("{what} has a digest by {algorithm:?}; only SHA-256 can be checked")]
    Algorithm { what: Named, algorithm: String },
    #[error(
        "{what} is not in place, and this device is not configured to fetch it from the cloud; put it into the artifact directory of the deployment as {}/{version}/{file}", what.component
    )]
    NoCloud { what: Named, file: String, version: ComponentVersion },
    #[error("cannot read {what}")]
    ReadFile {
        what: Named,
        #[source]
        cause: io::Error,
    },
    #[error("cannot download {what}")]
    Download {
        what: Named,
        #[source]
        cause: HttpError,
    },
    #[error("cannot keep {what}")]
    Store {
        what: Named,
        #[source]
        cause: ArtifactError,
    },
    #[error("cannot write {what}")]
    Write {
        what: Named,
        #[source]
        cause: io::Error,
    },
    #[error("cannot unpack {what}")]
    Unpack {
        what: Named,
        #[source]
        cause: ArchiveError,
    },
    #[error(
        "{what} has {coming} bytes, and {room} may still be stored; free some of the disk or raise componentStoreMaxSizeBytes"
    )]
    TooLarge { what: Named, coming: u64, room: u64 },
    #[error("cannot tell how much may still be stored")]
    Room {
        #[source]
        cause: ArtifactError,
    },
    #[error("cannot compare {} with its digest", path.display())]
    Compare {
        path: PathBuf,
        #[source]
        cause: ArtifactError,
    },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the deployment was cancelled")]
    Cancelled,
}

impl FetchError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Download { cause, .. } => cause.verdict(),
            // Removed already; the next answer may be whole.
            Self::Store { cause: ArtifactError::Digest { .. }, .. } => Verdict::TryAgain,
            _ => Verdict::GiveUp,
        }
    }

    pub(super) fn stack(&self) -> ErrorStack {
        use ErrorCode as C;
        let download = C::ArtifactDownloadError;
        ErrorStack::failure(&match self {
            Self::NoScheme { .. } => vec![download, C::EmptyArtifactScheme],
            Self::Scheme { .. } => vec![download, C::UnsupportedArtifactScheme],
            Self::Docker { .. } => vec![download, C::MissingDockerApplicationManager],
            Self::NoFileName { .. } => vec![download, C::ArtifactUriNotValid],
            Self::NoAlgorithm { .. } => vec![download, C::RecipeMissingArtifactHashAlgorithm],
            Self::Algorithm { .. } => vec![download, C::HashingAlgorithmUnavailable],
            Self::NoCloud { .. } => vec![download, C::DeviceConfigNotValidForArtifactDownload],
            Self::ReadFile { .. } | Self::Compare { .. } => vec![download, C::IoError, C::IoReadError],
            Self::Download { cause: HttpError::Exchange { .. } | HttpError::Read { .. }, .. } => {
                vec![download, C::NetworkError]
            }
            Self::Download { cause: HttpError::LeftOut { .. }, .. } => {
                vec![download, C::DeviceConfigNotValidForArtifactDownload]
            }
            Self::Download { .. } => vec![download, C::HttpRequestError],
            Self::Store { cause: ArtifactError::Digest { .. }, .. } => vec![download, C::ArtifactChecksumMismatch],
            Self::Store { cause: ArtifactError::File(error), .. } if error.is_full_disk() => {
                vec![download, C::DiskSpaceCritical]
            }
            Self::Write { cause, .. } if is_full(cause) => vec![download, C::DiskSpaceCritical],
            Self::Store { .. } | Self::Write { .. } => vec![download, C::IoError, C::IoWriteError],
            Self::Unpack { .. } => vec![download, C::IoError, C::IoUnzipError],
            Self::TooLarge { .. } => vec![download, C::DiskSpaceCritical],
            Self::Room { .. } => vec![download, C::IoError, C::IoFileAttributeError],
            Self::File(error) if error.is_full_disk() => vec![download, C::DiskSpaceCritical],
            Self::File(_) => vec![download, C::IoError, C::IoWriteError],
            Self::Cancelled => vec![],
        })
    }
}

fn is_full(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// Bytes read and written at a time.
const BUFFER: usize = 64 << 10;
/// How soon a silent server or a pause between two attempts lets us notice that the deployment was cancelled.
const CANCEL_LATENCY: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests;
