//! Which shadow of which thing.

use std::fmt;

use crate::name::NameError;

/// The name of a thing: 1 to 128 characters of `[a-zA-Z0-9:_-]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ThingName(Box<str>);

impl ThingName {
    pub const MAX_LENGTH: usize = 128;

    pub fn parse(text: &str) -> Result<Self, NameError> {
        check("thing name", text, Self::MAX_LENGTH, "it is longer than 128 characters").map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a named shadow: 1 to 64 characters of `[a-zA-Z0-9:_-]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ShadowName(Box<str>);

impl ShadowName {
    pub const MAX_LENGTH: usize = 64;

    pub fn parse(text: &str) -> Result<Self, NameError> {
        check("shadow name", text, Self::MAX_LENGTH, "it is longer than 64 characters").map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One shadow.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ShadowId {
    pub thing: ThingName,
    /// `None` is the classic shadow, which has no name.
    pub shadow: Option<ShadowName>,
}

impl ShadowId {
    /// From the members of a request; an empty shadow name means the classic shadow.
    pub fn parse(thing: &str, shadow: Option<&str>) -> Result<Self, NameError> {
        let thing = ThingName::parse(thing)?;
        let shadow = shadow.filter(|name| !name.is_empty()).map(ShadowName::parse).transpose()?;
        Ok(Self { thing, shadow })
    }
}

impl fmt::Display for ShadowId {
    /// As topics begin and as policies name the resource.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "$aws/things/{}/shadow", self.thing.0)?;
        match &self.shadow {
            Some(name) => write!(f, "/name/{}", name.0),
            None => Ok(()),
        }
    }
}

fn check(kind: &'static str, text: &str, most: usize, too_long: &'static str) -> Result<Box<str>, NameError> {
    let fault = if text.is_empty() {
        "it is empty"
    } else if text.len() > most {
        too_long
    } else if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":_-".contains(&byte)) {
        "only letters, digits, ':', '_' and '-' are allowed"
    } else {
        return Ok(text.into());
    };
    Err(NameError::new(kind, text, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_the_limits_of_the_cloud() {
        for good in ["T", "a:b_c-D9", &"x".repeat(128)] {
            assert_eq!(ThingName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "a/b", "a b", "+", "#", "*", "a.b", "\u{e4}", &"x".repeat(129)] {
            assert!(ThingName::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(ShadowName::parse(&"x".repeat(64)).unwrap().as_str().len(), 64);
        let refused = ShadowName::parse(&"x".repeat(65)).unwrap_err().to_string();
        assert!(refused.ends_with("is not a valid shadow name: it is longer than 64 characters"), "{refused}");
    }

    #[test]
    fn shadow_is_written_as_its_resource() {
        let id = |shadow| ShadowId::parse("T", shadow).unwrap();
        assert_eq!(id(None).to_string(), "$aws/things/T/shadow");
        assert_eq!(id(Some("")), id(None), "an empty name is the classic shadow");
        assert_eq!(id(Some("s")).to_string(), "$aws/things/T/shadow/name/s");
        assert!(ShadowId::parse("", Some("s")).is_err());
        assert!(ShadowId::parse("T", Some("*")).is_err());
    }
}
