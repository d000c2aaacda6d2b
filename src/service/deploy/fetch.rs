//! Brings the artifacts of resolved components into the store, and has each checked, unpacked and made readable.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::base::report::Report;
use crate::net::http::{Client, HttpError, Verdict};
use crate::store::file::{self, FileError};
use crate::store::partial::Partial;
use crate::store::paths::Paths;
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
        if !self.is_in_place(artifact, &target)? {
            (self.progress)(format!("fetching {file_name} of {}", order.name));
            match artifact.uri.scheme() {
                ArtifactScheme::File => self.take_file(&what, artifact, &target)?,
                ArtifactScheme::Http | ArtifactScheme::Https => self.download(&what, artifact, &target)?,
                _ => return Err(FetchError::NoCloud { what, file: file_name.into(), version: order.version.clone() }),
            }
        }
        file::set_mode(&target, artifact.permission.mode_bits())?;
        if artifact.unarchive == Unarchive::Zip {
            return Err(FetchError::Unpack { what });
        }
        Ok(())
    }

    /// A file with no digest to compare counts as the right one.
    fn is_in_place(&self, artifact: &Artifact, target: &Path) -> Result<bool, FetchError> {
        if !target.is_file() {
            return Ok(false);
        }
        match &artifact.digest {
            Some(digest) => Ok(digest_of(target)? == digest.value),
            None => Ok(true),
        }
    }

    fn take_file(&self, what: &Named, artifact: &Artifact, target: &Path) -> Result<(), FetchError> {
        let unread = |cause| FetchError::ReadFile { what: what.clone(), cause };
        let source = local_path(artifact.uri.after_scheme());
        let mut reader = std::fs::File::open(&source).map_err(unread)?;
        let found = reader.metadata().map_err(unread)?;
        if !found.is_file() {
            return Err(unread(io::Error::other("it is not a regular file")));
        }
        self.check_space(what, Some(found.len()))?;
        let mut partial = Partial::open(target)?;
        partial.cut(0)?;
        let mut buffer = vec![0; BUFFER];
        loop {
            self.check_cancelled()?;
            match reader.read(&mut buffer).map_err(unread)? {
                0 => break,
                n => partial.append(&buffer[..n])?,
            }
        }
        self.keep(what, artifact, partial)
    }

    fn download(&self, what: &Named, artifact: &Artifact, target: &Path) -> Result<(), FetchError> {
        let mut pause = self.retries.first_pause;
        let mut attempt = 1;
        loop {
            let fault = match self.download_once(what, artifact, target) {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            match fault.verdict() {
                Verdict::GiveUp => return Err(fault),
                Verdict::StartOver => Partial::open(target)?.remove()?,
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
        let mut partial = Partial::open(target)?;
        let mut body = self.client.fetch(artifact.uri.as_str(), partial.length()).map_err(fault)?;
        partial.cut(body.start)?;
        self.check_space(what, body.total.map(|total| total.saturating_sub(partial.length())))?;
        let mut buffer = vec![0; BUFFER];
        let mut until_check = CHECK_EVERY;
        loop {
            self.check_cancelled()?;
            let n = body.read(&mut buffer).map_err(fault)?;
            if n == 0 {
                break;
            }
            partial.append(&buffer[..n])?;
            // A server that does not tell the size must not fill the disk.
            match until_check.checked_sub(n) {
                Some(left) => until_check = left,
                None => {
                    self.check_space(what, None)?;
                    until_check = CHECK_EVERY;
                }
            }
        }
        self.keep(what, artifact, partial)
    }

    /// Checks the digest and puts the file in its place; a wrong one is removed.
    fn keep(&self, what: &Named, artifact: &Artifact, partial: Partial) -> Result<(), FetchError> {
        if let Some(digest) = &artifact.digest {
            let found = digest_of(partial.path())?;
            if found != digest.value {
                partial.remove()?;
                return Err(FetchError::Digest { what: what.clone(), found, expected: digest.value.clone() });
            }
        }
        Ok(partial.finish(artifact.permission.mode_bits())?)
    }

    fn check_space(&self, what: &Named, coming: Option<u64>) -> Result<(), FetchError> {
        let packages = self.paths.packages();
        let free = crate::sys::fs::free_space(&packages)
            .map_err(|cause| FetchError::FreeSpace { path: packages.clone(), cause })?;
        let coming = coming.unwrap_or(0);
        if free < coming.saturating_add(KEPT_FREE) {
            return Err(FetchError::DiskFull { what: what.clone(), free, coming });
        }
        let used = size_of(&packages);
        if used.saturating_add(coming) > self.store_limit {
            return Err(FetchError::StoreFull { what: what.clone(), used, coming, limit: self.store_limit });
        }
        Ok(())
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

/// Between half of the pause and the whole, so that devices that failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let random = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0;
    pause.mul_f64(0.5 + random / 2.0)
}

/// Base64 of the SHA-256 of a file.
fn digest_of(path: &Path) -> Result<String, FetchError> {
    let unread = |cause| FetchError::ReadStored { path: path.to_owned(), cause };
    let mut file = std::fs::File::open(path).map_err(unread)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; BUFFER]);
    loop {
        match file.read(&mut buffer).map_err(unread)? {
            0 => return Ok(STANDARD.encode(hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
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

/// Bytes of all files below; what cannot be read does not count.
fn size_of(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size_of(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
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
    #[error("{what} is not what its recipe says: its SHA-256 is {found}, not {expected}")]
    Digest { what: Named, found: String, expected: String },
    #[error("cannot unpack {what}")]
    Unpack { what: Named },
    #[error("the disk has {free} bytes left, too few for {what} ({coming} bytes) and {KEPT_FREE} to spare")]
    DiskFull { what: Named, free: u64, coming: u64 },
    #[error(
        "the component store has {used} bytes; with {what} ({coming} bytes) it would exceed componentStoreMaxSizeBytes, {limit}"
    )]
    StoreFull { what: Named, used: u64, coming: u64, limit: u64 },
    #[error("cannot tell the free space at {}", path.display())]
    FreeSpace {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("cannot read {}", path.display())]
    ReadStored {
        path: PathBuf,
        #[source]
        cause: io::Error,
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
            Self::Digest { .. } => Verdict::TryAgain,
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
            Self::ReadFile { .. } | Self::ReadStored { .. } => vec![download, C::IoError, C::IoReadError],
            Self::Download { cause: HttpError::Exchange { .. } | HttpError::Read { .. }, .. } => {
                vec![download, C::NetworkError]
            }
            Self::Download { .. } => vec![download, C::HttpRequestError],
            Self::Digest { .. } => vec![download, C::ArtifactChecksumMismatch],
            Self::Unpack { .. } => vec![download, C::IoError, C::IoUnzipError],
            Self::DiskFull { .. } | Self::StoreFull { .. } => vec![download, C::DiskSpaceCritical],
            Self::FreeSpace { .. } => vec![download, C::IoError, C::IoFileAttributeError],
            Self::File(error) if error.is_full_disk() => vec![download, C::DiskSpaceCritical],
            Self::File(_) => vec![download, C::IoError, C::IoWriteError],
            Self::Cancelled => vec![],
        })
    }
}

/// Bytes read and written at a time.
const BUFFER: usize = 64 << 10;
/// Bytes of the disk that are left to others.
const KEPT_FREE: u64 = 20 << 20;
/// Bytes of a download of unknown size between two looks at the disk.
const CHECK_EVERY: usize = 8 << 20;
/// How soon a pause between two attempts notices that the deployment was cancelled.
const CANCEL_LATENCY: Duration = Duration::from_millis(50);
