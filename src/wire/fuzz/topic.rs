//! Topics and filters.

use crate::topic::{Topic, TopicFilter};

/// A filter and a topic, one a line: what can be published is matched by itself, by `#`, and as its levels say.
pub fn topic(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (first, second) = text.split_once('\n').unwrap_or((&text, &text));
    let filter = TopicFilter::parse(first);
    if let Ok(filter) = &filter {
        assert!(filter.levels().count() <= TopicFilter::MAX_LEVELS);
        assert_eq!(TopicFilter::parse(filter.as_str()).as_ref(), Ok(filter));
    }
    let Ok(topic) = Topic::parse(second) else { return };
    assert!(topic.levels().count() > 0);
    assert!(TopicFilter::parse("#").is_ok_and(|all| all.matches(&topic)));
    if let Ok(itself) = TopicFilter::parse(topic.as_str()) {
        assert!(itself.matches(&topic) && !itself.is_wildcard());
    }
    let Ok(filter) = filter else { return };
    let (wanted, given): (Vec<_>, Vec<_>) = (filter.levels().collect(), topic.levels().collect());
    let is_open = wanted.last() == Some(&TopicFilter::ALL_LEVELS);
    let fits = if is_open { given.len() >= wanted.len() } else { given.len() == wanted.len() && !wanted.is_empty() };
    let agree = wanted.iter().zip(&given).all(|(wanted, given)| ["+", "#"].contains(wanted) || wanted == given);
    assert_eq!(filter.matches(&topic), fits && agree, "{filter} {topic}");
}
