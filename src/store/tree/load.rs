//! Finding the configuration at a start: the log, else its backups, else a file somebody put there.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::log::{Log, LogError};
use super::scan::{ScanError, Scanned, scan};
use super::{Edit, KeyPath, Tree};
use crate::base::clock::Timestamp;
use crate::base::report::Report;
use crate::store::file::{self, FileError};
use crate::wire::recipe::{self, Format, Recipe, read_document};

/// A configuration file named on the command line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Given {
    #[default]
    Nothing,
    /// `--init-config`: merged over what the log says, as of the file's time.
    Init(PathBuf),
    /// `--config`: stands alone, the log is not read.
    Base(PathBuf),
}

/// The configuration after a start.
#[derive(Debug)]
pub struct Opened {
    pub tree: Tree,
    pub log: Log,
    /// What was not as it should be, and how it was mended.
    pub findings: Vec<Finding>,
}

/// Loads the configuration from `directory` (`<root>/config`).
///
/// What can be mended is mended and told in the findings. That nothing can be written is a finding, too: the next edit
/// tries again and tells its asker. Damaged logs are kept, as `config.tlog.bad`.
pub fn open(directory: &Path, given: &Given) -> Result<Opened, LoadError> {
    let mut findings = Vec::new();
    let path = directory.join("config.tlog");
    let found = match given {
        Given::Base(_) => Found::Nothing,
        Given::Nothing | Given::Init(_) => find(directory, &path, &mut findings)?,
    };
    let external = match (given, &found) {
        (Given::Base(file) | Given::Init(file), _) => Some(read_external(file)?),
        (Given::Nothing, Found::Log(_)) => None,
        (Given::Nothing, _) => read_implicit(&directory.join("config.yaml"), &mut findings),
    };
    let (mut tree, scanned) = match found {
        Found::Log(scanned) => (scanned.tree.clone(), Some(scanned)),
        Found::Backup(tree) => (tree, None),
        Found::Nothing => (Tree::default(), None),
    };
    let log = match (scanned, external) {
        (Some(scanned), None) => Log::open(&path, &scanned),
        (_, external) => {
            if let Some((value, time)) = external {
                tree.apply(&Edit::Merge { at: KeyPath::root(), value: Value::Object(value), time });
            }
            let mut log = Log::in_doubt(&path);
            log.rewrite(&tree).map(|()| log)
        }
    };
    let log = log.unwrap_or_else(|cause| {
        findings.push(Finding::LogNotWritten { cause });
        Log::in_doubt(&path)
    });
    let bootstrap = directory.join("bootstrap.tlog");
    if !bootstrap.exists()
        && tree != Tree::default()
        && let Err(cause) = tree.save(&bootstrap)
    {
        findings.push(Finding::BootstrapNotWritten { cause });
    }
    Ok(Opened { tree, log, findings })
}

enum Found {
    Log(Scanned),
    Backup(Tree),
    Nothing,
}

fn find(directory: &Path, path: &Path, findings: &mut Vec<Finding>) -> Result<Found, LoadError> {
    resume_classic_truncation(path)?;
    match scan(path) {
        Ok(Some(scanned)) => {
            if let Some(torn) = scanned.torn {
                findings.push(Finding::Torn { path: path.to_owned(), line: torn.line, bytes: torn.bytes });
            }
            return Ok(Found::Log(scanned));
        }
        // Between the two renames of a rewriting the backup is the log.
        Ok(None) if file::beside(path, "+").exists() => {}
        Ok(None) => {
            if file::beside(path, "~").exists() {
                findings.push(Finding::Missing { path: path.to_owned() });
            }
        }
        Err(ScanError::Read { cause }) if cause.kind() == io::ErrorKind::PermissionDenied => {
            return Err(FileError::Read { path: path.to_owned(), cause }.into());
        }
        Err(cause) => {
            let kept = file::beside(path, ".bad");
            findings.push(Finding::Damaged { path: path.to_owned(), kept: kept.clone(), cause });
            if let Err(cause) = std::fs::rename(path, &kept) {
                findings.push(Finding::NotKept { path: kept, cause });
            }
        }
    }
    for backup in [file::beside(path, "~"), directory.join("bootstrap.tlog"), directory.join("bootstrap.tlog~")] {
        match scan(&backup) {
            Ok(Some(scanned)) => {
                if !findings.is_empty() {
                    findings.push(Finding::FellBack { path: backup });
                }
                return Ok(Found::Backup(scanned.tree));
            }
            Ok(None) => {}
            Err(cause) => findings.push(Finding::BackupDamaged { path: backup, cause }),
        }
    }
    Ok(Found::Nothing)
}

/// The reference nucleus moves the log to `config.tlog.old` while it truncates; if that is there, it was interrupted.
fn resume_classic_truncation(path: &Path) -> Result<(), LoadError> {
    let old = file::beside(path, ".old");
    if !old.exists() {
        return Ok(());
    }
    std::fs::rename(&old, path).map_err(|cause| FileError::Replace { path: path.to_owned(), cause })?;
    Ok(file::remove(&file::beside(path, "+"))?)
}

fn read_implicit(path: &Path, findings: &mut Vec<Finding>) -> Option<(Map<String, Value>, Timestamp)> {
    if !path.exists() {
        return None;
    }
    read_external(path).map_err(|cause| findings.push(Finding::ExternalIgnored { cause })).ok()
}

