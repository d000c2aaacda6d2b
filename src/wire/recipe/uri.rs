//! Whether a text is a URI as Java's `java.net.URI` takes it: RFC 2396, with other Unicode characters let through.

/// Why it is none.
pub(super) fn fault(text: &str) -> Option<String> {
    let mut rest = text.char_indices();
    while let Some((offset, character)) = rest.next() {
        match character {
            '%' => {
                let digits = text.get(offset + 1..offset + 3);
                if !digits.is_some_and(|d| d.bytes().all(|b| b.is_ascii_hexdigit())) {
                    return Some("a % is not followed by two hexadecimal digits".into());
                }
            }
            ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' => {
                return Some(format!(
                    "the character {character:?} is not allowed; write it as %{:02X}",
                    u32::from(character)
                ));
            }
            other if other.is_control() || other.is_whitespace() => {
                return Some(format!("the character U+{:04X} is not allowed", u32::from(other)));
            }
            _ => {}
        }
    }
    let (before, fragment) = match text.split_once('#') {
        Some((before, fragment)) => (before, Some(fragment)),
        None => (text, None),
    };
    if fragment.is_some_and(|f| f.contains('#')) {
        return Some("it has two #".into());
    }
    let (scheme, rest) = match before.find([':', '/', '?']) {
        Some(at) if before.as_bytes()[at] == b':' => (Some(&before[..at]), &before[at + 1..]),
        _ => (None, before),
    };
    if let Some(scheme) = scheme {
        if !is_scheme(scheme) {
            return Some("its scheme must begin with a letter and hold only letters, digits, '+', '-' and '.'".into());
        }
        if rest.is_empty() {
            return Some("nothing follows its scheme".into());
        }
        if !rest.starts_with('/') {
            return None;
        }
    }
    hierarchical_fault(rest)
}

pub(super) fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// Brackets may stand in the query, and in the authority around an address.
fn hierarchical_fault(text: &str) -> Option<String> {
    let path = text.split('?').next().unwrap_or(text);
    let path = match path.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            if rest.is_empty() {
                return Some("a host or path is missing after //".into());
            }
            &rest[end..]
        }
        None => path,
    };
    path.contains(['[', ']']).then(|| "brackets are not allowed in its path; write %5B and %5D".into())
}
