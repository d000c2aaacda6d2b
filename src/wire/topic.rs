//! Topics of local publish/subscribe, and the filters that choose among them.
//!
//! The rules are those of the reference nucleus, which are not quite those of MQTT:
//! - A topic is cut into levels at each `/`. Empty levels count, except at the end: `a/` has the levels of `a`.
//! - `+` as a whole level of a filter takes any one level. `#` as its last level takes one or more levels: `a/#`
//!   takes `a/b` and `a/b/c`, but not `a`. A `#` before the last level takes exactly one, like `+`.
//! - Any other use of `+` and `#`, as in `a/b#`, and every `*` stand for themselves. A topic has none of the three,
//!   so such a filter is accepted and never matches.
//! - A leading `$` has no meaning: `#` takes `$aws/x`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a message is published.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Topic(Box<str>);

impl Topic {
    /// The longest topic or filter, in bytes of UTF-8: as much as an MQTT packet can carry.
    /// The reference nucleus has no bound of its own.
    pub const MAX_BYTES: usize = 65_535;

    pub fn parse(text: impl Into<Box<str>>) -> Result<Self, TopicError> {
        let text = text.into();
        check_length(&text)?;
        match text.chars().find(|c| WILDCARDS.contains(c)) {
            Some(wildcard) => Err(TopicError::Wildcard { wildcard }),
            None if levels(&text).next().is_none() => Err(TopicError::OnlySlashes),
            None => Ok(Self(text)),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// At least one.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        levels(&self.0)
    }
}

/// What a subscriber wants to hear.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicFilter(Box<str>);

impl TopicFilter {
    /// The most levels a filter has: each costs memory for as long as the subscription lasts.
    /// The reference nucleus has no bound; topics have none here either.
    pub const MAX_LEVELS: usize = 256;
    /// The level that takes any one level.
    pub const ONE_LEVEL: &str = "+";
    /// The level that takes all further ones when it is the last, and any one level before.
    pub const ALL_LEVELS: &str = "#";

    pub fn parse(text: impl Into<Box<str>>) -> Result<Self, TopicError> {
        let text = text.into();
        check_length(&text)?;
        let count = levels(&text).count();
        if count > Self::MAX_LEVELS {
            return Err(TopicError::TooManyLevels { count });
        }
        Ok(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// None for a filter of slashes alone, which matches nothing.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        levels(&self.0)
    }

    /// Whether a wildcard of it counts as one: this decides the default receive mode.
    pub fn is_wildcard(&self) -> bool {
        self.levels().any(|level| level == Self::ONE_LEVEL) || self.levels().last() == Some(Self::ALL_LEVELS)
    }

    /// Whether there is a topic it matches: a wildcard beside other characters makes it match nothing.
    pub fn can_match(&self) -> bool {
        let is_good = |level: &str| [Self::ONE_LEVEL, Self::ALL_LEVELS].contains(&level) || !level.contains(WILDCARDS);
        self.levels().all(is_good) && self.levels().next().is_some()
    }

    pub fn matches(&self, topic: &Topic) -> bool {
        let mut wanted = self.levels().peekable();
        let mut given = topic.levels();
        loop {
            match (wanted.next(), given.next()) {
                (Some(Self::ALL_LEVELS), Some(_)) if wanted.peek().is_none() => return true,
                (Some(Self::ALL_LEVELS | Self::ONE_LEVEL), Some(_)) => {}
                (Some(wanted), Some(given)) if wanted == given => {}
                (None, None) => return self.levels().next().is_some(),
                _ => return false,
            }
        }
    }
}

/// What no topic contains.
const WILDCARDS: [char; 3] = ['+', '#', '*'];

fn levels(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim_end_matches('/');
    text.split('/').take(if text.is_empty() { 0 } else { usize::MAX })
}

fn check_length(text: &str) -> Result<(), TopicError> {
    match text.len() {
        0 => Err(TopicError::Empty),
        length if length > Topic::MAX_BYTES => Err(TopicError::TooLong { length }),
        _ => Ok(()),
    }
}

/// Why a text is no topic or no filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TopicError {
    #[error("the topic is empty")]
    Empty,
    #[error("the topic has {length} bytes, and {} are the most", Topic::MAX_BYTES)]
    TooLong { length: usize },
    #[error("the topic contains '{wildcard}', and a wildcard can only be subscribed to")]
    Wildcard { wildcard: char },
    #[error("the topic has nothing but slashes")]
    OnlySlashes,
    #[error("the topic filter has {count} levels, and {} are the most", TopicFilter::MAX_LEVELS)]
    TooManyLevels { count: usize },
}

macro_rules! text {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $type {
            type Err = TopicError;

            fn from_str(text: &str) -> Result<Self, TopicError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = TopicError;

            fn try_from(text: String) -> Result<Self, TopicError> {
                Self::parse(text)
            }
        }

        impl From<$type> for String {
            fn from(text: $type) -> Self {
                text.0.into()
            }
        }
    };
}

