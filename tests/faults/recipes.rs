//! Recipes that are none.

use std::fs;

use serde_json::json;

use super::device::{Device, files_below, recipe};

#[test]
fn bad_recipes_are_named_with_their_fault_and_keep_the_others_out() {
    let mut device = Device::new();
    let good = recipe("com.example.Other", "1.0.0", &json!({"Lifecycle": {"Run": "true"}})).to_string();
    let yaml =
        |rest: &str| format!("RecipeFormatVersion: '2020-01-25'\nComponentName: X\nComponentVersion: 1.0.0\n{rest}");
    let large = good.replacen('{', &format!("{{\"ComponentDescription\":\"{}\",", "x".repeat(1_400_000)), 1);
    let deep = format!("{{\"ComponentConfiguration\":{{\"DefaultConfiguration\":{}", "{\"a\":".repeat(50_000));
    let bottomless = good.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(120), "]".repeat(120)), 1);
    let twice = good.replacen('{', "{\"ComponentVersion\":\"2.0.0\",", 1);
    let laughs = yaml("ComponentDescription: &a [x,x]\nx: [*a,*a]\n");
    let cases: Vec<(&str, &str, Vec<u8>, &str)> = vec![
        ("malformed", "json", b"{\"RecipeFormatVersion\": nonsense}".to_vec(), "line 1"),
        ("malformed", "yaml", yaml("Manifests: [\n").into_bytes(), "line"),
        ("truncated", "json", good.as_bytes()[..good.len() / 2].to_vec(), "is not JSON"),
        ("truncated", "yaml", b"RecipeFormatVersion: '2020-01-25'\nComponentNa".to_vec(), "line 3"),
        ("large", "json", large.into_bytes(), "larger than 1310720 bytes"),
        ("deep", "json", deep.into_bytes(), "is not JSON"),
        ("bottomless", "json", bottomless.into_bytes(), "nested deeper than 100 levels"),
        ("bottomless", "yaml", yaml(&format!("x: {}", "[".repeat(10_000))).into_bytes(), "recursion limit exceeded"),
        ("twice", "json", twice.into_bytes(), "ComponentVersion is given twice"),
        ("twice", "yaml", yaml("ComponentName: Y\n").into_bytes(), "ComponentName is given twice"),
        ("laughs", "yaml", laughs.into_bytes(), "alias"),
        ("bytes", "json", [good.as_bytes(), b"\xff\xfe"].concat(), "is not UTF-8"),
        ("bytes", "yaml", yaml("ComponentDescription: \"\u{e9}\"\n").into_bytes().replace_utf8(), "is not UTF-8"),
        ("nul", "json", vec![0; 4096], "is not JSON"),
        ("hostile", "json", good.replace("com.example.Other", "../../etc/passwd").into_bytes(), "ComponentName"),
    ];
    for (name, extension, content, fault) in cases {
        device.clear();
        fs::write(device.path("recipes").join("good.json"), &good).unwrap();
        let file = format!("{name}.{extension}");
        fs::write(device.path("recipes").join(&file), content).unwrap();
        device.refused(&["--merge", "com.example.Other=1.0.0"], &[&file, fault, "Deployment Failure Cause"]);
        for stored in files_below(&device.core.root().join("packages/recipes")) {
            let text = fs::read_to_string(&stored).unwrap();
            assert!(!text.contains("com.example.Other"), "{file} let {} in", stored.display());
        }
        device.check_next();
    }
    device.end();
}

trait NotUtf8 {
    /// The two bytes of é become the one of Latin-1.
    fn replace_utf8(self) -> Vec<u8>;
}

impl NotUtf8 for Vec<u8> {
    fn replace_utf8(self) -> Vec<u8> {
        let at = self.windows(2).position(|pair| pair == "\u{e9}".as_bytes()).unwrap();
        [&self[..at], b"\xe9", &self[at + 2..]].concat()
    }
}
