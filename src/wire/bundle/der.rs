//! DER, the one encoding of ASN.1 that leaves no choice (ITU-T X.690, chapter 10).
//!
//! What leaves a choice is refused: indefinite lengths, lengths with more bytes than needed, bytes behind the last value.
//! So two files that mean the same thing are the same bytes, and none can be changed without being noticed.

pub const BOOLEAN: u8 = 0x01;
pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const NULL: u8 = 0x05;
pub const OBJECT_ID: u8 = 0x06;
pub const UTF8_STRING: u8 = 0x0c;
pub const UTC_TIME: u8 = 0x17;
pub const GENERALIZED_TIME: u8 = 0x18;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;

/// The tag of a context-specific value that contains others: `[number]`.
pub const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// The tag of a context-specific value that is only bytes.
pub const fn context_plain(number: u8) -> u8 {
    0x80 | number
}

/// One value and the bytes it was made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value<'a> {
    pub tag: u8,
    pub content: &'a [u8],
    /// With tag and length.
    pub whole: &'a [u8],
}

/// Takes values off the front of some bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next value, whatever it is.
    pub fn any(&mut self) -> Result<Value<'a>, DerError> {
        let (value, rest) = split(self.rest)?;
        self.rest = rest;
        Ok(value)
    }

    /// The next value, which must have this tag.
    pub fn value(&mut self, tag: u8) -> Result<Value<'a>, DerError> {
        match self.rest.first() {
            Some(found) if *found == tag => self.any(),
            Some(found) => Err(DerError::Tag { expected: tag, found: *found }),
            None => Err(DerError::Missing { expected: tag }),
        }
    }

    /// The next value if it has this tag.
    pub fn optional(&mut self, tag: u8) -> Result<Option<Value<'a>>, DerError> {
        if self.rest.first() == Some(&tag) { self.any().map(Some) } else { Ok(None) }
    }

    /// A reader of what is in the next value.
    pub fn inside(&mut self, tag: u8) -> Result<Self, DerError> {
        Ok(Self::new(self.value(tag)?.content))
    }

    /// The content of an INTEGER that is not negative, without the zero in front.
    pub fn unsigned(&mut self) -> Result<&'a [u8], DerError> {
        match self.value(INTEGER)?.content {
            [] => Err(DerError::Integer),
            [0] => Ok(&[]),
            [0, second, ..] if *second < 0x80 => Err(DerError::Integer),
            [0, rest @ ..] => Ok(rest),
            [first, ..] if *first >= 0x80 => Err(DerError::Integer),
            all => Ok(all),
        }
    }

    /// An INTEGER that is small and not negative.
    pub fn small(&mut self) -> Result<u32, DerError> {
        let bytes = self.unsigned()?;
        if bytes.len() > 4 {
            return Err(DerError::Integer);
        }
        Ok(bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
    }

    /// The content of a BIT STRING of whole bytes.
    pub fn bits(&mut self) -> Result<&'a [u8], DerError> {
        match self.value(BIT_STRING)?.content {
            [0, bytes @ ..] => Ok(bytes),
            _ => Err(DerError::BitString),
        }
    }

    /// A point in time, in seconds since 1970: UTCTime or GeneralizedTime, as RFC 5280 restricts them.
    pub fn time(&mut self) -> Result<i64, DerError> {
        let value = self.any()?;
        let digits = match (value.tag, value.content.strip_suffix(b"Z")) {
            (UTC_TIME, Some(digits)) if digits.len() == 12 => digits,
            (GENERALIZED_TIME, Some(digits)) if digits.len() == 14 => digits,
            _ => return Err(DerError::Time),
        };
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(DerError::Time);
        }
        let number = |digits: &[u8]| digits.iter().fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        let (year, rest) = digits.split_at(digits.len() - 10);
        let year = match (year.len(), number(year)) {
            (2, year) if year < 50 => 2000 + year,
            (2, year) => 1900 + year,
            (_, year) => year,
        };
        let part = |at: usize| number(&rest[at..at + 2]);
        seconds(year, part(0), part(2), part(4), part(6), part(8)).ok_or(DerError::Time)
    }

    /// All has been read.
    pub fn end(&self) -> Result<(), DerError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DerError::Behind { bytes: self.rest.len() }) }
    }
}

fn split(bytes: &[u8]) -> Result<(Value<'_>, &[u8]), DerError> {
    let short = DerError::Truncated;
    let (&tag, rest) = bytes.split_first().ok_or(short)?;
    if tag & 0x1f == 0x1f {
        return Err(DerError::LongTag);
    }
    let (&first, rest) = rest.split_first().ok_or(short)?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f)).ok_or(short)?;
            let value = length.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            if value < 0x80 || length[0] == 0 {
                return Err(DerError::Length);
            }
            (usize::try_from(value).map_err(|_| short)?, rest)
        }
        _ => return Err(DerError::Length),
    };
    let (content, rest) = rest.split_at_checked(length).ok_or(short)?;
    Ok((Value { tag, content, whole: &bytes[..bytes.len() - rest.len()] }, rest))
}

