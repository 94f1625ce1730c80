//! C: one source file becomes a component or a command module, compiled by Zig's `cc`.
//!
//! A file that includes `alula.h` has a `handle` and becomes a `wasi:http` 0.2 component; our kit
//! (`kits/c`) is compiled with it. Any other file has a `main` and becomes a preview 1 command,
//! which is served as CGI over standard input and output.

mod component;

use std::io;
use std::path::{Path, PathBuf};

use alula_types::{Code, Fault};
use tokio::process::Command;

use crate::{BuildRequest, Progress, command, pip, toolchain};

/// The version of Zig, which brings Clang and a C library for WebAssembly.
pub const VERSION: &str = "0.17.0";

const KIT: &[(&str, &str)] = &[
    ("alula.h", include_str!("../../kits/c/alula.h")),
    ("wasi_http.h", include_str!("../../kits/c/wasi_http.h")),
    ("alula.c", include_str!("../../kits/c/alula.c")),
];

/// What a C file is built into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A `handle` behind `wasi:http`.
    Handler,
    /// A `main`, started for each request.
    Program,
}

impl Shape {
    /// The shape of a source: the include decides, since it is what brings `handle` its types.
    fn of(text: &str) -> Self {
        let includes = |line: &str| {
            let rest = line.trim_start().strip_prefix('#').map(str::trim_start);
            let file = rest.and_then(|rest| rest.strip_prefix("include")).map(str::trim_start);
            file.is_some_and(|file| {
                file.starts_with("<alula.h>") || file.starts_with("\"alula.h\"")
            })
        };
        if text.lines().any(includes) { Self::Handler } else { Self::Program }
    }
}

/// Installs what building C needs (411 MB); quick when it is there.
pub async fn prepare(progress: &dyn Progress) -> Result<PathBuf, Fault> {
    let tool = pip::tool(&format!("c-{VERSION}"), "ziglang", VERSION, progress).await?;
    Ok(tool.join("ziglang").join("zig"))
}

/// Builds one C source file and returns the path of the component or module.
pub async fn build(request: &BuildRequest, progress: &dyn Progress) -> Result<PathBuf, Fault> {
    let zig = prepare(progress).await?;
    let refused = |error: io::Error| toolchain::unwritable(&request.out, &error);
    let kit = write_kit(&request.out).map_err(refused)?;
    let source = std::fs::read(&request.source).map_err(refused)?;
    let shape = Shape::of(&String::from_utf8_lossy(&source));
    let cache = toolchain::cache_dir()?.join("zig");
    let mark = cache.join(format!("libc-{VERSION}-{shape:?}"));
    progress.step(if mark.exists() {
        "compiling C"
    } else {
        "compiling C (the first time with the C library, about 25 s)"
    });

    let module = request.out.join("module.wasm");
    let line = compiler(&zig, &cache, &kit, request, shape, &module);
    let finished = command::run(line).await?;
    if !finished.status.success() {
        let words = finished.output.trim().to_owned();
        return Err(Fault::new(Code::BuildFailed, words).hint("mend what the compiler says"));
    }
    let _ = std::fs::write(&mark, "");
    match shape {
        Shape::Program => Ok(module),
        Shape::Handler => component::wrap(&module, &request.out.join("component.wasm")),
    }
}

fn compiler(
    zig: &Path,
    cache: &Path,
    kit: &Path,
    request: &BuildRequest,
    shape: Shape,
    module: &Path,
) -> Command {
    let mut line = Command::new(zig);
    line.args(["cc", "--target=wasm32-wasi", "-O2", "-s", "-std=gnu17", "-I"]).arg(kit);
    if shape == Shape::Handler {
        line.arg("-mexec-model=reactor").arg(kit.join("alula.c"));
    }
    let source = request.source.strip_prefix(&request.dir).unwrap_or(&request.source);
    line.arg(source).arg("-lm").arg("-o").arg(module);
    // Compiled in the app's folder, so that messages name files as the author does.
    line.current_dir(&request.dir);
    line.env("ZIG_GLOBAL_CACHE_DIR", cache).env("ZIG_LOCAL_CACHE_DIR", request.out.join("zig"));
    line
}

fn write_kit(out: &Path) -> io::Result<PathBuf> {
    let kit = out.join("kit");
    std::fs::create_dir_all(&kit)?;
    for (name, text) in KIT {
        let path = kit.join(name);
        // The compiler's cache looks at times.
        if std::fs::read_to_string(&path).is_ok_and(|old| old == *text) {
            continue;
        }
        std::fs::write(path, text)?;
    }
    Ok(kit)
}

#[cfg(test)]
mod tests;
