//! Which metrics are taken, and what their raw lines look like.

use serde::Serialize;

use crate::base::clock::Timestamp;
use crate::wire::ipc::metrics::{Metric, MetricUnit};
use crate::wire::name::ComponentName;

/// One measured value that may be kept.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    name: Box<str>,
    unit: MetricUnit,
    value: f64,
}

impl Sample {
    /// The longest name of a metric, in bytes.
    pub const LONGEST_NAME: usize = 32;
    /// Metrics that may be put at once: more would not fit into one log file.
    pub const MOST: usize = 1000;

    /// Checks metrics that were put together: all of them are taken, or none.
    pub fn check(metrics: &[Metric]) -> Result<Vec<Self>, MetricError> {
        match metrics.len() {
            0 => Err(MetricError::NoMetrics),
            count if count > Self::MOST => Err(MetricError::TooMany { count }),
            _ => metrics.iter().map(Self::check_one).collect(),
        }
    }

    fn check_one(metric: &Metric) -> Result<Self, MetricError> {
        let name = match metric.name.as_deref() {
            None | Some("") => return Err(MetricError::NoName),
            Some(name) if name.len() > Self::LONGEST_NAME => {
                return Err(MetricError::LongName { shown: shown(name) });
            }
            // A name of blanks is none either.
            Some(name) if name.trim().is_empty() => return Err(MetricError::NoName),
            Some(name) => name,
        };
        let unit = metric.unit.as_deref().unwrap_or_default();
        let unit = MetricUnit::parse(unit)
            .ok_or_else(|| MetricError::UnknownUnit { name: name.into(), shown: shown(unit) })?;
        match metric.value {
            Some(value) if value >= 0.0 => Ok(Self { name: name.into(), unit, value }),
            Some(_) => Err(MetricError::Negative { name: name.into() }),
            None => Err(MetricError::NoValue { name: name.into() }),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The raw metric line, without the log entry around it.
    pub(super) fn line(&self, namespace: &ComponentName, time: Timestamp) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Raw {
            namespace: namespace.as_str(),
            name: &self.name,
            unit: self.unit,
            aggregation: "Sum",
            value: self.value,
            time,
        })
    }
}

/// In the order of the reference.
#[derive(Serialize)]
struct Raw<'a> {
    #[serde(rename = "NS")]
    namespace: &'a str,
    #[serde(rename = "N")]
    name: &'a str,
    #[serde(rename = "U")]
    unit: MetricUnit,
    #[serde(rename = "A")]
    aggregation: &'a str,
    #[serde(rename = "V")]
    value: f64,
    #[serde(rename = "TS")]
    time: Timestamp,
}

/// A hostile text must not fill an answer.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Why metrics are not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetricError {
    #[error("no metrics are given")]
    NoMetrics,
    #[error("{count} metrics are given, {} may be put at once", Sample::MOST)]
    TooMany { count: usize },
    #[error("a metric has no name")]
    NoName,
    #[error("the metric name {shown:?} is longer than {} bytes", Sample::LONGEST_NAME)]
    LongName { shown: String },
    #[error("metric {name:?} has the unknown unit {shown:?}")]
    UnknownUnit { name: Box<str>, shown: String },
    #[error("metric {name:?} has no value")]
    NoValue { name: Box<str> },
    #[error("metric {name:?} has a value below 0")]
    Negative { name: Box<str> },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str, unit: &str, value: f64) -> Metric {
        Metric { name: Some(name.into()), unit: Some(unit.into()), value: Some(value) }
    }

    #[test]
    fn check_takes_all_or_names_what_is_wrong() {
        let good = metric("Frames", "COUNT", 0.0);
        assert_eq!(Sample::check(&[good.clone(), metric("B", "bytes", 1.5)]).unwrap().len(), 2);
        assert!(Sample::check(&[metric(&"n".repeat(32), "SECONDS", 1.0)]).is_ok());
        for (bad, said) in [
            (metric("", "COUNT", 1.0), "no name"),
            (metric("  ", "COUNT", 1.0), "no name"),
            (metric(&"ü".repeat(17), "COUNT", 1.0), "longer than 32 bytes"),
            (metric("F", "KILOS", 1.0), "unknown unit \"KILOS\""),
            (metric("F", "COUNT", -0.1), "below 0"),
            (Metric { name: None, ..good.clone() }, "no name"),
            (Metric { unit: None, ..good.clone() }, "unknown unit"),
            (Metric { value: None, ..good.clone() }, "no value"),
        ] {
            let error = Sample::check(&[good.clone(), bad]).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert_eq!(Sample::check(&[]), Err(MetricError::NoMetrics));
        assert!(matches!(Sample::check(&vec![good; 1001]), Err(MetricError::TooMany { count: 1001 })));
    }

    #[test]
    fn line_is_the_raw_metric_of_the_reference() {
        let samples = Sample::check(&[metric("Frames", "COUNT_PER_SECOND", 3.0)]).unwrap();
        let namespace = ComponentName::parse("aws.example").unwrap();
        assert_eq!(
            samples[0].line(&namespace, Timestamp(1_700_000_000_123)).unwrap(),
            r#"{"NS":"aws.example","N":"Frames","U":"CountPerSecond","A":"Sum","V":3.0,"TS":1700000000123}"#
        );
    }
}
