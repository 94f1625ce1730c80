//! Watches an app's folder, without what builds, editors and package managers write.
//!
//! Folders are watched one by one: a recursive watch would also watch `target/` and
//! `node_modules/`, which have more folders than the system allows watches.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alula_manifest::{Manifest, Source, Target};
use alula_types::{Code, Fault};
use notify::event::{EventKind, ModifyKind};
use notify::{Event, RecursiveMode, Watcher as _};
use parking_lot::RwLock;

use super::changes::Changes;
use crate::project::DOT_ENV;

/// Folders watched at most; a project with more is told so.
const FOLDERS: usize = 5_000;

/// Folders whose content builds and tools write.
const LEFT_OUT: [&str; 6] = ["target", "node_modules", "__pycache__", "venv", "dist", "zig-cache"];

/// What to watch and what not, all paths absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Folders watched with everything below them.
    roots: Vec<PathBuf>,
    /// Single files watched wherever they are: artifacts that somebody else makes.
    files: BTreeSet<PathBuf>,
    /// Files and folders that never matter: artifacts that a build makes, folders served as they
    /// are.
    ignored: Vec<PathBuf>,
}

impl Scope {
    /// The scope of an app in a folder.
    pub(crate) fn of(dir: &Path, manifest: &Manifest) -> Self {
        let mut scope =
            Self { roots: vec![dir.to_path_buf()], ignored: own_output(), ..Self::default() };
        for function in manifest.functions.values() {
            if let Source::Component(path) = &function.source {
                let path = dir.join(path);
                match function.build {
                    Some(_) => scope.ignored.push(path),
                    None => drop(scope.files.insert(path)),
                }
            }
            let extra = function.watch.iter().map(|glob| dir.join(fixed_part(glob)));
            scope.roots.extend(extra.filter(|path| path.exists()));
        }
        for trigger in &manifest.http {
            if let Target::Static(folder) = &trigger.target {
                scope.ignored.push(dir.join(folder));
            }
        }
        scope
    }

    /// Whether a change of this path may change what is served.
    pub(crate) fn holds(&self, path: &Path) -> bool {
        if self.files.contains(path) {
            return true;
        }
        let Some(root) = self.roots.iter().find(|root| path.starts_with(root)) else {
            return false;
        };
        let inner = path.strip_prefix(root).unwrap_or(path);
        let ignored = self.ignored.iter().any(|ignored| path.starts_with(ignored));
        !ignored && inner.iter().all(|part| part.to_str().is_none_or(is_of_interest))
    }

    /// Folders to watch: those below the roots that may hold something, and those of single files.
    fn folders(&self) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        let mut open: Vec<_> = self.roots.clone();
        let parents = self.files.iter().filter_map(|file| file.parent());
        folders.extend(parents.filter(|path| path.is_dir()).map(Path::to_path_buf));
        while let Some(folder) = open.pop() {
            if folders.len() >= FOLDERS {
                tracing::warn!(folders = FOLDERS, "too many folders; the rest is not watched");
                break;
            }
            open.extend(folders_in(&folder).into_iter().filter(|inner| self.holds(inner)));
            folders.push(folder);
        }
        folders
    }
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    // A link to a folder is left out: it may lead in a circle.
    let is_folder = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.filter_map(Result::ok).filter(is_folder).map(|entry| entry.path()).collect()
}

/// Whether a file or folder of this name may be a source.
fn is_of_interest(name: &str) -> bool {
    if name == DOT_ENV || name == ".cargo" {
        return true;
    }
    // Editors keep backups and swap files beside the file: `a~`, `.a.swp`, `#a#`, `4913`.
    let temporary = name.ends_with('~') || name.starts_with('#') || name == "4913";
    // A log is written to when something happened, and must not be why something happens.
    let log = name.ends_with(".log");
    !name.starts_with('.') && !temporary && !log && !LEFT_OUT.contains(&name)
}

/// The files that this program's own output goes to: a round that is told there must not begin the
/// next one.
fn own_output() -> Vec<PathBuf> {
    // Where there is no such folder, nothing is known of them.
    ["/proc/self/fd/1", "/proc/self/fd/2"]
        .iter()
        .filter_map(|fd| std::fs::read_link(fd).ok())
        .collect()
}

/// The part of a glob before its first wildcard, cut at a slash.
fn fixed_part(glob: &str) -> &str {
    match glob.find(['*', '?', '[', '{']) {
        Some(at) => glob[..at].rsplit_once('/').map_or("", |(folder, _)| folder),
        None => glob,
    }
}

/// Watches until it is dropped.
pub(crate) struct Watch {
    scope: Arc<RwLock<Scope>>,
    watched: BTreeSet<PathBuf>,
    watcher: notify::RecommendedWatcher,
}

