//! The projects that `alula new` writes, embedded from `templates/`.
//!
//! In file names and in text files `{{name}}` stands for the app's name and `{{crate_name}}` for
//! the same with underscores, as Rust names files. `gitignore` is written as `.gitignore`.

use std::io;
use std::path::{Path, PathBuf};

/// A file of a template: its path within the project and its bytes.
pub type File = (&'static str, &'static [u8]);

include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// The names of all templates, in alphabetical order.
pub fn names() -> impl Iterator<Item = &'static str> {
    TEMPLATES.iter().map(|(name, _)| *name)
}

/// The files of a template.
pub fn find(name: &str) -> Option<&'static [File]> {
    TEMPLATES.iter().find(|(own, _)| *own == name).map(|(_, files)| *files)
}

/// Writes a template's files into a folder, made when it is missing, and returns their paths within
/// it.
///
/// Nothing existing is overwritten: the first file that is already there ends it with an error.
pub fn write(files: &[File], name: &str, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut written = Vec::with_capacity(files.len());
    for (path, bytes) in files {
        let path = target_path(path, name);
        let target = dir.join(&path);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut file = std::fs::File::create_new(&target)?;
        io::Write::write_all(&mut file, &fill(bytes, name))?;
        written.push(path);
    }
    Ok(written)
}

fn target_path(path: &str, name: &str) -> PathBuf {
    let path = Path::new(path);
    let path = match path.file_name() {
        Some(file) if file == "gitignore" => path.with_file_name(".gitignore"),
        _ => path.to_path_buf(),
    };
    PathBuf::from(replace(&path.to_string_lossy(), name))
}

fn fill(bytes: &[u8], name: &str) -> Vec<u8> {
    match std::str::from_utf8(bytes) {
        Ok(text) => replace(text, name).into_bytes(),
        Err(_) => bytes.to_vec(),
    }
}

fn replace(text: &str, name: &str) -> String {
    text.replace("{{name}}", name).replace("{{crate_name}}", &name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &[File] = &[
        ("alula.toml", b"[app]\nname = \"{{name}}\"\nx = \"{{crate_name}}.wasm\"\n"),
        ("gitignore", b"target/\n"),
        ("src/{{crate_name}}.rs", b"// {{name}}\n"),
        ("picture.png", &[0xff, 0xfe, b'{', b'{']),
    ];

    #[test]
    fn placeholders_are_filled_in_text_and_in_paths() {
        let dir = tempfile::tempdir().unwrap();
        let written = write(FILES, "my-shop", dir.path()).unwrap();
        assert!(written.contains(&PathBuf::from("src/my_shop.rs")), "{written:?}");
        let manifest = std::fs::read_to_string(dir.path().join("alula.toml")).unwrap();
        assert_eq!(manifest, "[app]\nname = \"my-shop\"\nx = \"my_shop.wasm\"\n");
        assert!(dir.path().join(".gitignore").is_file());
        let picture = std::fs::read(dir.path().join("picture.png")).unwrap();
        assert_eq!(picture, [0xff, 0xfe, b'{', b'{']);
    }

    #[test]
    fn nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("alula.toml"), "mine").unwrap();
        let error = write(FILES, "shop", dir.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(dir.path().join("alula.toml")).unwrap(), "mine");
    }

    #[test]
    fn every_template_has_a_manifest_and_no_placeholder_of_another_name() {
        for name in names() {
            let files = find(name).unwrap();
            assert!(files.iter().any(|(path, _)| *path == "alula.toml"), "{name}");
            for (path, bytes) in files {
                let text = String::from_utf8_lossy(&fill(bytes, "shop")).into_owned();
                assert!(!text.contains("{{name") && !text.contains("{{crate"), "{name}/{path}");
            }
        }
    }
}
