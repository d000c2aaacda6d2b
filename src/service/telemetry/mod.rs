//! Takes the metrics that components measure and keeps them as raw metric lines, on the disk before the putter hears
//! that they were taken.
//!
//! The lines of a component are in `<root>/telemetry/<component>.log`, rotated and bounded like every log. Each is a
//! JSON log entry at TRACE of the logger `Metrics-<component>`, whose message is the metric:
//!
//! ```json
//! {"NS":"aws.example","N":"Frames","U":"Count","A":"Sum","V":3.0,"TS":1700000000123}
//! ```
//!
//! These are the name, the place and the form of the reference nucleus. Not here yet: the metrics of the system and of
//! the daemon itself, and the aggregation and publishing of all of them, which read what is written here.

mod handle;
mod sample;
mod task;

pub use handle::{Handle, PutError};
pub use sample::{MetricError, Sample};
pub use task::spawn;