/// Reads a configuration file, YAML or JSON, as of its modification time.
fn read_external(path: &Path) -> Result<(Map<String, Value>, Timestamp), LoadError> {
    let missing = || FileError::Read { path: path.to_owned(), cause: io::ErrorKind::NotFound.into() };
    let text = file::read(path, Recipe::MAX_BYTES as u64)?.ok_or_else(missing)?;
    let modified = std::fs::metadata(path).and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match read_document(&text, Format::of_extension(extension).unwrap_or(Format::Yaml)) {
        Ok(Value::Object(value)) => Ok((value, Timestamp::of(modified))),
        Ok(_) => Err(LoadError::NotAMap { path: path.to_owned() }),
        Err(recipe::Finding { position, field, reason, .. }) => {
            let line = position.map_or(1, |position| position.line);
            let what = if field.is_empty() { "it".into() } else { field };
            Err(LoadError::Parse { path: path.to_owned(), line, fault: format!("{what} {reason}") })
        }
    }
}

/// Something about the stored configuration that was not as it should be.
#[derive(Debug)]
pub enum Finding {
    Torn { path: PathBuf, line: u64, bytes: u64 },
    Missing { path: PathBuf },
    Damaged { path: PathBuf, kept: PathBuf, cause: ScanError },
    NotKept { path: PathBuf, cause: io::Error },
    BackupDamaged { path: PathBuf, cause: ScanError },
    FellBack { path: PathBuf },
    ExternalIgnored { cause: LoadError },
    LogNotWritten { cause: LogError },
    BootstrapNotWritten { cause: FileError },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torn { path, line, bytes } => write!(
                f,
                "{} ends in {bytes} bytes of an edit that was interrupted before anybody was told that it holds \
                 (line {line}): cut off",
                path.display()
            ),
            Self::Missing { path } => write!(f, "{} is missing although its backup is there", path.display()),
            Self::Damaged { path, kept, cause } => {
                write!(f, "{} is damaged, kept as {}: {}", path.display(), kept.display(), Report(cause))
            }
            Self::NotKept { path, cause } => write!(f, "cannot keep the damaged log as {}: {cause}", path.display()),
            Self::BackupDamaged { path, cause } => {
                write!(f, "{} cannot stand in: {}", path.display(), Report(cause))
            }
            Self::FellBack { path } => write!(f, "the configuration is that of {}", path.display()),
            Self::ExternalIgnored { cause } => write!(f, "{}", Report(cause)),
            Self::LogNotWritten { cause } => write!(f, "{}", Report(cause)),
            Self::BootstrapNotWritten { cause } => write!(f, "{}", Report(cause)),
        }
    }
}

/// Why there is no configuration to start with.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} is not a configuration file: line {line}: {fault}", path.display())]
    Parse { path: PathBuf, line: usize, fault: String },
    #[error("{} is not a configuration file: the outermost value must be a map", path.display())]
    NotAMap { path: PathBuf },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn configuration_file_is_taken_once_and_later_only_when_named() {
        let scratch = tempfile::tempdir().unwrap();
        let yaml = "---\nsystem:\n  thingName: \"thing\"\nservices:\n  main:\n    dependencies: [a, b]\n";
        std::fs::write(scratch.path().join("config.yaml"), yaml).unwrap();
        let value = json!({"system": {"thingName": "thing"}, "services": {"main": {"dependencies": ["a", "b"]}}});
        let opened = open(scratch.path(), &Given::Nothing).unwrap();
        assert_eq!(opened.tree.value(&KeyPath::root()), Some(value.clone()));
        assert!(opened.tree.modified(&KeyPath::root()).unwrap() > Timestamp(1_700_000_000_000), "the file's time");

        std::fs::write(scratch.path().join("config.yaml"), "system: {thingName: other}").unwrap();
        let opened = open(scratch.path(), &Given::Nothing).unwrap();
        assert_eq!(opened.tree.value(&KeyPath::root()), Some(value));
        let opened = open(scratch.path(), &Given::Init(scratch.path().join("config.yaml"))).unwrap();
        assert_eq!(opened.tree.text(&KeyPath::new(["system", "thingName"])).as_deref(), Some("other"));
        assert!(opened.tree.contains(&KeyPath::new(["services", "main"])));
        let opened = open(scratch.path(), &Given::Base(scratch.path().join("config.yaml"))).unwrap();
        assert_eq!(opened.tree.value(&KeyPath::root()), Some(json!({"system": {"thingName": "other"}})));
    }

    #[test]
    fn named_file_must_be_a_configuration_and_another_is_passed_over() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("config.yaml");
        for bad in ["- a", "a: [", "a: 1\nA\u{0}: 2", "", "\"text\""] {
            std::fs::write(&path, bad).unwrap();
            let refused = open(scratch.path(), &Given::Init(path.clone())).unwrap_err().to_string();
            assert!(refused.contains("config.yaml is not a configuration file"), "{refused}");
            let directory = tempfile::tempdir().unwrap();
            std::fs::copy(&path, directory.path().join("config.yaml")).unwrap();
            let opened = open(directory.path(), &Given::Nothing).unwrap();
            assert!(matches!(&opened.findings[..], [Finding::ExternalIgnored { .. }]), "{bad:?}");
        }
        let missing = open(scratch.path(), &Given::Base(scratch.path().join("none"))).unwrap_err();
        assert!(missing.to_string().contains("none"));
    }

    #[test]
    fn directory_that_is_missing_is_a_finding_not_the_end() {
        let opened = open(Path::new("/does/not/exist"), &Given::Nothing).unwrap();
        assert!(matches!(&opened.findings[..], [Finding::LogNotWritten { .. }]));
        assert!(opened.findings[0].to_string().contains("/does/not/exist/config.tlog"), "{}", opened.findings[0]);
    }
}
