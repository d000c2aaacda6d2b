//! Where the bytes of the device binary come from, crate by crate, read from its symbols.
//!
//! Inlined code counts for the function it ended up in, a generic for the crate that wrote it (old symbol names) or
//! the crate that needed it (new ones). Strings, tables and headers belong to no symbol and are one line of their own.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// F1 of the targets: the whole daemon, in bytes.
pub(crate) const LARGEST: u64 = 6_000_000;

/// F2 of the targets: PID 1, in bytes.
pub(crate) const LARGEST_INIT: u64 = 700_000;

#[derive(Debug)]
pub(crate) struct Binary {
    pub(crate) triple: String,
    pub(crate) bytes: u64,
    /// Largest first; empty where no symbols were kept.
    pub(crate) crates: Vec<(String, u64)>,
}

/// What `make dist` built, in the order of the triples.
pub(crate) fn binaries(dist: &Path) -> io::Result<Vec<Binary>> {
    let mut folders: Vec<PathBuf> = fs::read_dir(dist)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    folders.sort();
    folders
        .iter()
        .filter(|folder| folder.join("greengrass").is_file())
        .map(|folder| {
            let triple = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let bytes = fs::metadata(folder.join("greengrass"))?.len();
            Ok(Binary { triple, bytes, crates: crates(&folder.join("greengrass.symbols"), bytes)? })
        })
        .collect()
}

pub(crate) fn report(dist: &Path) -> io::Result<()> {
    let mut document = BTreeMap::new();
    for Binary { triple, bytes, crates } in binaries(dist)? {
        let verdict = if bytes <= LARGEST { "within" } else { "ABOVE" };
        println!("{triple}: {bytes} bytes, {verdict} the {LARGEST} promised (F1)");
        if let Ok(init) = fs::metadata(dist.join(&triple).join("gg-init")) {
            let verdict = if init.len() <= LARGEST_INIT { "within" } else { "ABOVE" };
            println!("{triple}: gg-init {} bytes, {verdict} the {LARGEST_INIT} promised (F2)", init.len());
        }
        for (name, size) in crates.iter().take(30) {
            println!("  {size:>9}  {:>5.1} %  {name}", *size as f64 * 100.0 / bytes as f64);
        }
        let crates: BTreeMap<_, _> = crates.into_iter().collect();
        document.insert(triple, json!({ "bytes": bytes, "crates": crates }));
    }
    fs::write(dist.join("size.json"), format!("{:#}\n", Value::from_iter(document)))
}

fn crates(symbols: &Path, bytes: u64) -> io::Result<Vec<(String, u64)>> {
    if !symbols.is_file() {
        return Ok(Vec::new());
    }
    let listed = Command::new("nm").args(["--print-size", "--radix=d"]).arg(symbols).output()?;
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    for line in String::from_utf8_lossy(&listed.stdout).lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // bss takes no room in the file
        if let [_, size, kind, name] = fields[..]
            && !kind.eq_ignore_ascii_case("b")
        {
            *sizes.entry(crate_of(name)).or_default() += size.parse().unwrap_or(0);
        }
    }
    let known: u64 = sizes.values().sum();
    sizes.insert("(strings, tables, headers)".to_owned(), bytes.saturating_sub(known));
    let mut sizes: Vec<_> = sizes.into_iter().collect();
    sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    Ok(sizes)
}

/// The crate a mangled name belongs to.
fn crate_of(symbol: &str) -> String {
    let name = if let Some(path) = symbol.strip_prefix("_ZN") {
        legacy_crate(path)
    } else if symbol.starts_with("_R") {
        v0_crate(symbol)
    } else if symbol.contains("ring_core") || symbol.starts_with("LIMBS_") {
        Some("ring")
    } else {
        None
    };
    match name {
        Some("core" | "alloc" | "std" | "compiler_builtins" | "panic_abort" | "unwind" | "std_detect") => {
            "std".to_owned()
        }
        Some(name) => name.to_owned(),
        None => "(musl and other C)".to_owned(),
    }
}

/// `3foo3bar17h...E`, or a length and `_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$serde..ser..Serialize$GT$`.
fn legacy_crate(path: &str) -> Option<&str> {
    let digits = path.find(|c: char| !c.is_ascii_digit())?;
    let length: usize = path[..digits].parse().ok()?;
    let first = path.get(digits..digits + length)?;
    if !first.contains('$') {
        return Some(first);
    }
    let end = first.find("..")?;
    let start = first[..end].rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |at| at + 1);
    Some(&first[start..end])
}

/// The first crate root: `C`, a disambiguator `s..._`, a length and the name.
fn v0_crate(symbol: &str) -> Option<&str> {
    symbol.match_indices("Cs").find_map(|(at, _)| {
        let rest = &symbol[at + 2..];
        let (disambiguator, rest) = rest.split_once('_')?;
        if !disambiguator.chars().all(|c| c.is_ascii_alphanumeric()) {
            return None;
        }
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let length: usize = rest[..digits].parse().ok()?;
        let rest = &rest[digits..];
        rest.strip_prefix('_').unwrap_or(rest).get(..length)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crate_is_read_from_every_kind_of_symbol() {
        let cases = [
            ("_ZN5tokio7runtime5spawn17h0123456789abcdefE", "tokio"),
            ("_ZN4core3fmt5write17h0123456789abcdefE", "std"),
            ("_ZN54_$LT$tokio..time..Sleep$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE", "tokio"),
            ("_ZN41_$LT$T$u20$as$u20$serde..Serialize$GT$2go17h0123456789abcdefE", "serde"),
            ("_RNvNtCs9ltgdHTiPiY_4core3fmt5write", "std"),
            ("_RNvXs_NtCskA1_10greengrass4baseNtB4_5Clock3now", "greengrass"),
            ("ring_core_0_17_14__aes_hw_encrypt", "ring"),
            ("memcpy", "(musl and other C)"),
            ("_ZN", "(musl and other C)"),
            ("_ZN999x", "(musl and other C)"),
        ];
        for (symbol, expected) in cases {
            assert_eq!(crate_of(symbol), expected, "{symbol}");
        }
    }
}
