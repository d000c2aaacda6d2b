//! CRC-32 as in Ethernet and zlib, which U-Boot uses, too.

/// Of all the bytes.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !run(bytes)
}

/// What must stand between two texts so that all together have this checksum.
pub(crate) fn patch(before: &[u8], behind: &[u8], wanted: u32) -> [u8; 4] {
    // Back from the end to where the four bytes begin, as if they were zeros; they make up for the difference.
    let state = [0; 4].iter().chain(behind).rev().fold(!wanted, |crc, byte| undo(crc, *byte));
    (state ^ run(before)).to_le_bytes()
}

fn run(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<4>();
    let crc = words.iter().fold(!0, |crc, word| {
        let [first, second, third, last] = (crc ^ u32::from_le_bytes(*word)).to_le_bytes().map(usize::from);
        TABLES[3][first] ^ TABLES[2][second] ^ TABLES[1][third] ^ TABLES[0][last]
    });
    rest.iter().fold(crc, |crc, byte| crc >> 8 ^ TABLES[0][usize::from(crc.to_le_bytes()[0] ^ byte)])
}

/// The state before this byte. The high bytes of the table are all different.
fn undo(crc: u32, byte: u8) -> u32 {
    let is = |entry: &u32| entry.to_le_bytes()[3] == crc.to_le_bytes()[3];
    let index = TABLES[0].iter().position(is).unwrap_or(0);
    (crc ^ TABLES[0][index]) << 8 | (index as u32 ^ u32::from(byte))
}

/// What a byte does to the state, at once and with one, two and three bytes of zeros behind it.
static TABLES: [[u32; 256]; 4] = {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let mut tables = [[0; 256]; 4];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 32 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
            if bit % 8 == 0 {
                tables[bit / 8 - 1][index] = crc;
            }
        }
        index += 1;
    }
    tables
};

#[cfg(test)]
mod tests {
    #[test]
    fn crc_of_the_nine_digits_is_the_known_one() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(super::crc32(b""), 0);
    }

    #[test]
    fn patched_text_has_the_wanted_checksum() {
        for (before, behind) in [(&b"before"[..], &b"and behind"[..]), (b"", b""), (b"x", b"")] {
            for wanted in [0, 1, 0xcbf4_3926, !0] {
                let whole = [before, &super::patch(before, behind, wanted), behind].concat();
                assert_eq!(super::crc32(&whole), wanted);
            }
        }
    }
}
