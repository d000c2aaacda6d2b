//! JSON of which every key counts: one that is given twice is refused instead of one of the two taken.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// As `serde_json::from_slice`; the error names the line and column.
pub fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    Unique.deserialize(&mut reader)?;
    reader.end()?;
    serde_json::from_slice(json)
}

/// Any value, and nothing kept of it.
#[derive(Clone, Copy)]
struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if seen.contains(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} is given twice")));
            }
            seen.insert(key);
            map.next_value_seed(self)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn keys_given_twice_are_refused_with_their_place() {
        for (text, place) in [
            (r#"{"a":1,"a":2}"#, "line 1"),
            ("{\"x\": [{\"a\": {}},\n {\"a\": 1, \"b\": 2, \"\\u0061\": null}]}", "line 2"),
        ] {
            let refused = from_slice::<Value>(text.as_bytes()).unwrap_err().to_string();
            assert!(refused.contains("\"a\" is given twice") && refused.contains(place), "{refused}");
        }
        let text = r#"{"a":[1,-1,1.5,"x",null,true,{"a":{"a":1},"b":1}],"b":1}"#;
        assert_eq!(from_slice::<Value>(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(from_slice::<Value>(b"12345678901234567890123").unwrap(), json!(12345678901234567890123.0));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "{} {}", "[1,]", "\u{0}", "{\"a\":\"\u{0}\"}", &"[".repeat(100_000)] {
            assert!(from_slice::<Value>(text.as_bytes()).is_err(), "{text:.20}");
        }
        assert!(from_slice::<Value>(b"\"\xff\"").is_err());
    }
}
