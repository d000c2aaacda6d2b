//! Wall-clock time as the configuration store and the wire know it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// Milliseconds since 1970-01-01T00:00:00Z.
///
/// Decisions take it as an argument; only the rim calls [`Timestamp::now`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The time of default values: any real write is newer.
    pub const DAWN: Self = Self(1);

    /// The time now; a clock set before 1970 counts as [`Timestamp::DAWN`].
    pub fn now() -> Self {
        Self::of(SystemTime::now())
    }

    /// That time; one before 1970 counts as [`Timestamp::DAWN`].
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH);
        since.map_or(Self::DAWN, |d| Self(u64::try_from(d.as_millis()).unwrap_or(u64::MAX)))
    }

    /// `21-11-2026 22:19:51 UTC`, as deployments are dated; a number no calendar has stays a number.
    pub fn date(self) -> String {
        self.formatted(format_description!("[day]-[month]-[year] [hour]:[minute]:[second] UTC"))
    }

    /// `2026-11-21T22:19:51Z`, as ISO 8601 has it; a number no calendar has stays a number.
    pub fn iso(self) -> String {
        self.formatted(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"))
    }

    fn formatted(self, format: &[BorrowedFormatItem<'_>]) -> String {
        i64::try_from(self.0 / 1000)
            .ok()
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
            .and_then(|at| at.format(format).ok())
            .unwrap_or_else(|| self.0.to_string())
    }
}
