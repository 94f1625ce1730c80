//! Who may use whom: the layers of `ARCHITECTURE.md` against what the crates declare.
//!
//! A crate may use the rows below its own, and the crates to the left of it in its own row.
//! Adapters never know each other, and only the root, the end-to-end tests and the benchmarks name
//! them.

use serde_json::Value;

use super::Problem;
use crate::process;

/// One row of the table, from the bottom.
struct Row {
    name: &'static str,
    crates: &'static [&'static str],
}

const ROWS: &[Row] = &[
    Row { name: "0 base", crates: &["types", "rt", "telemetry", "config"] },
    Row { name: "1 pure", crates: &["manifest", "policy", "contract"] },
    Row { name: "1 ports", crates: &["sandbox", "capability"] },
    Row { name: ADAPTERS, crates: &["sandbox-wasm"] },
    Row { name: "3 parts", crates: &["artifact", "build", "host", "dispatch"] },
    Row { name: "4 edges", crates: &["gateway"] },
    Row { name: "5 root", crates: &["alula"] },
    Row { name: "development", crates: &["testkit", "tests", "bench", "xtask"] },
];

const ADAPTERS: &str = "2 adapters";
const NAMES_ADAPTERS: &[&str] = &["alula", "tests", "bench"];

/// A crate as its manifest declares it.
#[derive(Debug, Default)]
pub(crate) struct Crate {
    /// Its folder's name.
    pub(crate) name: String,
    /// The crates of this workspace that it uses.
    pub(crate) uses: Vec<String>,
    /// Those that only its tests use.
    pub(crate) tests_use: Vec<String>,
}

/// The names of all crates in the table, from the bottom.
pub(crate) fn names() -> Vec<&'static str> {
    ROWS.iter().flat_map(|row| row.crates).copied().collect()
}

/// Reads the workspace's crates from `cargo metadata`.
pub(crate) fn read() -> Result<Vec<Crate>, String> {
    let metadata = process::metadata()?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(packages.iter().map(package).collect())
}

fn package(package: &Value) -> Crate {
    let mut found = Crate { name: short(&package["name"]), ..Crate::default() };
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        if dependency["path"].is_null() {
            continue;
        }
        let name = short(&dependency["name"]);
        match dependency["kind"].as_str() {
            Some("dev") => found.tests_use.push(name),
            _ => found.uses.push(name),
        }
    }
    found
}

fn short(name: &Value) -> String {
    name.as_str().unwrap_or_default().trim_start_matches("alula-").to_owned()
}

/// Checks every crate against the table.
pub(crate) fn check(crates: &[Crate]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for one in crates {
        let path = manifest(&one.name);
        if place(&one.name).is_none() {
            let message = "this crate has no row in the layer table of xtask/src/tidy/layers.rs";
            problems.push(Problem::new(&path, 0, message));
            continue;
        }
        let uses = one.uses.iter().filter_map(|used| refuse(&one.name, used));
        // A crate's own tests may use the test kit, which stands above it.
        let tests = one.tests_use.iter().filter(|used| *used != "testkit" && **used != one.name);
        let tests = tests.filter_map(|used| refuse(&one.name, used));
        problems.extend(uses.chain(tests).map(|message| Problem::new(&path, 0, message)));
    }
    problems
}

fn manifest(name: &str) -> String {
    let folder = if name == "xtask" { String::new() } else { "crates/".to_owned() };
    format!("{folder}{name}/Cargo.toml")
}

/// The row and the column of a crate.
fn place(name: &str) -> Option<(usize, usize)> {
    let rows = ROWS.iter().enumerate();
    let mut places = rows.filter_map(|(row, Row { crates, .. })| {
        crates.iter().position(|one| *one == name).map(|column| (row, column))
    });
    places.next()
}

/// Why `user` may not use `used`.
fn refuse(user: &str, used: &str) -> Option<String> {
    let ((row, column), (used_row, used_column)) = (place(user)?, place(used)?);
    let adapter = |row: usize| ROWS[row].name == ADAPTERS;
    if adapter(used_row) && !NAMES_ADAPTERS.contains(&user) {
        let who = NAMES_ADAPTERS.join("`, `");
        return Some(format!("`{user}` names the adapter `{used}`; only `{who}` may"));
    }
    let above = (used_row, used_column) >= (row, column);
    above.then(|| {
        let (row, used_row) = (ROWS[row].name, ROWS[used_row].name);
        format!("`{user}` ({row}) uses `{used}` ({used_row}), which is not below or left of it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(name: &str, uses: &[&str], tests_use: &[&str]) -> Vec<String> {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let one = Crate { name: name.to_owned(), uses: own(uses), tests_use: own(tests_use) };
        check(&[one]).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn lower_rows_and_left_neighbours_are_fine() {
        assert!(problems("gateway", &["dispatch", "types"], &["testkit"]).is_empty());
        assert!(problems("telemetry", &["types", "rt"], &[]).is_empty());
        assert!(problems("alula", &["sandbox-wasm"], &[]).is_empty());
    }

    #[test]
    fn a_higher_row_or_a_right_neighbour_is_refused() {
        assert_eq!(problems("types", &["gateway"], &[]).len(), 1);
        assert_eq!(problems("types", &["rt"], &[]).len(), 1);
        assert_eq!(problems("types", &[], &["rt"]).len(), 1);
    }

    #[test]
    fn an_adapter_is_named_by_the_root_only() {
        let found = problems("gateway", &["sandbox-wasm"], &[]);
        assert!(found[0].contains("names the adapter"), "{found:?}");
        assert_eq!(problems("dispatch", &[], &["sandbox-wasm"]).len(), 1);
    }

    #[test]
    fn a_crate_without_a_row_is_refused() {
        assert!(problems("surprise", &[], &[])[0].contains("no row"));
    }
}
