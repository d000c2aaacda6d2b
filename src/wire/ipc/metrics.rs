//! Metrics of a component: `PutComponentMetric`.

use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
pub struct PutComponentMetricRequest {
    pub metrics: Option<Vec<Metric>>,
}

/// One measured value; checked by who takes it.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Metric {
    pub name: Option<String>,
    /// As written: see [`MetricUnit::parse`].
    pub unit: Option<String>,
    pub value: Option<f64>,
}

#[derive(Debug, Serialize)]
pub struct PutComponentMetricResponse {}

/// What a value counts, spelled as in the raw metric line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub enum MetricUnit {
    Bytes,
    BytesPerSecond,
    Count,
    CountPerSecond,
    Megabytes,
    None,
    Percent,
    Seconds,
}

impl MetricUnit {
    /// Reads a unit as the reference does: only letters and digits count, in either case, so `BYTES_PER_SECOND` and
    /// `BytesPerSecond` are one.
    pub fn parse(text: &str) -> Option<Self> {
        let word: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
        UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&word)).map(|(_, unit)| *unit)
    }
}

const UNITS: [(&str, MetricUnit); 8] = [
    ("Bytes", MetricUnit::Bytes),
    ("BytesPerSecond", MetricUnit::BytesPerSecond),
    ("Count", MetricUnit::Count),
    ("CountPerSecond", MetricUnit::CountPerSecond),
    ("Megabytes", MetricUnit::Megabytes),
    ("None", MetricUnit::None),
    ("Percent", MetricUnit::Percent),
    ("Seconds", MetricUnit::Seconds),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_is_read_in_every_spelling_of_the_model() {
        for (text, unit) in [
            ("BYTES", MetricUnit::Bytes),
            ("BYTES_PER_SECOND", MetricUnit::BytesPerSecond),
            ("COUNT", MetricUnit::Count),
            ("COUNT_PER_SECOND", MetricUnit::CountPerSecond),
            ("MEGABYTES", MetricUnit::Megabytes),
            ("SECONDS", MetricUnit::Seconds),
        ] {
            assert_eq!(MetricUnit::parse(text), Some(unit), "{text}");
            assert_eq!(MetricUnit::parse(&text.to_lowercase()), Some(unit), "{text}");
        }
        for (name, unit) in UNITS {
            assert_eq!(serde_json::to_string(&unit).unwrap(), format!("\"{name}\""));
        }
        for unknown in ["", "_", "KILOS", "Bytes/Second"] {
            assert_eq!(MetricUnit::parse(unknown), None, "{unknown:?}");
        }
    }
}
