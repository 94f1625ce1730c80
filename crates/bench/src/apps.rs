//! What is served: the examples and test guests, built, and apps made of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tokio::process::Command;

use crate::machine::root;
use crate::options::Options;

/// Builds a Rust guest in its own folder, as its author would; its component.
pub(crate) async fn rust(folder: &str, file: &str) -> Result<PathBuf> {
    let folder = root().join(folder);
    let mut command = Command::new("cargo");
    command.args(["build", "--release", "--quiet", "--target", "wasm32-wasip2"]);
    run(command.current_dir(&folder).env_remove("CARGO_TARGET_DIR")).await?;
    // A folder may belong to a workspace, which then has the target folder.
    let folders = folder.ancestors().map(|up| up.join("target/wasm32-wasip2/release").join(file));
    let mut found = folders.take(2).filter(|path| path.is_file());
    found.next().with_context(|| format!("building {} made no {file}", folder.display()))
}

/// An example that `alula build` has made in a folder of its own; the folder and the component.
pub(crate) async fn built(options: &Options, example: &str) -> Result<(TempDir, PathBuf)> {
    let copy = copy(example)?;
    run(Command::new(&options.alula).arg("build").arg(copy.path())).await?;
    let component = newest_wasm(copy.path())?;
    Ok((copy, component.with_context(|| format!("building {example} left no component"))?))
}

/// A copy of an example without what was built there.
pub(crate) fn copy(example: &str) -> Result<TempDir> {
    let copy = tempfile::tempdir()?;
    let from = root().join(example);
    copy_folder(&from, copy.path()).with_context(|| format!("copying {}", from.display()))?;
    Ok(copy)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    const BUILT: &[&str] = &["target", "node_modules", ".alula", "__pycache__"];
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to)?;
        } else if !BUILT.iter().any(|built| entry.file_name() == *built) {
            std::fs::create_dir(&to)?;
            copy_folder(&entry.path(), &to)?;
        }
    }
    Ok(())
}

/// The component that was made last in a folder.
fn newest_wasm(folder: &Path) -> Result<Option<PathBuf>> {
    let mut newest = None;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "wasm") {
                newest = newest.max(Some((entry.metadata()?.modified()?, path)));
            }
        }
    }
    Ok(newest.map(|(_, path)| path))
}

/// A function of an app made here.
pub(crate) struct Function<'a> {
    /// Its name; it is served at `/NAME`.
    pub(crate) name: String,
    /// Its component.
    pub(crate) wasm: &'a Path,
    /// More lines of its table.
    pub(crate) settings: &'static str,
}

/// Makes an app of finished components.
pub(crate) fn app(functions: &[Function<'_>]) -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    let mut manifest = "[app]\nname = \"bench\"\n".to_owned();
    for Function { name, wasm, settings } in functions {
        let file = format!("{name}.wasm");
        std::fs::copy(wasm, folder.path().join(&file))?;
        write!(manifest, "\n[functions.{name}]\ncomponent = \"{file}\"\n{settings}\n")?;
        write!(manifest, "[[triggers.http]]\nroute = \"/{name}\"\nfunction = \"{name}\"\n")?;
    }
    std::fs::write(folder.path().join("alula.toml"), manifest)?;
    Ok(folder)
}

/// Makes a component's bytes another artifact that does the same: a custom section at its end.
pub(crate) fn variant(wasm: &Path, number: usize, to: &Path) -> Result<()> {
    let name = format!("variant-{number}");
    let mut bytes = std::fs::read(wasm)?;
    let length = u8::try_from(name.len())?;
    // Section 0: its size, then the length of its name, the name, and no content.
    bytes.extend([0, length + 1, length]);
    bytes.extend(name.as_bytes());
    Ok(std::fs::write(to, bytes)?)
}

/// `alula dev` in a folder.
pub(crate) fn dev(options: &Options, folder: &Path) -> Command {
    let mut command = Command::new(&options.alula);
    command.arg("dev").arg(folder).args(["--listen", "127.0.0.1:0"]);
    command
}

async fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let done = command.stdin(Stdio::null()).output().await;
    let done = done.with_context(|| format!("starting {shown}"))?;
    let errors = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{shown} ended with {}:\n{errors}", done.status);
    Ok(())
}
