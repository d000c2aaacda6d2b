//! PEM, the text form of keys and certificates (RFC 7468), and the signature files of signify.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Blocks one file may have.
const MAX_BLOCKS: usize = 64;

/// One block: what it says it is, and its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    pub label: String,
    pub bytes: Vec<u8>,
}

/// The bytes may be a private key.
impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block").field("label", &self.label).finish_non_exhaustive()
    }
}

/// Reads all blocks of a file. What is between them is text for people.
pub fn decode(bytes: &[u8]) -> Result<Vec<Block>, PemError> {
    let text = std::str::from_utf8(bytes).map_err(|_| PemError::NotText)?;
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end();
        let fault = || PemError::Line { line: index + 1 };
        let named = |prefix: &str| line.strip_prefix(prefix).and_then(|rest| rest.strip_suffix("-----"));
        match (&mut open, named("-----BEGIN "), named("-----END ")) {
            (None, Some(label), _) if blocks.len() < MAX_BLOCKS => open = Some((label.to_owned(), String::new())),
            (Some((label, base64)), None, Some(end)) if label == end => {
                let bytes = STANDARD.decode(base64.as_bytes()).map_err(|_| fault())?;
                blocks.push(Block { label: std::mem::take(label), bytes });
                open = None;
            }
            (Some((_, base64)), None, None) => base64.push_str(line),
            (None, None, None) => {}
            _ => return Err(fault()),
        }
    }
    match open {
        Some((label, _)) => Err(PemError::Open { label }),
        None => Ok(blocks),
    }
}

/// Writes one block.
pub fn encode(label: &str, bytes: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let base64 = STANDARD.encode(bytes);
    for (index, letter) in base64.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

/// A line of signify, `usign` of OpenWrt and `minisign -l`: a kind, the key's number, and a key or a signature.
///
/// The file has `untrusted comment: ...` in its first line and this in its second, in base64. minisign has two more,
/// which mean nothing here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signify<const SIZE: usize> {
    /// Eight random bytes that say which key it is.
    pub number: [u8; 8],
    pub bytes: [u8; SIZE],
}

impl<const SIZE: usize> Signify<SIZE> {
    /// Reads a public key (`SIZE` 32) or a signature (64).
    pub fn decode(text: &[u8]) -> Result<Self, PemError> {
        let text = std::str::from_utf8(text).map_err(|_| PemError::NotText)?;
        let mut lines = text.lines();
        if !lines.next().is_some_and(|line| line.starts_with("untrusted comment: ")) {
            return Err(PemError::Line { line: 1 });
        }
        let fault = PemError::Line { line: 2 };
        let Some(bytes) = lines.next().and_then(|line| STANDARD.decode(line.trim_end()).ok()) else {
            return Err(fault);
        };
        if bytes.starts_with(b"ED") {
            return Err(PemError::Prehashed);
        }
        let Some((number, rest)) = bytes.strip_prefix(b"Ed").and_then(|rest| rest.split_first_chunk::<8>()) else {
            return Err(fault);
        };
        let bytes = rest.try_into().map_err(|_| fault)?;
        Ok(Self { number: *number, bytes })
    }

    pub fn encode(&self, comment: &str) -> String {
        let line = [b"Ed", &self.number[..], &self.bytes[..]].concat();
        format!("untrusted comment: {}\n{}\n", comment.replace(char::is_control, " "), STANDARD.encode(line))
    }
}

/// A file that is not PEM, or not of signify.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PemError {
    #[error("it is not text")]
    NotText,
    #[error("line {line} is not what it must be")]
    Line { line: usize },
    #[error("the block {label:?} has no end")]
    Open { label: String },
    #[error("it is over a BLAKE2 digest; sign with `minisign -S -l`, signify or usign")]
    Prehashed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_is_read_as_it_was_written() {
        for length in [0, 1, 47, 48, 49, 100] {
            let bytes = vec![0xa5; length];
            let text = format!("some words\n{}more words\n{}", encode("A B", &bytes), encode("C", b"x"));
            let blocks = decode(text.as_bytes()).unwrap();
            assert_eq!((blocks[0].label.as_str(), &blocks[0].bytes), ("A B", &bytes));
            assert_eq!(blocks[1].bytes, b"x");
        }
        for text in [
            "-----BEGIN A-----\n",
            "-----BEGIN A-----\n-----END B-----\n",
            "-----END A-----\n",
            "-----BEGIN A-----\n!\n-----END A-----\n",
        ] {
            assert!(decode(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn signify_is_read_as_it_was_written() {
        let signature = Signify { number: [1; 8], bytes: [2; 64] };
        assert_eq!(Signify::decode(signature.encode("a\nb").as_bytes()), Ok(signature));
        assert!(Signify::<32>::decode(signature.encode("a").as_bytes()).is_err());
        // The `d` of the kind turned into a `D`.
        let prehashed = signature.encode("").replace("\nRW", "\nRU");
        assert_eq!(Signify::<64>::decode(prehashed.as_bytes()), Err(PemError::Prehashed));
    }
}
