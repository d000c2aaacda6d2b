//! A kernel's configuration: text such as `/boot/config-6.1.0`, or the same as gzip, as in `/proc/config.gz`.
//!
//! Of its thousands of options only those are kept that some fragment asks for.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::fragment::{Requirement, requirements};
use super::gzip::{self, GzipError};
use super::release::Release;

/// What a configuration says of the options we ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Configuration {
    values: BTreeMap<&'static str, Value>,
    release: Option<Release>,
}

/// What a configuration says of one option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// `=y`
    BuiltIn,
    /// `=m`
    Module,
    /// `# CONFIG_X is not set`, `=n`, or another value.
    Off,
    /// Not a word of it: an older or newer kernel, or one for another machine, may not have the option at all.
    Unmentioned,
}

impl Value {
    pub fn is_on(self) -> bool {
        matches!(self, Self::BuiltIn | Self::Module)
    }
}

impl Requirement {
    /// Built in, there as a module, or of a kernel so old that it could not do without.
    pub fn is_met(&self, configuration: &Configuration, release: Release) -> bool {
        let value = configuration.value(self.option);
        value.is_on() || value == Value::Unmentioned && self.is_always_in(release)
    }

    /// Whether kernels of that release have it without asking.
    pub fn is_always_in(&self, release: Release) -> bool {
        self.always_before.is_some_and(|since| release < since)
    }
}

/// Why there is no configuration to be had from a file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("it is longer than {MOST} bytes, and no kernel configuration is")]
    TooLong,
    #[error("cannot unpack it")]
    Unpack(#[from] GzipError),
    #[error("it is no kernel configuration: no line sets or unsets a CONFIG_ option")]
    NoOption,
}

impl Configuration {
    /// Reads a file, text or gzip.
    pub fn load(path: &Path) -> Result<Self, ConfigurationError> {
        let cannot = |cause| ConfigurationError::Read { path: path.to_owned(), cause };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(cannot)?;
        file.take(MOST as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
        Self::parse(&bytes)
    }

    /// Reads text or gzip, whichever the bytes are.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigurationError> {
        if bytes.len() > MOST {
            return Err(ConfigurationError::TooLong);
        }
        if gzip::is_gzip(bytes) { Self::parse_text(&gzip::unpack(bytes, MOST)?) } else { Self::parse_text(bytes) }
    }

    /// The last line about an option counts, as it does for the kernel.
    fn parse_text(text: &[u8]) -> Result<Self, ConfigurationError> {
        let mut values: BTreeMap<_, _> =
            requirements().iter().map(|requirement| (requirement.option, Value::Unmentioned)).collect();
        let release = text.split(|byte| *byte == b'\n').take(HEAD).find_map(release_of);
        let mut options = 0_usize;
        for (option, value) in text.split(|byte| *byte == b'\n').filter_map(line) {
            options += 1;
            if let Some(known) = values.get_mut(option) {
                *known = value;
            }
        }
        if options == 0 { Err(ConfigurationError::NoOption) } else { Ok(Self { values, release }) }
    }

    /// The kernel it is of, where its head says so: `# Linux/x86 6.1.0 Kernel Configuration`.
    pub fn release(&self) -> Option<Release> {
        self.release
    }

    /// What is said of an option of ours; of any other, nothing is known.
    pub fn value(&self, option: &str) -> Value {
        self.values.get(option).copied().unwrap_or(Value::Unmentioned)
    }
}

/// The option a line is about, and what the line says of it.
fn line(line: &[u8]) -> Option<(&str, Value)> {
    let text = std::str::from_utf8(line).ok()?.trim_ascii();
    let (option, value) = match text.strip_prefix("# ") {
        Some(comment) => (comment.strip_suffix(" is not set")?, Value::Off),
        None => {
            let (option, value) = text.split_once('=')?;
            let value = match value {
                "y" => Value::BuiltIn,
                "m" => Value::Module,
                _ => Value::Off,
            };
            (option, value)
        }
    };
    let name = option.strip_prefix("CONFIG_")?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((option, value))
}

fn release_of(line: &[u8]) -> Option<Release> {
    let words = std::str::from_utf8(line).ok()?.strip_prefix("# Linux/")?;
    Release::parse(words.split(' ').nth(1)?)
}

/// Lines of its head.
const HEAD: usize = 5;
/// Distributions' configurations have some 300 KB.
const MOST: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_on_off_or_not_mentioned() {
        let text = b"# a comment\r\nCONFIG_CGROUPS=y\r\nCONFIG_OVERLAY_FS=m\n# CONFIG_KEYS is not set\nCONFIG_UNIX=n\n\
            CONFIG_LOCALVERSION=\"-x\"\nCONFIG_EPOLL=y is odd\nCONFIG_MEMCG=y";
        let configuration = Configuration::parse(text).unwrap();
        let of = |option: &str| configuration.value(&format!("CONFIG_{option}"));
        assert_eq!((of("CGROUPS"), of("OVERLAY_FS")), (Value::BuiltIn, Value::Module));
        assert_eq!((of("KEYS"), of("UNIX"), of("EPOLL")), (Value::Off, Value::Off, Value::Off));
        assert_eq!((of("SHMEM"), of("NO_SUCH")), (Value::Unmentioned, Value::Unmentioned));
        assert_eq!(of("MEMCG"), Value::BuiltIn, "the last line needs no line end");
        assert_eq!(configuration.release(), None);
        let head =
            b"#\n# Automatically generated file; DO NOT EDIT.\n# Linux/x86 6.18.44 Kernel Configuration\n#\nCONFIG_A=y";
        assert_eq!(Configuration::parse(head).unwrap().release(), Some(Release(6, 18)));
    }

    #[test]
    fn old_kernel_has_what_could_not_be_left_out_then() {
        let configuration = Configuration::parse(b"CONFIG_CGROUPS=y").unwrap();
        let of = |name| requirements().iter().find(|requirement| requirement.option == name).unwrap();
        assert!(of("CONFIG_POSIX_TIMERS").is_met(&configuration, Release(4, 9)));
        assert!(!of("CONFIG_POSIX_TIMERS").is_met(&configuration, Release(4, 10)));
        assert!(!of("CONFIG_EPOLL").is_met(&configuration, Release(3, 17)));
        let off = Configuration::parse(b"# CONFIG_POSIX_TIMERS is not set").unwrap();
        assert!(!of("CONFIG_POSIX_TIMERS").is_met(&off, Release(4, 9)));
    }

    #[test]
    fn last_line_about_an_option_counts() {
        let text = b"CONFIG_KEYS=y\n# CONFIG_KEYS is not set\n";
        assert_eq!(Configuration::parse(text).unwrap().value("CONFIG_KEYS"), Value::Off);
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        for text in [
            &b""[..],
            b"hello\n",
            b"\xff\xfe\x00",
            b"CONFIG_=y",
            b"CONFIGX=y",
            b"# CONFIG_KEYS",
            b"#CONFIG_A is not set",
        ] {
            assert!(matches!(Configuration::parse(text), Err(ConfigurationError::NoOption)), "{text:?}");
        }
        let long = vec![b'\n'; MOST + 1];
        assert!(matches!(Configuration::parse(&long), Err(ConfigurationError::TooLong)));
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(Configuration::load(directory.path()), Err(ConfigurationError::Read { .. })));
    }

    #[test]
    fn file_without_end_is_read_no_further_than_the_limit() {
        assert!(matches!(Configuration::load(Path::new("/dev/zero")), Err(ConfigurationError::TooLong)));
    }
}
