//! Findings on paper: a table that fits 80 columns, or JSON.

use std::fmt::Write as _;

use serde_json::json;

use super::facts::{Facts, Options};
use super::finding::{Finding, Group, Verdict};

/// What is written on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paper {
    pub colour: Colour,
    pub detail: Detail,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Colour {
    Always,
    Never,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Detail {
    Every,
    /// Of what is routine only what is not ok.
    Telling,
}

impl Paper {
    /// A verdict, padded to its column.
    pub(super) fn verdict(&self, verdict: Verdict) -> String {
        let word = format!("{:<VERDICT$}", verdict.name());
        let colour = match (self.colour, verdict) {
            (Colour::Never, _) => return word,
            (Colour::Always, Verdict::Ok) => 32,
            (Colour::Always, Verdict::Degraded) => 33,
            (Colour::Always, Verdict::Failed) => 31,
        };
        format!("\x1b[{colour}m{word}\x1b[0m")
    }
}

/// The table, group by group.
pub(super) fn text(findings: &[Finding], verdict: Verdict, paper: &Paper) -> String {
    let mut text = String::new();
    let mut group: Option<Group> = None;
    let mut left_out = 0_usize;
    let shown = |finding: &Finding| paper.detail == Detail::Every || !finding.routine || finding.verdict != Verdict::Ok;
    for finding in findings {
        if group != Some(finding.group) {
            options_left_out(&mut text, &mut left_out, paper);
            group = Some(finding.group);
            let _ = writeln!(text, "{}", name(finding.group));
        }
        if shown(finding) { one(&mut text, finding, paper) } else { left_out += 1 }
    }
    options_left_out(&mut text, &mut left_out, paper);
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let counts: Vec<String> = Verdict::ALL.iter().map(|one| format!("{} {}", count(*one), one.name())).collect();
    let _ = writeln!(text, "\nVerdict: {} ({})", paper.verdict(verdict).trim_end(), counts.join(", "));
    text
}

fn options_left_out(text: &mut String, count: &mut usize, paper: &Paper) {
    if *count > 0 {
        let what = format!("{count} have what is needed; --verbose lists them");
        one(text, &Finding::ok(Group::Kernel, "options", what), paper);
        *count = 0;
    }
}

fn one(text: &mut String, finding: &Finding, paper: &Paper) {
    let _ = write!(text, "  {}  ", paper.verdict(finding.verdict));
    let mut lines = Vec::new();
    wrap(&finding.what, &mut lines);
    if let Some(effect) = &finding.effect {
        wrap(effect, &mut lines);
    }
    if let Some(mend) = &finding.mend {
        wrap(&format!("-> {mend}"), &mut lines);
    }
    let mut lines = lines.into_iter();
    // A long name has a line of its own.
    let first = if finding.name.chars().count() <= NAME { lines.next() } else { None };
    let _ = writeln!(text, "{}", format!("{:<NAME$}  {}", clean(&finding.name), first.unwrap_or_default()).trim_end());
    for line in lines {
        let _ = writeln!(text, "{:INDENT$}{line}", "");
    }
}

/// Cuts text at spaces into lines of the last column; a word that is longer stays whole.
pub(super) fn wrap(text: &str, lines: &mut Vec<String>) {
    let mut line = String::new();
    for word in clean(text).split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > REST {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
}

/// What a file says must not command a terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn name(group: Group) -> &'static str {
    match group {
        Group::Kernel => "kernel",
        Group::Cgroups => "control groups",
        Group::System => "system",
        Group::Security => "security",
        Group::Resources => "resources",
        Group::Software => "software",
    }
}

/// One document.
pub(super) fn json(facts: &Facts, findings: &[Finding], verdict: Verdict) -> String {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let source = match &facts.kernel.options {
        Options::Told { by, .. } => json!(by.display().to_string()),
        Options::Probed(_) => json!("probed"),
        Options::Refused => json!(null),
    };
    let document = json!({
        "verdict": verdict,
        "ok": count(Verdict::Ok),
        "degraded": count(Verdict::Degraded),
        "failed": count(Verdict::Failed),
        "kernel": { "release": facts.kernel.name, "configuration": source },
        "findings": findings,
    });
    format!("{document:#}\n")
}

const VERDICT: usize = 8;
const NAME: usize = 14;
/// Where the last column begins, and how wide it is: 80 in all.
pub(super) const INDENT: usize = 2 + VERDICT + 2 + NAME + 2;
const REST: usize = 80 - INDENT;
