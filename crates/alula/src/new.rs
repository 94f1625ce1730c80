//! `alula new`: a folder that `alula dev` runs at once.

use std::path::Path;

use alula_build::templates;
use alula_types::{Code, Fault, FunctionName};
use serde_json::json;

use crate::cli::New;
use crate::terminal::Terminal;

/// Writes the project and says what to do next.
pub(crate) fn run(new: &New, terminal: Terminal) -> Result<(), Fault> {
    let dir = &new.name;
    let name = app_name(dir)?;
    let files = templates::find(&new.template).ok_or_else(|| {
        Fault::new(Code::Internal, format!("the template `{}` has no files", new.template))
    })?;
    refuse_used(dir)?;
    let written = templates::write(files, name.as_str(), dir).map_err(|error| {
        Fault::new(Code::FileRefused, format!("writing into `{}`: {error}", dir.display()))
    })?;
    let mut text = format!("Made {} from the template {}:\n", dir.display(), new.template);
    for path in &written {
        text.push_str(&format!("  {}\n", path.display()));
    }
    text.push_str(&format!("\nNext:\n  alula dev {}", dir.display()));
    let paths: Vec<_> = written.iter().map(|path| path.display().to_string()).collect();
    let json = json!({
        "kind": "new",
        "name": name.as_str(),
        "template": new.template,
        "dir": dir.display().to_string(),
        "files": paths,
    });
    terminal.result(&text, &json);
    Ok(())
}

fn app_name(dir: &Path) -> Result<FunctionName, Fault> {
    let last = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    FunctionName::parse(last).map_err(|error| {
        Fault::new(Code::ManifestValue, format!("`{last}` cannot be the name of an app: {error}"))
            .hint("choose another name, for example `alula new my-app`")
    })
}

/// A folder that holds something is somebody's work.
fn refuse_used(dir: &Path) -> Result<(), Fault> {
    let unused = match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if unused {
        return Ok(());
    }
    Err(Fault::new(
        Code::FileRefused,
        format!("`{}` is there already and not an empty folder", dir.display()),
    )
    .hint("choose another name or empty the folder"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_the_folder_is_the_name() {
        assert_eq!(app_name(Path::new("shop/my-api")).unwrap().as_str(), "my-api");
        for bad in ["My-App", "..", "/", "a_b", "1st"] {
            assert!(app_name(Path::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_folder_in_use_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(refuse_used(dir.path()).is_ok());
        assert!(refuse_used(&dir.path().join("new")).is_ok());
        std::fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        assert!(refuse_used(dir.path()).is_err());
        assert!(refuse_used(&dir.path().join("notes.txt")).is_err());
    }
}
