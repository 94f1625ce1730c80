//! `alula run`: a command in the foreground; its exit code is ours.

use std::ffi::OsString;
use std::path::PathBuf;

use alula_build::toolchain;
use alula_sandbox_wasm::command;
use alula_types::{Code, Fault};

use crate::cli::Run;
use crate::{node, reach};

/// Runs the command to its end.
pub(crate) async fn run(options: Run) -> Result<u8, Fault> {
    let http = reach::http(&options.reach)?;
    let net = reach::net(&options.reach)?;
    let mut words = options.command.into_iter();
    let file = words.next().map(PathBuf::from).unwrap_or_default();
    let args = words.map(text).collect::<Result<_, _>>()?;
    let host = node::host();
    command::run(command::Options {
        file,
        args,
        env: options.reach.env,
        dirs: options.reach.dir,
        http,
        net,
        host,
        kept: kept(),
    })
    .await
}

/// Compiled commands are kept in the user's cache folder; who has none compiles each time.
fn kept() -> Option<command::Kept> {
    let dir = toolchain::cache_dir().ok()?;
    Some(command::Kept { folder: dir.join("commands"), key: dir.join("commands.key") })
}

/// WASI's arguments are text.
fn text(word: OsString) -> Result<String, Fault> {
    word.into_string().map_err(|word| {
        let shown = word.to_string_lossy();
        Fault::new(Code::ManifestValue, format!("the argument `{shown}` is not valid UTF-8")).hint(
            "WebAssembly commands take text only; rename the file or pass it through a folder",
        )
    })
}
