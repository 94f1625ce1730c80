//! An app's folder: its manifest, its `.env`, and where Alula keeps what it makes of them.

use std::path::{Path, PathBuf};

use alula_manifest::{FILE_NAME, Function, MAX_LEN, Manifest, Source};
use alula_types::{Code, Digest, Fault, FunctionName, Revision};

/// A readable app.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    /// The folder, absolute.
    pub(crate) dir: PathBuf,
    /// What the manifest says, overlay applied.
    pub(crate) manifest: Manifest,
    /// The variables of `.env`; empty unless it was asked for.
    pub(crate) dot_env: Vec<(String, String)>,
}

/// Whether `.env` is read. Only `alula dev` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DotEnv {
    Read,
    LeaveOut,
}

impl Project {
    /// Reads the app in a folder.
    pub(crate) fn load(dir: &Path, overlay: Option<&str>, env: DotEnv) -> Result<Self, Fault> {
        let shown = dir.display();
        let missing = |detail: String| Fault::new(Code::ManifestMissing, detail);
        let dir = std::fs::canonicalize(dir)
            .map_err(|error| missing(format!("the folder `{shown}` cannot be opened: {error}")))?;
        let path = dir.join(FILE_NAME);
        let size = std::fs::metadata(&path)
            .map_err(|error| missing(format!("`{shown}/{FILE_NAME}` cannot be read: {error}")))?
            .len();
        if size > MAX_LEN as u64 {
            let detail = format!("`{shown}/{FILE_NAME}` is larger than {MAX_LEN} bytes");
            return Err(Fault::new(Code::ManifestSyntax, detail));
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|error| missing(format!("`{shown}/{FILE_NAME}` cannot be read: {error}")))?;
        let manifest = Manifest::parse(&text, FILE_NAME, overlay)?;
        let dot_env = match env {
            DotEnv::Read => read_dot_env(&dir)?,
            DotEnv::LeaveOut => Vec::new(),
        };
        Ok(Self { dir, manifest, dot_env })
    }

    /// The folder that holds everything Alula makes.
    pub(crate) fn data(&self) -> PathBuf {
        data(&self.dir)
    }

    /// A folder for a function's built-in builder.
    pub(crate) fn build_dir(&self, function: &FunctionName) -> PathBuf {
        self.data().join("build").join(function.as_str())
    }

    /// The last artifact of a function that could be served; without one, what a build left behind.
    pub(crate) fn last_good(&self, function: &Function) -> Option<Vec<u8>> {
        let kept = std::fs::read(self.kept(&function.name)).ok();
        kept.or_else(|| match &function.source {
            Source::Component(path) => std::fs::read(self.dir.join(path)).ok(),
            Source::Entry { .. } => None,
        })
    }

    /// Keeps an artifact for the next start. A torn file is never seen: it is renamed into its
    /// place.
    pub(crate) fn keep(&self, function: &FunctionName, wasm: &[u8]) -> Result<(), Fault> {
        let path = self.kept(function);
        let draft = path.with_extension("draft");
        std::fs::create_dir_all(path.parent().unwrap_or(&self.dir))
            .and_then(|()| std::fs::write(&draft, wasm))
            .and_then(|()| std::fs::rename(&draft, &path))
            .map_err(|error| {
                Fault::new(Code::FileRefused, format!("writing `{}`: {error}", path.display()))
            })
    }

    fn kept(&self, function: &FunctionName) -> PathBuf {
        self.data().join("good").join(format!("{function}.wasm"))
    }

    /// The revision that a function of this app and an artifact make.
    pub(crate) fn revision(&self, function: &Function, artifact: Digest) -> Revision {
        let env = self.dot_env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        function.revision(artifact, env)
    }
}

/// The folder that holds everything Alula makes of the app in `dir`.
pub(crate) fn data(dir: &Path) -> PathBuf {
    dir.join(".alula")
}

/// The name of the file with a developer's own variables.
pub(crate) const DOT_ENV: &str = ".env";

fn read_dot_env(dir: &Path) -> Result<Vec<(String, String)>, Fault> {
    let path = dir.join(DOT_ENV);
    let wrong = |error: dotenvy::Error| {
        Fault::new(Code::ManifestValue, format!("`{DOT_ENV}` cannot be read: {error}"))
            .hint("write one NAME=value per line; put values with spaces in quotes")
    };
    match dotenvy::from_path_iter(&path) {
        Ok(entries) => entries.map(|entry| entry.map_err(wrong)).collect(),
        Err(error) if error.not_found() => Ok(Vec::new()),
        Err(error) => Err(wrong(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[app]\nname = \"shop\"\n[functions.f]\ncomponent = \"f.wasm\"\n";

    #[test]
    fn a_folder_without_a_manifest_is_told_apart_from_a_wrong_one() {
        let dir = tempfile::tempdir().unwrap();
        let load = || Project::load(dir.path(), None, DotEnv::LeaveOut);
        assert_eq!(load().unwrap_err().code, Code::ManifestMissing);
        std::fs::write(dir.path().join(FILE_NAME), "x = ").unwrap();
        assert_eq!(load().unwrap_err().code, Code::ManifestSyntax);
        std::fs::write(dir.path().join(FILE_NAME), MANIFEST).unwrap();
        assert_eq!(load().unwrap().manifest.functions.len(), 1);
    }

    #[test]
    fn dot_env_is_read_only_when_asked_for_and_wins() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE_NAME), MANIFEST).unwrap();
        std::fs::write(dir.path().join(DOT_ENV), "# mine\nKEY=\"a b\"\nexport OTHER=1\n").unwrap();
        let project = Project::load(dir.path(), None, DotEnv::Read).unwrap();
        let function = project.manifest.functions.values().next().unwrap();
        let env = project.revision(function, Digest([0; 32])).env;
        assert_eq!(env, [("KEY".into(), "a b".into()), ("OTHER".into(), "1".into())]);
        let without = Project::load(dir.path(), None, DotEnv::LeaveOut).unwrap();
        assert!(without.dot_env.is_empty());
        std::fs::write(dir.path().join(DOT_ENV), "not a variable\n").unwrap();
        let fault = Project::load(dir.path(), None, DotEnv::Read).unwrap_err();
        assert_eq!(fault.code, Code::ManifestValue);
    }
}
