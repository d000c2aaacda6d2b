//! Unpacking one block: gzip (which is zlib here), xz or zstd.
//!
//! A block unpacks to at most the room it is given, so no bomb can go off.

use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::FrameDecoder;

use super::SquashfsError;
use super::xz::{self, XzError};

/// How the blocks of an image are packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    Gzip,
    Xz,
    Zstd,
}

impl Compression {
    /// The number of gzip in a superblock.
    pub(super) const GZIP: u16 = 1;

    pub(super) fn decode(id: u16) -> Result<Self, SquashfsError> {
        let name = match id {
            Self::GZIP => return Ok(Self::Gzip),
            4 => return Ok(Self::Xz),
            6 => return Ok(Self::Zstd),
            2 => "lzma",
            3 => "lzo",
            5 => "lz4",
            other => return Err(SquashfsError::Compression { name: format!("method {other}") }),
        };
        Err(SquashfsError::Compression { name: name.to_owned() })
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        }
    }
}

/// Unpacks blocks, and keeps the memory it needs for the next one.
pub struct Unpacker(Method);

enum Method {
    Gzip(Decompress),
    Xz(xz::Decoder),
    Zstd(Box<FrameDecoder>),
}

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacker").finish_non_exhaustive()
    }
}

impl Unpacker {
    pub fn new(compression: Compression) -> Self {
        Self(match compression {
            Compression::Gzip => Method::Gzip(Decompress::new(false)),
            Compression::Xz => Method::Xz(xz::Decoder::new()),
            Compression::Zstd => Method::Zstd(Box::new(FrameDecoder::new())),
        })
    }

    /// Unpacks one block. Returns how many bytes of `output` it filled.
    pub fn unpack(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, UnpackError> {
        match &mut self.0 {
            Method::Gzip(inflate) => {
                inflate.reset(false);
                let packed = without_header(input).ok_or(UnpackError::Gzip)?;
                match inflate.decompress(packed, output, FlushDecompress::Finish) {
                    Ok(Status::StreamEnd) => usize::try_from(inflate.total_out()).map_err(|_| UnpackError::Gzip),
                    _ => Err(UnpackError::Gzip),
                }
            }
            Method::Xz(decoder) => decoder.decode(input, output).map_err(UnpackError::Xz),
            Method::Zstd(decoder) => decoder.decode_all(input, output).map_err(|_| UnpackError::Zstd),
        }
    }
}

/// What a zlib stream has behind its header: RFC 1950. The checksum behind the data is not looked at: who unpacks has
/// verified each byte by a better one.
fn without_header(stream: &[u8]) -> Option<&[u8]> {
    let (header, rest) = stream.split_first_chunk::<2>()?;
    let number = u16::from_be_bytes(*header);
    let (is_deflate, has_dictionary) = (header[0] & 0xf == 8, header[1] & 0x20 != 0);
    (is_deflate && !has_dictionary && number.is_multiple_of(31)).then_some(rest)
}

/// A block that does not unpack, or not into the room there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("it is no zlib stream, or too large")]
    Gzip,
    #[error("it is no xz stream that can be read")]
    Xz(#[source] XzError),
    #[error("it is no zstd frame, or too large")]
    Zstd,
}
