//! The kit's files, embedded, and their place in a build.

use std::io;
use std::path::{Path, PathBuf};

/// The module that componentize-py wraps.
pub(super) const ENTRY: &str = "alula_entry";

/// Stands before and after an explanation that the entry prints when the author's module is
/// refused.
pub(super) const MARK: char = '\u{1e}';

const FILES: &[(&str, &str)] = &[
    ("alula_entry.py", include_str!("../../kits/python/entry.py")),
    ("alula/__init__.py", include_str!("../../kits/python/alula/__init__.py")),
    ("alula/_body.py", include_str!("../../kits/python/alula/_body.py")),
    ("alula/_headers.py", include_str!("../../kits/python/alula/_headers.py")),
    ("alula/_http.py", include_str!("../../kits/python/alula/_http.py")),
    ("alula/_imports.py", include_str!("../../kits/python/alula/_imports.py")),
    ("alula/_loop.py", include_str!("../../kits/python/alula/_loop.py")),
    ("alula/_outbound.py", include_str!("../../kits/python/alula/_outbound.py")),
    ("alula/_ports.py", include_str!("../../kits/python/alula/_ports.py")),
    ("alula/_report.py", include_str!("../../kits/python/alula/_report.py")),
    ("alula/_serve.py", include_str!("../../kits/python/alula/_serve.py")),
    ("alula/_stream.py", include_str!("../../kits/python/alula/_stream.py")),
    ("wit/world.wit", include_str!("../../kits/wit/world.wit")),
    ("wit/deps/clocks.wit", include_str!("../../kits/wit/deps/clocks.wit")),
    ("wit/deps/http.wit", include_str!("../../kits/wit/deps/http.wit")),
    ("wit/deps/io.wit", include_str!("../../kits/wit/deps/io.wit")),
];

/// Writes the kit into `out/kit` with the author's module named, and returns that folder.
pub(super) fn write(out: &Path, module: &str) -> io::Result<PathBuf> {
    let kit = out.join("kit");
    if kit.exists() {
        // Another version of Alula may have left modules that are no longer part of it.
        std::fs::remove_dir_all(&kit)?;
    }
    for (name, text) in FILES {
        let path = kit.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(&kit))?;
        std::fs::write(path, text)?;
    }
    let mark = u32::from(MARK);
    let names = format!("MODULE = \"{module}\"\nROOTS = (\"/1/\", \"/2/\")\nMARK = chr({mark})\n");
    std::fs::write(kit.join("alula_app.py"), names)?;
    Ok(kit)
}
