//! What shall be logged, how and where: the `logging` block of the nucleus configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::Format;

/// The settings in force, built-in defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogSettings {
    pub level: Level,
    pub format: Format,
    pub output: Output,
    /// A file that would become larger than this, in bytes, is rotated.
    pub file_size: u64,
    /// All files of one log together, in bytes: the oldest rotated ones go.
    pub total_size: u64,
    pub directory: PathBuf,
    /// Levels of single logs, by component name.
    pub levels: BTreeMap<String, Level>,
}

/// How grave a line is; also the least that is logged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    File,
    Console,
    /// The local syslog daemon, through `/dev/log`. The reference nucleus lacks it.
    Syslog,
}

impl LogSettings {
    /// The built-in defaults: text files of 1 MiB, 10 MiB per log, from INFO.
    pub fn in_directory(directory: PathBuf) -> Self {
        Self {
            level: Level::Info,
            format: Format::Text,
            output: Output::File,
            file_size: 1024 * KB,
            total_size: 10_240 * KB,
            directory,
            levels: BTreeMap::new(),
        }
    }

    /// Reads the `logging` block on top of `self`, the defaults. Null is an empty block.
    /// One key that is unknown or wrong refuses the whole block, as in the reference nucleus.
    pub fn parse(&self, block: &Value) -> Result<Self, SettingsError> {
        let mut settings = self.clone();
        let entries = match block {
            Value::Null => return Ok(settings),
            Value::Object(entries) => entries,
            _ => return Err(SettingsError::NotAMap),
        };
        for (key, value) in entries {
            match key.as_str() {
                "level" => settings.level = choose(key, value, &LEVELS)?,
                "componentLevels" => settings.levels = component_levels(value)?,
                "format" => settings.format = choose(key, value, &FORMATS)?,
                "outputType" => settings.output = choose(key, value, &OUTPUTS)?,
                "fileSizeKB" => settings.file_size = kilobytes(key, value)?,
                "totalLogsSizeKB" => settings.total_size = kilobytes(key, value)?,
                "outputDirectory" => settings.directory = absolute(key, value)?.unwrap_or(settings.directory),
                _ => return Err(SettingsError::UnknownKey { key: shown(key) }),
            }
        }
        Ok(settings)
    }

    /// Whether a line of this level in this log is logged.
    pub fn wants(&self, log: &str, level: Level) -> bool {
        level >= self.levels.get(log).copied().unwrap_or(self.level)
    }

    /// The least level any log wants.
    pub fn least(&self) -> Level {
        self.levels.values().copied().chain([self.level]).min().unwrap_or(self.level)
    }
}

impl Level {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }

    /// A level in either case of letters.
    pub fn parse(text: &str) -> Option<Self> {
        LEVELS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, level)| *level)
    }
}

/// Picks from a table of words, in either case of letters.
fn choose<T: Copy>(key: &str, value: &Value, table: &[(&'static str, T)]) -> Result<T, SettingsError> {
    let found = value.as_str().and_then(|text| table.iter().find(|(word, _)| word.eq_ignore_ascii_case(text.trim())));
    found.map(|(_, choice)| *choice).ok_or_else(|| SettingsError::WrongValue {
        key: key.into(),
        shown: shown(&value.to_string()),
        wanted: table.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", "),
    })
}

/// Levels by the name of the component; ours, the reference nucleus has one level for all.
fn component_levels(value: &Value) -> Result<BTreeMap<String, Level>, SettingsError> {
    let levels = value.as_object().ok_or_else(|| SettingsError::WrongValue {
        key: "componentLevels".into(),
        shown: shown(&value.to_string()),
        wanted: "a map from component name to level".into(),
    })?;
    levels
        .iter()
        .map(|(name, level)| Ok((name.clone(), choose(&format!("componentLevels.{}", shown(name)), level, &LEVELS)?)))
        .collect()
}

/// A positive number of KB, as a number or as its text.
fn kilobytes(key: &str, value: &Value) -> Result<u64, SettingsError> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    };
    number.filter(|n| *n > 0).and_then(|n: u64| n.checked_mul(KB)).ok_or_else(|| SettingsError::WrongValue {
        key: key.into(),
        shown: shown(&value.to_string()),
        wanted: "a whole number of KB above 0".into(),
    })
}

