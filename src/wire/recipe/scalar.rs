//! What a plain YAML scalar is: the words and numbers of YAML 1.1 as the reference nucleus reads them.

use serde_json::Number;

use super::node::Kind;

/// Resolves a scalar without quotes and without tag.
pub(super) fn resolve(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Kind::Bool(true, text.into()),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Kind::Bool(false, text.into()),
        _ => match number(text) {
            Some(number) => Kind::Number(number, text.into()),
            None => Kind::Text(text.into()),
        },
    }
}

/// The number a text is in YAML 1.1: decimal, `0x`, `0b`, octal with a leading 0, floats; `_` between digits.
/// Sexagesimal numbers (`1:30`) and integers too large to hold stay texts.
pub(super) fn number(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    match digits.as_bytes() {
        [b'0'] => Some(Number::from(0)),
        [b'0', b'x', rest @ ..] => integer(rest, 16, negative),
        [b'0', b'b', rest @ ..] => integer(rest, 2, negative),
        [b'0', rest @ ..] if rest.iter().all(|b| matches!(b, b'0'..=b'7' | b'_')) => integer(rest, 8, negative),
        [b'1'..=b'9', rest @ ..] if rest.iter().all(|b| matches!(b, b'0'..=b'9' | b'_')) => {
            integer(digits.as_bytes(), 10, negative)
        }
        _ => float(digits, negative),
    }
}

/// Whether a text is one of the numbers of YAML that JSON has no word for.
pub(super) fn is_not_finite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

fn integer(digits: &[u8], radix: u32, negative: bool) -> Option<Number> {
    let plain: String = digits.iter().filter(|b| **b != b'_').map(|b| char::from(*b)).collect();
    if plain.starts_with('+') {
        return None;
    }
    let magnitude = u64::from_str_radix(&plain, radix).ok()?;
    if negative { 0i64.checked_sub_unsigned(magnitude).map(Number::from) } else { Some(Number::from(magnitude)) }
}

fn float(text: &str, negative: bool) -> Option<Number> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
    }
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let begins_with_digit = |part: &str| part.bytes().next().is_some_and(|b| b.is_ascii_digit());
    let fraction_stands_alone = whole.is_empty() && fraction.is_some_and(begins_with_digit);
    if !digits(whole) || !fraction.is_none_or(digits) || !(begins_with_digit(whole) || fraction_stands_alone) {
        return None;
    }
    if fraction.is_none() && exponent.is_none() && whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    let value: f64 = plain.parse().ok()?;
    Number::from_f64(if negative { -value } else { value })
}
