//! Randomness: secret (from the system) for keys and ids, fast (seeded from it) for jitter and
//! spans.

use alula_types::{InvocationId, TraceContext};

use crate::clock;

/// Fills a buffer with secret bytes.
pub fn fill(buffer: &mut [u8]) {
    getrandom::fill(buffer).expect("the system's entropy source answers from early boot on");
}

/// A number for jitter and sampling; not secret.
pub fn fast() -> u64 {
    fastrand::u64(..)
}

/// A new invocation id: the wall clock and 80 random bits.
///
/// The bits need to be unique, not secret: nothing is granted to someone who knows an id.
pub fn invocation_id() -> InvocationId {
    InvocationId::from_parts(clock::unix_ms(), fastrand::u128(..))
}

/// A new span id, never zero.
pub fn span_id() -> u64 {
    fastrand::u64(1..)
}

/// The start of a new trace.
pub fn trace() -> TraceContext {
    TraceContext { trace_id: fastrand::u128(1..), span_id: span_id(), sampled: false }
}
