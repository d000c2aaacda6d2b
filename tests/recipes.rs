//! Recipes get the verdict they deserve: golden files, bounds, and damage of every kind.
//!
//! A refused fixture has a file `<name>.expected` beside it: `line:column|field|begin of the reason`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use greengrass::wire::fuzz;
use greengrass::wire::platform::PlatformAttributes;
use greengrass::wire::recipe::{Finding, Format, Parsed, Recipe, Unarchive};
use serde_json::json;

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recipes").join(folder);
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| format(file).is_some());
    files.sort();
    files
}

fn format(file: &Path) -> Option<Format> {
    Format::of_extension(file.extension()?.to_str()?)
}

fn accepted(name: &str) -> Parsed {
    let file = fixtures("accepted").into_iter().find(|file| file.ends_with(name)).unwrap();
    Recipe::parse(&fs::read(&file).unwrap(), format(&file).unwrap()).unwrap()
}

fn verdict(finding: &Finding) -> String {
    let place = finding.position.map(|p| format!("{}:{}", p.line, p.column)).unwrap_or_default();
    format!("{place}|{}|{}", finding.field, finding.reason)
}

#[test]
fn every_accepted_fixture_is_accepted_and_writes_itself_back() {
    for file in fixtures("accepted") {
        let parsed = Recipe::parse(&fs::read(&file).unwrap(), format(&file).unwrap());
        let recipe = parsed.unwrap_or_else(|e| panic!("{}: {e}", file.display())).recipe;
        let again = Recipe::parse(recipe.to_json().to_string().as_bytes(), Format::Json).unwrap().recipe;
        assert_eq!(again, recipe, "{}", file.display());
    }
}

