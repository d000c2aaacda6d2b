//! Who a component is: the token it gets as `SVCUID` and shows at the IPC door.

use std::collections::BTreeMap;

use crate::base::token::Token;
use crate::wire::name::ComponentName;

/// The tokens of all components; a component keeps its own until it is gone.
#[derive(Debug, Default)]
pub(super) struct Tokens(BTreeMap<ComponentName, Token>);

impl Tokens {
    /// The token of a component, made when it is asked for first.
    pub(super) fn of(&mut self, name: &ComponentName) -> Token {
        self.0.entry(name.clone()).or_insert_with(Token::new).clone()
    }

    /// Whose token this is. Looks at all of them, so that the time it takes says nothing about any.
    pub(super) fn component_of(&self, shown: &Token) -> Option<&ComponentName> {
        self.0.iter().fold(None, |found, (name, token)| if token.is(shown) { Some(name) } else { found })
    }

    pub(super) fn forget(&mut self, name: &ComponentName) {
        self.0.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_know_their_component_until_it_is_gone() {
        let mut tokens = Tokens::default();
        let [a, b] = ["a", "b"].map(|name| ComponentName::parse(name).unwrap());
        let token = tokens.of(&a);
        let other = tokens.of(&b);
        assert!(tokens.of(&a).is(&token) && !token.is(&other));
        assert_eq!(tokens.component_of(&token), Some(&a));
        assert_eq!(tokens.component_of(&other), Some(&b));
        assert_eq!(tokens.component_of(&Token::shown(String::new())), None);
        tokens.forget(&a);
        assert_eq!(tokens.component_of(&token), None);
        assert!(!tokens.of(&a).is(&token));
    }
}
