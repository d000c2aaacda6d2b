//! Topics and filters as AWS IoT Core takes them: what is wrong here is told to the caller, not to the link.
//!
//! The limits are those of MQTT 5. They count without the prefix of Basic Ingest, `$aws/rules/<rule>/`, and of a shared
//! subscription, `$share/<group>/`; other reserved topics are left to AWS IoT Core, which knows them better.

use std::fmt;

/// A topic to publish to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IotTopic(Box<str>);

impl IotTopic {
    /// Bytes of an ordinary topic.
    pub const MAX_BYTES: usize = 256;
    /// Slashes of an ordinary topic.
    pub const MAX_SLASHES: usize = 7;
    /// Bytes of a reserved topic that is not known here.
    pub const MAX_RESERVED_BYTES: usize = 512;

    pub fn parse(text: &str) -> Result<Self, IotTopicError> {
        check_characters(text)?;
        if text.contains(['+', '#']) {
            return Err(IotTopicError::Wildcard);
        }
        if is_shared(text) {
            check_size(text)?;
        } else {
            check_limits(text)?;
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A filter to subscribe with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IotTopicFilter(Box<str>);

impl IotTopicFilter {
    pub fn parse(text: &str) -> Result<Self, IotTopicError> {
        check_characters(text)?;
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            let is_last = levels.peek().is_none();
            let is_sound = match level {
                "+" => true,
                "#" => is_last,
                other => !other.contains(['+', '#']),
            };
            if !is_sound {
                return Err(IotTopicError::MisplacedWildcard);
            }
        }
        match after_two(text, "$share/") {
            Some(shared) => check_size(shared)?,
            None => check_limits(text)?,
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IotTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for IotTopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a topic or filter cannot be sent to AWS IoT Core.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IotTopicError {
    #[error("the topic must not be empty")]
    Empty,
    #[error("the topic must not contain the character U+0000")]
    Nul,
    #[error("a topic to publish to must not contain the wildcards '#' and '+'")]
    Wildcard,
    #[error("the wildcard '+' must stand alone in its level, and '#' alone in the last one")]
    MisplacedWildcard,
    #[error(
        "the topic must not have more than {} slashes, not counting the prefix of Basic Ingest or of a shared subscription",
        IotTopic::MAX_SLASHES
    )]
    TooManySlashes,
    #[error(
        "the topic must not be longer than {} bytes, not counting the prefix of Basic Ingest or of a shared subscription",
        IotTopic::MAX_BYTES
    )]
    TooLong,
    #[error("a reserved topic must not be longer than {} bytes", IotTopic::MAX_RESERVED_BYTES)]
    ReservedTooLong,
}

fn check_characters(text: &str) -> Result<(), IotTopicError> {
    if text.is_empty() {
        return Err(IotTopicError::Empty);
    }
    if text.contains('\0') {
        return Err(IotTopicError::Nul);
    }
    Ok(())
}

fn check_limits(text: &str) -> Result<(), IotTopicError> {
    if !text.starts_with('$') {
        return check_size(text);
    }
    match after_two(text, "$aws/rules/") {
        Some(ingested) => check_size(ingested),
        None if text.len() > IotTopic::MAX_RESERVED_BYTES => Err(IotTopicError::ReservedTooLong),
        None => Ok(()),
    }
}

fn check_size(text: &str) -> Result<(), IotTopicError> {
    if text.bytes().filter(|byte| *byte == b'/').count() > IotTopic::MAX_SLASHES {
        return Err(IotTopicError::TooManySlashes);
    }
    if text.len() > IotTopic::MAX_BYTES {
        return Err(IotTopicError::TooLong);
    }
    Ok(())
}

/// Nothing is shared on the way out, so the prefix counts there.
fn is_shared(text: &str) -> bool {
    after_two(text, "$share/").is_some()
}

/// What follows `prefix` and one more level, when both have something in them.
fn after_two<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (level, rest) = text.strip_prefix(prefix)?.split_once('/')?;
    (!level.is_empty() && !rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(slashes: usize) -> String {
        vec!["a"; slashes + 1].join("/")
    }

    #[test]
    fn topic_holds_no_wildcard() {
        assert_eq!(IotTopic::parse("a/b").unwrap().as_str(), "a/b");
        assert_eq!(IotTopic::parse(""), Err(IotTopicError::Empty));
        assert_eq!(IotTopic::parse("a\0"), Err(IotTopicError::Nul));
        for refused in ["a/+", "a/#", "#", "a+b", "$aws/rules/r/#"] {
            assert_eq!(IotTopic::parse(refused), Err(IotTopicError::Wildcard), "{refused}");
        }
    }

    #[test]
    fn ordinary_topic_has_its_limits() {
        assert!(IotTopic::parse(&levels(7)).is_ok());
        assert_eq!(IotTopic::parse(&levels(8)), Err(IotTopicError::TooManySlashes));
        assert!(IotTopic::parse(&"a".repeat(256)).is_ok());
        assert_eq!(IotTopic::parse(&"a".repeat(257)), Err(IotTopicError::TooLong));
        assert_eq!(IotTopic::parse(&"\u{fc}".repeat(129)), Err(IotTopicError::TooLong), "bytes count, not characters");
    }

    #[test]
    fn basic_ingest_counts_without_its_prefix() {
        assert!(IotTopic::parse(&format!("$aws/rules/rule/{}", levels(7))).is_ok());
        assert!(IotTopicFilter::parse(&format!("$aws/rules/rule/{}", "a".repeat(256))).is_ok());
        let deep = format!("$aws/rules/rule/{}", levels(8));
        assert_eq!(IotTopic::parse(&deep), Err(IotTopicError::TooManySlashes));
        let long = format!("$aws/rules/rule/{}", "a".repeat(257));
        assert_eq!(IotTopicFilter::parse(&long), Err(IotTopicError::TooLong));
    }

    #[test]
    fn shared_subscription_counts_without_its_prefix_only_as_a_filter() {
        let shared = format!("$share/group/{}", levels(7));
        assert!(IotTopicFilter::parse(&shared).is_ok());
        assert_eq!(IotTopic::parse(&shared), Err(IotTopicError::TooManySlashes));
        assert_eq!(IotTopicFilter::parse(&format!("$share/group/{}", levels(8))), Err(IotTopicError::TooManySlashes));
    }

    #[test]
    fn reserved_topic_may_be_deep_but_not_endless() {
        assert!(IotTopic::parse(&format!("$aws/things/{}", levels(20))).is_ok());
        assert!(IotTopic::parse(&format!("${}", "a".repeat(511))).is_ok());
        assert_eq!(IotTopic::parse(&format!("${}", "a".repeat(512))), Err(IotTopicError::ReservedTooLong));
    }

    #[test]
    fn filter_has_wildcards_only_where_they_count() {
        for accepted in ["#", "+", "a/+/b", "+/+", "a/#", "$share/g/a/#", "/", "a//b", "$aws/things/t/shadow/#"] {
            assert_eq!(IotTopicFilter::parse(accepted).unwrap().as_str(), accepted);
        }
        for refused in ["a#", "#/a", "a/#/b", "a+", "+a/b", "##", "++"] {
            assert_eq!(IotTopicFilter::parse(refused), Err(IotTopicError::MisplacedWildcard), "{refused}");
        }
        assert_eq!(IotTopicFilter::parse(""), Err(IotTopicError::Empty));
    }
}
