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
const QUICKJS_WIT: &[(&str, &str)] =
    &[("world.wit", include_str!("../../../../wit/alula-js/world.wit"))];

/// The world that StarlingMonkey functions are built for.
const STARLINGMONKEY_WIT: &[(&str, &str)] = &[
    ("world.wit", include_str!("../../kits/js/starlingmonkey.wit")),
    ("deps/cli.wit", include_str!("../../kits/js/cli.wit")),
    ("deps/clocks.wit", include_str!("../../kits/wit/deps/clocks.wit")),
    ("deps/http.wit", include_str!("../../kits/wit/deps/http.wit")),
    ("deps/io.wit", include_str!("../../kits/wit/deps/io.wit")),
];

/// The version of WASI that StarlingMonkey's interfaces are baked in with; no other links.
const STARLINGMONKEY_WASI: &str = "@0.2.10";

/// Where things are for one build.
pub(super) struct Kit {
    /// The folder of the kit.
    pub(super) dir: PathBuf,
    /// The module to bundle: the author's, with the prelude before it.
    pub(super) entry: PathBuf,
    /// The folder of the world.
    pub(super) wit: PathBuf,
}

/// Writes the kit into `out/kit` with an entry that imports the author's module.
pub(super) fn write(out: &Path, source: &Path, engine: Engine) -> io::Result<Kit> {
    let dir = out.join("kit");
    if dir.exists() {
        // Another version of Alula may have left files that are no longer part of it.
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir)?;
    for (name, text) in FILES {
        std::fs::write(dir.join(name), text)?;
    }
    for (name, text) in wit(engine) {
        let path = dir.join("wit").join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(&dir))?;
        std::fs::write(path, text)?;
    }
    let entry = dir.join("entry.js");
    std::fs::write(&entry, entry_module(source, engine))?;
    Ok(Kit { wit: dir.join("wit"), dir, entry })
}

fn wit(engine: Engine) -> Vec<(&'static str, String)> {
    match engine {
        Engine::QuickJs => QUICKJS_WIT.iter().map(|(name, text)| (*name, (*text).into())).collect(),
        // The shared files say 0.2.0, which every component of 0.2 links with.
        Engine::StarlingMonkey => {
            let version = |text: &str| {
                text.replace("@0.2.10", "@0.2.0").replace("@0.2.0", STARLINGMONKEY_WASI)
            };
            STARLINGMONKEY_WIT.iter().map(|(name, text)| (*name, version(text))).collect()
        }
    }
}

fn entry_module(source: &Path, engine: Engine) -> String {
    let app = quoted(&source.to_string_lossy());
    match engine {
        // The interfaces must be there before the author's modules are evaluated, so they are
        // first.
        Engine::QuickJs => format!(
            "import \"./globals.js\";\nimport {{ collect, serve }} from \"./serve.js\";\n\
             import * as app from {app};\nexport const handler = {{ handle: serve(app) }};\n\
             collect();\n"
        ),
        Engine::StarlingMonkey => {
            format!(
                "import {{ serve }} from \"./starlingmonkey.js\";\n\
                 import * as app from {app};\nserve(app);\n"
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
            .filter(|name| !name.ends_with(".wit"))
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
