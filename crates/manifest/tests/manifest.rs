//! Manifests from text: what is read, what is refused, and where the finger points.

use std::time::Duration;

use alula_manifest::{Engine, Manifest, Names, Origins, Problems, Source, Target, schema};
use alula_types::limits::WarmLimits;
use alula_types::{ByteSize, Code, Contract, Digest, FunctionName, Limits, Reuse};

const APP: &str = "[app]\nname = \"shop\"\n";

fn parse(text: &str) -> Manifest {
    Manifest::parse(text, "alula.toml", None).unwrap_or_else(|e| panic!("{e}"))
}

fn refuse(text: &str) -> Problems {
    match Manifest::parse(text, "alula.toml", None) {
        Ok(manifest) => panic!("taken as {manifest:?}"),
        Err(problems) => problems,
    }
}

/// Checks that the manifest is refused once, with the code, at the line and column, with the words.
#[track_caller]
fn check(text: &str, code: Code, at: (u32, u32), words: &[&str]) {
    let problems = refuse(text);
    let shown = problems.to_string();
    assert_eq!(problems.list.len(), 1, "{shown}");
    let problem = &problems.list[0];
    assert_eq!(problem.code, code, "{shown}");
    let place = problem.place.as_ref().map_or((0, 0), |place| (place.line, place.column));
    assert_eq!(place, at, "{shown}");
    for word in words {
        assert!(shown.contains(word), "`{word}` is missing in: {shown}");
    }
}

/// The same for the body of one function, whose first line is line 4.
#[track_caller]
fn check_function(body: &str, at: (u32, u32), words: &[&str]) {
    let text = format!("{APP}[functions.f]\n{body}");
    check(&text, Code::ManifestValue, at, words);
}

/// The same for the body of one route, whose first line is line 6.
#[track_caller]
fn check_route(body: &str, at: (u32, u32), words: &[&str]) {
    let text = format!("{APP}[functions.f]\ncomponent = \"f.wasm\"\n[[triggers.http]]\n{body}");
    check(&text, Code::ManifestValue, at, words);
}

fn function(body: &str) -> alula_manifest::Function {
    let manifest = parse(&format!("{APP}[functions.f]\n{body}"));
    manifest.functions.into_values().next().expect("one function")
}

#[test]
fn everything_can_be_said() {
    let manifest = parse(include_str!("full.toml"));
    assert_eq!(manifest.app.name, "shop");
    let checkout = &manifest.functions[&FunctionName::parse("checkout").unwrap()];
    assert_eq!(checkout.source, Source::Component("target/checkout.wasm".into()));
    assert_eq!(checkout.build.as_deref(), Some("cargo build"));
    assert_eq!(checkout.watch, ["../shared"]);
    assert_eq!(checkout.contract, Some(Contract::WasiHttp));
    let warm =
        WarmLimits { requests: 10, age: Duration::from_secs(60), idle: Duration::from_secs(5) };
    assert_eq!(checkout.reuse, Reuse::Warm(warm));
    let limits = Limits {
        memory: ByteSize::mib(64),
        timeout: Duration::from_secs(20),
        cpu: Duration::from_secs(2),
        log_rate: ByteSize::kib(1),
        body: ByteSize::mib(1),
        response: ByteSize(0),
        instances_max: 50,
        queue: 5,
        queue_wait: Duration::from_millis(0),
        after_response: Duration::from_secs(1),
        ..Limits::DEFAULT
    };
    assert_eq!(checkout.limits, limits);
    assert_eq!((checkout.instances.min, checkout.instances.provisioned), (1, 2));
    assert_eq!(checkout.env["GREETING"], "hi");
    assert_eq!(checkout.grants.http, ["https://api.example.com"]);
    assert_eq!(checkout.line, 4);
    let page = &manifest.functions[&FunctionName::parse("page").unwrap()];
    let entry = Source::Entry { path: "page.ts".into(), engine: Engine::StarlingMonkey };
    assert_eq!(page.source, entry);
    assert_eq!(page.reuse, Reuse::Fresh);
    assert_eq!(page.limits, Limits::DEFAULT);

    let [order, files] = manifest.http.as_slice() else { panic!("two routes") };
    assert_eq!(order.pattern.to_string(), "POST /checkout/{cart}");
    assert_eq!(order.target, Target::Function(checkout.name.clone()));
    let cors = order.cors.as_ref().expect("cors");
    assert_eq!(cors.origins, Origins::Listed(vec!["https://example.com".into()]));
    assert_eq!(cors.methods, ["GET", "POST"]);
    assert_eq!(cors.headers, Names::Listed(vec!["x-token".into()]));
    assert_eq!(cors.expose, Names::Any);
    assert!(cors.credentials);
    assert_eq!(cors.max_age, Duration::from_secs(3_600));
    assert_eq!(files.target, Target::Static("public".into()));
    assert_eq!(files.cors, None);
    assert_eq!(manifest.routes_of(&checkout.name).count(), 1);
    assert_eq!(manifest.overlays, ["staging"]);
}

