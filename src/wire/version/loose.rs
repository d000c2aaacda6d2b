//! A version as a requirement may write it: numbers may be missing, the text is kept.

use std::cmp::Ordering;

use crate::name::ComponentVersion;

/// Which spellings are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spelling {
    /// A leading `v`, and `x` or `*` for a number.
    Wildcards,
    /// Numbers only, as after a comparison.
    Numbers,
}

/// One to three numbers, perhaps a pre-release and a build.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LooseVersion {
    text: String,
    pub(super) major: i32,
    pub(super) minor: Option<i32>,
    pub(super) patch: Option<i32>,
    pub(super) prerelease: Vec<String>,
    build: Option<String>,
}

impl LooseVersion {
    pub(super) fn parse(text: &str, spelling: Spelling) -> Result<Self, &'static str> {
        let mut text = text.trim_matches(|c| c <= ' ');
        if spelling == Spelling::Wildcards {
            text = text.strip_prefix(['v', 'V']).unwrap_or(text).trim_matches(|c| c <= ' ');
        }
        let hyphen = text.find('-');
        let has_prerelease = hyphen.is_some_and(|h| text.find('+').is_none_or(|plus| h < plus));
        let (numbers, prerelease) = match hyphen {
            Some(h) if has_prerelease => (&text[..h], Some(&text[h + 1..])),
            _ => (text, None),
        };
        let (numbers, mut build) = if prerelease.is_some() { (numbers, None) } else { without_build(numbers)? };
        let mut parts = split(numbers, '.').into_iter();
        let mut number = || match parts.next() {
            None => Ok(None),
            Some("x" | "X" | "*") if spelling == Spelling::Wildcards => Ok(None),
            Some(digits) => digits
                .strip_prefix('+')
                .unwrap_or(digits)
                .parse::<i32>()
                .map(Some)
                .map_err(|_| "a part of a version in it is not a number"),
        };
        let major = number()?.ok_or("a version in it does not begin with a number")?;
        let (minor, patch) = (number()?, number()?);
        let prerelease = match prerelease {
            None => Vec::new(),
            Some(tail) => {
                let (before_build, tail_build) = without_build(tail)?;
                let tags = if tail_build.is_some() { before_build } else { tail };
                build = tail_build;
                split(tags, '.').into_iter().map(Into::into).collect()
            }
        };
        Ok(Self { text: text.into(), major, minor, patch, prerelease, build })
    }

    /// Missing numbers become 0; pre-release and build stay.
    pub(super) fn filled(&self) -> Self {
        Self::from_parts(
            self.major,
            self.minor.unwrap_or(0),
            self.patch.unwrap_or(0),
            &self.prerelease,
            self.build.as_deref(),
        )
    }

    /// The next larger version in the given place; pre-release and build stay.
    pub(super) fn raised(&self, place: Place) -> Result<Self, &'static str> {
        let up = |n: i32| n.checked_add(1).ok_or("a number in it is too large");
        let (minor, patch) = (self.minor.unwrap_or(0), self.patch.unwrap_or(0));
        let (major, minor) = match place {
            Place::Major => (up(self.major)?, minor),
            Place::Minor => (self.major, up(minor)?),
        };
        Ok(Self::from_parts(major, minor, patch, &self.prerelease, self.build.as_deref()))
    }

    /// `major.minor.patch` and nothing else.
    pub(super) fn of_numbers(major: i32, minor: i32, patch: i32) -> Self {
        Self::from_parts(major, minor, patch, &[], None)
    }

    pub(super) fn of(version: &ComponentVersion) -> Self {
        let number = |n: u64| i32::try_from(n).unwrap_or(i32::MAX);
        let version = version.semver();
        let prerelease: Vec<String> =
            if version.pre.is_empty() { Vec::new() } else { version.pre.split('.').map(Into::into).collect() };
        let build = (!version.build.is_empty()).then_some(version.build.as_str());
        Self::from_parts(number(version.major), number(version.minor), number(version.patch), &prerelease, build)
    }

    /// The version without its build is the same text.
    pub(super) fn is_equivalent_to(&self, other: &Self) -> bool {
        self.without_build_text() == other.without_build_text()
    }

    /// Larger by numbers, then by pre-release; missing numbers count as 0, builds do not count.
    pub(super) fn is_greater_than(&self, other: &Self) -> bool {
        let numbers = |v: &Self| (v.major, v.minor.unwrap_or(0), v.patch.unwrap_or(0));
        match numbers(self).cmp(&numbers(other)) {
            Ordering::Equal => self.has_greater_prerelease(&other.prerelease),
            order => order == Ordering::Greater,
        }
    }

    pub(super) fn same_numbers(&self, other: &Self) -> bool {
        (self.major, self.minor, self.patch) == (other.major, other.minor, other.patch)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    fn has_greater_prerelease(&self, other: &[String]) -> bool {
        match (self.prerelease.is_empty(), other.is_empty()) {
            (true, false) => return true,
            (false, true) => return false,
            _ => {}
        }
        for (mine, theirs) in self.prerelease.iter().zip(other) {
            let order = match (mine.parse::<i32>(), theirs.parse::<i32>()) {
                (Ok(mine), Ok(theirs)) => mine.cmp(&theirs),
                _ => mine.to_ascii_lowercase().cmp(&theirs.to_ascii_lowercase()),
            };
            if order != Ordering::Equal {
                return order == Ordering::Greater;
            }
        }
        self.prerelease.len() > other.len()
    }

    fn without_build_text(&self) -> &str {
        match &self.build {
            Some(build) => {
                self.text.strip_suffix(build.as_str()).and_then(|t| t.strip_suffix('+')).unwrap_or(&self.text)
            }
            None => &self.text,
        }
    }

    fn from_parts(major: i32, minor: i32, patch: i32, prerelease: &[String], build: Option<&str>) -> Self {
        let mut text = format!("{major}.{minor}.{patch}");
        for (index, tag) in prerelease.iter().enumerate() {
            text.push(if index == 0 { '-' } else { '.' });
            text.push_str(tag);
        }
        if let Some(build) = build {
            text.push('+');
            text.push_str(build);
        }
        let (minor, patch, build) = (Some(minor), Some(patch), build.map(Into::into));
        Self { text, major, minor, patch, prerelease: prerelease.to_vec(), build }
    }
}

/// A place of a version that can be counted up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Major,
    Minor,
}

/// Splits off `+build`. More than one `+` leaves the numbers alone and the build unknown.
fn without_build(text: &str) -> Result<(&str, Option<String>), &'static str> {
    if text.ends_with('+') {
        return Err("a version in it ends with '+' but has no build");
    }
    Ok(match text.split_once('+') {
        Some((numbers, build)) if !build.contains('+') => (numbers, Some(build.into())),
        Some((numbers, _)) => (numbers, None),
        None => (text, None),
    })
}

/// Parts between separators; empty ones at the end do not count.
fn split(text: &str, separator: char) -> Vec<&str> {
    if text.is_empty() {
        return vec![text];
    }
    let trimmed = text.trim_end_matches(separator);
    if trimmed.is_empty() { Vec::new() } else { trimmed.split(separator).collect() }
}
