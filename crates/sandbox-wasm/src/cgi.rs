//! Commands as functions: one process-like run per request, CGI over the standard streams.

use std::sync::Arc;

use alula_capability::CallContext;
use alula_types::{Body, Code, Fault};

use crate::function::Function;
use crate::loaded::Loaded;
use crate::pulse::Pulse;
use crate::run::Answer;

/// Runs a command for one request.
pub(crate) async fn run(
    function: &Arc<Function>,
    _loaded: &Loaded,
    _context: &CallContext,
    _pulse: &Arc<Pulse>,
    _request: http::Request<Body>,
    _answer: Answer,
) -> Result<(), Fault> {
    let name = &function.shared.revision.function;
    Err(Fault::new(Code::StartFailed, format!("`{name}` is a command")))
}
