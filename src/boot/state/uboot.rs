//! U-Boot's environment on disk: a checksum, in the redundant form a flag, then `name=value` strings with a zero behind
//! each and one more at the end. And `fw_env.config`, which says where it lies.

use super::crc::crc32;
use super::variables::Variables;

/// Why bytes are no environment, or cannot hold one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UbootError {
    #[error("the checksum does not fit")]
    Torn,
    #[error("it has no room for a checksum")]
    Short,
    #[error("the variables need {0} bytes more than there are")]
    TooLong(usize),
    #[error("line {0} of fw_env.config is not: device, offset, size")]
    Line(usize),
    #[error("fw_env.config names {0} places, not one or two")]
    Places(usize),
    #[error("the two places have different sizes")]
    Sizes,
}

/// Whether there are two copies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Single,
    /// The copy whose flag is newer counts, where both checksums fit.
    Redundant,
}

impl Form {
    fn header(self) -> usize {
        match self {
            Self::Single => 4,
            Self::Redundant => 5,
        }
    }
}

/// A copy, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copy {
    pub flag: u8,
    pub variables: Variables,
}

pub fn decode(bytes: &[u8], form: Form) -> Result<Copy, UbootError> {
    let data = bytes.get(form.header()..).ok_or(UbootError::Short)?;
    let (crc, _) = bytes.split_first_chunk::<4>().ok_or(UbootError::Short)?;
    if u32::from_le_bytes(*crc) != crc32(data) {
        return Err(UbootError::Torn);
    }
    let mut variables = Variables::default();
    for entry in data.split(|byte| *byte == 0) {
        // The empty one is the end; what is behind it is what a longer environment left.
        if entry.is_empty() {
            break;
        }
        if let Some(equals) = entry.iter().position(|byte| *byte == b'=') {
            variables.push(&entry[..equals], &entry[equals + 1..]);
        }
    }
    let flag = if form == Form::Redundant { bytes[4] } else { 0 };
    Ok(Copy { flag, variables })
}

/// An environment of `size` bytes. A variable without a value is left out, as U-Boot does it.
pub fn encode(copy: &Copy, size: usize, form: Form) -> Result<Vec<u8>, UbootError> {
    let mut bytes = vec![0; form.header()];
    for (name, value) in copy.variables.iter().filter(|(_, value)| !value.is_empty()) {
        bytes.extend_from_slice(name);
        bytes.push(b'=');
        bytes.extend_from_slice(value);
        bytes.push(0);
    }
    bytes.push(0);
    if bytes.len() > size {
        return Err(UbootError::TooLong(bytes.len() - size));
    }
    bytes.resize(size, 0);
    if form == Form::Redundant {
        bytes[4] = copy.flag;
    }
    let crc = crc32(&bytes[form.header()..]).to_le_bytes();
    bytes[..4].copy_from_slice(&crc);
    Ok(bytes)
}

/// Which of two copies counts: one that is whole, or of two the newer. The flag counts up and around, so 0 is newer
/// than 255.
pub fn newer(first: Option<u8>, second: Option<u8>) -> Option<usize> {
    match (first, second) {
        (Some(first), Some(second)) => {
            let second_is_newer = (first, second) == (255, 0) || second > first && (second, first) != (255, 0);
            Some(usize::from(second_is_newer))
        }
        (Some(_), None) => Some(0),
        (None, Some(_)) => Some(1),
        (None, None) => None,
    }
}

/// Where a copy lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub device: String,
    pub offset: u64,
    pub size: usize,
}

/// Reads `fw_env.config`: a place a line, at most two; what follows the size is for raw flash.
pub fn parse_config(text: &str) -> Result<Vec<Place>, UbootError> {
    let mut places = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(device) = words.next() else { continue };
        let place = (|| {
            let offset = number_of(words.next()?)?;
            let size = number_of(words.next()?)?;
            let size = usize::try_from(size).ok().filter(|size| LAWFUL_SIZES.contains(size))?;
            Some(Place { device: device.to_owned(), offset, size })
        })();
        places.push(place.ok_or(UbootError::Line(number + 1))?);
    }
    match &places[..] {
        [_] => Ok(places),
        [first, second] if first.size == second.size => Ok(places),
        [_, _] => Err(UbootError::Sizes),
        _ => Err(UbootError::Places(places.len())),
    }
}

/// Reads the environment that U-Boot was built with: `name=value`, one a line.
pub fn parse_initial(text: &str) -> Variables {
    let mut variables = Variables::default();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        variables.set(name, value);
    }
    variables
}

/// Larger environments are not made.
const LAWFUL_SIZES: std::ops::RangeInclusive<usize> = 64..=1024 * 1024;

/// As C writes them: `0x` is hexadecimal.
fn number_of(word: &str) -> Option<u64> {
    match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_survives_its_encoding() {
        let mut variables = Variables::default();
        variables.set("bootcmd", "run a; run b=c");
        variables.set("gone", "");
        for form in [Form::Single, Form::Redundant] {
            let flag = if form == Form::Redundant { 7 } else { 0 };
            let bytes = encode(&Copy { flag, variables: variables.clone() }, 128, form).unwrap();
            let read = decode(&bytes, form).unwrap();
            assert_eq!((read.flag, read.variables.text("bootcmd")), (flag, Some("run a; run b=c")));
            assert_eq!(read.variables.text("gone"), None);
        }
        assert_eq!(encode(&Copy { flag: 0, variables }, 16, Form::Single), Err(UbootError::TooLong(12)));
    }

    #[test]
    fn newer_copy_is_found_around_the_end_of_the_flag() {
        let cases = [
            ((Some(1), Some(2)), Some(1)),
            ((Some(2), Some(1)), Some(0)),
            ((Some(255), Some(0)), Some(1)),
            ((Some(0), Some(255)), Some(0)),
            ((Some(3), Some(3)), Some(0)),
            ((None, Some(1)), Some(1)),
            ((Some(1), None), Some(0)),
            ((None, None), None),
        ];
        for ((first, second), wanted) in cases {
            assert_eq!(newer(first, second), wanted, "{first:?} {second:?}");
        }
    }

    #[test]
    fn config_names_one_or_two_places() {
        let text = "# where\n/dev/mmcblk0 0x400000 0x4000\n\n/dev/mmcblk0  4259840 16384 0x200 1 # other\n";
        let places = parse_config(text).unwrap();
        assert_eq!(places[1], Place { device: "/dev/mmcblk0".to_owned(), offset: 0x41_0000, size: 0x4000 });
        for (text, error) in [
            ("", UbootError::Places(0)),
            ("/dev/x 0\n", UbootError::Line(1)),
            ("/dev/x 0 0\n", UbootError::Line(1)),
            ("/dev/x 0 -1\n", UbootError::Line(1)),
            ("/dev/x 0 0x100\n/dev/x 0x100 0x200", UbootError::Sizes),
            ("/d 0 512\n/d 0 512\n/d 0 512", UbootError::Places(3)),
        ] {
            assert_eq!(parse_config(text), Err(error), "{text}");
        }
    }
}
