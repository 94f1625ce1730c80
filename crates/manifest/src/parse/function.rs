//! `[functions.NAME]`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use alula_types::limits::WarmLimits;
use alula_types::{ByteSize, Code, Contract, FunctionName, Grants, Limits, Reuse};

use crate::keys;
use crate::model::{Engine, Function, Instances, Source};
use crate::reader::{Table, shorten};

/// From one page of WebAssembly to what any machine we know has.
const MEMORY: RangeInclusive<ByteSize> = ByteSize::kib(64)..=ByteSize::mib(16 << 10);
/// Bodies stream, so they may be large.
const BODY: RangeInclusive<ByteSize> = ByteSize(0)..=ByteSize::mib(1 << 20);
const LOG_RATE: RangeInclusive<ByteSize> = ByteSize(0)..=ByteSize::mib(64);
/// Many more than the engine has places: a larger number is a slip of the key.
const MANY: u32 = 100_000;

/// Reads one function. What has a mistake is noted and left at its default.
pub(super) fn read(table: &Table<'_, '_>, name: FunctionName) -> Function {
    not_yet(table);
    Function {
        name,
        source: source(table).unwrap_or_else(|| Source::Component(String::new())),
        build: table.text("build").map(|(text, _)| text.to_owned()),
        watch: watch(table),
        contract: table.choice("contract", &keys::CONTRACTS).and_then(contract),
        reuse: reuse(table).unwrap_or_default(),
        instances: instances(table),
        limits: limits(table),
        env: env(table),
        grants: grants(table),
        line: table.notes.line(table.span.start),
    }
}

fn source(table: &Table<'_, '_>) -> Option<Source> {
    let component = table.text("component");
    let entry = table.text("source");
    let engine = table.choice("engine", &keys::ENGINES);
    match (component, entry) {
        (Some((path, _)), None) => {
            if table.get("engine").is_some() {
                let message = "`engine` belongs to `source`, not to `component`".to_owned();
                table.notes.value(table.place("engine"), message, "remove `engine`");
            }
            Some(Source::Component(path.to_owned()))
        }
        (None, Some((path, span))) => {
            if let Some(problem) = entry_problem(path, engine) {
                let hint = "use `component` and `build` for other languages";
                table.notes.value(span, problem, hint);
            }
            let engine = match engine {
                Some("starlingmonkey") => Engine::StarlingMonkey,
                _ => Engine::QuickJs,
            };
            Some(Source::Entry { path: path.to_owned(), engine })
        }
        (Some(_), Some((_, span))) => {
            let message = format!("{} has both `component` and `source`", table.title());
            table.notes.value(span, message, "keep the one that is meant");
            None
        }
        (None, None) => {
            // A value that is there but unusable, or not available yet, was reported already.
            let said = ["component", "source", "image", "command"];
            if said.iter().all(|name| table.get(name).is_none()) {
                let message = format!("{} says nothing to run", table.title());
                let hint = "add `component = \"….wasm\"` or `source = \"index.ts\"`";
                table.notes.value(table.span.clone(), message, hint);
            }
            None
        }
    }
}

fn entry_problem(path: &str, engine: Option<&str>) -> Option<String> {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
    match extension.unwrap_or_default() {
        "js" | "mjs" | "cjs" | "jsx" | "ts" | "mts" | "cts" | "tsx" => None,
        "py" | "c" => engine.map(|_| "`engine` is for JavaScript and TypeScript".to_owned()),
        _ => Some(format!("`{}` is not a .js, .ts, .py or .c file", shorten(path))),
    }
}

fn watch(table: &Table<'_, '_>) -> Vec<String> {
    let texts = table.texts("watch").unwrap_or_default();
    texts.into_iter().map(|(text, _)| text.to_owned()).collect()
}

fn contract(name: &str) -> Option<Contract> {
    let all = [Contract::WasiHttp, Contract::WasiCli, Contract::AlulaJs];
    all.into_iter().find(|contract| contract.as_str() == name)
}

fn reuse(table: &Table<'_, '_>) -> Option<Reuse> {
    let value = table.get("reuse")?;
    if value.get_ref().is_table() {
        let warm = table.table("reuse", &keys::WARM)?;
        let default = WarmLimits::DEFAULT;
        let limits = WarmLimits {
            requests: warm.count("requests", 1..=u32::MAX).unwrap_or(default.requests),
            age: warm.time("age").unwrap_or(default.age),
            idle: warm.time("idle").unwrap_or(default.idle),
        };
        if mode(&warm, "mode") == Some("fresh") {
            let message = "a fresh instance has no limits of reuse".to_owned();
            warm.notes.value(warm.place("mode"), message, "write `reuse = \"fresh\"`");
        }
        return Some(Reuse::Warm(limits));
    }
    match mode(table, "reuse")? {
        "warm" => Some(Reuse::Warm(WarmLimits::DEFAULT)),
        _ => Some(Reuse::Fresh),
    }
}

