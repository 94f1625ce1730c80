//! A gate counts what is inside and, once closed, tells when the last one has left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use tokio::sync::Notify;

/// Lets work in until it is closed. Clones are the same gate.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    closed: AtomicBool,
    inside: AtomicUsize,
    left: Notify,
}

/// Held by work that is inside.
#[derive(Debug)]
#[must_use]
pub struct GateGuard(Arc<Inner>);

impl Gate {
    /// Enters, unless the gate is closed.
    pub fn enter(&self) -> Option<GateGuard> {
        // Count first: a close that reads the count after this sees us, one that came before
        // refuses us.
        self.0.inside.fetch_add(1, SeqCst);
        let guard = GateGuard(Arc::clone(&self.0));
        (!self.0.closed.load(SeqCst)).then_some(guard)
    }

    /// How many are inside.
    pub fn inside(&self) -> usize {
        self.0.inside.load(SeqCst)
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(SeqCst)
    }

    /// Closes the gate; work inside goes on.
    pub fn close(&self) {
        self.0.closed.store(true, SeqCst);
        self.0.left.notify_waiters();
    }

    /// Waits until nobody is inside. Cancellation-safe.
    pub async fn empty(&self) {
        loop {
            let left = self.0.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if self.inside() == 0 {
                return;
            }
            left.await;
        }
    }
}

impl Drop for GateGuard {
    fn drop(&mut self) {
        if self.0.inside.fetch_sub(1, SeqCst) == 1 {
            self.0.left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_gate_lets_nobody_in_and_waits_for_those_inside() {
        let gate = Gate::default();
        let guard = gate.enter().expect("open");
        gate.close();
        assert!(gate.enter().is_none());
        assert_eq!(gate.inside(), 1);
        let early = crate::clock::timeout(std::time::Duration::from_millis(1), gate.empty()).await;
        assert!(early.is_err(), "someone is still inside");
        drop(guard);
        gate.empty().await;
        assert_eq!(gate.inside(), 0);
    }
}
