//! Results: a table for people, a file for programs, and whether what must hold does.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::machine;

/// Contenders that were measured together.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// What was measured.
    pub(crate) name: String,
    /// The names of the figures, with their units.
    pub(crate) columns: Vec<&'static str>,
    /// A name and its figures; NaN stands for none.
    pub(crate) rows: Vec<(String, Vec<f64>)>,
    /// What the figures are to reach.
    pub(crate) checks: Vec<Check>,
}

/// A figure and its bound.
#[derive(Debug)]
pub(crate) struct Check {
    what: String,
    value: f64,
    bound: Bound,
}

/// What a figure is to reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    /// Must be at least this.
    AtLeast(f64),
    /// Must be at most this.
    AtMost(f64),
    /// Should be at least this; falling short is told, and is no failure.
    Aim(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) | Self::Aim(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }

    fn is_must(self) -> bool {
        !matches!(self, Self::Aim(_))
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, "must be ≥ {}", figure(*bound)),
            Self::AtMost(bound) => write!(f, "must be ≤ {}", figure(*bound)),
            Self::Aim(bound) => write!(f, "aim ≥ {}", figure(*bound)),
        }
    }
}

impl Group {
    /// A group without rows.
    pub(crate) fn new(name: impl Into<String>, columns: &[&'static str]) -> Self {
        Self { name: name.into(), columns: columns.to_vec(), ..Self::default() }
    }

    /// A figure of a row; `None` when there is no such row.
    pub(crate) fn get(&self, row: &str, column: &str) -> Option<f64> {
        let column = self.columns.iter().position(|name| *name == column)?;
        let (_, figures) = self.rows.iter().find(|(name, _)| name == row)?;
        figures.get(column).copied().filter(|figure| figure.is_finite())
    }

    /// Adds a check of one row's figure.
    pub(crate) fn check(&mut self, row: &str, column: &'static str, bound: Bound) {
        if let Some(value) = self.get(row, column) {
            self.checks.push(Check { what: format!("{row}: {column}"), value, bound });
        }
    }

    /// Adds a check of the ratio of two rows' figures, when both were measured.
    pub(crate) fn check_ratio(
        &mut self,
        (row, peer): (&str, &str),
        column: &'static str,
        bound: Bound,
    ) {
        if let (Some(own), Some(other)) = (self.get(row, column), self.get(peer, column)) {
            let what = format!("{row} / {peer}: {column}");
            self.checks.push(Check { what, value: own / other, bound });
        }
    }

    fn print(&self) {
        println!("\n## {}\n", self.name);
        let width = self.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        print!("| {:width$} |", "");
        self.columns.iter().for_each(|column| print!(" {column:>10} |"));
        print!("\n|{}|", "-".repeat(width + 2));
        self.columns.iter().for_each(|c| print!("{}:|", "-".repeat(c.chars().count().max(10) + 1)));
        println!();
        for (name, figures) in &self.rows {
            print!("| {name:width$} |");
            for (value, column) in figures.iter().zip(&self.columns) {
                print!(" {:>1$} |", figure(*value), column.chars().count().max(10));
            }
            println!();
        }
        if !self.checks.is_empty() {
            println!();
        }
        for Check { what, value, bound } in &self.checks {
            let verdict = if bound.holds(*value) { "ok  " } else { "MISS" };
            println!("- {verdict} {what} = {} ({bound})", figure(*value));
        }
    }

    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|(name, figures)| {
            let mut row = serde_json::Map::new();
            row.insert("name".into(), json!(name));
            for (column, figure) in self.columns.iter().zip(figures) {
                row.insert((*column).into(), json!(figure));
            }
            Value::Object(row)
        });
        let checks = self.checks.iter().map(|Check { what, value, bound }| {
            let holds = bound.holds(*value);
            json!({ "what": what, "value": value, "bound": bound.to_string(), "holds": holds })
        });
        json!({
            "name": self.name,
            "rows": rows.collect::<Vec<_>>(),
            "checks": checks.collect::<Vec<_>>(),
        })
    }
}

/// A figure with three significant digits or so.
fn figure(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "–".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// All groups of a run.
pub(crate) struct Report {
    suite: String,
    machine: Value,
    groups: Vec<Group>,
    failures: Vec<String>,
}

impl Report {
    /// A report without groups.
    pub(crate) fn begin(suite: &str, machine: Value) -> Self {
        Self { suite: suite.to_owned(), machine, groups: Vec::new(), failures: Vec::new() }
    }

    /// Adds groups and prints them.
    pub(crate) fn add(&mut self, groups: Vec<Group>) {
        groups.iter().for_each(Group::print);
        self.groups.extend(groups);
    }

    /// Notes a part that could not be measured.
    pub(crate) fn failed(&mut self, part: &str, why: &str) {
        eprintln!("\n{part} could not be measured: {why}");
        self.failures.push(format!("{part}: {why}"));
    }

    /// Writes the file; whether all that must hold does.
    pub(crate) fn finish(self) -> Result<bool> {
        let folder = machine::root().join("bench/results");
        std::fs::create_dir_all(&folder)?;
        let path = self.path(&folder);
        let groups: Vec<Value> = self.groups.iter().map(Group::json).collect();
        let text = serde_json::to_string_pretty(&json!({
            "suite": self.suite,
            "machine": self.machine,
            "groups": groups,
            "failures": self.failures,
        }))?;
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        println!("\nwritten to {}", path.display());
        let checks = self.groups.iter().flat_map(|group| &group.checks);
        let holds = checks.filter(|check| check.bound.is_must()).all(|c| c.bound.holds(c.value));
        Ok(holds && self.failures.is_empty())
    }

    fn path(&self, folder: &std::path::Path) -> PathBuf {
        folder.join(format!("{}-{}.json", self.suite, alula_rt::clock::unix_ms() / 1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Group {
        let mut group = Group::new("g", &["req/s"]);
        group.rows = vec![("own".into(), vec![30.0]), ("peer".into(), vec![10.0])];
        group
    }

    #[test]
    fn a_check_fails_when_its_bound_does_not_hold() {
        assert!(Bound::AtLeast(2.0).holds(2.0) && !Bound::AtLeast(2.0).holds(1.9));
        assert!(Bound::AtMost(2.0).holds(2.0) && !Bound::AtMost(2.0).holds(2.1));
        let mut group = group();
        group.check_ratio(("own", "peer"), "req/s", Bound::AtLeast(3.1));
        let check = &group.checks[0];
        assert_eq!(check.value, 3.0);
        assert!(!check.bound.holds(check.value));
    }

    #[test]
    fn a_peer_that_was_not_measured_makes_no_check() {
        let mut group = group();
        group.check_ratio(("own", "absent"), "req/s", Bound::AtLeast(1.0));
        assert!(group.checks.is_empty());
    }
}
