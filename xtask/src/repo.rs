//! The files of the repository: where it is, what belongs to it, and reading it.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file of the repository.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Its path below the root, with `/` between the parts.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
}

/// The repository's root folder.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask is a folder in the root").to_owned()
}

/// All files with one of these extensions that are not ignored, in the order of their paths.
pub(crate) fn files(extensions: &[&str]) -> Result<Vec<File>, String> {
    let root = root();
    let ignored = ignored_folders(&read(&root, ".gitignore")?);
    let mut paths = Vec::new();
    walk(&root, "", &ignored, &mut paths)?;
    paths.sort();
    let wanted = |path: &String| {
        let extension = Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or_default();
        extensions.contains(&extension)
    };
    paths.into_iter().filter(wanted).map(|path| file(&root, path)).collect()
}

/// Reads one file below the root.
pub(crate) fn read(root: &Path, path: &str) -> Result<String, String> {
    fs::read_to_string(root.join(path)).map_err(|error| format!("reading {path}: {error}"))
}

fn file(root: &Path, path: String) -> Result<File, String> {
    Ok(File { text: read(root, &path)?, path })
}

/// The folders that `.gitignore` names, without their slashes.
fn ignored_folders(gitignore: &str) -> Vec<String> {
    let lines = gitignore.lines().filter(|line| line.ends_with('/'));
    lines.map(|line| line.trim_matches('/').to_owned()).collect()
}

fn walk(root: &Path, below: &str, ignored: &[String], out: &mut Vec<String>) -> Result<(), String> {
    let folder = root.join(below);
    let entries = fs::read_dir(&folder).map_err(|error| format!("reading {below}: {error}"))?;
    for entry in entries {
        let entry = entry.map_err(|error| format!("reading {below}: {error}"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let kind = entry.file_type().map_err(|error| format!("reading {path}: {error}"))?;
        let skip = name == ".git" || ignored.contains(&name) || ignored.contains(&path);
        if kind.is_dir() && !skip {
            walk(root, &path, ignored, out)?;
        } else if kind.is_file() {
            out.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_folders_are_those_with_a_slash() {
        assert_eq!(
            ignored_folders("target/\n*.pyc\n/bench/results/\n"),
            ["target", "bench/results"]
        );
    }

    #[test]
    fn this_file_belongs_to_the_repository_and_built_ones_do_not() {
        let files = files(&["rs"]).unwrap();
        assert!(files.iter().any(|file| file.path == "xtask/src/repo.rs"));
        assert!(!files.iter().any(|file| file.path.contains("target/")));
    }
}
