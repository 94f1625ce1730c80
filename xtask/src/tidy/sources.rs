//! Source files: their length, their module documentation, their words.

use super::Problem;
use crate::repo::File;
use crate::source::{self, Masked};

const FILE_LINES: usize = 800;
const FUNCTION_LINES: usize = 70;
const COLUMNS: usize = 100;

/// What no code may hold, with what to do instead.
const BANNED_CODE: &[(&str, &str)] = &[
    ("todo!(", "write it or leave it out"),
    ("unimplemented!(", "write it or leave it out"),
    ("dbg!(", "it is for one's own desk"),
    ("#[ignore", "nothing runs it; make it a target of xtask"),
];

/// What no comment may hold: a decision is made, or is an issue.
const BANNED_COMMENTS: &[&str] = &["TODO", "FIXME", "XXX"];

/// Checks one Rust file.
pub(crate) fn check_rust(file: &File) -> Vec<Problem> {
    let masked = source::mask(&file.text);
    let problem = |line: usize, message: String| Problem::new(&file.path, line, message);
    let mut problems = Vec::new();
    let lines = file.text.lines().count();
    if lines > FILE_LINES {
        problems.push(problem(0, format!("{lines} lines; split it (at most {FILE_LINES})")));
    }
    if !file.text.trim_start().starts_with("//!") {
        problems.push(problem(1, "begin with a module doc (`//!`): what this is for".to_owned()));
    }
    for function in source::functions(&masked.code) {
        if function.lines > FUNCTION_LINES {
            let (name, lines) = (function.name, function.lines);
            let message = format!("`{name}` has {lines} lines (at most {FUNCTION_LINES})");
            problems.push(problem(function.line, message));
        }
    }
    problems.extend(wide_lines(file, &masked));
    problems.extend(banned(file, &masked));
    if file.path.ends_with("limits.rs") {
        problems.extend(undocumented_limits(file));
    }
    problems
}

/// Lines over the limit. What strings hold does not count: there is no good place to break them.
fn wide_lines(file: &File, masked: &Masked) -> Vec<Problem> {
    let wide = masked.widths.iter().enumerate().filter(|(_, width)| **width > COLUMNS);
    let message = |width: usize| format!("{width} columns (at most {COLUMNS})");
    wide.map(|(index, width)| Problem::new(&file.path, index + 1, message(*width))).collect()
}

fn banned(file: &File, masked: &Masked) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, (code, comment)) in masked.code.lines().zip(masked.comments.lines()).enumerate() {
        let code_words = BANNED_CODE.iter().filter(|(word, _)| has_word(code, word));
        let messages = code_words.map(|(word, why)| format!("`{word}`: {why}"));
        let comment_words = BANNED_COMMENTS.iter().filter(|word| has_word(comment, word));
        let messages = messages.chain(comment_words.map(|word| undecided(word)));
        problems.extend(messages.map(|message| Problem::new(&file.path, index + 1, message)));
    }
    problems
}

fn undecided(word: &str) -> String {
    format!("`{word}`: decide, or open an issue")
}

/// Whether `text` has `word`, not as a part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let open = !word.ends_with(|c: char| c.is_alphanumeric());
        !inside(before) && (open || !inside(after))
    })
}

/// Every `pub const` of a file of limits has a doc comment.
fn undocumented_limits(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut documented = false;
    for (index, line) in file.text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("pub const ") && !line.starts_with("pub const fn ") && !documented {
            let message = "a limit without a doc comment that gives its reason";
            problems.push(Problem::new(&file.path, index + 1, message));
        }
        let attribute = line.starts_with("#[");
        documented = line.starts_with("///") || (documented && attribute);
    }
    problems
}

/// Checks a source file of another language.
pub(crate) fn check_other(file: &File) -> Vec<Problem> {
    let lines = file.text.lines().enumerate();
    let found = lines.flat_map(|(index, line)| {
        let words = BANNED_COMMENTS.iter().filter(move |word| has_word(line, word));
        words.map(move |word| Problem::new(&file.path, index + 1, undecided(word)))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> Vec<String> {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        check_rust(&file).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_plain_file_is_fine() {
        let text = "//! What it is for.\n\nfn f() {\n    g(\"todo!(\"); // as it should be\n}\n";
        assert_eq!(check("a.rs", text), [""; 0]);
    }

    #[test]
    fn a_file_without_a_module_doc_is_refused() {
        assert!(check("a.rs", "fn f() {}\n")[0].contains("module doc"));
    }

    #[test]
    fn a_long_file_is_refused() {
        let text = format!("//! Doc.\n{}", "\n".repeat(FILE_LINES));
        assert!(check("a.rs", &text)[0].contains("split it"));
    }

    #[test]
    fn a_long_function_is_refused() {
        let text = format!("//! Doc.\nfn long() {{{}}}\n", "\n".repeat(FUNCTION_LINES));
        assert_eq!(check("a.rs", &text), ["a.rs:2: `long` has 71 lines (at most 70)"]);
    }

    #[test]
    fn a_wide_line_is_refused_unless_a_string_makes_it_wide() {
        let long = "x".repeat(COLUMNS);
        assert!(check("a.rs", &format!("//! Doc.\n// {long}\n"))[0].contains("columns"));
        assert!(check("a.rs", &format!("//! Doc.\nfn {long}();\n"))[0].contains("columns"));
        assert_eq!(check("a.rs", &format!("//! Doc.\nconst A: &str = \"{long}\";\n")), [""; 0]);
    }

    #[test]
    fn unfinished_code_is_refused() {
        for code in ["todo!()", "dbg!(1)", "unimplemented!()"] {
            let found = check("a.rs", &format!("//! Doc.\nfn f() {{ {code} }}\n"));
            assert_eq!(found.len(), 1, "{code}: {found:?}");
        }
        assert!(check("a.rs", "//! Doc.\n// FIXME: later\n")[0].contains("decide"));
        assert!(check("a.rs", "//! Doc.\n#[ignore]\nfn f() {}\n")[0].contains("xtask"));
    }

    #[test]
    fn unfinished_scripts_are_refused() {
        let script = File { path: "a.py".into(), text: "# TODO: later\nTODOS = []\n".into() };
        assert_eq!(check_other(&script).len(), 1);
    }

    #[test]
    fn a_limit_without_a_reason_is_refused() {
        let text =
            "//! Doc.\n/// Why.\n#[rustfmt::skip]\npub const A: u8 = 1;\npub const B: u8 = 2;\n";
        assert_eq!(check("limits.rs", text).len(), 1);
        assert_eq!(check("other.rs", text), [""; 0]);
    }
}
