//! Tools that builders need, installed once into the user's cache folder and used from there.
//!
//! A tool's folder is named by its version and appears whole or not at all: it is filled under
//! another name and renamed. Two builds that want the same tool at once wait for each other. When
//! the folder is there, nothing touches the network.

use std::fs::File;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};

use alula_rt::{TaskKind, spawn_blocking};
use alula_types::{Code, Fault};

/// Alula's folder in the user's cache: `$XDG_CACHE_HOME/alula`, or `~/.cache/alula`.
pub fn cache_dir() -> Result<PathBuf, Fault> {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    named.or_else(home).map(|base| base.join("alula")).ok_or_else(|| {
        Fault::new(Code::FileRefused, "there is no cache folder: HOME is not set")
            .hint("set HOME or XDG_CACHE_HOME")
    })
}

/// The folder of a tool, for example `python-0.25.1`; `install` fills it when it is missing.
///
/// `install` is given an empty folder with another name, on the same file system.
pub async fn ensure<F>(name: &str, install: impl FnOnce(PathBuf) -> F) -> Result<PathBuf, Fault>
where
    F: Future<Output = Result<(), Fault>>,
{
    let root = cache_dir()?.join("toolchains");
    ensure_in(&root, name, install).await
}

async fn ensure_in<F>(
    root: &Path,
    name: &str,
    install: impl FnOnce(PathBuf) -> F,
) -> Result<PathBuf, Fault>
where
    F: Future<Output = Result<(), Fault>>,
{
    let tool = root.join(name);
    if tool.is_dir() {
        return Ok(tool);
    }
    let refused = |error: io::Error| unwritable(root, &error);
    std::fs::create_dir_all(root).map_err(refused)?;
    let lock = lock(root.join(format!("{name}.lock"))).await.map_err(refused)?;
    if tool.is_dir() {
        return Ok(tool);
    }
    // Whoever held the lock before may have been killed half way.
    let staging = root.join(format!(".{name}.part"));
    remove(&staging).map_err(refused)?;
    std::fs::create_dir(&staging).map_err(refused)?;
    let installed = install(staging.clone()).await;
    if let Err(fault) = installed {
        let _ = remove(&staging);
        return Err(fault);
    }
    std::fs::rename(&staging, &tool).map_err(refused)?;
    drop(lock);
    Ok(tool)
}

/// Takes a file's lock, waiting for whoever has it. It is given back when the file is dropped.
async fn lock(path: PathBuf) -> io::Result<File> {
    let waiting = spawn_blocking(TaskKind::Build, move || {
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        file.lock()?;
        Ok(file)
    });
    waiting.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn remove(dir: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

pub(crate) fn unwritable(path: &Path, error: &io::Error) -> Fault {
    Fault::new(Code::FileRefused, format!("cannot write in `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn two_builds_at_once_install_a_tool_once() {
        let root = tempfile::tempdir().unwrap();
        let installs = AtomicUsize::new(0);
        let counter = &installs;
        let install = |staging: PathBuf| async move {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            std::fs::write(staging.join("tool"), "x").unwrap();
            Ok(())
        };
        let (first, second) = tokio::join!(
            ensure_in(root.path(), "t-1", install),
            ensure_in(root.path(), "t-1", install)
        );
        assert_eq!(first.unwrap(), second.unwrap());
        assert_eq!(installs.load(Ordering::SeqCst), 1);
        assert!(root.path().join("t-1/tool").is_file());
    }

    #[tokio::test]
    async fn a_failed_install_leaves_nothing_and_is_tried_again() {
        let root = tempfile::tempdir().unwrap();
        let failing = |staging: PathBuf| async move {
            std::fs::write(staging.join("half"), "x").unwrap();
            Err(Fault::new(Code::ToolMissing, "no network"))
        };
        let fault = ensure_in(root.path(), "t-1", failing).await.unwrap_err();
        assert_eq!(fault.code, Code::ToolMissing);
        assert!(!root.path().join("t-1").exists());
        let good = |staging: PathBuf| async move {
            assert_eq!(std::fs::read_dir(staging).unwrap().count(), 0, "it starts empty");
            Ok(())
        };
        ensure_in(root.path(), "t-1", good).await.unwrap();
    }
}
