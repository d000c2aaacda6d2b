//! How the model writes blobs and times.

use std::fmt;

use base64::Engine;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes; standard base64 with padding in JSON.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Blob(pub Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        base64(&self.0, serializer)
    }
}

/// For bytes that are borrowed. The text is never in memory as a whole: a blob may be large.
pub(super) fn base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Base64Display::new(bytes, &STANDARD))
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

/// Decodes the text where it stands.
struct Text;

impl Visitor<'_> for Text {
    type Value = Blob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string of base64")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Blob, E> {
        STANDARD.decode(text).map(Blob).map_err(|_| E::custom("a blob is not valid base64"))
    }
}

/// A point in time, in milliseconds since 1970; seconds with a fraction in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Seconds {
    pub milliseconds: u64,
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Exact for any time a device will see: 2^53 ms are 285,000 years.
        #[allow(clippy::cast_precision_loss, reason = "see above")]
        serializer.serialize_f64(self.milliseconds as f64 / 1000.0)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        if !(0.0..=MOST_SECONDS).contains(&seconds) {
            return Err(D::Error::invalid_value(Unexpected::Float(seconds), &"seconds since 1970"));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
        let milliseconds = (seconds * 1000.0).round() as u64;
        Ok(Self { milliseconds })
    }
}

/// The year 9999: what lies beyond is no time.
const MOST_SECONDS: f64 = 253_402_300_799.0;

/// How deep objects and lists lie in each other, in text that is JSON.
pub fn nesting(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next()
                    && byte != b'"'
                {
                    if byte == b'\\' {
                        bytes.next();
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_counts_brackets_outside_of_strings() {
        for (json, depth) in [
            ("1", 0),
            (r#""[[{\"[""#, 0),
            ("{}", 1),
            (r#"{"a": [[], {"b": "]}"}], "c": []}"#, 3),
            (r#"{"\\": [], "}": {"x": [1]}}"#, 3),
        ] {
            assert_eq!(nesting(json), depth, "{json}");
        }
    }

    #[test]
    fn times_are_seconds_with_a_fraction() {
        let time: Seconds = serde_json::from_str("1700000000.123").unwrap();
        assert_eq!(time.milliseconds, 1_700_000_000_123);
        assert_eq!(serde_json::to_string(&time).unwrap(), "1700000000.123");
        assert_eq!(serde_json::from_str::<Seconds>("1700000000").unwrap().milliseconds, 1_700_000_000_000);
        for refused in ["-1", "1e300", "\"1\"", "null"] {
            assert!(serde_json::from_str::<Seconds>(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn blobs_are_base64() {
        assert_eq!(serde_json::to_string(&Blob(vec![0, 255])).unwrap(), "\"AP8=\"");
        assert_eq!(serde_json::from_str::<Blob>("\"AP8=\"").unwrap(), Blob(vec![0, 255]));
        assert_eq!(serde_json::from_str::<Blob>("\"\"").unwrap(), Blob::default());
        assert!(serde_json::from_str::<Blob>("\"AP8\"").is_err());
    }
}
