//! What can be seen from outside: the program's own log, the guests' log lines, usage records.
//!
//! Nothing here is truth: under pressure lines are dropped and counted, so that whoever writes a
//! line never waits for whoever reads it.

pub mod bounded_file;
pub mod guest_log;
pub mod lines;
pub mod own_log;
pub mod terminal;
pub mod usage;
pub mod wire;

pub use guest_log::{GuestLine, GuestLog, GuestStream};
pub use lines::{Line, Lines, Render};
