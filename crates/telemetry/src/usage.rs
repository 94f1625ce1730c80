//! Where usage records go.

use alula_types::UsageRecord;
use alula_types::usage::UsageSink;

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

impl UsageSink for Nowhere {
    fn record(&self, _record: UsageRecord) {}
}
