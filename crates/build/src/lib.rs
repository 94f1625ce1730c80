//! From sources to artifacts: the built-in builders, the authors' own build commands, the
//! templates.
//!
//! A builder turns one source file into one component and knows nothing of manifests, sandboxes or
//! the terminal: it is given folders, says what it does through [`Progress`], and returns a path or
//! a fault whose detail holds the tool's own words.

pub mod c;
pub mod command;
pub mod javascript;
mod pip;
pub mod python;
pub mod rust_target;
pub mod templates;
pub mod toolchain;

use std::path::{Path, PathBuf};

use alula_types::{Code, Fault};

/// One source file to be made a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRequest {
    /// The entry file, absolute.
    pub source: PathBuf,
    /// The app's folder, absolute: where `package.json`, `requirements.txt` and the like are looked
    /// for.
    pub dir: PathBuf,
    /// A folder of this function's own for the artifact and whatever speeds up the next build. Made
    /// by the builder when it is missing.
    pub out: PathBuf,
    /// Which engine runs the source, where there is a choice.
    pub engine: Engine,
}

/// Which engine runs JavaScript. Other languages have one each and ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// Small and quick to build; can be reused.
    #[default]
    QuickJs,
    /// The full web platform; one request per instance.
    StarlingMonkey,
}

/// Hears what a builder does, for people who wait.
pub trait Progress: Send + Sync {
    /// A step begins, for example `installing componentize-qjs 0.4.5`. Short, lower-case, no full
    /// stop.
    fn step(&self, text: &str);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _text: &str) {}
}

/// The languages with a built-in builder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// JavaScript and TypeScript.
    JavaScript,
    /// Python.
    Python,
    /// C.
    C,
}

impl Language {
    /// The language of a source file, by its extension.
    pub fn of(source: &Path) -> Option<Self> {
        match source.extension()?.to_str()? {
            "js" | "mjs" | "cjs" | "jsx" | "ts" | "mts" | "cts" | "tsx" => Some(Self::JavaScript),
            "py" => Some(Self::Python),
            "c" => Some(Self::C),
            _ => None,
        }
    }
}

/// Builds a source file with the builder for its language and returns the component's path.
pub async fn build(request: &BuildRequest, progress: &dyn Progress) -> Result<PathBuf, Fault> {
    if !request.source.is_file() {
        let source = request.source.display();
        return Err(Fault::new(Code::BuildFailed, format!("there is no source file `{source}`"))
            .hint("check `source` in `alula.toml`"));
    }
    match Language::of(&request.source) {
        Some(Language::Python) => python::build(request, progress).await,
        Some(Language::C) => c::build(request, progress).await,
        Some(Language::JavaScript) => javascript::build(request, progress).await,
        None => Err(Fault::new(
            Code::BuildFailed,
            format!("no builder knows the source file `{}`", request.source.display()),
        )
        .hint("`source` takes .js, .ts, .py and .c files; use `build` and `component` for others")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_decides_the_language() {
        for (file, language) in [
            ("a/index.ts", Some(Language::JavaScript)),
            ("index.mjs", Some(Language::JavaScript)),
            ("app.py", Some(Language::Python)),
            ("main.c", Some(Language::C)),
            ("main.rs", None),
            ("Makefile", None),
        ] {
            assert_eq!(Language::of(Path::new(file)), language, "{file}");
        }
    }
}