/// Seconds since 1970 of a date of the Gregorian calendar; none if there is no such moment.
fn seconds(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Option<i64> {
    const DAYS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let index = usize::try_from(month - 1).ok()?;
    let last = DAYS.get(index)? + i64::from(leap && month == 2);
    if !(1..=last).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Leap days lie at the end of a year that begins in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = days + (month * 153 + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Writes one value: tag, length, and the parts one after the other.
pub fn encode(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    if length < 0x80 {
        out.push(length.to_le_bytes()[0]);
    } else {
        let bytes = length.to_be_bytes();
        let skip = bytes.iter().take_while(|byte| **byte == 0).count();
        out.push(0x80 | (bytes.len() - skip).to_le_bytes()[0]);
        out.extend_from_slice(&bytes[skip..]);
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// Writes an INTEGER that is not negative, from big-endian bytes.
pub fn encode_unsigned(bytes: &[u8]) -> Vec<u8> {
    let skip = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[skip..];
    let zero: &[u8] = if bytes.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    encode(INTEGER, &[zero, bytes])
}

/// Writes a SET OF: DER sorts the members by their bytes.
pub fn encode_set_of(tag: u8, mut members: Vec<Vec<u8>>) -> Vec<u8> {
    members.sort();
    encode(tag, &members.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// Writes a time as RFC 5280 wants it: UTCTime until 2049, GeneralizedTime from then on.
pub fn encode_time(seconds: i64) -> Vec<u8> {
    let days = seconds.div_euclid(86_400) + 719_468;
    let rest = seconds.rem_euclid(86_400);
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, year) = (day - (153 * month + 2) / 5 + 1, year + era * 400 + i64::from(month > 9));
    let month = if month < 10 { month + 3 } else { month - 9 };
    let tail = format!("{month:02}{day:02}{:02}{:02}{:02}Z", rest / 3600, rest / 60 % 60, rest % 60);
    if (1950..2050).contains(&year) {
        encode(UTC_TIME, &[format!("{:02}{tail}", year % 100).as_bytes()])
    } else {
        encode(GENERALIZED_TIME, &[format!("{year:04}{tail}").as_bytes()])
    }
}

/// Bytes that are not DER, or not the value expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DerError {
    #[error("the bytes end within a value")]
    Truncated,
    #[error("a tag of more than one byte, which nothing in a signature has")]
    LongTag,
    #[error("a length that DER does not allow")]
    Length,
    #[error("a value of type {found:#04x} where one of type {expected:#04x} must be")]
    Tag { expected: u8, found: u8 },
    #[error("the value of type {expected:#04x} is missing")]
    Missing { expected: u8 },
    #[error("{bytes} bytes behind the last value")]
    Behind { bytes: usize },
    #[error("an INTEGER that is negative, too large or longer than need be")]
    Integer,
    #[error("a BIT STRING that is not whole bytes")]
    BitString,
    #[error("a time that does not exist, or is not in UTC with seconds")]
    Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_read_as_it_was_written() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![7; length];
            let whole = encode(OCTET_STRING, &[&content]);
            let mut reader = Reader::new(&whole);
            let value = reader.value(OCTET_STRING).unwrap();
            assert_eq!((value.content, value.whole, reader.end()), (&content[..], &whole[..], Ok(())), "{length}");
        }
    }

    #[test]
    fn bytes_that_leave_a_choice_are_refused() {
        let cases: [(&[u8], DerError); 12] = [
            (&[], DerError::Truncated),
            (&[0x30], DerError::Truncated),
            (&[0x30, 2, 0], DerError::Truncated),
            (&[0x30, 0x80, 0, 0], DerError::Length),
            (&[0x30, 0x81, 0x7f], DerError::Length),
            (&[0x30, 0x82, 0, 0x80], DerError::Length),
            (&[0x30, 0x81], DerError::Truncated),
            (&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], DerError::Truncated),
            (&[0x30, 0x85, 1, 0, 0, 0, 0], DerError::Length),
            (&[0x30, 0xff], DerError::Length),
            (&[0x1f, 0], DerError::LongTag),
            (&[0xbf, 0x1f, 0], DerError::LongTag),
        ];
        for (bytes, error) in cases {
            assert_eq!(Reader::new(bytes).any(), Err(error), "{bytes:x?}");
        }
        assert_eq!(Reader::new(&[5, 0]).end(), Err(DerError::Behind { bytes: 2 }));
    }

    #[test]
    fn integers_have_one_form() {
        for (bytes, value) in [(&[2_u8, 1, 0][..], 0), (&[2, 1, 5], 5), (&[2, 2, 0, 0x80], 128), (&[2, 2, 1, 0], 256)] {
            assert_eq!(Reader::new(bytes).small(), Ok(value), "{bytes:x?}");
            assert_eq!(encode_unsigned(&value.to_be_bytes()), bytes);
        }
        for bytes in [&[2_u8, 0][..], &[2, 1, 0x80], &[2, 2, 0, 5], &[2, 5, 1, 0, 0, 0, 0]] {
            assert_eq!(Reader::new(bytes).small(), Err(DerError::Integer), "{bytes:x?}");
        }
    }

    #[test]
    fn times_are_seconds() {
        let cases = [
            ("19700101000000Z", 0),
            ("19500101000000Z", -631_152_000),
            ("20000229235959Z", 951_868_799),
            ("20261122045038Z", 1_795_323_038),
            ("20491231235959Z", 2_524_607_999),
            ("20500101000000Z", 2_524_608_000),
            ("99991231235959Z", 253_402_300_799),
        ];
        for (text, expected) in cases {
            let whole = encode(GENERALIZED_TIME, &[text.as_bytes()]);
            assert_eq!(Reader::new(&whole).time(), Ok(expected), "{text}");
            assert_eq!(Reader::new(&encode_time(expected)).time(), Ok(expected), "{text}");
        }
        assert_eq!(encode_time(1_795_323_038), b"\x17\x0d261122045038Z");
        for text in [
            "20230229000000Z",
            "20231301000000Z",
            "20230100000000Z",
            "20230101240000Z",
            "2023010100000Z",
            "2023010100000+Z",
        ] {
            let whole = encode(GENERALIZED_TIME, &[text.as_bytes()]);
            assert_eq!(Reader::new(&whole).time(), Err(DerError::Time), "{text}");
        }
    }
}
