//! The ledger: one typed JSON document on disk, changed in memory and written once, with a generation.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::file::{self, Backup, FileError};

/// A document and the generation of it that was last read or written.
///
/// On disk: `{"generation":7,"value":…}`, and the generation before as `<name>~`. Whoever has read an older generation
/// than the one on disk cannot write: [`Document::commit`] refuses.
#[derive(Debug)]
pub struct Document<T> {
    path: PathBuf,
    generation: u64,
    value: T,
    finding: Option<DocumentError>,
}

#[derive(Serialize)]
struct Written<'a, T> {
    generation: u64,
    value: &'a T,
}

#[derive(Deserialize)]
struct Read<T> {
    generation: u64,
    value: T,
}

/// The generation alone, so that no half of an unknown value has to be understood.
#[derive(Deserialize)]
struct ReadGeneration {
    generation: u64,
}

impl<T: Serialize + DeserializeOwned> Document<T> {
    /// Larger documents are refused, on the way in and on the way out.
    pub const MAX_SIZE: u64 = 64 << 20;

    /// Reads the document; one that does not exist yet is the default value in generation 0.
    ///
    /// A document that cannot be read gives way to its backup, and [`Document::finding`] says so. When both are
    /// damaged nothing is guessed: this fails, and [`Document::start_over`] is the caller's decision.
    pub fn load(path: &Path) -> Result<Self, DocumentError>
    where
        T: Default,
    {
        let backup = file::beside(path, "~");
        let (newest, finding) = match (read(path), read(&backup)) {
            // Between the two renames of a commit the backup is the document.
            (Ok(None), Ok(backup)) => (backup, None),
            (Ok(Some(main)), Ok(Some(backup))) if backup.generation > main.generation => {
                let (found, newest) = (main.generation, backup.generation);
                (Some(backup), Some(DocumentError::Older { path: path.to_owned(), found, newest }))
            }
            (Ok(main), _) => (main, None),
            (Err(fault), Ok(Some(backup))) => (Some(backup), Some(fault)),
            (Err(fault), _) => return Err(fault),
        };
        let Read { generation, value } = newest.unwrap_or_else(|| Read { generation: 0, value: T::default() });
        Ok(Self { path: path.to_owned(), generation, value, finding })
    }

