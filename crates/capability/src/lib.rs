//! What a guest may call, as values: `call(context, Call) -> Reply`.
//!
//! The interface dialects (WASI, later others) turn guest calls into [`Call`]s and know no
//! provider; the providers know no guest interface. Every call carries the grants of its function,
//! the principal on whose behalf it runs, its deadline and its trace, and a provider refuses what
//! the grants do not name.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alula_policy::Grants;
use alula_types::{Body, FunctionName, InvocationId, Principal, TraceContext};

/// A boxed future, because providers are chosen at run time.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Who calls, for whom, and until when.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The calling function.
    pub function: FunctionName,
    /// The invocation the call belongs to.
    pub invocation: InvocationId,
    /// On whose behalf the invocation runs.
    pub principal: Principal,
    /// When the invocation must have ended.
    pub deadline: Instant,
    /// The invocation's hop of the trace; a provider sends a child of it.
    pub trace: TraceContext,
    /// What the function may reach.
    pub grants: Arc<Grants>,
}

/// A call of a guest to the outside.
#[derive(Debug)]
pub enum Call {
    /// An outbound HTTP request with an absolute URI.
    Http(http::Request<Body>, HttpTimeouts),
}

/// The times an outbound HTTP call may take; the invocation's deadline bounds them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HttpTimeouts {
    /// To connect, TLS included.
    pub connect: Option<Duration>,
    /// From the request sent to the response head.
    pub first_byte: Option<Duration>,
    /// Between two pieces of the response body.
    pub between_bytes: Option<Duration>,
}

/// The answer to a [`Call`].
#[derive(Debug)]
pub enum Reply {
    /// A response; its body streams.
    Http(http::Response<Body>),
}

/// Why a call got no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The grants do not name the destination, or name it but not the address it resolved to.
    #[error("{0}")]
    Denied(String),
    /// The URI is not absolute or not one of http and https.
    #[error("the URI is not an absolute http or https URI: {0}")]
    Malformed(String),
    /// The name has no address.
    #[error("looking up {0} failed")]
    NameNotFound(String),
    /// Nobody accepted the connection.
    #[error("connecting to {0} was refused")]
    ConnectionRefused(String),
    /// TLS failed.
    #[error("TLS with {0} failed: {1}")]
    Tls(String, String),
    /// One of the timeouts or the deadline passed; says which.
    #[error("{0} timed out")]
    TimedOut(TimedOut),
    /// The peer broke the protocol or the connection.
    #[error("HTTP with {0} failed: {1}")]
    Protocol(String, String),
    /// A limit on calls was reached.
    #[error("{0}")]
    Limit(String),
}

/// Which wait ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimedOut {
    /// Connecting.
    Connect,
    /// Waiting for the response head.
    FirstByte,
    /// Waiting for the next piece of the body.
    BetweenBytes,
}

impl std::fmt::Display for TimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::FirstByte => "waiting for the response head",
            Self::BetweenBytes => "waiting for the next piece of the response body",
        })
    }
}

/// Answers the calls of guests.
pub trait Host: Send + Sync {
    /// Answers one call. Dropping the future gives the call up; a call may still have taken effect.
    fn call(&self, context: &CallContext, call: Call) -> BoxFuture<Result<Reply, Refusal>>;
}
