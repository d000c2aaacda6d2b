//! A configuration value as the text a script sees: the reference nucleus's spelling of numbers, compact JSON with keys
//! in order for lists and maps.

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

pub(crate) fn of_value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => of_float(float),
            None => number.to_string(),
        },
        Value::Null | Value::Bool(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => {
            let mut out = Vec::new();
            // Writing values to memory cannot fail; should it ever, plain JSON is the same document.
            match value.serialize(&mut Serializer::with_formatter(&mut out, JavaNumbers)) {
                Ok(()) => String::from_utf8(out).unwrap_or_else(|_| value.to_string()),
                Err(_) => value.to_string(),
            }
        }
    }
}

/// A float as Java spells it: always with a point, and with an exponent below 0.001 and from ten million on.
fn of_float(float: f64) -> String {
    let magnitude = float.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{float:?}");
    }
    let spelled = format!("{float:E}");
    match spelled.split_once('E') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        _ => spelled,
    }
}

struct JavaNumbers;

impl Formatter for JavaNumbers {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(of_float(value).as_bytes())
    }
}
