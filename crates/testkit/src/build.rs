//! Building when a test first needs it.
//!
//! Tests run side by side in threads and in processes; a file lock lets one of them build and the
//! others wait. Cargo itself decides whether anything has changed.

use std::fs::File;
use std::path::PathBuf;

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
