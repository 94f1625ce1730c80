//! `alula build`: builds, checks, compiles ahead of time, and reports.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use alula_build::Progress;
use alula_sandbox::Sandbox;
use alula_telemetry::terminal::Short;
use alula_types::{Fault, FunctionName};
use futures_util::StreamExt as _;

use crate::builds::{self, Audience, Built};
use crate::cli::Build;
use crate::node;
use crate::project::{DotEnv, Project};
use crate::terminal::{Board, Terminal, describe, size, without_colours};
use crate::wire;

impl Audience for Board {
    fn listener(&self, function: &FunctionName) -> Box<dyn Progress> {
        Box::new(self.line(function.as_str()))
    }
}

/// Builds all functions. Says what is wrong with each one that fails, and fails if any does.
pub(crate) async fn run(options: &Build, terminal: Terminal) -> Result<bool, Fault> {
    let overlay = options.overlay.as_deref();
    let project = Arc::new(Project::load(&options.dir, overlay, DotEnv::LeaveOut)?);
    let sandbox: Arc<dyn Sandbox> =
        node::sandbox(&project.data(), node::profile(false), node::silent())?;
    let audience: Arc<dyn Audience> = Arc::new(Board::new(terminal));
    let results: BTreeMap<_, _> =
        builds::all(&project, &sandbox, &audience, terminal.err_colour).collect().await;
    let good = results.values().all(Result::is_ok);
    for (name, result) in &results {
        if let Ok(built) = result {
            project.keep(name, &built.wasm)?;
        }
    }
    if terminal.json {
        terminal.result("", &wire::build_report(&project, &results));
        return Ok(good);
    }
    for (name, result) in &results {
        match result {
            Ok(built) => terminal.result(&report(&project, name, built), &serde_json::Value::Null),
            Err(fault) => {
                terminal.say(&format!("{name}: {}\n", describe(fault, terminal.err_colour)));
            }
        }
    }
    Ok(good)
}

fn report(project: &Project, name: &FunctionName, built: &Built) -> String {
    let Built { report, revision, .. } = built;
    let mut text = format!(
        "{name}: {}, {} -> {} of machine code\n",
        report.kind,
        size(report.size_bytes),
        size(report.compiled_bytes),
    );
    let compiled = if report.cached { "compiled before" } else { "compiled" };
    let (build, compile) = (Short(built.build_time), Short(built.compile_time));
    let mut row = |label: &str, value: &str| {
        // Writing into a string does not fail.
        let _ = writeln!(text, "  {label:<9} {value}");
    };
    row("time", &format!("built in {build}, {compiled} in {compile}"));
    row("contract", report.contract.as_str());
    for export in &report.exports {
        row("exports", export);
    }
    let (needed, free): (Vec<_>, Vec<_>) =
        report.imports.iter().partition(|(_, grant)| grant.is_some());
    for (import, grant) in needed {
        let grant = grant.as_deref().unwrap_or_default();
        let given = match revision.grants.http.as_slice() {
            [] => format!("calls need grants.{grant}, which is empty"),
            granted => format!("granted: {}", granted.join(", ")),
        };
        row("imports", &format!("{import} ({given})"));
    }
    if !free.is_empty() {
        row("imports", &format!("{} interfaces that need no grant", free.len()));
    }
    for route in project.manifest.routes_of(name) {
        row("route", &route.route);
    }
    if let Err(reason) = &report.reusable {
        row("reuse", &format!("fresh only: {reason}"));
    }
    text
}

/// A fault as programs and pages see it: without the terminal's colours.
pub(crate) fn plain(fault: &Fault) -> Fault {
    let mut fault = fault.clone();
    fault.detail = without_colours(&fault.detail);
    fault
}
