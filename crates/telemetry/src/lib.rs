//! What can be seen from outside: the program's own log, the guests' log lines, usage records.

pub mod guest_log;

pub use guest_log::{GuestLine, GuestLog, GuestStream};