fn mode(table: &Table<'_, '_>, key: &'static str) -> Option<&'static str> {
    let mode = table.choice(key, &keys::REUSE)?;
    if mode == "keyed" {
        let message = "`reuse = \"keyed\"` is not available yet: it comes with actors".to_owned();
        table.notes.value(table.place(key), message, "use \"fresh\" or \"warm\"");
    }
    Some(mode)
}

fn limits(table: &Table<'_, '_>) -> Limits {
    let default = Limits::DEFAULT;
    let max = table.table("instances", &keys::INSTANCES).and_then(|t| t.count("max", 1..=MANY));
    Limits {
        memory: table.size("memory", MEMORY).unwrap_or(default.memory),
        timeout: table.time("timeout").unwrap_or(default.timeout),
        cpu: table.time("cpu").unwrap_or(default.cpu),
        log_rate: table.size("log_rate", LOG_RATE).unwrap_or(default.log_rate),
        body: table.size("body", BODY).unwrap_or(default.body),
        response: table.size("response", BODY).unwrap_or(default.response),
        instances_max: max.unwrap_or(default.instances_max),
        queue: table.count("queue", 0..=MANY).unwrap_or(default.queue),
        queue_wait: table.time_from("queue_wait", Duration::ZERO).unwrap_or(default.queue_wait),
        after_response: table
            .time_from("after_response", Duration::ZERO)
            .unwrap_or(default.after_response),
        ..default
    }
}

fn instances(table: &Table<'_, '_>) -> Instances {
    let Some(table) = table.table("instances", &keys::INSTANCES) else {
        return Instances::default();
    };
    let max = table.count("max", 1..=MANY).unwrap_or(Limits::DEFAULT.instances_max);
    let kept = |name| {
        let count = table.count(name, 0..=MANY).unwrap_or_default();
        if count > max {
            let message = format!("`{name}` is larger than `max`, which is {max}");
            table.notes.value(table.place(name), message, "raise `max` too");
        }
        count
    };
    Instances { min: kept("min"), provisioned: kept("provisioned") }
}

fn env(table: &Table<'_, '_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    let Some((entries, span)) = table.entries("env") else { return env };
    if entries.len() > crate::MAX_ENV {
        let message = format!("`env` has more than {} variables", crate::MAX_ENV);
        table.notes.say(Code::ManifestValue, span, message, None);
        return env;
    }
    for (key, value) in entries.iter() {
        let name = key.get_ref();
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!("`{}` is not a variable's name", shorten(name));
            table.notes.say(Code::ManifestValue, key.span(), message, None);
        }
        match value.get_ref().as_str() {
            Some(text) if !text.contains('\0') => {
                env.insert(name.to_string(), text.to_owned());
            }
            Some(_) => table.mismatch(&format!("env.{name}"), value, "text without NUL"),
            None => table.mismatch(&format!("env.{name}"), value, "a string"),
        }
    }
    env
}

fn grants(table: &Table<'_, '_>) -> Grants {
    let Some(table) = table.table("grants", &keys::GRANTS) else { return Grants::default() };
    let origins = table.texts("http").unwrap_or_default();
    for (origin, span) in &origins {
        // Only the form; the grammar of origins belongs to the one who decides by them.
        let scheme = origin.split_once("://").map(|(scheme, _)| scheme);
        if *origin != "*" && !matches!(scheme, Some("http" | "https" | "*")) {
            let message = format!("`{}` is not an origin", shorten(origin));
            table.notes.value(span.clone(), message, "write it like `https://api.example.com`");
        }
    }
    Grants { http: origins.into_iter().map(|(origin, _)| origin.to_owned()).collect() }
}

/// Values that are understood but whose turn has not come.
fn not_yet(table: &Table<'_, '_>) {
    if table.count("concurrency", 1..=MANY).is_some_and(|concurrency| concurrency > 1) {
        let message = "more than one invocation at once in an instance is not available yet";
        table.notes.value(table.place("concurrency"), message.to_owned(), "use 1");
    }
    if table.flag("durable") == Some(true) {
        let message = "durable executions are not available yet".to_owned();
        table.notes.value(table.place("durable"), message, "use false");
    }
}
