//! How long to wait before another attempt.

use std::time::Duration;

/// Between half of the pause and the whole, so that devices that failed together do not come back together.
pub fn jittered(pause: Duration) -> Duration {
    let random = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0;
    pause.mul_f64(0.5 + random / 2.0)
}