#[test]
fn an_overlay_changes_what_it_names_and_nothing_else() {
    let text = include_str!("full.toml");
    let base = parse(text);
    let over = Manifest::parse(text, "alula.toml", Some("staging")).expect("a valid overlay");
    let name = FunctionName::parse("checkout").unwrap();
    let (base, over) = (&base.functions[&name], &over.functions[&name]);
    assert_eq!(over.limits.memory, ByteSize::mib(128));
    assert_eq!(over.env["GREETING"], "hello");
    assert_eq!(over.env["MORE"], "yes");
    assert_eq!(over.grants.http, ["https://staging.example.com"], "lists are replaced whole");
    assert_eq!(over.limits.timeout, base.limits.timeout);
    assert_eq!(over.build, base.build);
}

#[test]
fn mistakes_in_an_overlay_are_found_before_it_is_used() {
    let text = format!(
        "{APP}[functions.f]\ncomponent = \"f.wasm\"\n[overlay.staging.functions.f]\nmemory = 5\n"
    );
    check(&text, Code::ManifestValue, (6, 10), &["`memory` must be a size", "not an integer"]);
    let text = format!("{APP}[overlay.staging.function]\n");
    check(&text, Code::ManifestKey, (3, 18), &["in [overlay.staging]", "`functions`?"]);
    let text = format!("{APP}[overlay.staging]\n");
    let error = Manifest::parse(&text, "alula.toml", Some("stagin")).expect_err("no such overlay");
    assert!(error.to_string().contains("did you mean `staging`?"), "{error}");
}

#[test]
fn an_unknown_key_is_refused_with_a_suggestion() {
    let text = format!("{APP}[functions.f]\ncomponent = \"f.wasm\"\nmemroy = \"64MiB\"\n");
    check(&text, Code::ManifestKey, (5, 1), &["`memroy` in [functions.f]", "mean `memory`?"]);
    let shown = refuse(&text).to_string();
    assert!(shown.contains("   5 | memroy = \"64MiB\"\n     | ^^^^^^\n"), "{shown}");
    check(
        "[app]\nname = \"a\"\nzzzzzz = 1",
        Code::ManifestKey,
        (3, 1),
        &["the keys here are name"],
    );
    check(&format!("{APP}[trigers]"), Code::ManifestKey, (3, 2), &["mean `triggers`?"]);
}

#[test]
fn broken_toml_is_refused_at_its_place() {
    let text = format!("{APP}[functions.f\n");
    let problems = refuse(&text);
    assert_eq!(problems.list[0].code, Code::ManifestSyntax);
    assert_eq!(problems.list[0].place.as_ref().expect("a place").line, 3);
    let text = format!("{APP}name = \"again\"\n");
    assert_eq!(refuse(&text).list[0].code, Code::ManifestSyntax);
    assert_eq!(refuse(&" ".repeat(alula_manifest::MAX_LEN + 1)).list[0].code, Code::ManifestSyntax);
}

#[test]
fn the_app_needs_a_name() {
    check("", Code::ManifestValue, (0, 0), &["the manifest needs `app`"]);
    check("[app]", Code::ManifestValue, (1, 1), &["[app] needs `name`"]);
    check("app = 1", Code::ManifestValue, (1, 7), &["`app` must be a table"]);
    check("[app]\nname = \"Shop\"", Code::ManifestValue, (2, 8), &["not an app's name", "lower"]);
}

