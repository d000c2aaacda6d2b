use std::collections::BTreeMap;

use serde_json::json;

use super::{PlatformAttributes, PlatformRequirement, template_fault};

#[test]
fn device_is_described_in_the_words_of_recipes() {
    let table = [
        ("linux", "x86_64", "linux", "amd64", None),
        ("linux", "i686", "linux", "x86", None),
        ("linux", "armv7l\n", "linux", "arm", Some("armv7l")),
        ("linux", "armv5tejl", "linux", "arm", None),
        ("linux", "aarch64", "linux", "aarch64", None),
        ("macos", "arm64", "darwin", "aarch64", None),
        ("freebsd", "riscv64", "unknown", "unknown", None),
    ];
    for (os, machine, name, architecture, detail) in table {
        let device = PlatformAttributes::detect(os, machine);
        assert_eq!(device.value("os"), Some(name), "{machine}");
        assert_eq!(device.value("architecture"), Some(architecture), "{machine}");
        assert_eq!(device.value("architecture.detail"), detail, "{machine}");
        assert_eq!(device.value("runtime"), Some("aws_nucleus_lite"));
    }
    let overlay = json!({"os": "mine", "list": [], "runtime": ""});
    let device = PlatformAttributes::detect("linux", "x86_64").overridden(overlay.as_object().unwrap());
    assert_eq!((device.value("os"), device.value("list"), device.value("runtime")), (Some("mine"), None, None));
}

#[test]
fn template_is_satisfied_as_the_reference_has_it() {
    let table = [
        ("os", "linux", true),
        ("os", "Linux", false),
        ("os", "all", true),
        ("os", "any", true),
        ("os", "*", true),
        ("os", "/linux|windows/", true),
        ("os", "/lin/", false),
        ("os", "/l.*/", true),
        ("os", "//", false),
        ("os", "/(/", false),
        ("os", "/a)|(.*/", false),
        ("os", "", false),
        ("os", "!linux", false),
        ("absent", "*", true),
        ("absent", "all", false),
        ("absent", "/.*/", false),
        ("runtime", "all", false),
        ("runtime", "aws_nucleus_lite", true),
    ];
    let device = PlatformAttributes::detect("linux", "x86_64");
    for (name, template, satisfied) in table {
        let requirement = PlatformRequirement::new(BTreeMap::from([(name.to_owned(), template.to_owned())]));
        assert_eq!(requirement.is_satisfied_by(&device), satisfied, "{name}: {template}");
    }
    assert!(PlatformRequirement::default().is_satisfied_by(&device));
}

#[test]
fn template_that_fits_nothing_has_a_fault() {
    for template in ["/(/", "/(?!x)y/", "", "!x", "/x{1000000}/"] {
        assert!(template_fault(template).is_some(), "{template}");
    }
    for template in ["*", "linux", "/a|b/", "7"] {
        assert_eq!(template_fault(template), None, "{template}");
    }
}
