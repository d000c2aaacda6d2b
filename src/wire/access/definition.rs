//! What a resource of a policy means, letter by letter: slow, and what the compiled form is held against.

use super::Style;

enum Letter {
    Is(char),
    /// Any text, or with `false` any text without a `/`.
    Any(bool),
}

/// Whether `resource` of a policy covers `requested`; `None` when it is refused.
pub(crate) fn covers(resource: &str, style: Style, requested: &str) -> Option<bool> {
    if resource.trim().is_empty() || resource.len() > super::pattern::Pattern::MAX_BYTES {
        return None;
    }
    let requested: Vec<char> = requested.chars().collect();
    let with_mqtt = style == Style::Mqtt;
    if with_mqtt && let Some(above) = resource.strip_suffix("/#") {
        let mut below = letters(&format!("{above}/"), style)?;
        below.push(Letter::Any(true));
        return Some(matches(&letters(above, style)?, &requested) || matches(&below, &requested));
    }
    if with_mqtt && resource == "#" {
        return Some(true);
    }
    Some(matches(&letters(resource, style)?, &requested))
}

fn letters(resource: &str, style: Style) -> Option<Vec<Letter>> {
    let mut letters = Vec::new();
    let levels: Vec<&str> = resource.split('/').collect();
    for (number, level) in levels.iter().enumerate() {
        if number > 0 {
            letters.push(Letter::Is('/'));
        }
        if *level == "+" && style == Style::Mqtt {
            letters.push(Letter::Any(false));
            continue;
        }
        let mut rest: Vec<char> = level.chars().collect();
        while let Some(first) = rest.first().copied() {
            let length = match rest.as_slice() {
                ['$', '{', escaped @ ('*' | '$' | '?'), '}', ..] => {
                    letters.push(Letter::Is(*escaped));
                    4
                }
                ['$', '{', ..] | ['?', ..] => return None,
                ['*', ..] => {
                    letters.push(Letter::Any(true));
                    1
                }
                _ => {
                    letters.push(Letter::Is(first));
                    1
                }
            };
            rest.drain(..length);
        }
    }
    Some(letters)
}

/// Goes through every way to read `text`: `reached` are the places in `text` up to which the letters so far can go.
fn matches(letters: &[Letter], text: &[char]) -> bool {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for letter in letters {
        let before = std::mem::replace(&mut reached, vec![false; text.len() + 1]);
        for at in 0..=text.len() {
            reached[at] = match letter {
                Letter::Is(letter) => at > 0 && before[at - 1] && text[at - 1] == *letter,
                Letter::Any(levels) => before[at] || at > 0 && reached[at - 1] && (*levels || text[at - 1] != '/'),
            };
        }
    }
    reached[text.len()]
}