#[test]
fn a_function_needs_exactly_one_source() {
    check_function("", (3, 12), &["says nothing to run", "component"]);
    check_function("component = \"a\"\nsource = \"b.js\"", (5, 10), &["has both"]);
    check_function("source = \"main.rs\"", (4, 10), &["not a .js", "`component` and `build`"]);
    check_function("source = \"a.py\"\nengine = \"quickjs\"", (4, 10), &["for JavaScript"]);
    check_function("component = \"a\"\nengine = \"quickjs\"", (5, 10), &["belongs to `source`"]);
    check_function("image = \"x\"", (4, 1), &["not available yet", "container"]);
    check_function("command = [\"x\"]", (4, 1), &["not available yet"]);
    let text = format!("{APP}[functions.Bad]\ncomponent = \"a\"");
    check(&text, Code::ManifestValue, (3, 12), &["not a function's name"]);
    assert_eq!(
        function("source = \"a.c\"").source,
        Source::Entry { path: "a.c".into(), engine: Engine::QuickJs }
    );
}

#[test]
fn values_must_fit_their_keys() {
    for (line, column, words) in [
        ("memory = \"64mib\"", 10, ["not a size", "64MiB"]),
        ("memory = \"1B\"", 10, ["out of range", "64KiB to 16GiB"]),
        ("timeout = \"0s\"", 11, ["out of range", "1ms to 24h"]),
        ("timeout = \"2d\"", 11, ["out of range", "24h"]),
        ("timeout = 30", 11, ["must be a time", "\"30s\""]),
        ("queue = -1", 9, ["out of range", "0 to"]),
        ("queue = 99999999999999999999", 9, ["out of range", "0 to"]),
        ("queue = 1.5", 9, ["a whole number", "not a float"]),
        ("reuse = \"wram\"", 9, ["`wram`", "mean `warm`?"]),
        ("reuse = \"keyed\"", 9, ["not available yet", "actors"]),
        ("reuse = { mode = \"keyed\" }", 18, ["not available yet", "actors"]),
        ("reuse = { mode = \"fresh\" }", 18, ["no limits", "fresh"]),
        ("reuse = { requests = 5 }", 9, ["needs `mode`", "reuse"]),
        ("reuse = { mode = \"warm\", requests = 0 }", 37, ["out of range", "1 to"]),
        ("concurrency = 2", 15, ["not available yet", "use 1"]),
        ("durable = true", 11, ["not available yet", "durable"]),
        ("instances = { max = 0 }", 21, ["out of range", "1 to"]),
        ("instances = { min = 6, max = 5 }", 21, ["`min` is larger", "is 5"]),
        ("instances = { provisioned = 600 }", 29, ["`provisioned` is larger", "is 500"]),
        ("contract = \"lambda\"", 12, ["`lambda` is no value", "\"wasi-http\""]),
        ("env = { A = 1 }", 13, ["`env.A` must be a string", "integer"]),
        ("env = { \"A=B\" = \"\" }", 9, ["`A=B`", "variable's name"]),
        ("env = { A = \"\\u0000\" }", 13, ["NUL", "env.A"]),
        ("watch = \"src\"", 9, ["a list of strings", "not a string"]),
        ("watch = [1]", 10, ["a list of strings", "integer"]),
        ("build = \"\"", 9, ["must be text", "build"]),
        ("grants = { http = [\"api.example.com\"] }", 20, ["not an origin", "https://"]),
        ("grants = { kv = [\"carts\"] }", 12, ["`kv` is not available yet", "store"]),
        ("grants = []", 10, ["must be a table", "an array"]),
    ] {
        check_function(&format!("component = \"f.wasm\"\n{line}"), (5, column), &words);
    }
}

#[test]
fn routes_must_lead_somewhere() {
    check_route("function = \"f\"", (5, 1), &["needs `route`"]);
    check_route("route = \"/\"", (6, 9), &["nothing that answers it"]);
    check_route("route = \"/\"\nfunction = \"g\"", (7, 12), &["no function `g`", "mean `f`?"]);
    check_route("route = \"/\"\nfunction = \"f\"\nstatic = \"x\"", (8, 10), &["either"]);
    check_route("route = \"/a{b}\"\nfunction = \"f\"", (6, 9), &["whole segment", "looks like"]);
    check_route("route = \"GET /a\"\nstatic = \"x\"", (6, 9), &["must end with `{name...}`"]);
    check_route("route = \"POST /{a...}\"\nstatic = \"x\"", (6, 9), &["only GET and HEAD"]);
    check_route("route = 5\nfunction = \"f\"", (6, 9), &["must be a string"]);
    let text = format!("{APP}[[triggers.schedule]]\ncron = \"* * * * *\"");
    check(&text, Code::ManifestValue, (3, 12), &["`schedule` is not available yet", "events"]);
    let text = format!("{APP}[triggers.http]\nroute = \"/\"");
    check(&text, Code::ManifestValue, (3, 1), &["list of tables, [[triggers.http]]"]);
    // A mistake in the function is not blamed on its route, too.
    let text = format!(
        "{APP}[functions.f]\ncomponent = 1\n[[triggers.http]]\nroute = \"/\"\nfunction = \"f\""
    );
    check(&text, Code::ManifestValue, (4, 13), &["must be a string"]);
}

