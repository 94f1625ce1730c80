//! Embeds `templates/`: writes a table of `include_bytes!` lines, so that adding a file needs no
//! code.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(cargo_variable("CARGO_MANIFEST_DIR")).join("templates");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut table = String::from("const TEMPLATES: &[(&str, &[File])] = &[\n");
    for template in sorted(&root)? {
        let mut files = Vec::new();
        collect(&template, &mut files)?;
        let name = template.file_name().unwrap_or_default().to_string_lossy();
        let _ = writeln!(table, "    ({name:?}, &[");
        for file in files {
            let inner = file.strip_prefix(&template).unwrap_or(&file).display().to_string();
            let whole = file.display().to_string();
            let _ = writeln!(table, "        ({inner:?}, include_bytes!({whole:?})),");
        }
        table.push_str("    ]),\n");
    }
    table.push_str("];\n");
    fs::write(Path::new(&cargo_variable("OUT_DIR")).join("templates.rs"), table)
}

fn cargo_variable(name: &str) -> String {
    // A build script gets its settings from Cargo this way and no other.
    #[allow(clippy::disallowed_methods)]
    env::var(name).expect("Cargo sets it for build scripts")
}

fn sorted(dir: &Path) -> io::Result<Vec<PathBuf>> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let entries: io::Result<Vec<_>> = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect();
    let mut entries = entries?;
    entries.sort();
    Ok(entries)
}

/// What building a template in place leaves behind is not part of it.
const LEFT_OUT: [&str; 5] = ["target", "node_modules", ".alula", "__pycache__", ".git"];

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for path in sorted(dir)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !LEFT_OUT.contains(&name.as_str()) {
            // Cargo looks at a folder's own time only, so each has to be named.
            println!("cargo::rerun-if-changed={}", path.display());
            collect(&path, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}
