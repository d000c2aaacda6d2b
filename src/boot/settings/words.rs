//! The words of a kernel command line, as the kernel cuts them: at white space that is not between double quotes.

use std::borrow::Cow;

/// Names and values up to a lone `--`, behind which the words are the init's. A word without `=` has an empty value.
pub(super) fn of_cmdline(cmdline: &str) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    let mut rest = cmdline;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let word = &rest[..end_of_word(rest)];
        rest = &rest[word.len()..];
        if word.is_empty() || word == "--" {
            return None;
        }
        // Quotes may be around the value or around the whole word.
        let (name, value) = unquoted(word).split_once('=').unwrap_or((unquoted(word), ""));
        Some((name, without_quotes(value)))
    })
}

fn end_of_word(text: &str) -> usize {
    let mut quoted = false;
    text.find(|letter: char| {
        quoted ^= letter == '"';
        letter.is_whitespace() && !quoted
    })
    .unwrap_or(text.len())
}

/// Without the double quotes around it, if there are two.
pub(super) fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

fn without_quotes(value: &str) -> Cow<'_, str> {
    if value.contains('"') { Cow::Owned(value.replace('"', "")) } else { Cow::Borrowed(value) }
}
