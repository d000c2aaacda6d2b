//! What can be set about the boot: one table, for kernel arguments (`gg.<name>=<value>`) and `/etc/gg-init.conf`
//! (`<name>=<value>` a line).
//!
//! A device that cannot boot cannot be told so: an unknown name or a bad value is a [`Finding`] and the rest counts.

mod words;

use std::fmt;

use crate::data::Policy;
use crate::slot::{Slot, Wanted};
use crate::state::device::Kind;

/// All settings, with their defaults where nobody said anything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    pub slot: Wanted,
    pub loaded: Option<Slot>,
    pub backend: Loader,
    pub trial_deadline: u64,
    pub data: Policy,
    pub overlay: Overlay,
    pub overlay_size: u64,
    pub cgroup: Cgroup,
    pub wait: u64,
    pub watchdog: u64,
    pub watchdog_handover: WatchdogHandover,
    pub factory_reset: Reset,
    /// Empty: the first of the usual places that is there.
    pub init: String,
    pub supervise: String,
    pub unsettled: u64,
    pub shutdown_grace: u64,
    pub rescue: Rescue,
    pub retry_delay: u64,
    pub panic: u64,
}

/// Where what is written to the root goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overlay {
    Data,
    Memory,
    None,
}

/// Which control groups to mount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cgroup {
    /// Version 2 where the kernel has it, else version 1.
    Auto,
    V2,
    V1,
    None,
}

/// What happens to a running watchdog when another init takes over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatchdogHandover {
    Stop,
    Keep,
}

/// Who keeps which slot boots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loader {
    /// GRUB with our script where the boot loader says what it loaded and `gg-esp` is there, else nobody.
    Auto,
    /// Nobody: the slots are chosen by hand.
    None,
    This(Kind),
}

/// What a factory reset erases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reset {
    None,
    Overlay,
    Data,
}

impl Reset {
    /// The words of the setting and of the request file.
    pub fn parse(text: &str) -> Option<Self> {
        one_of(text.trim(), &[("none", Self::None), ("overlay", Self::Overlay), ("data", Self::Data)])
    }
}

/// Whether a boot that cannot go on ends in a shell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rescue {
    Reboot,
    Shell,
}

/// One row of the table.
#[derive(Clone, Copy)]
pub struct Setting {
    pub name: &'static str,
    /// What a value may be.
    pub values: &'static str,
    pub default: &'static str,
    pub about: &'static str,
    set: fn(&mut Settings, &str) -> Option<()>,
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting").field("name", &self.name).field("default", &self.default).finish_non_exhaustive()
    }
}

