//! What the program takes from its surroundings, and nothing else of them.
//!
//! The only crate that reads the environment. Values become typed settings once, at the start; what
//! is not named here has no influence, and no guest ever sees any of it.

pub mod dot_env;
mod settings;

pub use settings::{Settings, names};
