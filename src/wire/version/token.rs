//! The words of a requirement, in the order the reference nucleus reads them.

/// A word of the requirement language.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Token {
    Version(String),
    Unary(Unary),
    Hyphen,
    Or,
    And,
    Open,
    Close,
}

/// An operator before a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unary {
    Tilde,
    Caret,
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Splits the text. Blanks mean nothing, not even between numbers: `1. 2` is `1.2`. An operator after a version joins.
pub(super) fn split(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut characters = text.chars().peekable();
    let mut after_version = false;
    while let Some(character) = characters.next() {
        let mut doubled = |next: char| characters.next_if_eq(&next).is_some();
        let token = match character {
            ' ' => continue,
            '~' => Token::Unary(Unary::Tilde),
            '^' => Token::Unary(Unary::Caret),
            '=' => Token::Unary(Unary::Equal),
            '<' if doubled('=') => Token::Unary(Unary::LessOrEqual),
            '<' => Token::Unary(Unary::Less),
            '≤' => Token::Unary(Unary::LessOrEqual),
            '≥' => Token::Unary(Unary::GreaterOrEqual),
            '>' if doubled('=') => Token::Unary(Unary::GreaterOrEqual),
            '>' => Token::Unary(Unary::Greater),
            '-' => Token::Hyphen,
            '|' => {
                doubled('|');
                Token::Or
            }
            '(' => Token::Open,
            ')' => Token::Close,
            letter => {
                word.push(letter);
                continue;
            }
        };
        if !word.is_empty() {
            tokens.push(Token::Version(std::mem::take(&mut word)));
            after_version = true;
        }
        if after_version && matches!(token, Token::Unary(_)) {
            tokens.push(Token::And);
        }
        tokens.push(token);
        after_version = false;
    }
    if !word.is_empty() {
        tokens.push(Token::Version(word));
    }
    tokens
}
