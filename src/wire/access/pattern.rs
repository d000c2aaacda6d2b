//! One resource of a policy: a text that begins with its `prefix`, and what may come behind it.

use super::Style;

/// A resource pattern, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pattern {
    /// What every covered resource begins with.
    pub(super) prefix: Box<str>,
    /// What may follow; `None` when nothing may.
    pub(super) tail: Option<Tail>,
}

/// What lies behind the prefix.
///
/// A `+` takes a whole level, so where it ends is certain; and of several places for what stands between two `*`, the
/// first one leaves most to the rest: no choice is ever taken back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Tail {
    /// Right behind the prefix.
    first: Piece,
    /// Behind a `*` each, never empty.
    floating: Box<[Piece]>,
    ending: Ending,
}

/// What stands between two `*`.
type Piece = Vec<Token>;

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Text(Box<str>),
    /// `+`: everything up to the next `/`.
    Level,
}

/// Where a covered resource may end, seen from the end of the last piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    Here,
    /// `/#`: here, or any number of levels below.
    Below,
    Anywhere,
}

impl Pattern {
    /// Longer ones are refused: twice what an ARN can have.
    pub(super) const MAX_BYTES: usize = 4096;
    /// `+` that one may have: a bound on what is tried for each level of a resource.
    const MAX_LEVELS: usize = 32;

    pub(super) fn parse(resource: &str, style: Style) -> Result<Self, PatternError> {
        if resource.chars().all(char::is_whitespace) {
            return Err(PatternError::Empty);
        }
        if resource.len() > Self::MAX_BYTES {
            return Err(PatternError::TooLong);
        }
        let mut pieces = Pieces::default();
        let mut ending = Ending::Here;
        let mut rest = resource;
        let mut at_level = true;
        while let Some(character) = rest.chars().next() {
            let behind = &rest[character.len_utf8()..];
            let starts_level = std::mem::replace(&mut at_level, character == '/');
            rest = behind;
            match character {
                '$' if behind.starts_with('{') => {
                    pieces.literal.push(escaped(behind).ok_or(PatternError::Escape)?);
                    rest = &behind["{x}".len()..];
                }
                '?' => return Err(PatternError::QuestionMark),
                '*' => pieces.split(),
                '+' if style == Style::Mqtt && starts_level && (behind.is_empty() || behind.starts_with('/')) => {
                    pieces.level();
                }
                '#' if style == Style::Mqtt && starts_level && behind.is_empty() => {
                    // Without the '/' before it: the level above is covered, too. There is none above the first.
                    ending = if pieces.literal.pop().is_some() { Ending::Below } else { Ending::Anywhere };
                }
                character => pieces.literal.push(character),
            }
        }
        if pieces.levels > Self::MAX_LEVELS {
            return Err(PatternError::TooManyLevels);
        }
        Ok(pieces.into_pattern(ending))
    }
}

/// The character of `{c}`, if it is one that needs an escape.
fn escaped(braced: &str) -> Option<char> {
    ["{*}", "{$}", "{?}"].iter().find(|escape| braced.starts_with(**escape))?.chars().nth(1)
}

/// A pattern in the making.
#[derive(Default)]
struct Pieces {
    done: Vec<Piece>,
    piece: Piece,
    literal: String,
    levels: usize,
}

impl Pieces {
    fn flush(&mut self) {
        if !self.literal.is_empty() {
            self.piece.push(Token::Text(std::mem::take(&mut self.literal).into()));
        }
    }

    fn level(&mut self) {
        self.flush();
        self.levels += 1;
        self.piece.push(Token::Level);
    }

    fn split(&mut self) {
        self.flush();
        self.done.push(std::mem::take(&mut self.piece));
    }

    fn into_pattern(mut self, ending: Ending) -> Pattern {
        self.split();
        let mut pieces = self.done.into_iter();
        let mut first = pieces.next().unwrap_or_default();
        let floating: Vec<Piece> = pieces.collect();
        // A `*` at the end takes what is there, and levels below anyway.
        let ending = if floating.last().is_some_and(Vec::is_empty) { Ending::Anywhere } else { ending };
        let floating: Box<[Piece]> = floating.into_iter().filter(|piece| !piece.is_empty()).collect();
        let prefix = match first.first_mut() {
            Some(Token::Text(text)) => {
                let text = std::mem::take(text);
                first.remove(0);
                text
            }
            _ => Box::default(),
        };
        let whole = first.is_empty() && floating.is_empty() && ending == Ending::Here;
        Pattern { prefix, tail: (!whole).then_some(Tail { first, floating, ending }) }
    }
}

impl Tail {
    /// Whether `text`, what a resource has behind the prefix, is covered.
    pub(super) fn covers(&self, text: &str) -> bool {
        let Some(mut at) = end(&self.first, text, 0) else { return false };
        let Some((last, others)) = self.floating.split_last() else {
            return self.ending.allows(text, at);
        };
        for piece in others {
            let first = match piece.as_slice() {
                [Token::Text(only)] => text[at..].find(&**only).map(|begin| at + begin + only.len()),
                piece => ends(piece, text, at).next(),
            };
            let Some(first) = first else { return false };
            at = first;
        }
        match (last.as_slice(), self.ending) {
            ([Token::Text(only)], Ending::Here) => text[at..].ends_with(&**only),
            ([Token::Text(only)], Ending::Below) => {
                slashes(text, at).chain([text.len()]).any(|end| text[at..end].ends_with(&**only))
            }
            ([Token::Text(only)], Ending::Anywhere) => text[at..].contains(&**only),
            (piece, ending) => ends(piece, text, at).any(|end| ending.allows(text, end)),
        }
    }
}

impl Ending {
    fn allows(self, text: &str, end: usize) -> bool {
        match self {
            Self::Here => end == text.len(),
            Self::Below => end == text.len() || text[end..].starts_with('/'),
            Self::Anywhere => true,
        }
    }
}

/// Where `piece` ends in `text` when it begins at `from`.
fn end(piece: &[Token], text: &str, from: usize) -> Option<usize> {
    piece.iter().try_fold(from, |at, token| match token {
        Token::Text(literal) => text[at..].starts_with(&**literal).then(|| at + literal.len()),
        Token::Level => Some(text[at..].find('/').map_or(text.len(), |length| at + length)),
    })
}

/// Every place where `piece` can end when it begins at `from` or later, in order. It begins with a text, and a `+`
/// comes behind that: only where levels begin is anything to be tried.
fn ends<'a>(piece: &'a [Token], text: &'a str, from: usize) -> impl Iterator<Item = usize> + 'a {
    let (literal, behind) = match piece.split_first() {
        Some((Token::Text(literal), behind)) => (&**literal, behind),
        _ => ("", piece),
    };
    slashes(text, from)
        .map(|slash| slash + 1)
        .filter(move |level| text[from..*level].ends_with(literal))
        .filter_map(move |level| end(behind, text, level))
}

fn slashes(text: &str, from: usize) -> impl Iterator<Item = usize> {
    text[from..].match_indices('/').map(move |(at, _)| from + at)
}

/// Why a resource is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PatternError {
    #[error("it is empty")]
    Empty,
    #[error("it is longer than 4096 bytes")]
    TooLong,
    #[error("it has more than 32 '+'")]
    TooManyLevels,
    #[error("of the escapes there are only ${{*}}, ${{$}} and ${{?}}")]
    Escape,
    #[error("'?' is no wildcard, itself is written ${{?}}")]
    QuestionMark,
}
