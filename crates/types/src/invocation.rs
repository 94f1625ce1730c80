//! One logical call of a function, whatever caused it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::body::Body;
use crate::id::InvocationId;
use crate::principal::Principal;
use crate::trace::TraceContext;
use crate::usage::Settlement;

/// A call on its way to a function.
#[derive(Debug)]
pub struct Invocation {
    /// The id that logs, errors and the meter share.
    pub id: InvocationId,
    /// When the call must have ended.
    pub deadline: Instant,
    /// On whose behalf it runs.
    pub principal: Principal,
    /// Two calls with the same key are the same call.
    pub idempotency_key: Option<Arc<str>>,
    /// This hop of the distributed trace.
    pub trace: TraceContext,
    /// What it costs, settled when the last holder lets go.
    pub settlement: Arc<Settlement>,
    /// The room it was admitted to, given back when the guest's last work ends.
    pub place: Place,
    /// What the function is given.
    pub input: Input,
}

/// Room for one invocation: whatever must be held while its guest works, released on drop.
#[derive(Default)]
#[must_use]
pub struct Place {
    function: Option<Box<dyn Send + Sync>>,
    node: Option<Box<dyn Send + Sync>>,
}

impl Place {
    /// Holds the function's share until the guest's last work ends, and the node's until its
    /// instance has been cleaned up too.
    pub fn holding(function: impl Send + Sync + 'static, node: impl Send + Sync + 'static) -> Self {
        Self { function: Some(Box::new(function)), node: Some(Box::new(node)) }
    }

    /// The guest works no more: another invocation of its function may begin.
    pub fn worked(&mut self) {
        self.function = None;
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.node.is_some() { "Place(held)" } else { "Place(none)" })
    }
}

/// What a function is given, by kind.
#[derive(Debug)]
pub enum Input {
    /// An HTTP request.
    Http(http::Request<Body>),
    /// One event.
    Event(Box<Event>),
    /// Several events that may fail one by one.
    Batch(Vec<Event>),
    /// A bare JSON document.
    Json(Bytes),
    /// The next stretch of a durable execution.
    Step(Step),
    /// One of the parallel runs of a job.
    Job(Job),
    /// A message on a kept socket.
    Socket(SocketMessage),
}

/// A CloudEvent (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>, section
/// 3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Unique within `source`.
    pub id: String,
    /// A URI reference naming where it happened.
    pub source: String,
    /// What kind of thing happened.
    pub kind: String,
    /// The object it happened to.
    pub subject: Option<String>,
    /// When, as RFC 3339 text.
    pub time: Option<String>,
    /// Media type of `data`.
    pub content_type: Option<String>,
    /// Where the schema of `data` is.
    pub schema: Option<String>,
    /// Extension attributes, names in lower case.
    pub extensions: Vec<(String, String)>,
    /// The payload.
    pub data: Bytes,
}

/// A stretch of a durable execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The execution's id.
    pub execution: String,
    /// Position in the journal from which new entries count.
    pub position: u64,
    /// The recorded entries, oldest first.
    pub journal: Vec<Bytes>,
}

/// One run of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// This run's number, from 0.
    pub index: u32,
    /// How many runs the job has.
    pub count: u32,
    /// Which attempt this is, from 0.
    pub attempt: u32,
}

/// A message on a socket that the gateway keeps open for the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketMessage {
    /// The connection it came on.
    pub connection: String,
    /// What happened on it.
    pub event: SocketEvent,
}

/// What happened on a kept socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketEvent {
    /// The client connected.
    Open,
    /// The client sent text.
    Text(String),
    /// The client sent bytes.
    Binary(Bytes),
    /// The client left, with a close code.
    Close(u16),
}
