//! The Rust target that guests are compiled for: found, or installed through rustup.
//!
//! Cargo installs a missing target by itself only when rustup may (`RUSTUP_AUTO_INSTALL` is often 0
//! on servers), and says `can't find crate for std` when it may not. So it is checked before the
//! build.

use std::path::Path;

use alula_types::{Code, Fault};

use crate::{Progress, command};

/// What guests are compiled for.
pub const TARGET: &str = "wasm32-wasip2";

/// Whether a build command is a Rust build for [`TARGET`] or one of its siblings; gives the target.
pub fn wanted(line: &str) -> Option<&'static str> {
    let mut words = line.split(|c: char| c.is_whitespace() || c == '=' || c == '"' || c == '\'');
    let cargo = line.split_whitespace().any(|word| word == "cargo" || word.ends_with("/cargo"));
    let targets = [TARGET, "wasm32-wasip1", "wasm32-unknown-unknown"];
    let named = words.find_map(|word| targets.into_iter().find(|target| *target == word));
    named.filter(|_| cargo)
}

/// Makes sure that the toolchain which `dir` uses has a target.
///
/// Installing needs the network and rustup; without either the fault says what to type.
pub async fn ensure(target: &str, dir: &Path, progress: &dyn Progress) -> Result<(), Fault> {
    let libraries =
        command::program("rustc", ["--print", "target-libdir", "--target", target], dir).await?;
    if Path::new(libraries.stdout.trim()).is_dir() {
        return Ok(());
    }
    progress.step(&format!("installing the Rust target {target} (rustup target add {target})"));
    let added = command::program("rustup", ["target", "add", target], dir).await;
    added.map(|_| ()).map_err(|fault| {
        Fault::new(
            Code::ToolMissing,
            format!("the Rust target {target} could not be installed: {}", fault.detail),
        )
        .hint(format!("run `rustup target add {target}` in {}", dir.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cargo_builds_for_wasm_want_a_target() {
        for (line, target) in [
            ("cargo build --release --target wasm32-wasip2", Some("wasm32-wasip2")),
            ("cargo build --target=wasm32-wasip1", Some("wasm32-wasip1")),
            ("cd api && cargo build --target \"wasm32-wasip2\"", Some("wasm32-wasip2")),
            ("cargo build --release", None),
            ("make wasm32-wasip2", None),
        ] {
            assert_eq!(wanted(line), target, "{line}");
        }
    }
}
