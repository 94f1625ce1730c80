//! The edge: sockets, TLS, HTTP/1.1 and HTTP/2, routes, limits, static files, and the way out
//! again.
//!
//! Read [`serve`] first: one function takes a request from its head to its last byte, phase by
//! phase. [`Gateway`] accepts connections and ends them in order; `connection` keeps each within
//! its limits. Nothing here knows how a function runs: that is behind
//! [`alula_dispatch::Dispatcher`].
//!
//! May be relied on: every answer carries `alula-invocation-id` and `traceparent`; an invocation
//! that was opened is settled once, whatever happens; a client that leaves cancels its invocation.

mod body;
mod connection;
pub mod cors;
mod executor;
pub mod files;
mod gateway;
mod head;
mod pace;
mod problem;
pub mod route;
mod serve;
mod socket;
mod tls;

#[cfg(test)]
mod tests;

pub use cors::{Cors, Origins};
pub use files::StaticDir;
pub use gateway::{Answered, Gateway, Handle, Observer, Options};
pub use route::{Entry, FaultPage, RouteTable, Target};
pub use tls::TlsFiles;
