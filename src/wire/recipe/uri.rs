//! Whether a text is a URI as Java's `java.net.URI` takes it: RFC 2396, with other Unicode characters let through.

use std::net::Ipv6Addr;

/// Why it is none.
pub(super) fn fault(text: &str) -> Option<String> {
    for (offset, character) in text.char_indices() {
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
    hierarchical_fault(rest, fragment.is_some())
}

pub(super) fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// Brackets may stand in the query, and in the authority around an address.
fn hierarchical_fault(text: &str, has_fragment: bool) -> Option<String> {
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    let path = match path.strip_prefix("//") {
        None => path,
        Some("") if query.is_none() && !has_fragment => return Some("a host or path is missing after //".into()),
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            if !is_authority(authority) {
                return Some("brackets in its host are only for an IPv6 address, as in [::1]".into());
            }
            path
        }
    };
    path.contains(['[', ']']).then(|| "brackets are not allowed in its path; write %5B and %5D".into())
}

/// Without brackets anything goes: what is no server's name may be a name of another kind.
fn is_authority(text: &str) -> bool {
    if !text.contains(['[', ']']) {
        return true;
    }
    let (user, host) = text.rsplit_once('@').unwrap_or(("", text));
    let address = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    address.is_some_and(|(address, port)| {
        let address = address.split('%').next().unwrap_or(address);
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()));
        is_port && !user.contains(['[', ']']) && address.parse::<Ipv6Addr>().is_ok()
    })
}
