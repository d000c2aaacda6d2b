//! Unpacks one gzip member (RFC 1952) into memory, up to a limit: enough for `/proc/config.gz`.

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};

/// Why a file cannot be unpacked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GzipError {
    #[error("the gzip header is damaged or of an unknown kind")]
    Header,
    #[error("the gzip data is cut short or damaged")]
    Data,
    #[error("it unpacks to more than {limit} bytes")]
    TooLong { limit: usize },
    #[error("the gzip checksum does not fit the data")]
    Checksum,
}

/// Whether a file begins as gzip does.
pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Unpacks the first member; what follows it is not looked at.
pub(super) fn unpack(bytes: &[u8], limit: usize) -> Result<Vec<u8>, GzipError> {
    let packed = after_header(bytes).ok_or(GzipError::Header)?;
    let text = decompress_to_vec_with_limit(packed, limit).map_err(|error| match error.status {
        TINFLStatus::HasMoreOutput => GzipError::TooLong { limit },
        _ => GzipError::Data,
    })?;
    // Where the data ends is not told, so that a file with something appended could not be checked; there is none in
    // practice, and the checksum then does not fit, which is said.
    let trailer = packed.last_chunk::<8>().ok_or(GzipError::Data)?;
    let (sum, length) = trailer.split_at(4);
    let fits = sum == checksum(&text).to_le_bytes() && length == (text.len() as u32).to_le_bytes();
    if fits { Ok(text) } else { Err(GzipError::Checksum) }
}

/// The header has four optional parts, in this order: extra field, name, comment, checksum of itself.
fn after_header(bytes: &[u8]) -> Option<&[u8]> {
    let (fixed, mut rest) = bytes.split_first_chunk::<10>()?;
    let flags = fixed[3];
    if !fixed.starts_with(&MAGIC) || fixed[2] != DEFLATE || flags & RESERVED != 0 {
        return None;
    }
    if flags & EXTRA != 0 {
        let (length, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & HEADER_CHECKSUM != 0 {
        rest = rest.get(2..)?;
    }
    Some(rest)
}

/// CRC-32 as gzip has it, four bits at a time: the table is small, and PID 1 is to be, too.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |sum: u32| (sum >> 4) ^ TABLE[(sum & 15) as usize];
    !bytes.iter().fold(!0, |sum, byte| step(step(sum ^ u32::from(*byte))))
}

const TABLE: [u32; 16] = {
    let mut table = [0; 16];
    let mut entry = 0;
    while entry < 16 {
        let mut sum = entry as u32;
        let mut bit = 0;
        while bit < 4 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
            bit += 1;
        }
        table[entry] = sum;
        entry += 1;
    }
    table
};

const MAGIC: [u8; 2] = [0x1f, 0x8b];
const DEFLATE: u8 = 8;
const HEADER_CHECKSUM: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

#[cfg(test)]
mod tests {
    use miniz_oxide::deflate::compress_to_vec;

    use super::*;

    fn pack(text: &[u8], flags: u8, optional: &[u8]) -> Vec<u8> {
        let mut file = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3];
        file.extend(optional);
        file.extend(compress_to_vec(text, 6));
        file.extend(checksum(text).to_le_bytes());
        file.extend((text.len() as u32).to_le_bytes());
        file
    }

    #[test]
    fn checksum_is_that_of_the_standard() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
        assert_eq!(checksum(b""), 0);
    }

    #[test]
    fn unpack_reads_every_form_of_header() {
        let forms: [(u8, &[u8]); 5] = [
            (0, b""),
            (EXTRA, b"\x03\x00abc"),
            (NAME, b"config\0"),
            (NAME | COMMENT, b"a\0b\0"),
            (EXTRA | NAME | COMMENT | HEADER_CHECKSUM, b"\x00\x00\0\0xx"),
        ];
        for (flags, optional) in forms {
            assert_eq!(unpack(&pack(b"CONFIG_KEYS=y\n", flags, optional), 100).unwrap(), b"CONFIG_KEYS=y\n", "{flags}");
        }
    }

    #[test]
    fn bomb_is_refused_at_the_limit() {
        let bomb = pack(&vec![0; 1 << 20], 0, b"");
        assert!(bomb.len() < 2000);
        assert_eq!(unpack(&bomb, 1000), Err(GzipError::TooLong { limit: 1000 }));
        assert_eq!(unpack(&bomb, 1 << 20).unwrap().len(), 1 << 20);
    }

    #[test]
    fn damage_anywhere_is_found() {
        let text = b"CONFIG_KEYS=y\n# CONFIG_SHMEM is not set\n".repeat(50);
        let whole = pack(&text, NAME, b"config\0");
        for length in 0..whole.len() {
            assert!(unpack(&whole[..length], 1 << 20).is_err(), "cut to {length}");
        }
        for place in (0..whole.len()).filter(|place| !(4..=16).contains(place)) {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x20;
            // The last byte of the packed data has bits that mean nothing.
            assert!(unpack(&damaged, 1 << 20).map_or(true, |unpacked| unpacked == text), "flipped at {place}");
        }
    }
}
