//! `[[triggers.http]]`.

use std::time::Duration;

use alula_types::{Code, FunctionName};
use toml::de::DeTable;

use crate::keys;
use crate::model::{Cors, HttpTrigger, Names, Origins, Target};
use crate::reader::{Note, Table, shorten, suggest};
use crate::route::{self, Pattern, Segment};

/// Reads all routes and reports those that conflict. Routes with mistakes are left out.
pub(super) fn http(triggers: &Table<'_, '_>, functions: Option<&DeTable<'_>>) -> Vec<HttpTrigger> {
    let tables = triggers.tables("http", &keys::HTTP);
    if tables.len() > crate::MAX_ROUTES {
        let message = format!("there are more than {} routes", crate::MAX_ROUTES);
        triggers.notes.say(Code::ManifestValue, triggers.place("http"), message, None);
        return Vec::new();
    }
    let read: Vec<_> = tables.iter().map(|table| (table, trigger(table, functions))).collect();
    let good: Vec<_> = read.into_iter().filter_map(|(t, trigger)| Some((t, trigger?))).collect();
    let patterns: Vec<Pattern> = good.iter().map(|(_, trigger)| trigger.pattern.clone()).collect();
    for conflict in route::conflicts(&patterns) {
        let (first, second) = (&good[conflict.first], &good[conflict.second]);
        let (earlier, later) = (&first.1.route, &second.1.route);
        let (message, hint) = if conflict.same {
            let message = format!("the route `{later}` matches the same requests as `{earlier}`");
            (message, "change or remove one of the two".to_owned())
        } else {
            let message = format!("the routes `{later}` and `{earlier}` overlap, and neither wins");
            (
                message,
                format!("both match `{}`; make one more specific, or remove it", conflict.example),
            )
        };
        triggers.notes.add(Note {
            code: Code::RouteConflict,
            span: second.0.place("route"),
            message,
            hint: Some(hint),
            also: Some((first.0.place("route"), "the other one is here".to_owned())),
        });
    }
    good.into_iter().map(|(_, trigger)| trigger).collect()
}

fn trigger(table: &Table<'_, '_>, functions: Option<&DeTable<'_>>) -> Option<HttpTrigger> {
    let cors = table.table("cors", &keys::CORS).map(|table| cors(&table));
    let target = target(table, functions);
    let (route, span) = table.text("route")?;
    let pattern = match Pattern::parse(route) {
        Ok(pattern) => pattern,
        Err(error) => {
            let hint = "a route looks like \"POST /orders/{id}\" or \"GET /files/{rest...}\"";
            table.notes.value(span, error.to_string(), hint);
            return None;
        }
    };
    let target = target?;
    if let Target::Static(_) = target {
        check_static(table, &pattern, span.clone());
    }
    let line = table.notes.line(span.start);
    Some(HttpTrigger { pattern, route: route.to_owned(), target, cors, line })
}

fn target(table: &Table<'_, '_>, functions: Option<&DeTable<'_>>) -> Option<Target> {
    let function = table.text("function");
    let folder = table.text("static");
    match (function, folder) {
        (Some((name, span)), None) => {
            if !functions.is_some_and(|functions| functions.contains_key(name)) {
                let names = || functions.into_iter().flat_map(|table| table.keys());
                let known = || names().map(|name| &**name.get_ref());
                let hint = suggest(name, known());
                let message = format!("there is no function `{}`", shorten(name));
                table.notes.say(Code::ManifestValue, span, message, hint);
            }
            // A name that is no name was reported where the function stands, or just now.
            FunctionName::parse(name).ok().map(Target::Function)
        }
        (None, Some((folder, _))) => Some(Target::Static(folder.to_owned())),
        (Some(_), Some((_, span))) => {
            let message = "a route has either `function` or `static`".to_owned();
            table.notes.value(span, message, "keep the one that is meant");
            None
        }
        (None, None) => {
            if table.get("function").is_none() && table.get("static").is_none() {
                let message = "the route says nothing that answers it".to_owned();
                let hint = "add `function = \"name\"` or `static = \"folder\"`";
                table.notes.value(table.place("route"), message, hint);
            }
            None
        }
    }
}

fn check_static(table: &Table<'_, '_>, pattern: &Pattern, span: std::ops::Range<usize>) {
    if !matches!(pattern.segments().last(), Some(Segment::Rest(_))) {
        let message = "a route with `static` must end with `{name...}`, the path of the file";
        table.notes.value(span, message.to_owned(), "write it like \"GET /assets/{path...}\"");
    } else if pattern.method().is_some_and(|method| !matches!(method, "GET" | "HEAD")) {
        let message = "files answer only GET and HEAD".to_owned();
        table.notes.value(span, message, "write GET, or no method");
    }
}

fn cors(table: &Table<'_, '_>) -> Cors {
    let origins = origins(table);
    let credentials = table.flag("credentials").unwrap_or(false);
    if credentials && origins == Origins::Any {
        let message = "`credentials` cannot go with `origins = [\"*\"]`; browsers refuse it";
        table.notes.value(table.place("credentials"), message.to_owned(), "list the origins");
    }
    Cors {
        origins,
        methods: methods(table),
        headers: names(table, "headers"),
        expose: names(table, "expose"),
        credentials,
        // Long enough to spare a page's preflights, short enough for a change to arrive.
        max_age: table.time_from("max_age", Duration::ZERO).unwrap_or(Duration::from_secs(600)),
    }
}

fn origins(table: &Table<'_, '_>) -> Origins {
    let texts = table.texts("origins").unwrap_or_default();
    if texts.iter().any(|(text, _)| *text == "*") {
        return Origins::Any;
    }
    let good = texts.into_iter().filter_map(|(text, span)| match plain_origin(text) {
        true => Some(text.to_owned()),
        false => {
            let message = format!("`{}` is not an origin", shorten(text));
            let hint = "write scheme and host in lower case, and the port unless it is the \
                        default: `https://example.com`";
            table.notes.value(span, message, hint);
            None
        }
    });
    Origins::Listed(good.collect())
}

/// Whether a text is an origin as browsers write it; anything else would never compare as equal.
fn plain_origin(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let host_ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._:[]".contains(&b);
    let default = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let port_ok = default.is_empty() || rest.ends_with(']') || !rest.ends_with(default);
    scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
        && !scheme.is_empty()
        && !rest.is_empty()
        && rest.bytes().all(host_ok)
        && !rest.starts_with(':')
        && !rest.ends_with(':')
        && port_ok
}

fn methods(table: &Table<'_, '_>) -> Vec<String> {
    let Some(texts) = table.texts("methods") else {
        return ["GET", "HEAD", "POST"].map(String::from).into();
    };
    for (text, span) in &texts {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
            let message = format!("`{}` is not a method", shorten(text));
            table.notes.value(span.clone(), message, "methods are upper-case words such as GET");
        }
    }
    texts.into_iter().map(|(text, _)| text.to_owned()).collect()
}

fn names(table: &Table<'_, '_>, key: &'static str) -> Names {
    let texts = table.texts(key).unwrap_or_default();
    if texts.iter().any(|(text, _)| *text == "*") {
        return Names::Any;
    }
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    for (text, span) in &texts {
        if text.is_empty() || !text.bytes().all(token) {
            let message = format!("`{}` is not a header's name", shorten(text));
            table.notes.say(Code::ManifestValue, span.clone(), message, None);
        }
    }
    Names::Listed(texts.into_iter().map(|(text, _)| text.to_ascii_lowercase()).collect())
}
