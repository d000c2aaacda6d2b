//! Version requirements.

use crate::name::ComponentVersion;
use crate::version::VersionRequirement;

/// A requirement matches the same versions after it was written down.
pub fn version_requirement(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(requirement) = VersionRequirement::parse(text) else { return };
    let versions: Vec<ComponentVersion> =
        VERSIONS.iter().filter_map(|version| ComponentVersion::parse(version).ok()).collect();
    let matched: Vec<bool> = versions.iter().map(|version| requirement.matches(version)).collect();
    assert!(requirement.and(&requirement).to_string().len() >= requirement.to_string().len());
    let written = requirement.to_string();
    // Parentheses are not written, as in the reference nucleus; a pre-release of digits reads as a range.
    if written.len() <= VersionRequirement::MAX_LENGTH
        && !text.contains(['(', ')'])
        && let Ok(again) = VersionRequirement::parse(&written)
        && again.to_string() == written
    {
        let rematched: Vec<bool> = versions.iter().map(|version| again.matches(version)).collect();
        assert_eq!(matched, rematched, "{written}");
    }
}

const VERSIONS: [&str; 10] =
    ["0.0.0", "0.0.1", "0.2.0", "1.0.0", "1.2.3", "1.2.3-alpha.1", "1.2.3-beta+b", "2.0.0-rc.1", "2.0.0", "999999.0.0"];