text!(Topic);
text!(TopicFilter);

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str) -> Topic {
        Topic::parse(text).unwrap()
    }

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::parse(text).unwrap()
    }

    #[test]
    fn filter_matches_by_the_rules_of_the_nucleus() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("a", &["a", "a/", "a//"], &["b", "A", "/a", "a/b", "ab"]),
            ("a/b", &["a/b", "a/b/"], &["a", "a/b/c", "x/b", "a//b"]),
            ("a/", &["a", "a/"], &["a/b"]),
            ("/a", &["/a"], &["a", "//a"]),
            ("a//b", &["a//b"], &["a/b", "a/x/b"]),
            ("+", &["a", "a/", "$a"], &["/a", "a/b"]),
            ("+/+", &["a/b", "/a", "a/b/"], &["a", "a/", "a/b/c"]),
            ("a/+/c", &["a/b/c", "a//c"], &["a/c", "a/b/b/c", "a/b"]),
            ("#", &["a", "a/b", "/a", "$a/b"], &[]),
            ("a/#", &["a/b", "a/b/c", "a//b"], &["a", "a/", "b/c"]),
            ("a/#/", &["a/b", "a/b/c"], &["a"]),
            ("/#", &["/a", "/a/b"], &["a"]),
            ("a/+/#", &["a/b/c", "a/b/c/d"], &["a/b", "a"]),
            ("a/#/c", &["a/b/c"], &["a/c", "a/b/b/c", "a/b"]),
            ("a/b#", &[], &["a/b", "a/bx", "a/b/c"]),
            ("a+/b", &[], &["a/b", "ax/b"]),
            ("a/*", &[], &["a/b", "a"]),
            ("/", &[], &["a", "/a", "a/"]),
            ("///", &[], &["a", "/a"]),
        ];
        for (wanted, yes, no) in cases {
            for given in *yes {
                assert!(filter(wanted).matches(&topic(given)), "{wanted} must take {given}");
            }
            let is_odd = yes.is_empty();
            assert_eq!(filter(wanted).can_match(), !is_odd, "{wanted}");
            for given in *no {
                assert!(!filter(wanted).matches(&topic(given)), "{wanted} must not take {given}");
            }
        }
    }

    #[test]
    fn filter_is_wildcard_when_a_wildcard_counts() {
        for yes in ["+", "#", "/+/", "/#", "a/+", "a/b+/#", "a/#/", "+/#/b"] {
            assert!(filter(yes).is_wildcard(), "{yes}");
        }
        for no in ["/", "a", "#/a", "a/+b", "a/+#", "a/*"] {
            assert!(!filter(no).is_wildcard(), "{no}");
        }
    }

    #[test]
    fn topic_refuses_what_cannot_be_published() {
        assert_eq!(Topic::parse(""), Err(TopicError::Empty));
        assert_eq!(Topic::parse("//"), Err(TopicError::OnlySlashes));
        for wildcard in WILDCARDS {
            assert_eq!(Topic::parse(format!("a/b{wildcard}")), Err(TopicError::Wildcard { wildcard }));
        }
        let longest = "é".repeat(Topic::MAX_BYTES / 2) + "x";
        assert_eq!(topic(&longest).as_str().len(), Topic::MAX_BYTES);
        assert_eq!(Topic::parse(longest + "x"), Err(TopicError::TooLong { length: Topic::MAX_BYTES + 1 }));
    }

    #[test]
    fn filter_refuses_what_costs_too_much() {
        assert_eq!(TopicFilter::parse(""), Err(TopicError::Empty));
        let most = "a/".repeat(TopicFilter::MAX_LEVELS);
        assert_eq!(filter(&most).levels().count(), TopicFilter::MAX_LEVELS);
        assert_eq!(TopicFilter::parse(most + "a"), Err(TopicError::TooManyLevels { count: 257 }));
        assert!(matches!(TopicFilter::parse("a".repeat(65_536)), Err(TopicError::TooLong { .. })));
    }

    /// The body of the fuzz target, on texts of few characters: the same ones each time.
    #[test]
    fn filter_matches_as_its_levels_say() {
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |end: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % end
        };
        for _ in 0..20_000 {
            let length = below(14);
            let text: Vec<u8> = (0..length).map(|_| b"a+#/b\n*$/"[below(9) as usize]).collect();
            crate::fuzz::topic(&text);
        }
        for text in [&b""[..], b"\n", b"\xff/\xfe\n\xff/\xfe", b"#\n/a", b"/\na", b"a/#\na"] {
            crate::fuzz::topic(text);
        }
    }

    #[test]
    fn json_is_the_text_and_is_checked() {
        assert_eq!(serde_json::to_string(&topic("a/b")).unwrap(), "\"a/b\"");
        assert_eq!(serde_json::from_str::<TopicFilter>("\"a/#\"").unwrap(), filter("a/#"));
        let error = serde_json::from_str::<Topic>("\"a/#\"").unwrap_err().to_string();
        assert!(error.contains("contains '#'"), "{error}");
    }
}
