//! From text to a [`Manifest`], or everything that is wrong with it.

mod function;
mod trigger;

use std::collections::BTreeMap;

use alula_types::{Code, FunctionName};
use toml::de::{DeTable, DeValue};

use crate::keys;
use crate::model::{App, Function, Manifest};
use crate::overlay;
use crate::problem::{Place, Problem, Problems};
use crate::reader::{Note, Notes, Table, shorten, suggest};

/// Mistakes in the syntax that are reported; the first ones usually cause the rest.
const MAX_SYNTAX: usize = 20;
/// Each one costs a reading of the whole manifest.
const MAX_OVERLAYS: usize = 32;

impl Manifest {
    /// Reads a manifest.
    ///
    /// `file` is its name in messages. `overlay` names the `[overlay.NAME]` to put over the rest;
    /// the others are checked all the same, so that a mistake does not wait for the day it is used.
    pub fn parse(text: &str, file: &str, overlay: Option<&str>) -> Result<Self, Problems> {
        read(text, overlay).map_err(|notes| problems(text, file, notes))
    }
}

fn read(text: &str, overlay: Option<&str>) -> Result<Manifest, Vec<Note>> {
    if text.len() > crate::MAX_LEN {
        let message = format!("the manifest is larger than {} bytes", crate::MAX_LEN);
        return Err(vec![note(Code::ManifestSyntax, message)]);
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What a broken document seems to say is not worth a message of its own. Finding a place
        // costs the length of the text, so a hostile file gets no more than a person reads.
        let syntax = |error: &toml::de::Error| Note {
            span: error.span().unwrap_or(0..0),
            ..note(Code::ManifestSyntax, error.message().to_owned())
        };
        return Err(errors.iter().take(MAX_SYNTAX).map(syntax).collect());
    }
    let base = document.get_ref();
    let overlays = names_of_overlays(base);
    if overlays.len() > MAX_OVERLAYS {
        let message = format!("there are more than {MAX_OVERLAYS} overlays");
        return Err(vec![note(Code::ManifestValue, message)]);
    }
    let notes = Notes::new(text);
    let mut chosen = None;
    for candidate in std::iter::once(None).chain(overlays.iter().map(|name| Some(name.as_str()))) {
        let manifest = read_with(base, candidate, &notes);
        if candidate == overlay {
            chosen = manifest;
        }
    }
    if let Some(name) = overlay
        && !overlays.iter().any(|other| other == name)
    {
        notes.add(missing_overlay(name, &overlays));
    }
    let notes = notes.into_list();
    match chosen {
        Some(manifest) if notes.is_empty() => Ok(Manifest { overlays, ..manifest }),
        _ => Err(notes),
    }
}

fn names_of_overlays(base: &DeTable<'_>) -> Vec<String> {
    match base.get("overlay").map(toml::Spanned::get_ref) {
        Some(DeValue::Table(overlays)) => {
            overlays.keys().map(|name| name.get_ref().to_string()).collect()
        }
        _ => Vec::new(),
    }
}

fn missing_overlay(name: &str, overlays: &[String]) -> Note {
    let hint = suggest(name, overlays.iter().map(String::as_str)).or_else(|| {
        (!overlays.is_empty()).then(|| format!("the overlays are {}", overlays.join(", ")))
    });
    let message = format!("there is no [overlay.{}] in the manifest", shorten(name));
    Note { hint, ..note(Code::ManifestValue, message) }
}

/// Reads the document with one overlay, or none, put over it. `None` only with a note.
fn read_with(base: &DeTable<'_>, overlay: Option<&str>, notes: &Notes) -> Option<Manifest> {
    let Some(name) = overlay else { return root(base, notes) };
    let over = base.get("overlay")?.get_ref().as_table()?.get(name)?;
    let Some(entries) = over.get_ref().as_table() else {
        notes.say(Code::ManifestValue, over.span(), "an overlay must be a table".to_owned(), None);
        return None;
    };
    Table::open(entries, &keys::OVERLAY, format!("overlay.{name}"), over.span(), notes);
    let mut merged = base.clone();
    overlay::merge(&mut merged, entries);
    root(&merged, notes)
}

fn root(document: &DeTable<'_>, notes: &Notes) -> Option<Manifest> {
    let root = Table::open(document, &keys::ROOT, String::new(), 0..0, notes);
    // Its content was looked at before; here it must only be a table.
    root.entries("overlay");
    let app = root.table("app", &keys::APP).and_then(|table| app(&table));
    let functions = root.entries("functions").map(|(entries, _)| entries);
    let http = match root.table("triggers", &keys::TRIGGERS) {
        Some(triggers) => trigger::http(&triggers, functions),
        None => Vec::new(),
    };
    let functions = functions.map(|entries| read_functions(&root, entries)).unwrap_or_default();
    Some(Manifest { app: app?, functions, http, overlays: Vec::new() })
}

fn app(table: &Table<'_, '_>) -> Option<App> {
    let (name, span) = table.text("name")?;
    match FunctionName::parse(name) {
        Ok(name) => Some(App { name: name.to_string() }),
        Err(error) => {
            let message = format!("`{}` is not an app's name", shorten(name));
            table.notes.value(span, message, error.to_string());
            None
        }
    }
}

fn read_functions(root: &Table<'_, '_>, entries: &DeTable<'_>) -> BTreeMap<FunctionName, Function> {
    let mut functions = BTreeMap::new();
    for (key, value) in entries.iter() {
        let name = match FunctionName::parse(key.get_ref()) {
            Ok(name) => name,
            Err(error) => {
                let message = format!("`{}` is not a function's name", shorten(key.get_ref()));
                root.notes.value(key.span(), message, error.to_string());
                continue;
            }
        };
        let path = format!("functions.{name}");
        let Some(entries) = value.get_ref().as_table() else {
            root.mismatch(&path, value, "a table");
            continue;
        };
        let table = Table::open(entries, &keys::FUNCTION, path, key.span(), root.notes);
        functions.insert(name.clone(), function::read(&table, name));
    }
    functions
}

/// A note about the file as a whole, which an empty span at its start stands for.
fn note(code: Code, message: String) -> Note {
    Note { code, span: 0..0, message, hint: None, also: None }
}

fn problems(text: &str, file: &str, mut notes: Vec<Note>) -> Problems {
    notes.sort_by_key(|note| (note.span.start, note.span.end));
    let problem = |note: Note| Problem {
        code: note.code,
        message: note.message,
        hint: note.hint,
        place: (note.span != (0..0)).then(|| Place::find(text, note.span)),
        also: note.also.map(|(span, what)| (Place::find(text, span), what)),
    };
    Problems { file: file.to_owned(), list: notes.into_iter().map(problem).collect() }
}
