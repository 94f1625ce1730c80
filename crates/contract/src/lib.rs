//! Calling conventions as codecs: an invocation to what a function expects, and what it gives back
//! to an outcome.
//!
//! Plain functions over values. The live part of a convention (a process, a socket, a probe)
//! belongs to whoever runs the function.

pub mod cgi;
