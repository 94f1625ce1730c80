//! The port to isolated execution: prepare an artifact once, install a revision, invoke it.
//!
//! # Specification
//!
//! - `prepare` verifies and compiles an artifact's bytes and keeps the result under their digest.
//!   It may take seconds and runs nothing of the artifact in this process. Preparing twice is
//!   cheap.
//! - `install` makes a prepared revision invocable and refuses one that cannot run with a fault
//!   saying why.
//! - `Installed::invoke` waits only for loading, never for a free place: whoever calls it holds one
//!   of `places()`. It resolves with the response head; the body streams while the guest runs.
//!   Dropping the future or the response body cancels the invocation, except for work after the
//!   response's end.
//! - A trap, a limit or a panic ends that invocation only. Nothing of it is seen by any other
//!   unless the revision asked for reuse, and then only what the guest itself keeps.
//! - The invocation's settlement is held until the guest's last work ends.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use alula_types::{Contract, Digest, Fault, Invocation, Outcome, Revision, RevisionId};

/// A boxed future, because sandboxes are chosen at run time.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What `prepare` found out about an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The name of the bytes.
    pub digest: Digest,
    /// How it is called.
    pub contract: Contract,
    /// What kind of file it was, for people: `component`, `module (preview 1)`.
    pub kind: String,
    /// Exported interfaces with what each is for.
    pub exports: Vec<String>,
    /// Imported interfaces with the grant each needs, `None` when it is always there.
    pub imports: Vec<(String, Option<String>)>,
    /// Whether an instance can serve a second request; if not, why.
    pub reusable: Result<(), String>,
    /// Bytes of the artifact.
    pub size_bytes: u64,
    /// Bytes of machine code and data images.
    pub compiled_bytes: u64,
    /// Whether it had been compiled before.
    pub cached: bool,
}

/// A kind of isolated execution.
pub trait Sandbox: Send + Sync {
    /// Verifies and compiles an artifact.
    fn prepare<'a>(&'a self, wasm: &'a [u8]) -> BoxFuture<'a, Result<Report, Fault>>;

    /// Makes a revision of a prepared artifact obtainable.
    fn install(&self, revision: Arc<Revision>) -> Result<Arc<dyn Installed>, Fault>;

    /// How many invocations can run at once on this node.
    fn places(&self) -> u32;
}

/// A revision that can be invoked. Dropping the last reference ends its idle instances.
pub trait Installed: Send + Sync {
    /// The revision's name.
    fn id(&self) -> &RevisionId;

    /// Obtains room for an invocation and invokes: load when needed, reuse or make an instance,
    /// call.
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Result<Outcome, Fault>>;

    /// Ends its idle instances; running ones finish.
    fn retire(&self);
}
