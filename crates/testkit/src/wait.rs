//! Patience: how long a test waits for a condition.

use std::time::Duration;

/// How long a condition may take. Ten times what the slowest machine needs: it ends hung tests, it
/// is never what a test is about.
pub const PATIENCE: Duration = Duration::from_secs(60);
