//! Rules that hold for every manifest, and the agreement of keys, parser and schema.

use alula_manifest::keys::{self, Kind, Table};
use alula_manifest::{Manifest, Pattern, route, schema};
use alula_types::{ByteSize, Code};
use proptest::prelude::*;

/// Every place where a table can stand in a manifest, with a document up to and into that table.
fn tables() -> Vec<(&'static Table, String)> {
    let app = "[app]\nname = \"a\"\n";
    let function = "[functions.f]\ncomponent = \"f.wasm\"\n";
    let http = "[[triggers.http]]\nroute = \"/\"\nfunction = \"f\"\n";
    let all = format!("{app}{function}{http}");
    vec![
        (&keys::ROOT, String::new()),
        (&keys::APP, "[app]\n".to_owned()),
        (&keys::OVERLAY, format!("{all}[overlay.x]\n")),
        (&keys::FUNCTION, format!("{app}[functions.f]\n")),
        (&keys::WARM, format!("{app}{function}[functions.f.reuse]\n")),
        (&keys::INSTANCES, format!("{app}{function}[functions.f.instances]\n")),
        (&keys::GRANTS, format!("{app}{function}[functions.f.grants]\n")),
        (&keys::TRIGGERS, format!("{app}{function}[triggers]\n")),
        (&keys::HTTP, format!("{app}{function}[[triggers.http]]\n")),
        (&keys::CORS, format!("{all}[triggers.http.cors]\n")),
    ]
}

#[test]
fn the_parser_reads_every_key_of_the_list() {
    for (table, document) in tables() {
        for key in table.keys {
            // No key takes a date, so a key that is read must be complained about at its value, and
            // one that is not available yet at its name.
            let text = format!("{document}{} = 1979-05-27\n", key.name);
            let problems =
                Manifest::parse(&text, "alula.toml", None).expect_err("a date fits no key");
            let later = matches!(key.kind, Kind::Later(_));
            let column = if later { 1 } else { u32::try_from(key.name.len()).unwrap() + 4 };
            let line = u32::try_from(document.lines().count()).unwrap() + 1;
            let found = problems.list.iter().any(|problem| {
                problem.code == Code::ManifestValue
                    && problem.place.as_ref().is_some_and(|p| (p.line, p.column) == (line, column))
            });
            assert!(found, "{}.{} is in the list but not read: {problems}", table.name, key.name);
        }
    }
}

#[test]
fn the_parser_refuses_every_key_outside_the_list() {
    let mut names: Vec<&str> = tables().iter().flat_map(|(t, _)| t.keys).map(|k| k.name).collect();
    names.extend(["unknown", "Memory", "name_", ""]);
    for (table, document) in tables() {
        for name in &names {
            let known = table.keys.iter().any(|key| key.name == *name);
            let text = format!("{document}\"{name}\" = 1979-05-27\n");
            let problems =
                Manifest::parse(&text, "alula.toml", None).expect_err("a date fits no key");
            let refused = problems.list.iter().any(|problem| problem.code == Code::ManifestKey);
            assert_eq!(refused, !known, "{}.{name}: {problems}", table.name);
        }
    }
}

#[test]
fn the_schema_has_every_key_of_the_list_and_no_other() {
    let schema = schema();
    for (table, _) in tables() {
        let place = match table.name {
            "manifest" => &schema,
            name => &schema["$defs"][name],
        };
        let properties = place["properties"].as_object().expect("properties");
        let available = |key: &&keys::Key| !matches!(key.kind, Kind::Later(_));
        let mut names: Vec<&str> = table.keys.iter().filter(available).map(|k| k.name).collect();
        names.sort_unstable();
        let mut have: Vec<&str> = properties.keys().map(String::as_str).collect();
        have.sort_unstable();
        assert_eq!(have, names, "{}", table.name);
        assert_eq!(place["additionalProperties"], false, "{}", table.name);
    }
    assert_eq!(schema["$defs"].as_object().expect("definitions").len(), tables().len() - 1);
}

fn repository() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_documentation_has_every_key_of_the_list() {
    let text = std::fs::read_to_string(repository().join("docs/manifest.md")).expect("the page");
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let words: std::collections::HashSet<&str> = text.split(|c| !word(c)).collect();
    for (table, _) in tables() {
        for key in table.keys.iter().filter(|key| !matches!(key.kind, Kind::Later(_))) {
            let told = words.contains(key.name);
            assert!(told, "docs/manifest.md does not tell of {}.{}", table.name, key.name);
        }
    }
}

#[test]
fn the_manifests_of_the_examples_are_valid() {
    let folders = std::fs::read_dir(repository().join("examples")).expect("the examples");
    let mut read = 0;
    for folder in folders {
        let path = folder.expect("an entry").path().join(alula_manifest::FILE_NAME);
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let name = path.display().to_string();
        Manifest::parse(&text, &name, None).unwrap_or_else(|problems| panic!("{problems}"));
        read += 1;
    }
    assert!(read > 0, "no example was read");
}

