//! The JSON Schema of a manifest, for editors. Made from the same tables that the parser reads by.

use serde_json::{Map, Value, json};

use crate::keys::{self, Key, Kind, Table};

/// The schema (JSON Schema, draft 2020-12). `docs/alula.schema.json` is this value, pretty-printed.
pub fn schema() -> Value {
    let mut root = table(&keys::ROOT);
    let mut definitions = Map::new();
    define(&keys::ROOT, &mut definitions);
    definitions.remove(keys::ROOT.name);
    if let Value::Object(root) = &mut root {
        root.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".into(), json!("alula.toml"));
        root.insert("$defs".into(), Value::Object(definitions));
    }
    root
}

fn define(from: &'static Table, definitions: &mut Map<String, Value>) {
    if definitions.contains_key(from.name) {
        return;
    }
    definitions.insert(from.name.into(), table(from));
    for key in from.keys {
        match key.kind {
            Kind::Table(below) | Kind::Named(below) | Kind::List(below) => {
                define(below, definitions);
            }
            Kind::ChoiceOr(_, below) => define(below, definitions),
            _ => {}
        }
    }
}

fn table(table: &'static Table) -> Value {
    let available = |key: &&Key| !matches!(key.kind, Kind::Later(_));
    let keys = table.keys.iter().filter(available);
    let properties: Map<String, Value> =
        keys.map(|key| (key.name.to_owned(), property(key))).collect();
    let mut schema = json!({
        "type": "object",
        "description": table.doc.trim(),
        "properties": properties,
        "additionalProperties": false,
    });
    if !table.required.is_empty() {
        schema["required"] = json!(table.required);
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = kind(key.kind);
    schema["description"] = json!(key.doc);
    schema
}

fn kind(kind: Kind) -> Value {
    let reference = |table: &Table| json!({ "$ref": format!("#/$defs/{}", table.name) });
    match kind {
        Kind::Text => json!({ "type": "string", "minLength": 1 }),
        Kind::Name => json!({ "type": "string", "pattern": NAME, "maxLength": 63 }),
        Kind::Size => json!({ "type": "string", "pattern": "^[0-9]+ *([kMG]B|[KMG]iB|B)?$" }),
        Kind::Time => json!({ "type": "string", "pattern": "^[0-9]+ *(ms|s|m|h|d)$" }),
        Kind::Count => json!({ "type": "integer", "minimum": 0 }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::TextMap => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Table(table) => reference(table),
        Kind::Named(table) => {
            json!({ "type": "object", "additionalProperties": reference(table) })
        }
        Kind::List(table) => json!({ "type": "array", "items": reference(table) }),
        Kind::ChoiceOr(words, table) => json!({ "oneOf": [{ "enum": words }, reference(table)] }),
        Kind::Later(_) => Value::Bool(false),
    }
}

const NAME: &str = "^[a-z]([a-z0-9-]*[a-z0-9])?$";
