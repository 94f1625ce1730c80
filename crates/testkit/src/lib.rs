//! What every end-to-end test stands on: where the repository and the built binary are, folders of
//! a test's own, patience, and one builder at a time.
//!
//! Everything here panics with a readable message instead of returning errors: a test that cannot
//! go on has failed. Nothing sleeps for a fixed time; whatever waits, waits for a condition with a
//! deadline.

pub mod build;
pub mod wait;

pub use tempfile::TempDir;

use std::path::{Path, PathBuf};

/// The repository's root folder.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate is two folders below the root").to_owned()
}

/// The profile's folder in which cargo put this test, for example `target/debug`.
pub fn target_folder() -> PathBuf {
    let test = std::env::current_exe().expect("the path of the running test is known");
    // target/debug/deps/tests-0123456789abcdef
    test.ancestors().nth(2).expect("tests run in target/PROFILE/deps").to_owned()
}

/// The built `alula`.
pub fn alula() -> PathBuf {
    let path = target_folder().join("alula");
    let shown = path.display();
    assert!(path.is_file(), "there is no {shown}; run `cargo build --workspace --all-targets`");
    path
}

/// A folder of the test's own, removed with the value.
pub fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("alula-test-")
        .tempdir()
        .expect("a temporary folder can be made")
}
