//! What every storey stands on and what knows nothing of Greengrass: clock, error report, logging, shutdown.

pub mod clock;
pub mod log;
pub mod pause;
pub mod ready;
pub mod report;
pub mod token;
pub mod unix_path;
