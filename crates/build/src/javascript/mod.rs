//! JavaScript and TypeScript: an author's `export default { async fetch(request, env, ctx) { … } }`
//! becomes a component.
//!
//! esbuild bundles the author's modules and npm packages behind our own web interfaces (`kits/js`),
//! and componentize-qjs snapshots QuickJS after it has evaluated them, for the world in
//! `wit/alula-js`. Why so: `docs/decisions/010-javascript-on-a-small-world.md`. `engine =
//! "starlingmonkey"` makes a `wasi:http` 0.2 component with Mozilla's engine instead.

mod kit;
mod npm;

use std::path::{Path, PathBuf};

use alula_types::{Code, Fault};
use kit::quoted;
use tokio::process::Command;

use crate::{BuildRequest, Engine, Progress, command, toolchain};

/// The version of componentize-qjs. The prelude knows its streams and futures, so it is pinned
/// exactly.
pub const QUICKJS: &str = "0.4.5";

/// What QuickJS functions are built with.
const QUICKJS_TOOLS: npm::Packages = npm::Packages {
    folder: "js-0.4.5-1",
    packages: &["componentize-qjs@0.4.5", "esbuild@0.25.10"],
};

/// What StarlingMonkey functions are built with.
const STARLINGMONKEY_TOOLS: npm::Packages = npm::Packages {
    folder: "js-starlingmonkey-0.23.0-1",
    packages: &["@bytecodealliance/componentize-js@0.23.0", "esbuild@0.25.10"],
};

/// Installs what building for an engine needs; quick when it is there.
pub async fn prepare(engine: Engine, progress: &dyn Progress) -> Result<PathBuf, Fault> {
    match engine {
        Engine::QuickJs => npm::tool(&QUICKJS_TOOLS, progress).await,
        Engine::StarlingMonkey => npm::tool(&STARLINGMONKEY_TOOLS, progress).await,
    }
}

/// Builds one JavaScript or TypeScript source file and returns the component's path.
pub async fn build(request: &BuildRequest, progress: &dyn Progress) -> Result<PathBuf, Fault> {
    let tools = prepare(request.engine, progress).await?;
    let refused = |error| toolchain::unwritable(&request.out, &error);
    std::fs::create_dir_all(&request.out).map_err(refused)?;
    npm::ensure_modules(&request.dir, progress).await?;
    let kit = kit::write(&request.out, &request.source, request.engine).map_err(refused)?;
    let component = request.out.join("component.wasm");

    progress.step("building the JavaScript component");
    let mut line = Command::new("node");
    line.arg(kit.dir.join("build.mjs")).arg(job(request, &tools, &kit, &component));
    line.current_dir(&request.dir);
    let finished = command::run(line).await.map_err(npm::no_node)?;
    if !finished.status.success() {
        let words = finished.output.trim_end().to_owned();
        return Err(Fault::new(Code::BuildFailed, words).hint("mend what the message names"));
    }
    Ok(component)
}

/// What the build script is to do, as JSON.
fn job(request: &BuildRequest, tools: &Path, kit: &kit::Kit, component: &Path) -> String {
    let engine = match request.engine {
        Engine::QuickJs => "quickjs",
        Engine::StarlingMonkey => "starlingmonkey",
    };
    let pairs = [
        ("tools", tools.to_string_lossy()),
        ("entry", kit.entry.to_string_lossy()),
        ("wit", kit.wit.to_string_lossy()),
        ("dir", request.dir.to_string_lossy()),
        ("out", component.to_string_lossy()),
        ("engine", engine.into()),
    ];
    let pairs = pairs.map(|(key, value)| format!("{}:{}", quoted(key), quoted(&value)));
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests;