/// Every setting there is.
pub const TABLE: &[Setting] = &[
    Setting {
        name: "slot",
        values: "auto, a, b, other",
        default: "auto",
        about: "Which system image to boot; a one-shot file on the data partition asks when this is auto.",
        set: |settings, value| Wanted::parse(value).map(|slot| settings.slot = slot),
    },
    Setting {
        name: "loaded",
        values: "a, b",
        default: "",
        about: "The slot that the kernel was loaded from, as the boot loader says.",
        set: |settings, value| Slot::parse(value).map(|slot| settings.loaded = Some(slot)),
    },
    Setting {
        name: "backend",
        values: "auto, none, grub, grub-rauc, uboot, uboot-map, gpt, bootcount-file, init-switch",
        default: "auto",
        about: "Who keeps which slot boots; auto is GRUB where it says what it loaded, else nobody.",
        set: |settings, value| {
            settings.backend = match value {
                "auto" => Loader::Auto,
                "none" => Loader::None,
                kind => Loader::This(Kind::parse(kind)?),
            };
            Some(())
        },
    },
    Setting {
        name: "trial-deadline",
        values: "10 to 86400, seconds",
        default: "600",
        about: "How long a slot on trial may take to be confirmed before the watchdog is no longer fed.",
        set: |settings, value| number(value, 10, 86400).map(|deadline| settings.trial_deadline = deadline),
    },
    Setting {
        name: "data",
        values: "fsck, format, never",
        default: "fsck",
        about: "How far to go for a data partition: repair it, format one beyond repair too, or do neither.",
        set: |settings, value| {
            one_of(value, &[("fsck", Policy::Fsck), ("format", Policy::Format), ("never", Policy::Never)])
                .map(|word| settings.data = word)
        },
    },
    Setting {
        name: "overlay",
        values: "data, memory, none",
        default: "data",
        about: "Where changes to the root go: the data partition, memory, or nowhere, for a read-only root.",
        set: |settings, value| {
            one_of(value, &[("data", Overlay::Data), ("memory", Overlay::Memory), ("none", Overlay::None)])
                .map(|word| settings.overlay = word)
        },
    },
    Setting {
        name: "overlay-size",
        values: "1 to 90, percent",
        default: "25",
        about: "How much of the memory changes to the root, or data, may take where they are kept there.",
        set: |settings, value| number(value, 1, 90).map(|size| settings.overlay_size = size),
    },
    Setting {
        name: "cgroup",
        values: "auto, v2, v1, none",
        default: "auto",
        about: "Which control groups to mount; auto is version 2 where the kernel has it.",
        set: |settings, value| {
            one_of(value, &[("auto", Cgroup::Auto), ("v2", Cgroup::V2), ("v1", Cgroup::V1), ("none", Cgroup::None)])
                .map(|word| settings.cgroup = word)
        },
    },
    Setting {
        name: "wait",
        values: "0 to 600, seconds",
        default: "5",
        about: "How long to wait for a partition to appear.",
        set: |settings, value| number(value, 0, 600).map(|wait| settings.wait = wait),
    },
    Setting {
        name: "watchdog",
        values: "0 to 3600, seconds",
        default: "60",
        about: "The timeout of the hardware watchdog; 0 leaves it alone.",
        set: |settings, value| number(value, 0, 3600).map(|timeout| settings.watchdog = timeout),
    },
    Setting {
        name: "watchdog-handover",
        values: "stop, keep",
        default: "stop",
        about: "Whether the watchdog runs on when another init takes over; keep is for one that feeds it.",
        set: |settings, value| {
            one_of(value, &[("stop", WatchdogHandover::Stop), ("keep", WatchdogHandover::Keep)])
                .map(|word| settings.watchdog_handover = word)
        },
    },
    Setting {
        name: "factory-reset",
        values: "none, overlay, data",
        default: "none",
        about: "What to erase before the root is made: changes to the system, or all data.",
        set: |settings, value| Reset::parse(value).map(|reset| settings.factory_reset = reset),
    },
    Setting {
        name: "init",
        values: "a path, or greengrass",
        default: "",
        about: "The program that takes over; greengrass keeps gg-init, which then runs the daemon itself.",
        set: |settings, value| {
            let lawful = value == SUPERVISE || value.starts_with('/');
            lawful.then(|| value.clone_into(&mut settings.init))
        },
    },
    Setting {
        name: "supervise",
        values: "a path and arguments",
        default: "/usr/bin/greengrassd --root /data/greengrass/v2",
        about: "What gg-init runs where it supervises the daemon itself.",
        set: |settings, value| value.starts_with('/').then(|| value.clone_into(&mut settings.supervise)),
    },
    Setting {
        name: "unsettled",
        values: "0 to 100, boots",
        default: "10",
        about: "After so many boots in a row that ended before the daemon served, no other init is tried; 0 is never.",
        set: |settings, value| number(value, 0, 100).map(|boots| settings.unsettled = boots),
    },
    Setting {
        name: "shutdown-grace",
        values: "1 to 600, seconds",
        default: "30",
        about: "How long the supervised daemon may take to stop before it is killed.",
        set: |settings, value| number(value, 1, 600).map(|grace| settings.shutdown_grace = grace),
    },
    Setting {
        name: "rescue",
        values: "0, 1",
        default: "0",
        about: "Whether a boot that cannot go on ends in a shell on the console instead of a reboot.",
        set: |settings, value| {
            one_of(value, &[("0", Rescue::Reboot), ("1", Rescue::Shell)]).map(|word| settings.rescue = word)
        },
    },
    Setting {
        name: "retry-delay",
        values: "0 to 3600, seconds",
        default: "30",
        about: "How long a boot that cannot go on shows its message before it reboots.",
        set: |settings, value| number(value, 0, 3600).map(|delay| settings.retry_delay = delay),
    },
    Setting {
        name: "panic",
        values: "0 to 3600, seconds",
        default: "10",
        about: "Reboot so long after a kernel panic, such as the end of the next init, where the kernel would hang.",
        set: |settings, value| number(value, 0, 3600).map(|delay| settings.panic = delay),
    },
];

