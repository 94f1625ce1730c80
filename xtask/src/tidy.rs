//! `cargo xtask tidy`: the habits of the project as checks, each with a test in which it fails.

mod documents;
mod errors;
mod layers;
mod links;
mod sources;

use std::fmt;

use crate::repo;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The file, below the root.
    pub(crate) path: String,
    /// The line from 1; 0 when it is about the whole file.
    pub(crate) line: usize,
    /// What is wrong and what would be right.
    pub(crate) message: String,
}

impl Problem {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Runs every check and prints what it found.
pub(crate) fn run() -> Result<(), String> {
    let problems = check()?;
    for problem in &problems {
        eprintln!("{problem}");
    }
    match problems.len() {
        0 => Ok(()),
        1 => Err("tidy found 1 problem".to_owned()),
        n => Err(format!("tidy found {n} problems")),
    }
}

fn check() -> Result<Vec<Problem>, String> {
    let root = repo::root();
    let rust = repo::files(&["rs"])?;
    let other = repo::files(&["py", "js", "mjs", "ts", "c", "h", "sh", "toml", "wit"])?;
    let markdown = repo::files(&["md"])?;
    let mut problems = layers::check(&layers::read()?);
    problems.extend(rust.iter().flat_map(sources::check_rust));
    problems.extend(other.iter().flat_map(sources::check_other));
    problems
        .extend(errors::check(&repo::read(&root, crate::errors_page::PATH).unwrap_or_default()));
    problems.extend(markdown.iter().flat_map(errors::check_mentions));
    problems.extend(links::check(&markdown, &root));
    problems.extend(documents::check(&markdown, &layers::names()));
    Ok(problems)
}
