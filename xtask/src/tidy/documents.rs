//! Documents: the architecture names every crate, and the index of `docs/` every page.

use super::Problem;
use crate::repo::File;

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const INDEX: &str = "docs/README.md";
/// Three printed pages.
const ARCHITECTURE_LINES: usize = 180;

/// Checks what the documents must mention.
pub(crate) fn check(files: &[File], crates: &[&str]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let text = |path: &str| files.iter().find(|file| file.path == path).map(|file| &file.text[..]);
    match text(ARCHITECTURE) {
        None => problems.push(Problem::new(ARCHITECTURE, 0, "there is no such file")),
        Some(text) => problems.extend(check_architecture(text, crates)),
    }
    let index = text(INDEX).unwrap_or_default();
    for file in files {
        let name = file.path.strip_prefix("docs/").filter(|name| *name != "README.md");
        if let Some(name) = name.filter(|name| !index.contains(&format!("({name}"))) {
            let message = format!("does not link to `{name}`");
            problems.push(Problem::new(INDEX, 0, message));
        }
    }
    problems
}

fn check_architecture(text: &str, crates: &[&str]) -> Vec<Problem> {
    let missing = crates.iter().filter(|name| !text.contains(&format!("`{name}`")));
    let missing = missing.map(|name| format!("does not mention the crate `{name}`"));
    let lines = text.lines().count();
    let long = format!("{lines} lines; at most {ARCHITECTURE_LINES}, which are three pages");
    let long = (lines > ARCHITECTURE_LINES).then_some(long);
    missing.chain(long).map(|message| Problem::new(ARCHITECTURE, 0, message)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let file =
            |(path, text): &(&str, &str)| File { path: (*path).into(), text: (*text).into() };
        let files: Vec<File> = files.iter().map(file).collect();
        check(&files, &["types"]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_crate_that_the_architecture_leaves_out_is_found() {
        assert_eq!(problems(&[(ARCHITECTURE, "`types` is the base")]), [""; 0]);
        assert!(problems(&[(ARCHITECTURE, "types")])[0].contains("`types`"));
        assert!(problems(&[])[0].contains("no such file"));
    }

    #[test]
    fn an_architecture_of_more_than_three_pages_is_refused() {
        let text = format!("`types`{}", "\n".repeat(ARCHITECTURE_LINES + 1));
        assert!(problems(&[(ARCHITECTURE, &text)])[0].contains("three pages"));
    }

    #[test]
    fn a_page_that_the_index_leaves_out_is_found() {
        let architecture = (ARCHITECTURE, "`types`");
        let listed = [architecture, (INDEX, "[a](a.md)"), ("docs/a.md", "")];
        assert_eq!(problems(&listed), [""; 0]);
        let unlisted = [architecture, (INDEX, ""), ("docs/a.md", "")];
        assert!(problems(&unlisted)[0].contains("a.md"));
    }
}
