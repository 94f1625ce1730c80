//! `docs/errors.md`, made from the table of errors.

use std::fmt::Write as _;
use std::fs;

use alula_types::error::{Row, TABLE};

use crate::repo;

/// Where the page is.
pub(crate) const PATH: &str = "docs/errors.md";

const HEAD: &str = "\
# Errors

Every error that Alula shows has a code that never changes its meaning. This page is made from the table in
`crates/types/src/error.rs` by `cargo xtask errors`; `cargo xtask tidy` checks that the two agree.

The gateway answers with a body of type `application/problem+json` that has the code, what happened, what to do
and the invocation's id. The *class* says who can do something about it: **user** (the author or the caller),
**policy** (a rule refused it), **limit** (a limit was reached), **transient** (try again), **unknown** (whether it
happened is not known), **bug** (Alula is at fault).
";

/// The groups of codes, by their first two digits.
const GROUPS: &[(&str, &str)] = &[
    ("01", "The manifest and the command line"),
    ("02", "Building and artifacts"),
    ("03", "Invocations"),
    ("04", "The gateway"),
    ("09", "Alula itself"),
];

/// The page as it should be.
pub(crate) fn render(table: &[Row]) -> String {
    let mut page = HEAD.to_owned();
    for (digits, title) in GROUPS {
        let rows = table.iter().filter(|row| group(row.name) == *digits).collect::<Vec<_>>();
        if rows.is_empty() {
            continue;
        }
        write!(page, "\n## {title}\n\n| code | class | HTTP | what happened | what to do |\n")
            .and_then(|()| page.write_str("|---|---|---|---|---|\n"))
            .expect("writing to a string cannot fail");
        for row in rows {
            let Row { name, status, title, hint, .. } = row;
            let class = row.class.as_str();
            writeln!(page, "| `{name}` | {class} | {status} | {title} | {hint} |")
                .expect("writing to a string cannot fail");
        }
    }
    page
}

/// The two digits after `ALULA-E`.
pub(crate) fn group(name: &str) -> &str {
    name.strip_prefix("ALULA-E").and_then(|digits| digits.get(..2)).unwrap_or_default()
}

/// Whether every row has a group on the page.
pub(crate) fn has_group(row: &Row) -> bool {
    GROUPS.iter().any(|(digits, _)| group(row.name) == *digits)
}

/// Writes the page.
pub(crate) fn write() -> Result<(), String> {
    let path = repo::root().join(PATH);
    fs::write(&path, render(TABLE)).map_err(|error| format!("writing {PATH}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_on_the_page_once() {
        let page = render(TABLE);
        for row in TABLE {
            assert_eq!(page.matches(&format!("| `{}` |", row.name)).count(), 1, "{}", row.name);
        }
    }
}