    /// Puts a damaged document aside as `<name>.bad` and begins again with `value`, in memory only.
    pub fn start_over(path: &Path, value: T) -> Result<Self, DocumentError> {
        for (from, to) in [(path.to_owned(), ".bad"), (file::beside(path, "~"), ".bad~")] {
            match std::fs::rename(&from, file::beside(path, to)) {
                Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                    return Err(FileError::Replace { path: from, cause }.into());
                }
                _ => {}
            }
        }
        Ok(Self { path: path.to_owned(), generation: 0, value, finding: None })
    }

    pub fn value(&self) -> &T {
        &self.value
    }

    /// Changes memory only; [`Document::commit`] makes it last.
    pub fn value_mut(&mut self) -> &mut T {
        &mut self.value
    }

    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Why the backup had to stand in for the document at [`Document::load`].
    pub fn finding(&self) -> Option<&DocumentError> {
        self.finding.as_ref()
    }

    /// Writes the value as the next generation. When this fails, the disk has what it had; memory keeps the change.
    pub fn commit(&mut self) -> Result<(), DocumentError> {
        write(&self.path, self.generation, &self.value)?;
        self.generation += 1;
        Ok(())
    }

    /// Changes the value and writes it; when that fails, memory is as before, too.
    pub fn update(&mut self, change: impl FnOnce(&mut T)) -> Result<(), DocumentError>
    where
        T: Clone,
    {
        let mut value = self.value.clone();
        change(&mut value);
        write(&self.path, self.generation, &value)?;
        self.generation += 1;
        self.value = value;
        Ok(())
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<Read<T>>, DocumentError> {
    let Some(text) = file::read(path, Document::<()>::MAX_SIZE)? else { return Ok(None) };
    serde_json::from_slice(&text).map(Some).map_err(|cause| DocumentError::Parse { path: path.to_owned(), cause })
}

fn write<T: Serialize>(path: &Path, generation: u64, value: &T) -> Result<(), DocumentError> {
    // A document that cannot be read any more has no say, and must not push a good backup out.
    let on_disk = match file::read(path, Document::<()>::MAX_SIZE) {
        Ok(Some(text)) => serde_json::from_slice::<ReadGeneration>(&text).ok(),
        _ => None,
    };
    if let Some(ReadGeneration { generation: newest }) = on_disk
        && newest > generation
    {
        return Err(DocumentError::Older { path: path.to_owned(), found: generation, newest });
    }
    let backup = if on_disk.is_some() { Backup::Keep } else { Backup::Drop };
    let written = Written { generation: generation + 1, value };
    let mut text =
        serde_json::to_vec(&written).map_err(|cause| DocumentError::Encode { path: path.to_owned(), cause })?;
    text.push(b'\n');
    if text.len() as u64 > Document::<()>::MAX_SIZE {
        return Err(FileError::TooLarge { path: path.to_owned(), limit: Document::<()>::MAX_SIZE }.into());
    }
    Ok(file::write(path, 0o600, backup, &text)?)
}

#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} is damaged", path.display())]
    Parse {
        path: PathBuf,
        #[source]
        cause: serde_json::Error,
    },
    #[error("cannot encode {}", path.display())]
    Encode {
        path: PathBuf,
        #[source]
        cause: serde_json::Error,
    },
    #[error("generation {found} of {} is older than generation {newest}", path.display())]
    Older { path: PathBuf, found: u64, newest: u64 },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(path: &Path) -> Document<Vec<u32>> {
        Document::load(path).unwrap()
    }

    #[test]
    fn document_is_the_default_until_committed() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("ledger.json");
        let mut document = load(&path);
        document.value_mut().push(7);
        assert!(!path.exists());
        document.commit().unwrap();
        assert_eq!((load(&path).value().as_slice(), load(&path).generation()), (&[7][..], 1));
    }

    #[test]
    fn damaged_document_gives_way_to_its_backup_and_says_so() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("ledger.json");
        let mut document = load(&path);
        document.update(|value| value.push(1)).unwrap();
        document.update(|value| value.push(2)).unwrap();
        let good = std::fs::read(&path).unwrap();
        for bad in [&good[..good.len() / 2], b"", b"\0\0\0", b"[]", b"\xff\xfe"] {
            std::fs::write(&path, bad).unwrap();
            let mut fallen_back = load(&path);
            assert_eq!(fallen_back.value().as_slice(), [1]);
            assert!(fallen_back.finding().unwrap().to_string().contains("ledger.json"));
            fallen_back.update(|value| value.push(3)).unwrap();
            assert_eq!((load(&path).value().as_slice(), load(&path).finding().is_none()), (&[1, 3][..], true));
        }
        std::fs::write(&path, "").unwrap();
        std::fs::write(file::beside(&path, "~"), "").unwrap();
        assert!(Document::<Vec<u32>>::load(&path).is_err());
        assert!(Document::start_over(&path, vec![9]).unwrap().commit().is_ok());
        assert_eq!(load(&path).value().as_slice(), [9]);
    }

    #[test]
    fn every_torn_prefix_reads_as_the_generation_before() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("ledger.json");
        let mut document = load(&path);
        document.update(|value| value.push(1)).unwrap();
        document.update(|value| value.push(2)).unwrap();
        let good = std::fs::read(&path).unwrap();
        for length in 0..good.len() - 1 {
            std::fs::write(&path, &good[..length]).unwrap();
            assert_eq!(load(&path).value().as_slice(), [1], "{length} bytes");
        }
    }

    #[test]
    fn older_generation_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("ledger.json");
        let (mut first, mut second) = (load(&path), load(&path));
        first.update(|value| value.push(1)).unwrap();
        let refused = second.update(|value| value.push(2)).unwrap_err();
        assert!(matches!(refused, DocumentError::Older { found: 0, newest: 1, .. }));
        assert_eq!((second.value().as_slice(), load(&path).value().as_slice()), (&[][..], &[1][..]));
    }
}
