//! Guests, built when a test first needs them and then found again.
//!
//! Tests run side by side in threads and in processes; a file lock lets one of them build and the
//! others wait. Cargo itself decides whether anything has changed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Builds the Rust guest in a folder of the repository and returns its component.
///
/// All Rust guests share one target folder beside the tests' own, so that what they depend on is
/// built once.
pub fn rust_guest(folder: &str) -> PathBuf {
    let target = shared("guests");
    let mut command = Command::new("cargo");
    command.args(["build", "--release", "--quiet", "--target", "wasm32-wasip2", "--target-dir"]);
    command.arg(&target).current_dir(crate::root().join(folder));
    locked("rust-guests", || run(&mut command));
    let built = target.join("wasm32-wasip2/release");
    let name = Path::new(folder).file_name().expect("a guest has a folder of its own");
    let name = name.to_string_lossy();
    let files = [format!("{}.wasm", name.replace('-', "_")), format!("{name}.wasm")];
    let found = files.iter().map(|file| built.join(file)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("building {folder} made no {files:?} in {}", built.display()))
}

/// Builds an app in a folder of the repository with `alula build`, and returns the folder.
pub fn app(folder: &str) -> PathBuf {
    let path = crate::root().join(folder);
    locked(&folder.replace('/', "-"), || {
        run(Command::new(crate::alula()).arg("build").arg(&path));
    });
    path
}

/// Lets one process at a time do what `name` stands for.
pub fn locked<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let path = shared("locks").join(name);
    let file = File::create(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    file.lock().expect("the file system has locks");
    work()
}

/// A folder that all tests of a target folder share.
fn shared(name: &str) -> PathBuf {
    let folder = crate::target_folder();
    let folder = folder.parent().expect("a profile is a folder in the target folder").join(name);
    std::fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    folder
}

fn run(command: &mut Command) {
    command.stdin(Stdio::null()).env_remove("CARGO_TARGET_DIR");
    let done = command.output().unwrap_or_else(|e| panic!("starting {command:?}: {e}"));
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?} ended with {}:\n{errors}", done.status);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    #[test]
    fn only_one_holds_a_lock() {
        let inside = Arc::new(AtomicUsize::new(0));
        let enter = |inside: Arc<AtomicUsize>| {
            move || {
                locked("testkit-own-test", || {
                    assert_eq!(inside.fetch_add(1, SeqCst), 0);
                    std::thread::yield_now();
                    inside.fetch_sub(1, SeqCst);
                });
            }
        };
        let threads: Vec<_> =
            (0..8).map(|_| std::thread::spawn(enter(Arc::clone(&inside)))).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no thread met another"));
    }
}
