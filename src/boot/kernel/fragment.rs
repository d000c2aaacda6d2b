//! The fragments of `kernel-config/`, whose README tells the format: options, each with its user and what its absence
//! costs.

use std::sync::OnceLock;

use super::release::Release;

/// Every fragment: file name and text.
pub static FRAGMENTS: &[(&str, &str)] = &[
    ("block.cfg", include_str!("../../../kernel-config/block.cfg")),
    ("cgroups.cfg", include_str!("../../../kernel-config/cgroups.cfg")),
    ("console.cfg", include_str!("../../../kernel-config/console.cfg")),
    ("events.cfg", include_str!("../../../kernel-config/events.cfg")),
    ("files.cfg", include_str!("../../../kernel-config/files.cfg")),
    ("initrd.cfg", include_str!("../../../kernel-config/initrd.cfg")),
    ("ipc.cfg", include_str!("../../../kernel-config/ipc.cfg")),
    ("keys.cfg", include_str!("../../../kernel-config/keys.cfg")),
    ("namespaces.cfg", include_str!("../../../kernel-config/namespaces.cfg")),
    ("network.cfg", include_str!("../../../kernel-config/network.cfg")),
    ("overlay.cfg", include_str!("../../../kernel-config/overlay.cfg")),
    ("seccomp.cfg", include_str!("../../../kernel-config/seccomp.cfg")),
    ("squashfs.cfg", include_str!("../../../kernel-config/squashfs.cfg")),
    ("watchdog.cfg", include_str!("../../../kernel-config/watchdog.cfg")),
];

/// One option that something of ours needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Requirement {
    /// With its prefix: `CONFIG_MEMCG`.
    pub option: &'static str,
    /// The fragment it stands in.
    pub file: &'static str,
    pub scope: Scope,
    /// Who uses it, a sentence with a path.
    pub user: String,
    /// Older kernels have it without an option to leave it out.
    pub always_before: Option<Release>,
    pub missing: Missing,
    /// What does not work without it.
    pub effect: &'static str,
    /// Whether a line in a kernel configuration sets it; otherwise the architecture does.
    pub settable: bool,
}

/// Who cannot do without an option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// The daemon and its components.
    Runtime,
    /// `gg-init`, while it brings up the device.
    Boot,
}

/// How bad it is that an option is not set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// Something in particular does not work.
    Degraded,
    /// The device cannot do its work.
    Failed,
}

/// Why a text is no fragment.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FragmentError {
    #[error("{file}: the first block does not end with \"# scope: runtime\" or \"# scope: boot\"")]
    NoScope { file: &'static str },
    #[error("{file}:{line}: neither a comment nor CONFIG_<NAME>=y")]
    BadLine { file: &'static str, line: usize },
    #[error("{file}:{line}: the comment above does not say who uses {option}")]
    NoUser { file: &'static str, line: usize, option: &'static str },
    #[error("{file}:{line}: the line above is not \"# missing: failed|degraded: <what does not work>\"")]
    NoEffect { file: &'static str, line: usize },
    #[error("{file}:{line}: the line \"# always before:\" does not name a release such as 4.10")]
    NoRelease { file: &'static str, line: usize },
}

/// All options of all fragments, in the order of their files.
pub fn requirements() -> &'static [Requirement] {
    static ALL: OnceLock<Vec<Requirement>> = OnceLock::new();
    ALL.get_or_init(|| {
        // Our own text: a test holds that every fragment can be read.
        FRAGMENTS.iter().flat_map(|(file, text)| parse_fragment(file, text).unwrap_or_default()).collect()
    })
}

/// Reads one fragment.
pub fn parse_fragment(file: &'static str, text: &'static str) -> Result<Vec<Requirement>, FragmentError> {
    let head = text.split("\n\n").next().and_then(|head| head.lines().last());
    let scope = match head {
        Some("# scope: runtime") => Scope::Runtime,
        Some("# scope: boot") => Scope::Boot,
        _ => return Err(FragmentError::NoScope { file }),
    };
    let mut found = Vec::new();
    let mut block: Vec<&'static str> = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let line = index + 1;
        let (setting, settable) = match text.strip_prefix("# check: ") {
            Some(setting) => (setting, false),
            None => (text, true),
        };
        if text.is_empty() {
            block.clear();
        } else if let (true, Some(comment)) = (settable, text.strip_prefix("# ")) {
            block.push(comment);
        } else {
            let option = option_of(setting).ok_or(FragmentError::BadLine { file, line })?;
            let Some((last, users)) = block.split_last() else {
                return Err(FragmentError::NoUser { file, line, option });
            };
            let (always_before, users) = match users.split_last() {
                Some((last, others)) if last.starts_with(ALWAYS) => {
                    let release = Release::parse(&last[ALWAYS.len()..]);
                    (Some(release.ok_or(FragmentError::NoRelease { file, line })?), others)
                }
                _ => (None, users),
            };
            let (missing, effect) = effect_of(last).ok_or(FragmentError::NoEffect { file, line })?;
            if users.is_empty() {
                return Err(FragmentError::NoUser { file, line, option });
            }
            let user = users.join(" ");
            found.push(Requirement { option, file, scope, user, always_before, missing, effect, settable });
            block.clear();
        }
    }
    Ok(found)
}

const ALWAYS: &str = "always before: ";

fn option_of(setting: &'static str) -> Option<&'static str> {
    let option = setting.strip_suffix("=y")?;
    let name = option.strip_prefix("CONFIG_")?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some(option)
}

fn effect_of(comment: &'static str) -> Option<(Missing, &'static str)> {
    let rest = comment.strip_prefix("missing: ")?;
    let (missing, effect) = match rest.split_once(": ")? {
        ("failed", effect) => (Missing::Failed, effect),
        ("degraded", effect) => (Missing::Degraded, effect),
        _ => return None,
    };
    (!effect.is_empty()).then_some((missing, effect))
}

#[cfg(test)]
mod tests;
