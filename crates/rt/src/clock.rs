//! The machine's clocks.
#![expect(clippy::disallowed_methods, reason = "this module is the one place that reads the clock")]

use std::future::Future;
use std::time::{Duration, Instant, SystemTime};

/// The monotonic clock.
pub fn now() -> Instant {
    Instant::now()
}

/// The wall clock. It may jump; never decide safety by it.
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Milliseconds since 1970 by the wall clock; 0 before it.
pub fn unix_ms() -> u64 {
    let since = wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Waits. Cancellation-safe.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Waits until an instant. Cancellation-safe.
pub async fn sleep_until(deadline: Instant) {
    tokio::time::sleep_until(deadline.into()).await;
}

/// The deadline passed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

/// Runs a future until a deadline. The future is dropped when it passes, so it must bear that.
pub async fn until<F: Future>(deadline: Instant, future: F) -> Result<F::Output, Elapsed> {
    tokio::time::timeout_at(deadline.into(), future).await.map_err(|_| Elapsed)
}

/// Runs a future for at most a duration. The future is dropped when it passes, so it must bear
/// that.
pub async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    tokio::time::timeout(limit, future).await.map_err(|_| Elapsed)
}