impl Watch {
    /// Starts watching; changed paths go to `changes`.
    ///
    /// [`Changed::Much`](super::changes::Changed::Much) may mean that folders appeared: call
    /// [`Watch::refresh`] then. The watcher's own thread must not do it, because it would wait for
    /// itself.
    pub(crate) fn start(scope: Scope, changes: Changes) -> Result<Self, Fault> {
        let scope = Arc::new(RwLock::new(scope));
        let theirs = Arc::clone(&scope);
        let watcher =
            notify::recommended_watcher(move |event: notify::Result<Event>| match event {
                Ok(event) if is_change(&event.kind) => take(&event, &theirs.read(), &changes),
                Ok(_) => {}
                Err(_) => changes.add_much(),
            });
        let watcher = watcher.map_err(|error| {
            Fault::new(Code::FileRefused, format!("watching files is not possible: {error}"))
        })?;
        let mut watch = Self { scope, watched: BTreeSet::new(), watcher };
        watch.refresh();
        Ok(watch)
    }

    /// Watches another scope from now on; the manifest changed.
    pub(crate) fn set_scope(&mut self, scope: Scope) {
        if *self.scope.read() != scope {
            *self.scope.write() = scope;
            self.refresh();
        }
    }

    /// Watches folders that are new; those that are gone end by themselves.
    pub(crate) fn refresh(&mut self) {
        let folders: BTreeSet<_> = self.scope.read().folders().into_iter().collect();
        for folder in folders.difference(&self.watched) {
            if let Err(error) = self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                let folder = folder.display().to_string();
                tracing::warn!(folder, %error, "a folder cannot be watched");
            }
        }
        self.watched = folders;
    }
}

fn take(event: &Event, scope: &Scope, changes: &Changes) {
    if event.need_rescan() {
        changes.add_much();
    }
    let appears =
        matches!(event.kind, EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_)));
    for path in event.paths.iter().filter(|path| scope.holds(path)) {
        // Files may have come with a folder, before it was watched.
        if appears && path.is_dir() {
            changes.add_much();
        } else {
            changes.add(path, matches!(event.kind, EventKind::Create(_)));
        }
    }
}

/// Reading is no change, and neither are a file's times and rights.
fn is_change(kind: &EventKind) -> bool {
    !matches!(kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)))
}

#[cfg(test)]
mod tests {
    use super::super::changes::Changed;
    use super::*;
    use std::time::Duration;

    fn scope(dir: &Path) -> Scope {
        let manifest = "[app]\nname = \"shop\"\n\
            [functions.f]\ncomponent = \"out/f.wasm\"\nbuild = \"make\"\n\
            [functions.g]\ncomponent = \"target/g.wasm\"\n\
            [[triggers.http]]\nroute = \"GET /assets/{rest...}\"\nstatic = \"public\"\n";
        Scope::of(dir, &Manifest::parse(manifest, "alula.toml", None).unwrap())
    }

    #[test]
    fn sources_count_and_what_tools_write_does_not() {
        let scope = scope(Path::new("/app"));
        for path in ["alula.toml", ".env", "src/lib.rs", ".cargo/config.toml", "target/g.wasm"] {
            assert!(scope.holds(&Path::new("/app").join(path)), "{path}");
        }
        for path in [
            "target/debug/x",
            "web/node_modules/a/index.js",
            ".git/index",
            ".alula/good/f.wasm",
            "src/.lib.rs.swp",
            "src/lib.rs~",
            "dev.log",
            "4913",
            "out/f.wasm",
            "public/a.css",
            "../other/a.rs",
        ] {
            let path = Path::new("/app").join(path);
            let path = if path.starts_with("/app/..") { "/other/a.rs".into() } else { path };
            assert!(!scope.holds(&path), "{}", path.display());
        }
    }

    #[test]
    fn the_fixed_part_of_a_glob_is_a_folder() {
        for (glob, part) in [
            ("../shared", "../shared"),
            ("../shared/**/*.rs", "../shared"),
            ("lib/a*.c", "lib"),
            ("*.c", ""),
        ] {
            assert_eq!(fixed_part(glob), part);
        }
    }

    #[tokio::test]
    async fn saves_are_seen_in_new_folders_too() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let changes = Changes::default();
        let mut watch = Watch::start(scope(&dir), changes.clone()).unwrap();
        let limit = Duration::from_secs(10);
        std::fs::write(dir.join("a.rs"), "1").unwrap();
        let changed = alula_rt::clock::timeout(limit, changes.next()).await.expect("seen");
        assert_eq!(changed, Changed::Paths(vec![dir.join("a.rs")]));
        std::fs::create_dir(dir.join("src")).unwrap();
        let changed = alula_rt::clock::timeout(limit, changes.next()).await.expect("seen");
        assert_eq!(changed, Changed::Much);
        watch.refresh();
        std::fs::write(dir.join("src/b.rs"), "1").unwrap();
        let changed = alula_rt::clock::timeout(limit, changes.next()).await.expect("seen");
        assert_eq!(changed, Changed::Paths(vec![dir.join("src/b.rs")]));
    }
}