#[test]
fn a_document_of_any_depth_is_refused_and_not_a_crash() {
    let deep = |open: &str, count: usize| open.repeat(count);
    for text in [
        format!("a = {}", deep("[", 500_000)),
        format!("a = {}1{}", deep("[", 200_000), deep("]", 200_000)),
        format!("a = {}", deep("{a=", 200_000)),
        format!("a{} = 1", deep(".a", 400_000)),
        format!("[a{}]", deep(".a", 400_000)),
        format!("[[a{}]]", deep(".a", 400_000)),
        format!("a = {{ a{} = 1 }}", deep(".a", 400_000)),
        format!("[overlay.x]\na{} = 1", deep(".a", 400_000)),
        format!("a = {}", "'".repeat(900_000)),
        format!("{}= 1", "a".repeat(900_000)),
        "a = 1\n".repeat(150_000),
        "[a]\n".repeat(250_000),
        "[[a]]\n".repeat(170_000),
    ] {
        let problems = Manifest::parse(&text, "alula.toml", Some("x")).expect_err("nonsense");
        assert!(problems.list.len() <= 200, "each problem costs a search for its place");
    }
}

/// Turns anything that looks like TOML more often than chance would.
fn toml_like() -> impl Strategy<Value = String> {
    let words = [
        "[app]\n",
        "name = \"a\"\n",
        "[functions.f]\n",
        "component = \"f\"\n",
        "[[triggers.http]]\n",
        "route = \"/{a}\"\n",
        "function = \"f\"\n",
        "[overlay.x]\n",
        "[overlay.x.functions.f]\n",
        "memory = \"1MiB\"\n",
        "= ",
        "\"",
        "\n",
        "{ a = 1 }",
        "[",
        "]",
        "[]",
        "'''",
        "ä",
        "\u{0}",
        ".",
        "reuse = { mode = \"warm\" }\n",
        "env.A = \"1\"\n",
        "cors = { origins = [] }\n",
        "static = \"p\"\n",
        "route = \"GET h/{a...}\"\n",
        "functions = 1\n",
        "app.name = 3\n",
        "[overlay]\nx = 1\n",
        "\r\n",
    ];
    proptest::collection::vec(
        prop_oneof![
            6 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned),
            1 => ".{0,4}",
        ],
        0..24,
    )
    .prop_map(|parts| parts.concat())
}

/// The meaning of a small manifest, and the text that says it.
fn meaning() -> impl Strategy<Value = (Vec<(u32, u64, String)>, Vec<String>)> {
    let function = (0..1_000_u32, 1..64_u64, "[a-zA-Z0-9 \"\\\\äß\n\t]{0,12}");
    let segment = prop_oneof!["[a-z]{1,2}", "[a-z]{1,2}".prop_map(|name| format!("{{{name}}}"))];
    let path =
        proptest::collection::vec(segment, 1..4).prop_map(|parts| format!("/{}", parts.join("/")));
    (proptest::collection::vec(function, 1..5), proptest::collection::vec(path, 0..5))
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in toml_like(), overlay in "[xy]?") {
        let overlay = (!overlay.is_empty()).then_some(overlay.as_str());
        if let Err(problems) = Manifest::parse(&text, "alula.toml", overlay) {
            prop_assert!(!problems.list.is_empty());
            prop_assert!(!problems.to_string().is_empty());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200)
    ) {
        let text = String::from_utf8_lossy(&bytes);
        prop_assert!(Manifest::parse(&text, "alula.toml", None).is_err(), "random bytes name no app");
    }

    #[test]
    fn what_was_meant_is_what_is_read((functions, paths) in meaning()) {
        let mut text = "[app]\nname = \"a\"\n".to_owned();
        for (index, (queue, memory, value)) in functions.iter().enumerate() {
            let value = serde_json::Value::from(value.as_str());
            text += &format!("[functions.f{index}]\ncomponent = \"{index}.wasm\"\nqueue = {queue}\n");
            text += &format!("memory = \"{memory}MiB\"\nenv = {{ V = {value} }}\n");
        }
        for path in &paths {
            text += &format!("[[triggers.http]]\nroute = \"{path}\"\nfunction = \"f0\"\n");
        }
        let patterns: Result<Vec<Pattern>, _> =
            paths.iter().map(|path| Pattern::parse(path)).collect();
        let good = patterns.as_ref().is_ok_and(|patterns| route::conflicts(patterns).is_empty());
        match Manifest::parse(&text, "alula.toml", None) {
            Err(problems) => prop_assert!(!good, "{problems}"),
            Ok(manifest) => {
                prop_assert!(good, "a conflict or a bad route was missed in\n{text}");
                prop_assert_eq!(manifest.functions.len(), functions.len());
                let pairs = manifest.functions.values().zip(&functions);
                for (function, (queue, memory, value)) in pairs {
                    prop_assert_eq!(function.limits.queue, *queue);
                    prop_assert_eq!(function.limits.memory, ByteSize::mib(*memory));
                    prop_assert_eq!(&function.env["V"], value);
                }
                let read: Vec<&str> = manifest.http.iter().map(|trigger| &*trigger.route).collect();
                prop_assert_eq!(read, paths);
            }
        }
    }
}
