//! What the end-to-end tests stand on: the built program, the built guests, apps in temporary
//! folders, and a client that can also misbehave. The tests themselves are in `tests/e2e`, one
//! binary.
//!
//! Everything here is for tests: it panics with a message where a program would report an error.

pub mod app;
pub mod guests;
pub mod http;
pub mod program;
