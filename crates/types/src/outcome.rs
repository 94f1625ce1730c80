//! How an invocation ended.

use bytes::Bytes;

use crate::body::Body;

/// What a function gave back, by kind.
#[derive(Debug)]
pub enum Outcome {
    /// An HTTP response; trailers come with its body.
    Http(http::Response<Body>),
    /// An HTTP response that keeps the socket.
    Upgrade(Upgrade),
    /// A bare value.
    Value(Bytes),
    /// A batch was handled; these event ids failed.
    Batch {
        /// The ids to deliver again.
        failed: Vec<String>,
    },
    /// Where a durable execution stands now.
    Execution(ExecutionState),
    /// A job or command ended with this code.
    Exit(i32),
    /// The function reported an error of its own.
    Error(GuestError),
}

/// An accepted protocol switch: bytes flow both ways until either side ends.
pub struct Upgrade {
    /// The response head, status 101 or 200.
    pub head: http::Response<()>,
    /// What the function sends.
    pub from_guest: Body,
    /// Takes what the client sends.
    pub to_guest: Box<dyn FnOnce(Body) + Send>,
}

impl std::fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgrade").field("head", &self.head).finish_non_exhaustive()
    }
}

/// Where a durable execution stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecutionState {
    /// It waits for a timer, a signal or a reply.
    Suspended,
    /// It ended with this value.
    Completed(Bytes),
    /// It ended with this error.
    Failed(GuestError),
}

/// An error that the function itself reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestError {
    /// Whether trying again may help.
    pub class: GuestErrorClass,
    /// The guest's name for the kind of error.
    pub kind: String,
    /// The guest's message.
    pub message: String,
}

/// Whether trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestErrorClass {
    /// The same input may succeed later.
    Retryable,
    /// The same input will fail again.
    Terminal,
}