/// The value of `init` that means: none, supervise.
pub const SUPERVISE: &str = "greengrass";

impl Default for Settings {
    fn default() -> Self {
        Self {
            slot: Wanted::Usual,
            loaded: None,
            backend: Loader::Auto,
            trial_deadline: 600,
            data: Policy::Fsck,
            overlay: Overlay::Data,
            overlay_size: 25,
            cgroup: Cgroup::Auto,
            wait: 5,
            watchdog: 60,
            watchdog_handover: WatchdogHandover::Stop,
            factory_reset: Reset::None,
            init: String::new(),
            supervise: "/usr/bin/greengrassd --root /data/greengrass/v2".to_owned(),
            unsettled: 10,
            shutdown_grace: 30,
            rescue: Rescue::Reboot,
            retry_delay: 30,
            panic: 10,
        }
    }
}

/// Where a setting was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    KernelArguments,
    InitramfsFile,
    SlotFile,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KernelArguments => "kernel arguments",
            Self::InitramfsFile => "gg-init.conf of the initramfs",
            Self::SlotFile => "gg-init.conf of the slot",
        })
    }
}

/// Something written that means nothing; the setting keeps the value it had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    pub origin: Origin,
    pub name: String,
    pub problem: Problem,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Problem {
    UnknownName,
    NoValue,
    BadValue { value: String, lawful: &'static str },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, name, problem } = self;
        match problem {
            Problem::UnknownName => write!(f, "{origin}: there is no setting {name:?}"),
            Problem::NoValue => write!(f, "{origin}: {name:?} has no value"),
            Problem::BadValue { value, lawful } => {
                write!(f, "{origin}: {name} cannot be {value:?}, only {lawful}")
            }
        }
    }
}

impl Settings {
    /// Takes what a settings file says over what was there.
    pub fn apply_file(&mut self, origin: Origin, text: &str, findings: &mut Vec<Finding>) {
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            self.apply(origin, name.trim(), words::unquoted(value.trim()), findings);
        }
    }

    /// Takes what `/proc/cmdline` says over what was there. Words without `gg.` are the kernel's or another's.
    pub fn apply_arguments(&mut self, cmdline: &str, findings: &mut Vec<Finding>) {
        for (name, value) in words::of_cmdline(cmdline) {
            if let Some(name) = name.strip_prefix("gg.") {
                self.apply(Origin::KernelArguments, name, &value, findings);
            }
        }
    }

    fn apply(&mut self, origin: Origin, name: &str, value: &str, findings: &mut Vec<Finding>) {
        let problem = match TABLE.iter().find(|setting| setting.name == name) {
            None => Problem::UnknownName,
            Some(_) if value.is_empty() => Problem::NoValue,
            Some(setting) => match (setting.set)(self, value) {
                Some(()) => return,
                None => Problem::BadValue { value: shortened(value), lawful: setting.values },
            },
        };
        if findings.len() < MOST_FINDINGS {
            findings.push(Finding { origin, name: shortened(name), problem });
        }
    }
}

/// More tell no more: a wrong file may have thousands of lines.
const MOST_FINDINGS: usize = 16;

/// The last value that a kernel argument has.
pub fn argument(cmdline: &str, wanted: &str) -> Option<String> {
    words::of_cmdline(cmdline).filter(|(name, _)| *name == wanted).map(|(_, value)| value.into_owned()).last()
}

/// The program that the kernel's own `init=` names; boot loaders set it, and an initramfs is expected to honour it.
pub fn plain_init(cmdline: &str) -> Option<String> {
    argument(cmdline, "init")
}

/// What a word stands for.
fn one_of<T: Copy>(word: &str, lawful: &[(&str, T)]) -> Option<T> {
    lawful.iter().find(|(name, _)| *name == word).map(|(_, meaning)| *meaning)
}

fn number(value: &str, least: u64, most: u64) -> Option<u64> {
    value.parse().ok().filter(|number| (least..=most).contains(number))
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests;
