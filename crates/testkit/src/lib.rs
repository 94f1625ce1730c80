//! What end-to-end tests need: the built binary, clients, conditions, built guests.
//!
//! Everything here panics with a readable message instead of returning errors: a test that cannot
//! go on has failed. Nothing sleeps for a fixed time; whatever waits, waits for a condition with a
//! deadline.

pub mod build;
pub mod http;
pub mod program;
pub mod tcp;
pub mod wait;

pub use program::{Program, Server};
pub use tempfile::TempDir;
pub use wait::eventually;

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

/// Copies a folder of the repository (an example) into a new temporary one, without what was built
/// there.
pub fn copy_of(path: &str) -> TempDir {
    let copy = folder();
    copy_folder(&root().join(path), copy.path());
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    const BUILT: &[&str] = &["target", "node_modules", ".alula", "__pycache__"];
    std::fs::create_dir_all(to).expect("a folder can be made in the test's own");
    for entry in std::fs::read_dir(from).unwrap_or_else(|e| panic!("{}: {e}", from.display())) {
        let entry = entry.expect("the folder can be read");
        let (name, path) = (entry.file_name(), entry.path());
        if BUILT.iter().any(|built| name == *built) {
            continue;
        }
        if path.is_dir() {
            copy_folder(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).expect("a file can be copied");
        }
    }
}
