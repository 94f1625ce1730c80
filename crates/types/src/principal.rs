//! Who asks.

use std::sync::Arc;

/// The identity on whose behalf an invocation runs. Checked at the edge, never claimed by a guest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// Nobody proved an identity; public routes accept it.
    Anonymous,
    /// A person or a program with a credential.
    User(Arc<str>),
    /// A function calling another one.
    Function(Arc<str>),
    /// The platform itself (schedules, probes).
    Platform,
}
