//! GRUB's environment block: 1024 bytes of text, `#` behind it. A backslash stands before a backslash or a line end.

use super::medium::SECTOR;
use super::variables::Variables;

/// GRUB writes all of it; that it stays so long is what keeps it in place.
pub const SIZE: usize = 2 * SECTOR;

const SIGNATURE: &[u8] = b"# GRUB Environment Block\n";

/// Why a block is none, or cannot hold what it should.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GrubenvError {
    #[error("it does not begin with GRUB's signature")]
    NoSignature,
    #[error("the variables need {0} bytes, and the first sector, which is written as one, has 512")]
    TooLong(usize),
}

/// What is in a block, read as GRUB reads it.
pub fn decode(block: &[u8; SIZE]) -> Result<Variables, GrubenvError> {
    let mut rest = block.strip_prefix(SIGNATURE).ok_or(GrubenvError::NoSignature)?;
    let mut variables = Variables::default();
    while !rest.is_empty() {
        let (line, length) = line(rest);
        rest = &rest[length..];
        if line.first() == Some(&b'#') {
            continue;
        }
        if let Some(equals) = line.iter().position(|byte| *byte == b'=') {
            variables.push(&line[..equals], &line[equals + 1..]);
        }
    }
    Ok(variables)
}

/// A line without its escapes, and how many bytes it took.
fn line(text: &[u8]) -> (Vec<u8>, usize) {
    let mut line = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\n' => return (line, at + 1),
            b'\\' if line.first() != Some(&b'#') => {
                at += 1;
                line.extend(text.get(at));
            }
            _ => line.push(*byte),
        }
        at += 1;
    }
    (line, text.len())
}

/// The block with these variables, all of them in its first sector.
pub fn encode(variables: &Variables) -> Result<[u8; SIZE], GrubenvError> {
    let mut text = SIGNATURE.to_vec();
    for (name, value) in variables.iter() {
        text.extend_from_slice(name);
        text.push(b'=');
        for byte in value {
            if matches!(byte, b'\\' | b'\n') {
                text.push(b'\\');
            }
            text.push(*byte);
        }
        text.push(b'\n');
    }
    if text.len() > SECTOR {
        return Err(GrubenvError::TooLong(text.len()));
    }
    let mut block = [b'#'; SIZE];
    block[..text.len()].copy_from_slice(&text);
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_survives_its_encoding() {
        let mut variables = Variables::default();
        variables.set("gg_ok", "a");
        variables.set("odd", "back\\slash and\nline # no comment");
        variables.set("gg_ok", "b");
        let block = encode(&variables).unwrap();
        assert!(
            block.starts_with(b"# GRUB Environment Block\ngg_ok=b\nodd=back\\\\slash and\\\nline # no comment\n###")
        );
        assert_eq!(decode(&block), Ok(variables));
    }

    #[test]
    fn foreign_block_is_refused_and_strange_lines_left_out() {
        assert_eq!(decode(&[0; SIZE]), Err(GrubenvError::NoSignature));
        let mut block = [b'#'; SIZE];
        let text = b"# GRUB Environment Block\nno equals sign\n=nameless\n# comment=1\nx=1\n\\";
        block[..text.len()].copy_from_slice(text);
        let variables = decode(&block).unwrap();
        assert_eq!(variables.text("x"), Some("1"));
        assert_eq!(variables.text("comment"), None);
    }

    #[test]
    fn more_than_a_sector_is_refused() {
        let mut variables = Variables::default();
        variables.set("long", &"x".repeat(500));
        assert_eq!(encode(&variables), Err(GrubenvError::TooLong(531)));
    }
}
