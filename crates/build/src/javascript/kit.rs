//! The kit's files, embedded, and their place in a build.

use std::io;
use std::path::{Path, PathBuf};

use crate::Engine;

macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../kits/js/", $name))),)*]
    };
}

/// The prelude, and the script that builds.
const FILES: &[(&str, &str)] = files! {
    "blob.js" "body.js" "build.mjs" "clone.js" "console.js" "crypto.js" "encoding.js" "events.js"
    "fetch.js" "globals.js" "headers.js" "host.js" "inspect.js" "pipe.js" "readable.js" "serve.js"
    "starlingmonkey.js" "timers.js" "url.js" "writable.js"
};

/// The world that QuickJS functions are built for.
const WORLD: &str = include_str!("../../../../wit/alula-js/world.wit");

/// Where things are for one build.
pub(super) struct Kit {
    /// The folder of the kit.
    pub(super) dir: PathBuf,
    /// The module to bundle: the author's, with the prelude before it.
    pub(super) entry: PathBuf,
}

/// Writes the kit into `out/kit` with an entry that imports the author's module.
pub(super) fn write(out: &Path, source: &Path, engine: Engine) -> io::Result<Kit> {
    let dir = out.join("kit");
    if dir.exists() {
        // Another version of Alula may have left files that are no longer part of it.
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(dir.join("wit"))?;
    for (name, text) in FILES {
        std::fs::write(dir.join(name), text)?;
    }
    std::fs::write(dir.join("wit/world.wit"), WORLD)?;
    let entry = dir.join("entry.js");
    std::fs::write(&entry, entry_module(source, engine))?;
    Ok(Kit { dir, entry })
}

fn entry_module(source: &Path, engine: Engine) -> String {
    let app = quoted(&source.to_string_lossy());
    match engine {
        // The interfaces must be there before the author's modules are evaluated, so they are first.
        Engine::QuickJs => format!(
            "import \"./globals.js\";\nimport {{ collect, serve }} from \"./serve.js\";\n\
             import * as app from {app};\nexport const handle = serve(app);\ncollect();\n"
        ),
        Engine::StarlingMonkey => {
            format!(
                "import {{ serve }} from \"./starlingmonkey.js\";\nimport * as app from {app};\nserve(app);\n"
            )
        }
    }
}

/// Text as a string of JavaScript and JSON.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_kit_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kits/js");
        let mut found: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        let embedded: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(found, embedded);
    }

    #[test]
    fn paths_with_quotes_stay_one_string() {
        assert_eq!(quoted("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
    }
}
