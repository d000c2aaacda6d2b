//! The kernel: is it new enough, and does it have the options.

use crate::applet::check::facts::{Facts, Kernel, Options};
use crate::applet::check::finding::{Finding, Group, Verdict};
use crate::boot::kernel::{Missing, RULES, Release, Requirement, Scope, Value, requirements};

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let kernel = &facts.kernel;
    let mut findings = release(kernel);
    findings.push(source(kernel));
    let release = kernel.release.unwrap_or(Release(u16::MAX, 0));
    findings.extend(requirements().iter().filter_map(|requirement| {
        let state = state(requirement, &kernel.options, release)?;
        Some(option(requirement, state, facts.is_ours))
    }));
    findings
}

fn release(kernel: &Kernel) -> Vec<Finding> {
    let Some(release) = kernel.release else {
        let what = format!("{:?} is no release", kernel.name);
        let effect = "nothing is known of what an old kernel lacks";
        return vec![Finding::degraded(Group::Kernel, "release", what, effect, "mount proc on /proc")];
    };
    let broken: Vec<Finding> = RULES
        .iter()
        .filter(|rule| !rule.is_met(release))
        .map(|rule| {
            let what = format!("{} is older than {}", kernel.name, rule.since);
            let mend = format!("Linux {} or newer", rule.since);
            Finding::bad(verdict(rule.missing), Group::Kernel, "release", what, rule.effect, mend)
        })
        .collect();
    if broken.is_empty() { vec![Finding::ok(Group::Kernel, "release", &kernel.name)] } else { broken }
}

/// Where the options were read, and what could not be read.
fn source(kernel: &Kernel) -> Finding {
    let name = "configuration";
    let unusable: Vec<String> =
        kernel.unusable.iter().map(|(path, reason)| format!("{}: {reason}", path.display())).collect();
    let unusable = unusable.join("; ");
    match &kernel.options {
        Options::Told { by, .. } if unusable.is_empty() => {
            Finding::ok(Group::Kernel, name, format!("read from {}", by.display()))
        }
        Options::Told { by, .. } => {
            Finding::ok(Group::Kernel, name, format!("read from {}; not usable: {unusable}", by.display()))
        }
        Options::Probed(found) => {
            let what = format!("none is shown; {} of {} options probed", found.len(), requirements().len());
            let what = if unusable.is_empty() { what } else { format!("{what}; not usable: {unusable}") };
            let mut finding = Finding::ok(Group::Kernel, name, what);
            finding.mend = Some("for all options: modprobe configs, or give --kernel-config FILE".to_owned());
            finding
        }
        Options::Refused => {
            let effect = "no option could be checked";
            let mend = "give the .config of the kernel, or its /proc/config.gz";
            Finding::bad(Verdict::Failed, Group::Kernel, name, unusable, effect, mend)
        }
    }
}

/// Of one option.
#[derive(Clone, Copy)]
enum State {
    Has(&'static str),
    Lacks(&'static str),
}

/// `None` where it could not be found out.
fn state(requirement: &Requirement, options: &Options, release: Release) -> Option<State> {
    match options {
        Options::Refused => None,
        Options::Probed(found) => found
            .get(requirement.option)
            .map(|has| if *has { State::Has("probed") } else { State::Lacks("probed: not there") }),
        Options::Told { configuration, .. } => Some(match configuration.value(requirement.option) {
            Value::BuiltIn => State::Has("built in"),
            Value::Module => State::Has("module"),
            Value::Unmentioned if requirement.is_always_in(release) => State::Has("always in a kernel of this age"),
            Value::Off => State::Lacks("not set"),
            Value::Unmentioned => State::Lacks("not set, nor mentioned"),
        }),
    }
}

/// What `gg-init` needs fails only a device that boots through it.
fn option(requirement: &Requirement, state: State, is_ours: bool) -> Finding {
    let what = match state {
        State::Has(how) => {
            return Finding { routine: true, ..Finding::ok(Group::Kernel, requirement.option, how) };
        }
        State::Lacks(how) => how,
    };
    let verdict = match requirement.scope {
        Scope::Boot if !is_ours => Verdict::Degraded,
        Scope::Boot | Scope::Runtime => verdict(requirement.missing),
    };
    let mend = if requirement.settable {
        format!("in the kernel configuration: {}=y", requirement.option)
    } else {
        format!("a kernel and an architecture that have {}", requirement.option)
    };
    Finding::bad(verdict, Group::Kernel, requirement.option, what, requirement.effect, mend)
}

fn verdict(missing: Missing) -> Verdict {
    match missing {
        Missing::Degraded => Verdict::Degraded,
        Missing::Failed => Verdict::Failed,
    }
}
