//! `alula` as its users meet it: real guests, real sockets, the real program.

mod artifacts;
mod capacity;
mod cli;
mod clients;
mod dev;
mod examples;
mod fuzz;
mod isolation;
mod javascript;
mod jpeg;
mod outbound;
mod outcomes;
mod probe;
mod run;
mod serve;
mod templates;
