//! Who a component is: the token it gets as `SVCUID` and shows at the IPC door.

use std::collections::BTreeMap;
use std::fmt;

use crate::wire::name::ComponentName;

/// 16 characters of `A-Z2-7`: 80 bits from the operating system. Never logged.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Token(String);

/// The tokens of all components; a component keeps its own until it is gone.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    by_component: BTreeMap<ComponentName, Token>,
    by_token: BTreeMap<Token, ComponentName>,
}

impl Token {
    pub(super) fn new() -> Self {
        let bytes = uuid::Uuid::new_v4().into_bytes();
        // Bytes 6 and 8 of a version 4 UUID carry fixed bits; the rest is random.
        let random = bytes[..6].iter().chain(&bytes[9..13]);
        let bits = random.fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let letter = |place: u32| char::from(ALPHABET[usize::try_from(bits >> (5 * place) & 31).unwrap_or_default()]);
        Self((0..16).map(letter).collect())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Tokens {
    /// The token of a component, made when it is asked for first.
    pub(super) fn of(&mut self, name: &ComponentName) -> Token {
        if let Some(token) = self.by_component.get(name) {
            return token.clone();
        }
        let token = Token::new();
        self.by_component.insert(name.clone(), token.clone());
        self.by_token.insert(token.clone(), name.clone());
        token
    }

    pub(super) fn component_of(&self, token: &str) -> Option<&ComponentName> {
        self.by_token.get(&Token(token.into()))
    }

    pub(super) fn forget(&mut self, name: &ComponentName) {
        if let Some(token) = self.by_component.remove(name) {
            self.by_token.remove(&token);
        }
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
        let different: std::collections::BTreeSet<_> = tokens.iter().collect();
        assert_eq!(different.len(), 100);
        assert_eq!(format!("{:?}", tokens[0]), "Token(..)");
    }

    #[test]
    fn tokens_know_their_component_until_it_is_gone() {
        let mut tokens = Tokens::default();
        let name = ComponentName::parse("a").unwrap();
        let token = tokens.of(&name);
        assert_eq!(tokens.of(&name), token);
        assert_eq!(tokens.component_of(token.as_str()), Some(&name));
        tokens.forget(&name);
        assert_eq!(tokens.component_of(token.as_str()), None);
        assert_ne!(tokens.of(&name), token);
    }
}
