//! Where usage records go.

use std::sync::Arc;

use alula_types::UsageRecord;
use alula_types::usage::UsageSink;

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

impl UsageSink for Nowhere {
    fn record(&self, _record: UsageRecord) {}
}

/// Gives each record to two sinks.
pub struct Both(pub Arc<dyn UsageSink>, pub Arc<dyn UsageSink>);

impl UsageSink for Both {
    fn record(&self, record: UsageRecord) {
        self.0.record(record.clone());
        self.1.record(record);
    }

    fn wants_request(&self) -> bool {
        self.0.wants_request() || self.1.wants_request()
    }
}
