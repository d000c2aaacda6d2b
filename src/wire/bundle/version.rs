//! Versions that are compared, as RAUC does: `Major[.Minor[.Patch]][-pre_release][+build]`.

use std::cmp::Ordering;

/// Whether `least` is not above `found`; none if one of them is no such version.
pub fn reaches(found: &str, least: &str) -> Option<bool> {
    let ((found, found_before), (least, least_before)) = (parse(found)?, parse(least)?);
    Some(found.cmp(&least).then_with(|| before(found_before, least_before)) != Ordering::Less)
}

/// Whether it is such a version.
pub fn is_one(text: &str) -> bool {
    parse(text).is_some()
}

fn parse(text: &str) -> Option<([u64; 3], Option<&str>)> {
    let text = text.split('+').next().unwrap_or(text);
    let (numbers, before) = match text.split_once('-') {
        Some((numbers, before)) => (numbers, Some(before)),
        None => (text, None),
    };
    let mut version = [0; 3];
    for (index, number) in numbers.split('.').enumerate() {
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        *version.get_mut(index)? = number.parse().ok().filter(|_| is_number)?;
    }
    Some((version, before))
}

/// What comes before a version is below it; of two, numbers count as numbers, and are below words.
fn before(one: Option<&str>, other: Option<&str>) -> Ordering {
    let (one, other) = match (one, other) {
        (Some(one), Some(other)) => (one, other),
        (one, other) => return other.is_some().cmp(&one.is_some()),
    };
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        let (one, other) = match (ones.next(), others.next()) {
            (Some(one), Some(other)) => (one, other),
            (one, other) => return one.is_some().cmp(&other.is_some()),
        };
        let found = match (one.parse::<u64>(), other.parse::<u64>()) {
            (Ok(one), Ok(other)) => one.cmp(&other),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => one.cmp(other),
        };
        if found.is_ne() {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_the_order_of_semver() {
        let order = [
            "0",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1",
            "1.0.1+x",
            "1.2",
            "1.10",
            "2.0.0-1",
            "2",
        ];
        for (index, one) in order.iter().enumerate() {
            for (place, other) in order.iter().enumerate() {
                assert_eq!(reaches(one, other), Some(index >= place), "{one} reaches {other}");
            }
        }
        assert_eq!(reaches("1.0", "1+b"), Some(true));
        for text in ["", "v1", "1.2.3.4", "1..2", "+1", "1.x", "18446744073709551616"] {
            assert!(!is_one(text), "{text:?}");
            assert_eq!(reaches("1", text), None, "{text:?}");
        }
    }
}
