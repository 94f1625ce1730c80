//! The JSON that `--json` prints, version 1. Fields may be added; none changes its meaning.
//!
//! Every object has `kind`. Times are whole microseconds.

use std::collections::BTreeMap;
use std::time::Duration;

use alula_manifest::Manifest;
use alula_types::{Fault, FunctionName};
use serde_json::{Value, json};

use crate::build::plain;
use crate::builds::Built;
use crate::project::Project;
use crate::routes;

/// A command failed.
pub(crate) fn fault(fault: &Fault) -> Value {
    json!({ "kind": "error", "error": fault_object(fault) })
}

fn fault_object(fault: &Fault) -> Value {
    let plain = plain(fault);
    json!({
        "code": plain.code.name(),
        "class": plain.code.row().class.as_str(),
        "detail": plain.detail,
        "hint": plain.advice(),
    })
}

/// What `alula build` found out.
pub(crate) fn build_report(
    project: &Project,
    results: &BTreeMap<FunctionName, Result<Built, Fault>>,
) -> Value {
    let functions: Vec<_> = results
        .iter()
        .map(|(name, result)| match result {
            Ok(built) => function(project, name, built),
            Err(fault) => json!({ "name": name.as_str(), "error": fault_object(fault) }),
        })
        .collect();
    json!({
        "kind": "build",
        "app": project.manifest.app.name,
        "ok": results.values().all(Result::is_ok),
        "functions": functions,
    })
}

fn function(project: &Project, name: &FunctionName, built: &Built) -> Value {
    let report = &built.report;
    let imports: Vec<_> = report
        .imports
        .iter()
        .map(|(import, grant)| json!({ "name": import, "grant": grant }))
        .collect();
    let routes: Vec<_> =
        project.manifest.routes_of(name).map(|trigger| trigger.route.as_str()).collect();
    json!({
        "name": name.as_str(),
        "revision": built.revision.id.to_string(),
        "artifact": format!("sha256:{}", report.digest),
        "artifact_kind": report.kind,
        "contract": report.contract.as_str(),
        "exports": report.exports,
        "imports": imports,
        "grants": { "http": built.revision.grants.http },
        "routes": routes,
        "reusable": report.reusable.is_ok(),
        "size_bytes": report.size_bytes,
        "compiled_bytes": report.compiled_bytes,
        "cached": report.cached,
        "build_us": micros(built.build_time),
        "compile_us": micros(built.compile_time),
    })
}

/// `alula dev` serves these routes.
pub(crate) fn serving(url: &str, manifest: &Manifest) -> Value {
    let routes: Vec<_> = routes::listed(manifest)
        .map(|(route, target)| json!({ "route": route, "target": target }))
        .collect();
    json!({ "kind": "serving", "app": manifest.app.name, "url": url, "routes": routes })
}

/// A build takes its next step.
pub(crate) fn step(function: &FunctionName, text: &str) -> Value {
    json!({ "kind": "step", "function": function.as_str(), "text": text })
}

/// A function was built.
pub(crate) fn built(function: &FunctionName, built: &Built, changed: bool) -> Value {
    json!({
        "kind": "built",
        "function": function.as_str(),
        "revision": built.revision.id.to_string(),
        "changed": changed,
        "build_us": micros(built.build_time),
        "compile_us": micros(built.compile_time),
    })
}

/// A function, or the app, could not be built.
pub(crate) fn build_fault(function: Option<&FunctionName>, fault: &Fault) -> Value {
    json!({
        "kind": "build-failed",
        "function": function.map(FunctionName::as_str),
        "error": fault_object(fault),
    })
}

/// These functions go on serving their last good builds.
pub(crate) fn kept(functions: &[&str]) -> Value {
    json!({ "kind": "kept", "functions": functions })
}

/// The end begins.
pub(crate) fn ending() -> Value {
    json!({ "kind": "ending" })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
