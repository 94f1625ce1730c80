//! Time, randomness, spawning and shutdown: the only crate that touches the machine's clock and
//! entropy.
//!
//! Everything above takes them from here, so that one place can name, bound and later simulate
//! them.

pub mod clock;
pub mod gate;
pub mod random;
pub mod task;

pub use gate::{Gate, GateGuard};
pub use task::{TaskKind, spawn, spawn_blocking};
pub use tokio_util::sync::CancellationToken;
