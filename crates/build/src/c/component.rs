//! From a core module that follows the canonical ABI to a component.

use std::path::{Path, PathBuf};

use alula_types::{Code, Fault};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WORLD: (&str, &str) = ("world.wit", include_str!("../../kits/wit/world.wit"));
/// In the order in which they use each other.
const DEPENDENCIES: [(&str, &str); 3] = [
    ("io.wit", include_str!("../../kits/wit/deps/io.wit")),
    ("clocks.wit", include_str!("../../kits/wit/deps/clocks.wit")),
    ("http.wit", include_str!("../../kits/wit/deps/http.wit")),
];

/// Gives a module the types of the kit's world and wraps it; imports it does not use are left out.
pub(super) fn wrap(module: &Path, component: &Path) -> Result<PathBuf, Fault> {
    let core = std::fs::read(module).map_err(|error| failed(&error.into()))?;
    let bytes = encode(core).map_err(|error| failed(&error))?;
    let part = component.with_extension("part");
    std::fs::write(&part, bytes)
        .and_then(|()| std::fs::rename(&part, component))
        .map_err(|error| failed(&error.into()))?;
    Ok(component.to_owned())
}

fn encode(mut core: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    for (name, text) in DEPENDENCIES {
        resolve.push_source(name, text)?;
    }
    let (name, text) = WORLD;
    let package = resolve.push_source(name, text)?;
    let world = resolve.select_world(&[package], Some("function"))?;
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default()
        .validate(true)
        .module(&core)?
        .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?
        .encode()
}

fn failed(error: &anyhow::Error) -> Fault {
    Fault::new(Code::BuildFailed, format!("making a component of the module failed: {error:#}"))
}