#[test]
fn every_refused_fixture_is_refused_with_place_field_and_reason() {
    let mut wrong = Vec::new();
    for file in fixtures("refused") {
        let expected = fs::read_to_string(format!("{}.expected", file.display())).unwrap();
        let refused = match Recipe::parse(&fs::read(&file).unwrap(), format(&file).unwrap()) {
            Ok(_) => panic!("{} is accepted", file.display()),
            Err(refused) => refused,
        };
        let first = verdict(&refused.findings()[0]);
        if !first.starts_with(expected.trim_end()) {
            wrong.push(format!("{}: expected {expected}got {first}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_field_reaches_the_recipe() {
    let Parsed { recipe, warnings } = accepted("every-field.yaml");
    assert_eq!(warnings, []);
    let configuration = &recipe.default_configuration;
    assert_eq!(configuration["flag"], json!(true));
    assert_eq!(configuration["octal"], json!(8));
    assert_eq!(configuration["hex"], json!(31));
    assert_eq!(configuration["big"], json!("123456789012345678901234567890"));
    assert_eq!(configuration["version"], json!("1.2.3"));
    let requirements: Vec<String> = recipe.dependencies.values().map(|d| d.requirement.to_string()).collect();
    assert_eq!(requirements, [">=2.0.0 <3.0.0", ">=1.10.0 <1.11.0"]);
    let artifacts = &recipe.manifests[0].artifacts;
    assert_eq!(artifacts[0].unarchive, Unarchive::Zip);
    let modes: Vec<u32> = artifacts.iter().map(|artifact| artifact.permission.mode_bits()).collect();
    assert_eq!(modes, [0o554, 0o440, 0o440, 0o440]);
    let names: Vec<Option<&str>> = artifacts.iter().map(|artifact| artifact.uri.file_name()).collect();
    assert_eq!(names, [Some("tool.zip"), Some("image@sha256:00"), Some("tool.bin"), Some("a.bin")]);
}

#[test]
fn warnings_tell_what_is_ignored_or_fails_later() {
    let table: [(&str, &[&str]); 4] = [
        ("unknown-fields.yaml", &["Author", "Manifests[0].Nmae", "Manifests[0].Parameters"]),
        ("unsupported-scheme.yaml", &["Manifests[0].Artifacts[0].Uri", "Manifests[0].Artifacts[1].Uri"]),
        (
            "bad-steps-are-not-bad-recipes.yaml",
            &["Manifests[0].Platform.os", "Manifests[0].Lifecycle.Install", "Manifests[0].Lifecycle.Run"],
        ),
        ("second-document.yaml", &[""]),
    ];
    for (name, fields) in table {
        let mut warned: Vec<String> = accepted(name).warnings.into_iter().map(|warning| warning.field).collect();
        let mut fields = fields.to_vec();
        warned.sort();
        fields.sort_unstable();
        assert_eq!(warned, fields, "{name}");
    }
}

#[test]
fn selection_takes_the_first_manifest_and_cuts_the_lifecycle_to_it() {
    let recipe = accepted("selections.yaml").recipe;
    let select = |os: &str, machine: &str| {
        let selected = recipe.select(&PlatformAttributes::detect(os, machine)).unwrap();
        (selected.manifest, json!(selected.lifecycle))
    };
    assert_eq!(
        select("linux", "armv7l"),
        (0, json!({"Install": "apt", "Run": {"Script": "pi-debian"}, "Startup": {"Script": {"windows": "never"}}}))
    );
    assert_eq!(
        select("linux", "x86_64"),
        (1, json!({"Install": "apt", "Run": {"Script": "deb"}, "Startup": {"Script": {"windows": "never"}}}))
    );
    assert_eq!(
        select("windows", "x86_64"),
        (2, json!({"Install": "make", "Startup": {"Script": {"windows": "never"}}}))
    );
    assert_eq!(select("macos", "aarch64"), (3, json!({"Install": "own"})));
    assert_eq!(recipe.select(&PlatformAttributes::detect("beos", "ppc")), None);
}

#[test]
fn recipe_of_one_megabyte_is_accepted_and_a_larger_one_is_refused() {
    let recipe = |script: usize| {
        let script = "x".repeat(script);
        let value = json!({"RecipeFormatVersion": "2020-01-25", "ComponentName": "a", "ComponentVersion": "1.0.0",
            "Manifests": [{"Lifecycle": {"Run": script}}]});
        value.to_string()
    };
    for format in [Format::Json, Format::Yaml] {
        Recipe::parse(recipe(1 << 20).as_bytes(), format).unwrap();
        let refused = Recipe::parse(recipe(Recipe::MAX_BYTES).as_bytes(), format).unwrap_err();
        assert!(refused.findings()[0].reason.contains("bytes, more than"), "{refused}");
    }
}

#[test]
fn nesting_is_refused_beyond_its_bound_however_deep() {
    for depth in [200, 20_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let text = format!("{{\"a\":{}1{}}}", open.repeat(depth), close.repeat(depth));
            for format in [Format::Json, Format::Yaml] {
                assert!(Recipe::parse(text.as_bytes(), format).is_err(), "{depth} {open}");
            }
        }
    }
}

/// Thousands of damaged recipes, the same ones in every run.
#[test]
fn damaged_recipes_never_break_the_parser() {
    let seeds: Vec<Vec<u8>> =
        ["accepted", "refused"].iter().flat_map(|f| fixtures(f)).map(|file| fs::read(file).unwrap()).collect();
    let mut random = SplitMix(1);
    for _ in 0..3000 {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            match random.below(5) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] = (random.next() & 0xff) as u8,
                2 => bytes[at] = b"{}[]:,-'\"&*|>#%@!\n \t0~"[random.below(22)],
                3 => drop(bytes.remove(at)),
                _ => {
                    let piece = bytes[at..(at + 1 + random.below(20)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
            if bytes.is_empty() {
                bytes.push(b'{');
            }
        }
        fuzz::recipe(&bytes);
        fuzz::interpolate(&bytes);
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        fuzz::version_requirement(line);
    }
    let letters = b"0123.x*>=<~^|-( )va+ ";
    for _ in 0..5000 {
        let text: Vec<u8> = (0..random.below(20)).map(|_| letters[random.below(letters.len())]).collect();
        fuzz::version_requirement(&text);
    }
}

struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}
