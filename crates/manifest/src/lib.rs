//! The manifest, `alula.toml`: what an app consists of.
//!
//! Pure: text in, values or errors with their places out. Reading files and running builds is for
//! others. `docs/manifest.md` describes the keys for people, `docs/alula.schema.json` for editors;
//! both and the parser follow the tables in [`keys`].
//!
//! What may be relied on: a [`Manifest`] has no two conflicting routes, every trigger's function
//! exists, and every number lies within its bounds. Whether files exist and grants compile is
//! checked later.

pub mod keys;
pub mod model;
mod overlay;
mod parse;
pub mod problem;
mod reader;
pub mod route;
pub mod schema;

pub use model::{
    App, Cors, Engine, Function, HttpTrigger, Instances, Manifest, Names, Origins, Source, Target,
};
pub use problem::{Place, Problem, Problems};
pub use route::Pattern;
pub use schema::schema;

/// The manifest's file name.
pub const FILE_NAME: &str = "alula.toml";
/// Longest manifest, in bytes.
pub const MAX_LEN: usize = 1 << 20;
/// Most routes of one app: every pair of them is compared.
pub const MAX_ROUTES: usize = 1_000;
/// Most variables of one function's environment.
pub const MAX_ENV: usize = 1_000;