#[test]
fn conflicting_routes_name_both_places() {
    let routes = |first: &str, second: &str| {
        format!(
            "{APP}[functions.f]\ncomponent = \"f.wasm\"\n\
             [[triggers.http]]\nroute = \"{first}\"\nfunction = \"f\"\n\
             [[triggers.http]]\nroute = \"{second}\"\nfunction = \"f\"\n"
        )
    };
    let words = ["alula.toml:6:9: the other one is here", "same requests", "   6 | ", "   9 | "];
    check(&routes("/{a}", "/{b}"), Code::RouteConflict, (9, 9), &words);
    let words = ["alula.toml:6:9", "overlap", "both match `GET /a/b`"];
    check(&routes("/a/{x}", "/{y}/b"), Code::RouteConflict, (9, 9), &words);
    parse(&routes("/a/{x}", "/{y...}"));
    parse(&routes("GET /a", "POST /a"));
}

#[test]
fn cors_must_make_sense_to_a_browser() {
    let cors = |table: &str| format!("route = \"/\"\nfunction = \"f\"\ncors = {{ {table} }}");
    check_route(&cors("methods = [\"GET\"]"), (8, 8), &["needs `origins`"]);
    check_route(&cors("origins = [\"*\"], credentials = true"), (8, 41), &["cannot go with"]);
    for origin in ["example.com", "https://Example.com", "https://a.b/", "https://a.b:443", ""] {
        check_route(&cors(&format!("origins = [\"{origin}\"]")), (8, 21), &["not an origin"]);
    }
    check_route(&cors("origins = [\"*\"], methods = [\"get\"]"), (8, 38), &["not a method"]);
    check_route(&cors("origins = [\"*\"], headers = [\"a b\"]"), (8, 38), &["header's name"]);
    check_route(&cors("origins = [\"*\"], max_age = \"2d\""), (8, 37), &["0ms to 24h"]);
}

#[test]
fn several_mistakes_are_reported_in_the_order_of_their_places() {
    let text = "[app]\nname = 1\n[functions.f]\nmemory = 2\ncomponent = \"x\"\nx = 1\n";
    let problems = refuse(text);
    let lines: Vec<u32> =
        problems.list.iter().map(|problem| problem.place.as_ref().expect("a place").line).collect();
    assert_eq!(lines, [2, 4, 6]);
}

#[test]
fn a_revision_is_named_by_its_content() {
    let one = function("component = \"f.wasm\"\nenv = { A = \"1\" }");
    let revision = one.revision(Digest([1; 32]), []);
    assert_eq!(revision.id, one.revision(Digest([1; 32]), []).id);
    assert!(revision.id.0.starts_with("f-"), "{}", revision.id);
    assert_ne!(revision.id, one.revision(Digest([2; 32]), []).id);
    let more = one.revision(Digest([1; 32]), [("A", "2"), ("B", "3")]);
    assert_ne!(revision.id, more.id);
    assert_eq!(more.env, [("A".into(), "2".into()), ("B".into(), "3".into())]);
    let other = function("component = \"f.wasm\"\nenv = { A = \"1\" }\nqueue = 3");
    assert_ne!(revision.id, other.revision(Digest([1; 32]), []).id);
}

#[test]
fn the_shipped_schema_is_the_schema() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/alula.schema.json");
    let shipped = std::fs::read_to_string(path).expect("docs/alula.schema.json");
    let shipped: serde_json::Value = serde_json::from_str(&shipped).expect("JSON");
    let how = "cargo run -p alula-manifest --example schema > docs/alula.schema.json";
    assert!(shipped == schema(), "docs/alula.schema.json is out of date: {how}");
}
