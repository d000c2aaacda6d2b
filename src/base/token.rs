//! A secret word that says who someone is.

use std::fmt;
use std::hint::black_box;

/// What a client shows to be known. Never logged, never written but where its owner reads it.
///
/// There is no `==`: [`is`](Self::is) takes the same time wherever two tokens differ.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// 16 characters of `A-Z2-7`: 80 bits from the operating system.
    #[expect(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Self {
        let bytes = uuid::Uuid::new_v4().into_bytes();
        // Bytes 6 and 8 of a version 4 UUID carry fixed bits; the rest is random.
        let random = bytes[..6].iter().chain(&bytes[9..13]);
        let bits = random.fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let letter = |place: u32| char::from(ALPHABET[usize::try_from(bits >> (5 * place) & 31).unwrap_or_default()]);
        Self((0..16).map(letter).collect())
    }

    /// What somebody shows, to be compared.
    pub fn shown(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both are the same. Its time tells their lengths at most, which are no secret.
    pub fn is(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), other.0.as_bytes());
        let differences = ours.iter().zip(theirs).fold(0, |found, (one, other)| black_box(found | (one ^ other)));
        ours.len() == theirs.len() && differences == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_has_sixteen_upper_case_characters_and_is_never_the_same() {
        let tokens: Vec<Token> = (0..100).map(|_| Token::new()).collect();
        for token in &tokens {
            assert_eq!(token.as_str().len(), 16);
            assert!(token.as_str().bytes().all(|byte| ALPHABET.contains(&byte)));
        }
        let different: std::collections::BTreeSet<_> = tokens.iter().map(Token::as_str).collect();
        assert_eq!(different.len(), 100);
        assert_eq!(format!("{:?}", tokens[0]), "Token(..)");
    }

    #[test]
    fn token_is_only_the_same_text() {
        let token = Token::shown("ABCD".into());
        assert!(token.is(&Token::shown("ABCD".into())));
        for other in ["", "ABC", "ABCE", "XBCD", "ABCDE", "abcd"] {
            assert!(!token.is(&Token::shown(other.into())), "{other}");
        }
    }
}
