//! Links of Markdown files: the file is there, and so is the heading.

use std::collections::HashMap;
use std::path::Path;

use super::Problem;
use crate::repo::File;

/// Checks every link to a file or heading of the repository. Links to other places are not
/// followed.
pub(crate) fn check(files: &[File], root: &Path) -> Vec<Problem> {
    let headings: HashMap<&str, Vec<String>> =
        files.iter().map(|file| (file.path.as_str(), headings(&file.text))).collect();
    let mut problems = Vec::new();
    for file in files {
        for (line, target) in links(&file.text) {
            if let Some(message) = broken(file, &target, &headings, root) {
                problems.push(Problem::new(&file.path, line, message));
            }
        }
    }
    problems
}

fn broken(
    file: &File,
    target: &str,
    headings: &HashMap<&str, Vec<String>>,
    root: &Path,
) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { file.path.clone() } else { join(&file.path, path)? };
    if !root.join(&path).exists() && !headings.contains_key(path.as_str()) {
        return Some(format!("the link `{target}` leads nowhere: there is no `{path}`"));
    }
    let found = headings.get(path.as_str()).is_none_or(|all| all.iter().any(|one| one == anchor));
    (!anchor.is_empty() && !found).then(|| format!("`{path}` has no heading for `#{anchor}`"))
}

/// The path that `target` means in the file `from`; `None` when it leaves the repository.
fn join(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The lines of a document that are not in a code block, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((index + 1, line))
    })
}

/// The targets of a document's links, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        // Every second part between back-ticks is code.
        let line: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            found.push((number, target.trim_matches(['<', '>']).to_owned()));
        }
        if let Some((_, target)) = line.split_once("]: ").filter(|_| line.starts_with('[')) {
            found.push((number, target.split(' ').next().unwrap_or_default().to_owned()));
        }
    }
    found
}

/// The anchors of a document's headings, by the rule that hosts of Markdown use.
fn headings(text: &str) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let titles = prose(text).filter(|(_, line)| line.starts_with('#'));
    let anchors = titles.map(|(_, line)| anchor(line.trim_start_matches('#').trim()));
    let unique = anchors.map(|anchor| {
        let count = seen.entry(anchor.clone()).or_default();
        *count += 1;
        if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
    });
    unique.collect()
}

fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
        let other = file("docs/other.md", "# A `b` title, 2\n\n## Same\n\n## Same\n");
        let files = [file("docs/a.md", text), other];
        check(&files, &crate::repo::root()).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        let text = "# Here\n[a](other.md) [b](other.md#a-b-title-2) [c](#here) [d](../Cargo.toml)\n\
            [e](https://example.com/x) [f](other.md#same-1) [g](../crates)\n[h]: other.md\n";
        assert_eq!(problems(text), [""; 0]);
    }

    #[test]
    fn code_is_not_a_link() {
        assert_eq!(problems("`[a](none.md)`\n```\n[a](none.md)\n```\n"), [""; 0]);
    }

    #[test]
    fn a_missing_file_or_heading_is_refused() {
        assert!(problems("[a](none.md)")[0].contains("there is no `docs/none.md`"));
        assert!(problems("[a](other.md#none)")[0].contains("no heading"));
        assert!(problems("[a](#none)")[0].contains("no heading"));
        assert!(problems("[a]: none.md")[0].contains("leads nowhere"));
    }
}
