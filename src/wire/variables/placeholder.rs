//! Where the placeholders of a text are.

/// The two shapes of a placeholder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// `{namespace:key}`
    Own,
    /// `{component:namespace:key}`
    OfDependency,
}

/// A placeholder and its place in the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Placeholder<'t> {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) component: Option<&'t str>,
    pub(super) namespace: &'t str,
    pub(super) key: &'t str,
}

/// The placeholders of one form, from left to right, none within another.
pub(super) fn find_all(text: &str, form: Form) -> impl Iterator<Item = Placeholder<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let start = from + text.get(from..)?.find('{')?;
            from = start + 1;
            if let Some(placeholder) = at(text, start, form) {
                from = placeholder.end;
                return Some(placeholder);
            }
        }
    })
}

/// The placeholder that begins with the brace at `start`. Looks no further than the next colon or closing brace after
/// the words, which keeps the search linear.
fn at(text: &str, start: usize, form: Form) -> Option<Placeholder<'_>> {
    let after_brace = start + 1;
    let first = word(&text[after_brace..])?;
    let after_first = after_brace + first.len() + 1;
    let (component, namespace, key_start) = match form {
        Form::Own => (None, first, after_first),
        Form::OfDependency => {
            let second = word(&text[after_first..])?;
            (Some(first), second, after_first + second.len() + 1)
        }
    };
    let length = text[key_start..].find([':', '}'])?;
    let key_end = key_start + length;
    (text.as_bytes()[key_end] == b'}').then(|| Placeholder {
        start,
        end: key_end + 1,
        component,
        namespace,
        key: &text[key_start..key_end],
    })
}

/// Letters, digits, `_`, `-` and `.` before a colon.
fn word(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)))?;
    (end > 0 && text.as_bytes()[end] == b':').then(|| &text[..end])
}
