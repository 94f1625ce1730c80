//! Decisions: what a function's grants let it reach. Plain functions over values, no I/O.

pub mod address;
pub mod http;
pub mod net;

pub use http::{Address, Denied, HttpGrants, expand_hosts};
pub use net::NetGrants;

/// The compiled grants of one function.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// Outbound HTTP.
    pub http: HttpGrants,
}
