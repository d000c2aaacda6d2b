//! The filter language: commas mean or, repeating `--filter` means and.

use regex_lite::Regex;

use super::LogsError;
use super::entry::Entry;

/// Each inner list matches when one of its elements does; the filter matches when all lists do.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter(Vec<Vec<Element>>);

#[derive(Clone, Debug)]
enum Element {
    /// A keyword is a pattern that matches itself.
    Pattern(Regex),
    /// This level or a graver one.
    Level(usize),
    /// Part of the cause; `any` is any cause.
    Cause(String),
    Pair {
        key: String,
        value: String,
    },
}

const LEVELS: [&str; 5] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];

impl Filter {
    pub(super) fn parse(expressions: &[String]) -> Result<Self, LogsError> {
        let list = |expression: &String| {
            expression.split(',').map(|element| Element::parse(element, expression)).collect::<Result<Vec<_>, _>>()
        };
        expressions.iter().map(list).collect::<Result<_, _>>().map(Self)
    }

    /// Notes in the entry what matched.
    pub(super) fn matches(&self, entry: &mut Entry) -> bool {
        let mut matched = Vec::new();
        let all = self.0.iter().all(|any| match any.iter().find_map(|element| element.find(entry)) {
            Some(text) => {
                matched.push(text);
                true
            }
            None => false,
        });
        if all {
            entry.matched = matched;
        }
        all
    }
}

impl Element {
    fn parse(element: &str, expression: &str) -> Result<Self, LogsError> {
        if element.is_empty() {
            return Err(LogsError::EmptyFilter { expression: expression.into() });
        }
        match element.split_once('=') {
            Some(("level", value)) => match level(value) {
                Some(level) => Ok(Self::Level(level)),
                None => Ok(Self::Pair { key: "level".into(), value: value.into() }),
            },
            Some(("error", value)) => Ok(Self::Cause(value.into())),
            Some((key, value)) if !key.is_empty() => Ok(Self::Pair { key: key.into(), value: value.into() }),
            _ => Regex::new(element)
                .map(Self::Pattern)
                .map_err(|cause| LogsError::Pattern { element: element.into(), cause }),
        }
    }

    /// The text that matched.
    fn find(&self, entry: &Entry) -> Option<String> {
        match self {
            Self::Pattern(pattern) => pattern.find(&entry.line).map(|found| found.as_str().into()),
            Self::Level(least) => entry.value("level").filter(|word| level(word).is_some_and(|level| level >= *least)),
            Self::Cause(part) => {
                let cause = entry.value("cause")?;
                (part == "any" || cause.contains(part)).then(|| part.clone())
            }
            Self::Pair { key, value } => entry.value(key).filter(|found| found == value),
        }
    }
}

fn level(word: &str) -> Option<usize> {
    LEVELS.iter().position(|level| *level == word)
}

#[cfg(test)]
mod tests {
    use super::super::entry::Shape;
    use super::*;

    fn matches(expressions: &[&str], line: &str) -> bool {
        let expressions: Vec<_> = expressions.iter().map(|text| (*text).to_owned()).collect();
        let mut entry = Entry::parse(line.into(), Shape::Greengrass, 0, 0);
        Filter::parse(&expressions).unwrap().matches(&mut entry)
    }

    #[test]
    fn commas_mean_or_and_repeating_means_and() {
        let line = r#"{"level":"WARN","message":"Installed 3 times","contexts":{"name":"alpha"},"loggerName":"l","timestamp":1,"cause":"out of memory"}"#;
        let yes: &[&[&str]] = &[
            &[],
            &["Installed"],
            &["Inst[a-z]+ \\d"],
            &["name=alpha"],
            &["name=beta,name=alpha"],
            &["Installed", "name=alpha,name=beta"],
            &["level=INFO"],
            &["level=WARN"],
            &["error=any"],
            &["error=memory"],
            &["loggerName=l"],
            &["timestamp=1"],
        ];
        let no: &[&[&str]] = &[
            &["installed"],
            &["Installed", "name=beta"],
            &["name=alph"],
            &["level=ERROR"],
            &["level=warn"],
            &["error=disk"],
            &["nothing=1"],
        ];
        for expressions in yes {
            assert!(matches(expressions, line), "{expressions:?}");
        }
        for expressions in no {
            assert!(!matches(expressions, line), "{expressions:?}");
        }
        assert!(matches(&["plain"], "a plain line") && !matches(&["level=INFO"], "a plain line"));
    }

    #[test]
    fn parse_refuses_empty_elements_and_bad_patterns() {
        for bad in ["", "a,", "(", "a,[", "*"] {
            assert!(Filter::parse(&[bad.into()]).is_err(), "{bad:?}");
        }
    }
}
