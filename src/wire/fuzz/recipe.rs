//! Recipes.

use crate::lifecycle::Lifecycle;
use crate::platform::PlatformAttributes;
use crate::recipe::{Format, Recipe, RecipeError};

/// A recipe is refused with reasons, or accepted; then it can be selected from, and its canonical JSON says the same.
pub fn recipe(data: &[u8]) {
    for format in [Format::Json, Format::Yaml] {
        let parsed = match Recipe::parse(data, format) {
            Ok(parsed) => parsed,
            Err(refused) => {
                assert!(!refused.findings().is_empty(), "refused without a reason");
                assert!(!refused.to_string().is_empty());
                continue;
            }
        };
        for machine in ["x86_64", "armv7l"] {
            if let Some(selected) = parsed.recipe.select(&PlatformAttributes::detect("linux", machine)) {
                assert!(Lifecycle::from_value(&selected.lifecycle).faults().count() <= 7);
            }
        }
        let canonical = parsed.recipe.to_json().to_string();
        if canonical.len() <= Recipe::MAX_BYTES {
            match Recipe::parse(canonical.as_bytes(), Format::Json) {
                Ok(again) => {
                    assert_eq!(again.recipe.to_json(), parsed.recipe.to_json(), "the canonical recipe differs");
                }
                Err(e) => assert!(is_nested_too_deep(&e), "the canonical recipe is refused: {e}"),
            };
        }
    }
}

fn is_nested_too_deep(error: &RecipeError) -> bool {
    error.findings().iter().any(|finding| finding.reason.contains("nested deeper"))
}
