//! The manifest, `alula.toml`: what an app consists of.
//!
//! Pure: text in, values or errors with their places out. Reading files and running builds is for others.

pub mod route;
