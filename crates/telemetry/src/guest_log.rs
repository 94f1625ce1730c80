//! Lines that guests write, tagged with the invocation they belong to.

use alula_types::{FunctionName, InvocationId};

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GuestStream {
    /// The guest's standard output.
    Stdout,
    /// The guest's standard error.
    Stderr,
    /// The host, about the guest: a backtrace, a count of dropped lines.
    Host,
}

/// One line, without its end.
#[derive(Debug, Clone, Copy)]
pub struct GuestLine<'a> {
    /// The function that wrote it.
    pub function: &'a FunctionName,
    /// The invocation it belongs to.
    pub invocation: InvocationId,
    /// Where it came from.
    pub stream: GuestStream,
    /// The text; invalid UTF-8 has been replaced.
    pub text: &'a str,
}

/// Takes guests' lines. Called on the guest's thread: must be fast and never wait.
pub trait GuestLog: Send + Sync {
    /// Takes one line.
    fn line(&self, line: GuestLine<'_>);
}
