//! The words of the platform as types: ids, names, invocations, outcomes, revisions, limits,
//! errors.
//!
//! Everything above speaks in these types and nothing here knows what a function means. No I/O, no
//! clock, no randomness, no serialisation: wire and stored formats live in modules named `wire`.

pub mod body;
pub mod error;
pub mod id;
pub mod invocation;
pub mod limits;
pub mod outcome;
pub mod principal;
pub mod revision;
pub mod trace;
pub mod units;
pub mod usage;

pub use body::{Body, BodyError};
pub use error::{Class, Code, Fault};
pub use id::{Digest, FunctionName, InvocationId};
pub use invocation::{Input, Invocation, Place};
pub use limits::Limits;
pub use outcome::Outcome;
pub use principal::Principal;
pub use revision::{Contract, Grants, Reuse, Revision, RevisionId};
pub use trace::TraceContext;
pub use units::ByteSize;
pub use usage::{Settlement, UsageRecord};
