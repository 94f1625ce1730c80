//! Which files changed, collected while they change, and whether their content did.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use alula_rt::clock;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Paths remembered between two looks. A branch switch changes more; then everything counts as
/// changed.
const PATHS: usize = 1_000;

/// An editor writes, renames and sets times within a few milliseconds.
const QUIET: Duration = Duration::from_millis(30);

/// Saves that never pause are looked at anyway.
const LONGEST: Duration = Duration::from_millis(250);

/// Collects changed paths. Clones are the same collection.
#[derive(Clone, Default)]
pub(crate) struct Changes(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Default)]
struct State {
    paths: BTreeSet<PathBuf>,
    /// Those of them that appeared since the last look.
    appeared: BTreeSet<PathBuf>,
    overflow: bool,
}

/// What changed since the last look.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// These paths.
    Paths(Vec<PathBuf>),
    /// More than can be told apart.
    Much,
}

impl Changes {
    /// Notes a path, and whether it appeared just now. Called on the watcher's thread.
    pub(crate) fn add(&self, path: &Path, appears: bool) {
        let mut state = self.0.state.lock();
        if state.paths.len() >= PATHS {
            state.overflow = true;
        } else {
            let known = !state.paths.insert(path.to_path_buf());
            if appears && !known {
                state.appeared.insert(path.to_path_buf());
            }
        }
        drop(state);
        self.0.arrived.notify_one();
    }

    /// Notes that changes were lost.
    pub(crate) fn add_much(&self) {
        self.0.state.lock().overflow = true;
        self.0.arrived.notify_one();
    }

    fn is_empty(&self) -> bool {
        let state = self.0.state.lock();
        state.paths.is_empty() && !state.overflow
    }

    /// Waits for changes and for a moment without any. Cancellation-safe: nothing is taken before
    /// it resolves.
    pub(crate) async fn next(&self) -> Changed {
        // A wait that was given up may have used up the notice of what is still here.
        while self.is_empty() {
            self.0.arrived.notified().await;
        }
        let latest = clock::now() + LONGEST;
        while let Ok(()) =
            clock::until(latest.min(clock::now() + QUIET), self.0.arrived.notified()).await
        {
        }
        let State { paths, appeared, overflow } = std::mem::take(&mut *self.0.state.lock());
        if overflow {
            return Changed::Much;
        }
        // What came and went was somebody's draft, renamed into its place by now.
        let draft = |path: &PathBuf| appeared.contains(path) && !path.exists();
        Changed::Paths(paths.into_iter().filter(|path| !draft(path)).collect())
    }
}

/// Remembers what files held, so that a save without a change, and a build that writes what it
/// wrote before, start nothing.
#[derive(Default)]
pub(crate) struct Seen(HashMap<PathBuf, u64>);

/// Files that are looked into; whatever is larger counts as changed.
const LOOKED_INTO: u64 = 16 << 20;

impl Seen {
    /// Keeps the paths whose content differs from the last time they were asked about.
    pub(crate) fn differing(&mut self, paths: Vec<PathBuf>) -> Vec<PathBuf> {
        paths.into_iter().filter(|path| self.differs(path)).collect()
    }

    fn differs(&mut self, path: &Path) -> bool {
        let Some(hash) = content(path) else {
            // It is gone, a folder, or too large: count it, and forget what was known.
            let known = self.0.remove(path).is_some();
            return known || !path.is_dir();
        };
        self.0.insert(path.to_path_buf(), hash) != Some(hash)
    }
}

fn content(path: &Path) -> Option<u64> {
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > LOOKED_INTO {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    std::fs::read(path).ok()?.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_saves_in_a_moment_are_one_change() {
        let changes = Changes::default();
        for _ in 0..10 {
            changes.add(Path::new("a"), false);
            changes.add(Path::new("b"), false);
        }
        let changed = changes.next().await;
        assert_eq!(changed, Changed::Paths(vec!["a".into(), "b".into()]));
        changes.add(Path::new("c"), false);
        assert_eq!(changes.next().await, Changed::Paths(vec!["c".into()]));
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_loses_nothing() {
        let changes = Changes::default();
        changes.add(Path::new("a"), false);
        let given_up = clock::timeout(QUIET / 10, changes.next()).await;
        assert!(given_up.is_err(), "the quiet moment is longer");
        let changed = clock::timeout(LONGEST * 40, changes.next()).await;
        assert_eq!(changed, Ok(Changed::Paths(vec!["a".into()])));
    }

    #[tokio::test]
    async fn more_paths_than_are_kept_count_as_everything() {
        let changes = Changes::default();
        for number in 0..=PATHS {
            changes.add(Path::new(&number.to_string()), false);
        }
        assert_eq!(changes.next().await, Changed::Much);
    }

    #[tokio::test]
    async fn a_draft_that_was_renamed_is_no_change_and_a_removed_file_is_one() {
        let changes = Changes::default();
        changes.add(Path::new("draft-of-a"), true);
        changes.add(Path::new("removed"), false);
        assert_eq!(changes.next().await, Changed::Paths(vec!["removed".into()]));
    }

    #[test]
    fn a_save_without_a_change_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.rs");
        let mut seen = Seen::default();
        let mut differs = || seen.differing(vec![path.clone()]).len() == 1;
        std::fs::write(&path, "one").unwrap();
        assert!(differs(), "the first sight of a file counts");
        std::fs::write(&path, "one").unwrap();
        assert!(!differs());
        std::fs::write(&path, "two").unwrap();
        assert!(differs());
        std::fs::remove_file(&path).unwrap();
        assert!(differs(), "a removed file counts");
        std::fs::write(&path, "two").unwrap();
        assert!(differs(), "one that came back counts");
    }
}
