//! The table of errors: its order, its page, and every mention of a code.

use alula_types::error::{Row, TABLE};

use super::Problem;
use crate::errors_page;
use crate::repo::File;

const SOURCE: &str = "crates/types/src/error.rs";

/// Checks the table and that the page says the same.
pub(crate) fn check(page: &str) -> Vec<Problem> {
    let mut problems = check_rows(TABLE);
    if page != errors_page::render(TABLE) {
        let message = format!("does not agree with {SOURCE}; run `cargo xtask errors`");
        problems.push(Problem::new(errors_page::PATH, 0, message));
    }
    problems
}

fn check_rows(table: &[Row]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut problem = |message: String| problems.push(Problem::new(SOURCE, 0, message));
    for row in table {
        let name = row.name;
        if !well_formed(name) {
            problem(format!("`{name}` is not of the form ALULA-E0000"));
        } else if !errors_page::has_group(row) {
            problem(format!("`{name}` belongs to no group of xtask/src/errors_page.rs"));
        }
    }
    for pair in table.windows(2) {
        let (before, after) = (pair[0].name, pair[1].name);
        if before >= after {
            problem(format!("`{after}` comes after `{before}`: codes are unique and in order"));
        }
    }
    problems
}

fn well_formed(name: &str) -> bool {
    let digits = name.strip_prefix("ALULA-E").unwrap_or_default();
    digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Every code that a document mentions is in the table.
pub(crate) fn check_mentions(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for (at, _) in line.match_indices("ALULA-E") {
            let name = line.get(at..at + "ALULA-E0000".len()).unwrap_or(&line[at..]);
            if well_formed(name) && !TABLE.iter().any(|row| row.name == name) {
                problems.push(Problem::new(&file.path, index + 1, format!("there is no `{name}`")));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use alula_types::error::{Class, Code};

    use super::*;

    fn row(name: &'static str) -> Row {
        Row { code: Code::Internal, name, class: Class::Bug, status: 500, title: "t", hint: "h" }
    }

    #[test]
    fn the_page_must_agree_with_the_table() {
        assert!(check(&errors_page::render(TABLE)).is_empty());
        assert!(check("old")[0].message.contains("cargo xtask errors"));
    }

    #[test]
    fn codes_are_unique_in_order_and_well_formed() {
        assert!(check_rows(&[row("ALULA-E0101"), row("ALULA-E0102")]).is_empty());
        assert_eq!(check_rows(&[row("ALULA-E0102"), row("ALULA-E0101")]).len(), 1);
        assert_eq!(check_rows(&[row("ALULA-E0101"), row("ALULA-E0101")]).len(), 1);
        assert_eq!(check_rows(&[row("ALULA-E101")]).len(), 1);
        assert_eq!(check_rows(&[row("ALULA-E7701")]).len(), 1);
    }

    #[test]
    fn a_document_names_only_codes_that_exist() {
        let file = |text: &str| File { path: "a.md".into(), text: text.into() };
        assert!(check_mentions(&file("see ALULA-E0301 and ALULA-E….")).is_empty());
        assert_eq!(check_mentions(&file("see ALULA-E9999")).len(), 1);
    }
}