/// Empty is as good as absent.
fn absolute(key: &str, value: &Value) -> Result<Option<PathBuf>, SettingsError> {
    match value.as_str() {
        Some("") => Ok(None),
        Some(text) if text.starts_with('/') && !text.contains('\0') => Ok(Some(text.into())),
        _ => Err(SettingsError::WrongValue {
            key: key.into(),
            shown: shown(&value.to_string()),
            wanted: "an absolute path".into(),
        }),
    }
}

/// A hostile value must not fill the log.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// A `logging` block that is not used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("logging is not a map")]
    NotAMap,
    #[error(
        "logging has no key {key:?}: use level, componentLevels, format, outputType, fileSizeKB, totalLogsSizeKB or \
         outputDirectory"
    )]
    UnknownKey { key: String },
    #[error("logging.{key} cannot be {shown}: use {wanted}")]
    WrongValue { key: String, shown: String, wanted: String },
}

const LEVELS: [(&str, Level); 5] = [
    ("TRACE", Level::Trace),
    ("DEBUG", Level::Debug),
    ("INFO", Level::Info),
    ("WARN", Level::Warn),
    ("ERROR", Level::Error),
];
const FORMATS: [(&str, Format); 2] = [("TEXT", Format::Text), ("JSON", Format::Json)];
const OUTPUTS: [(&str, Output); 3] = [("FILE", Output::File), ("CONSOLE", Output::Console), ("SYSLOG", Output::Syslog)];

/// Sizes are given in these.
const KB: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parse_takes_every_key_in_both_spellings() {
        let defaults = LogSettings::in_directory("/var/log/gg".into());
        assert_eq!(defaults.parse(&Value::Null).unwrap(), defaults);
        let block = json!({"level": "debug", "format": "JSON", "outputType": "CONSOLE", "fileSizeKB": 2,
            "totalLogsSizeKB": "20", "outputDirectory": "/tmp/x", "componentLevels": {"com.example.A": "error"}});
        let settings = defaults.parse(&block).unwrap();
        assert_eq!((settings.level, settings.format, settings.output), (Level::Debug, Format::Json, Output::Console));
        assert_eq!((settings.file_size, settings.total_size), (2048, 20_480));
        assert_eq!(settings.directory, PathBuf::from("/tmp/x"));
        assert_eq!(settings.levels["com.example.A"], Level::Error);
    }

    #[test]
    fn parse_refuses_the_whole_block_for_one_bad_key() {
        let defaults = LogSettings::in_directory("/var/log/gg".into());
        for bad in [
            json!({"level": "DEBUG", "lvl": 1}),
            json!({"level": "LOUD"}),
            json!({"level": 3}),
            json!({"fileSizeKB": 0}),
            json!({"fileSizeKB": -1}),
            json!({"fileSizeKB": 1.5}),
            json!({"totalLogsSizeKB": u64::MAX}),
            json!({"outputDirectory": "relative"}),
            json!({"componentLevels": "ERROR"}),
            json!({"componentLevels": {"com.example.A": "LOUD"}}),
            json!([]),
        ] {
            assert!(defaults.parse(&bad).is_err(), "{bad}");
        }
        let error = defaults.parse(&json!({"lvl": 1})).unwrap_err().to_string();
        assert!(error.contains("\"lvl\""), "{error}");
    }

    #[test]
    fn wants_follows_the_level_of_the_log_first() {
        let mut settings = LogSettings::in_directory("/x".into());
        settings.levels.insert("noisy".into(), Level::Error);
        settings.levels.insert("studied".into(), Level::Trace);
        assert!(settings.wants("any", Level::Info) && !settings.wants("any", Level::Debug));
        assert!(!settings.wants("noisy", Level::Warn) && settings.wants("studied", Level::Trace));
        assert_eq!(settings.least(), Level::Trace);
    }
}
