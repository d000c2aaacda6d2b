//! JSON text to a tree, each value with its offset.
//!
//! `serde_json` checks and splits the text; raw slices of it tell where a value stood.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_json::value::RawValue;

use super::finding::{Fault, FieldPath, shown};
use super::node::{Kind, MAX_DEPTH, Mark, Node, duplicate_key, too_deep};

pub(super) fn read(text: &str) -> Result<Node, Fault> {
    let mut path = FieldPath::default();
    let whole: &RawValue = serde_json::from_str(text).map_err(|e| {
        let place = Mark::Place { line: e.line().max(1), column: e.column().max(1) };
        let reason = format!("is not JSON: {}", without_place(&e));
        Fault::new(&path, place, reason).hint("check commas, quotes and brackets around this place")
    })?;
    node(text, whole, &mut path)
}

fn node(text: &str, raw: &RawValue, path: &mut FieldPath) -> Result<Node, Fault> {
    let offset = raw.get().as_ptr() as usize - text.as_ptr() as usize;
    let mark = Mark::Offset(offset);
    if path.depth() > MAX_DEPTH {
        return Err(too_deep(path, mark));
    }
    let not_json =
        |e: serde_json::Error| Fault::new(&FieldPath::default(), mark, format!("is not JSON: {}", without_place(&e)));
    let kind = match raw.get().as_bytes().first() {
        Some(b'{') => {
            let Entries(entries) = serde_json::from_str(raw.get()).map_err(not_json)?;
            let mut seen = std::collections::HashSet::with_capacity(entries.len());
            let mut nodes = Vec::with_capacity(entries.len());
            for (key, raw) in &entries {
                let value = path.under(key, |path| {
                    let value = node(text, raw, path)?;
                    if seen.insert(key.as_str()) { Ok(value) } else { Err(duplicate_key(path, value.mark)) }
                })?;
                nodes.push((key.clone(), value));
            }
            Kind::Map(nodes)
        }
        Some(b'[') => {
            let Items(items) = serde_json::from_str(raw.get()).map_err(not_json)?;
            let nodes = items.iter().enumerate().map(|(index, raw)| path.at(index, |path| node(text, raw, path)));
            Kind::List(nodes.collect::<Result<_, _>>()?)
        }
        Some(b'"') => Kind::Text(serde_json::from_str(raw.get()).map_err(not_json)?),
        Some(b't') => Kind::Bool(true, raw.get().into()),
        Some(b'f') => Kind::Bool(false, raw.get().into()),
        Some(b'n') => Kind::Null,
        _ => match serde_json::from_str::<Number>(raw.get()) {
            // An integer too large to hold would change as a float; as a text it does not.
            Ok(number) if number.is_f64() && !raw.get().contains(['.', 'e', 'E']) => Kind::Text(raw.get().into()),
            Ok(number) => Kind::Number(number, raw.get().into()),
            Err(_) => {
                let reason = format!("is a number too large to hold: {}", shown(raw.get()));
                return Err(Fault::new(path, mark, reason).hint("write it as a text, in quotes"));
            }
        },
    };
    Ok(Node { mark, kind })
}

/// The message alone: the place is told apart.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].into(),
        None => text,
    }
}

struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct Items<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemsVisitor;
        impl<'de> Visitor<'de> for ItemsVisitor {
            type Value = Items<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(ItemsVisitor)
    }
}
