use super::VersionRequirement;
use crate::name::ComponentVersion;

fn version(text: &str) -> ComponentVersion {
    ComponentVersion::parse(text).unwrap()
}

#[test]
fn requirement_stands_for_the_comparisons_of_the_reference() {
    let table = [
        ("1.2.3", "=1.2.3"),
        ("v1.2.3", "=1.2.3"),
        ("*", ">=0.0.0"),
        ("", ">=0.0.0"),
        ("latest", ">=0.0.0"),
        ("1", ">=1.0.0 <2.0.0"),
        ("1.x", ">=1.0.0 <2.0.0"),
        ("1.2.*", ">=1.2.0 <1.3.0"),
        ("~1.2.3", ">=1.2.3 <1.3.0"),
        ("~1", ">=1.0.0 <2.0.0"),
        ("^1.2.3", ">=1.2.3 <2.0.0"),
        ("^0.2.3", ">=0.2.3 <0.3.0"),
        ("^0.0.3", ">=0.0.3 <0.0.4"),
        ("^0.0", ">=0.0.0 <0.1.0"),
        ("1.0.0 - 2.0.0", ">=1.0.0 <=2.0.0"),
        ("1.0 - 2.1", ">=1.0.0 <2.2.0"),
        ("1.0.0-beta", "=1.0.0-beta"),
        ("1.0.0-1", ">=1.0.0 <2.0.0"),
        (">= 1.0.0  < 2.0.0", ">=1.0.0 <2.0.0"),
        ("1.0.0||>2.0.0", "=1.0.0 || >2.0.0"),
        ("(1.0.0)", "=1.0.0"),
    ];
    for (text, comparisons) in table {
        assert_eq!(VersionRequirement::parse(text).unwrap().to_string(), comparisons, "{text}");
    }
}

#[test]
fn requirement_is_refused_where_the_reference_refuses_it() {
    let long = "1".repeat(VersionRequirement::MAX_LENGTH + 1);
    for text in
        ["x", "abc", ">1.x", "=v1.0.0", ">", "1.0.0 ||", "(1.0.0", ">=1.0.0-1", "99999999999", "1.a", " ", &long]
    {
        assert!(VersionRequirement::parse(text).is_err(), "{text}");
    }
}

#[test]
fn requirement_matches_the_versions_of_the_reference() {
    let table = [
        (">=1.0.0 <2.0.0", "1.9.9", true),
        (">=1.0.0 <2.0.0", "2.0.0", false),
        // Several comparisons: a pre-release only of the numbers that name one.
        (">=1.0.0 <2.0.0", "1.5.0-beta", false),
        (">=1.2.3-alpha <2.0.0", "1.2.3-beta", true),
        (">=1.2.3-alpha <2.0.0", "1.2.4-beta", false),
        // One comparison: any.
        (">=1.0.0", "1.5.0-beta", true),
        ("*", "0.0.1-beta", true),
        // A bound with missing numbers equals no version.
        (">=1.2", "1.2.0", false),
        ("<1.2", "1.2.0", true),
        // Builds do not count; numbers in pre-releases do.
        ("1.2.3", "1.2.3+build", true),
        (">1.0.0-beta.2", "1.0.0-beta.11", true),
        ("1.0.0 || >=2.0.0 <3.0.0", "2.5.0", true),
        ("(1.0.0 || 2.0.0) <1.5.0", "2.0.0", true),
    ];
    for (requirement, text, matches) in table {
        let parsed = VersionRequirement::parse(requirement).unwrap();
        assert_eq!(parsed.matches(&version(text)), matches, "{requirement} {text}");
    }
}

#[test]
fn joining_a_thousand_requirements_narrows_to_what_all_allow() {
    let each = VersionRequirement::parse(">=1.0.0 <2.0.0").unwrap();
    let joined = (0..1000).fold(VersionRequirement::any(), |joined, _| joined.and(&each));
    assert!(joined.matches(&version("1.5.0")) && !joined.matches(&version("2.0.0")));
    let exact = joined.and(&VersionRequirement::exactly(&version("1.2.3")));
    assert!(exact.matches(&version("1.2.3")) && !exact.matches(&version("1.5.0")));
}

#[test]
fn joining_binds_closer_than_or() {
    let either = VersionRequirement::parse("1.0.0 || 2.0.0").unwrap();
    let joined = either.and(&VersionRequirement::parse(">=1.5.0").unwrap());
    assert_eq!(joined.to_string(), "=1.0.0 || =2.0.0 >=1.5.0");
}
