//! Measures the figures that `docs/SPECIFICATION.md` promises, on this machine, against the built binary.
//!
//! A figure that cannot be measured yet is absent. Timings hold for this machine; peers were measured on a 2-core
//! x86_64 machine.

#![forbid(unsafe_code)]

mod client;
mod core;
mod figures;
mod proc;
mod size;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use figures::{FIGURES, Figure, Measured};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["size"] => size::report(&target().join("dist")).map(|()| ExitCode::SUCCESS),
        ["measure", binary] => measure(Path::new(binary), FIGURES.iter().collect()),
        ["measure", binary, ref only @ ..] => {
            let wanted: Vec<&Figure> = FIGURES.iter().filter(|figure| only.contains(&figure.name)).collect();
            if wanted.is_empty() {
                let all: Vec<_> = FIGURES.iter().map(|figure| figure.name).collect();
                eprintln!("gg-bench: no such figure; there are {}", all.join(" "));
                return ExitCode::from(64);
            }
            measure(Path::new(binary), wanted)
        }
        _ => {
            eprintln!("usage: gg-bench size | gg-bench measure BINARY [FIGURE...]");
            return ExitCode::from(64);
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("gg-bench: {error}");
        ExitCode::FAILURE
    })
}

fn measure(binary: &Path, figures: Vec<&Figure>) -> io::Result<ExitCode> {
    let binary = binary.canonicalize()?;
    println!("{} ({})", binary.display(), if figures::is_static(&binary)? { "static" } else { "dynamic" });
    let mut results = Map::new();
    let mut failed = false;
    for figure in figures {
        eprintln!("bench: {}: {}", figure.name, figure.what);
        match (figure.measure)(&binary) {
            Ok(measured) => {
                print(figure, &measured);
                let Measured { value, note, .. } = measured;
                let Figure { unit, target, peer, .. } = figure;
                let entry = json!({ "value": value, "unit": unit, "target": target, "peer": peer, "note": note });
                enter(&mut results, figure.name, entry);
            }
            Err(error) => {
                eprintln!("bench: {}: {error}", figure.name);
                failed = true;
            }
        }
    }
    let file = target().join("bench/results.json");
    fs::create_dir_all(target().join("bench"))?;
    fs::write(&file, format!("{:#}\n", Value::from(results)))?;
    println!("written to target/bench/results.json");
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Figures of one name are one entry: the sub-figures of all, and what else is said of each.
fn enter(results: &mut Map<String, Value>, name: &str, entry: Value) {
    let Some(Value::Object(known)) = results.get_mut(name) else {
        results.insert(name.to_owned(), entry);
        return;
    };
    for (field, known) in known {
        match (known, &entry[field.as_str()]) {
            (Value::Object(parts), Value::Object(more)) => parts.extend(more.clone()),
            (Value::String(text), Value::String(more)) => text.push_str(&format!("; {more}")),
            _ => {}
        }
    }
}

fn print(figure: &Figure, measured: &Measured) {
    let verdict = match (&measured.value, measured.met) {
        (Value::Null, _) => "SKIPPED",
        (_, true) => "met",
        (_, false) => "MISSED",
    };
    let value = match &measured.value {
        Value::Null => "-".to_owned(),
        Value::Object(parts) => {
            parts.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
        }
        value => format!("{value} {}", figure.unit),
    };
    println!("{:<4} {}\n     {value}   target {}   {verdict}", figure.name, figure.what, figure.target);
    println!("     peer: {}\n     {}", figure.peer, measured.note);
}

pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_one_name_are_one_entry() {
        let mut results = Map::new();
        enter(&mut results, "F11", json!({ "value": { "components": 1000 }, "note": "a" }));
        enter(&mut results, "F11", json!({ "value": { "clients": 1000 }, "note": "b" }));
        enter(&mut results, "F1", json!({ "value": 7, "note": "c" }));
        assert_eq!(results["F11"], json!({ "value": { "components": 1000, "clients": 1000 }, "note": "a; b" }));
        assert_eq!(results["F1"], json!({ "value": 7, "note": "c" }));
    }
}
