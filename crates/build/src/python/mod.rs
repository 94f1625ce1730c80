//! Python: an author's `async def fetch(request, env)` becomes a `wasi:http` 0.2 component.
//!
//! `componentize-py` puts CPython and all modules into one component and runs the imports while
//! building, so that an instance starts with everything loaded. Our own kit (`kits/python`) stands
//! between it and the author: it offers the module `alula` and an event loop. 0.2 was chosen over
//! 0.3 by measurement; `docs/decisions` has the figures.

mod complaint;
mod kit;
mod leak;
mod packages;

use std::path::{Path, PathBuf};

use alula_types::{Code, Fault};

use crate::{BuildRequest, Progress, command, pip, toolchain};

/// The version of componentize-py. The kit knows its generated code, so it is pinned exactly.
pub const VERSION: &str = "0.25.1";

/// Its command, callable from a folder that `pip --target` filled.
const MAIN: &str = "import sys; from componentize_py import script; sys.exit(script())";

/// Installs what building Python needs; quick when it is there.
pub async fn prepare(progress: &dyn Progress) -> Result<PathBuf, Fault> {
    pip::tool(&format!("python-{VERSION}"), "componentize-py", VERSION, progress).await
}

/// Builds one Python source file and returns the component's path.
pub async fn build(request: &BuildRequest, progress: &dyn Progress) -> Result<PathBuf, Fault> {
    let module = module_name(&request.source)?;
    let tool = prepare(progress).await?;
    let refused = |error| toolchain::unwritable(&request.out, &error);
    std::fs::create_dir_all(&request.out).map_err(refused)?;
    let packages = packages::ensure(&request.dir, &request.out, progress).await?;
    let kit = kit::write(&request.out, module).map_err(refused)?;
    let parent = request.source.parent().unwrap_or(&request.dir);

    progress.step("building the Python component");
    let part = request.out.join("component.part");
    let mut line = tokio::process::Command::new(pip::PYTHON);
    line.args(["-c", MAIN, "-d"]).arg(kit.join("wit")).args(["-w", "function", "componentize"]);
    // The order is the one in which the folders are seen inside: /0, /1, /2.
    for folder in [kit.as_path(), parent, packages.as_path()] {
        line.arg("-p").arg(folder);
    }
    line.arg(kit::ENTRY).arg("-o").arg(&part).current_dir(&request.out);
    line.env("PYTHONPATH", &tool).env_remove("VIRTUAL_ENV");
    let finished = command::run(line).await?;
    if !finished.status.success() {
        let words = complaint::of(&finished.output, parent, &packages);
        return Err(Fault::new(Code::BuildFailed, words).hint("mend what Python says"));
    }
    finish(&part, &request.out.join("component.wasm"))
}

/// Mends the component and puts it in its place.
fn finish(part: &Path, component: &Path) -> Result<PathBuf, Fault> {
    let refused = |error| toolchain::unwritable(component, &error);
    let bytes = std::fs::read(part).map_err(refused)?;
    let mended = leak::mend(&bytes).map_err(|error| {
        Fault::new(Code::Internal, format!("the Python component is not as expected: {error:#}"))
    })?;
    std::fs::write(part, mended).map_err(refused)?;
    std::fs::rename(part, component).map_err(refused)?;
    Ok(component.to_owned())
}

fn module_name(source: &Path) -> Result<&str, Fault> {
    let stem = source.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let starts = stem.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && stem.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(stem);
    }
    let detail = format!("`{}` cannot be imported by its name", source.display());
    Err(Fault::new(Code::BuildFailed, detail)
        .hint("name the file with ASCII letters, digits and underscores, such as `app.py`"))
}

#[cfg(test)]
mod tests;
