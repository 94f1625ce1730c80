//! Compiled code of large commands, kept for the next run.
//!
//! The entries are authenticated like those of the server (see [`crate::cache`]); what cannot be
//! kept is only compiled again. Small commands compile faster than an entry is made safe on disk.
#![expect(unsafe_code, reason = "mapping machine code is what this module is for")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use alula_rt::clock;
use alula_types::{ByteSize, Digest, Fault};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use crate::cache::{self, Cache};
use crate::engine::Profile;

/// Where compiled commands are kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// A folder only this program writes to; made when missing.
    pub folder: PathBuf,
    /// The key that authenticates its entries; outside of the folder. Made when missing, mode 0600.
    pub key: PathBuf,
}

/// Files below this size compile in milliseconds.
const SMALLEST: usize = 256 << 10;
/// Compiling that took less is done again.
const WORTH_KEEPING: Duration = Duration::from_millis(100);
/// All entries together; the ones made first go first.
const LIMIT: ByteSize = ByteSize::mib(1_024);

/// What can be compiled and kept.
pub(super) trait Code: Sized {
    fn compile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Self>;
    fn serialize(&self) -> wasmtime::Result<Vec<u8>>;
    /// Maps code that was serialized before.
    ///
    /// # Safety
    ///
    /// The file must be what `serialize` gave, unchanged, and must not change while it is mapped.
    unsafe fn open(engine: &Engine, path: &Path) -> wasmtime::Result<Self>;
}

macro_rules! code {
    ($type:ty) => {
        impl Code for $type {
            fn compile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Self> {
                Self::from_binary(engine, wasm)
            }

            fn serialize(&self) -> wasmtime::Result<Vec<u8>> {
                <$type>::serialize(self)
            }

            unsafe fn open(engine: &Engine, path: &Path) -> wasmtime::Result<Self> {
                // SAFETY: the caller's promise is the one asked for.
                unsafe { Self::deserialize_file(engine, path) }
            }
        }
    };
}

code!(Module);
code!(Component);

/// Compiles, or takes what was compiled before.
pub(super) fn compile<C: Code>(
    engine: &Engine,
    wasm: &[u8],
    kept: Option<&Kept>,
) -> wasmtime::Result<C> {
    let shelf =
        kept.filter(|_| wasm.len() >= SMALLEST).and_then(|kept| Shelf::open(engine, kept, wasm));
    if let Some(code) = shelf.as_ref().and_then(|shelf| shelf.take(engine)) {
        return Ok(code);
    }
    let begun = clock::now();
    let code = C::compile(engine, wasm)?;
    if let Some(shelf) = shelf
        && clock::now() - begun >= WORTH_KEEPING
        && let Err(why) = shelf.keep(&code)
    {
        tracing::debug!(why, "the compiled command is not kept");
    }
    Ok(code)
}

/// The place of one command in the folder.
struct Shelf {
    cache: Cache,
    digest: Digest,
    folder: PathBuf,
}

impl Shelf {
    fn open(engine: &Engine, kept: &Kept, wasm: &[u8]) -> Option<Self> {
        let cache =
            Cache::open(&kept.folder, &kept.key, engine, Profile::Command).inspect_err(report);
        Some(Self { cache: cache.ok()?, digest: cache::digest(wasm), folder: kept.folder.clone() })
    }

    fn take<C: Code>(&self, engine: &Engine) -> Option<C> {
        let entry = self.cache.get(&self.digest).inspect_err(report).ok()??;
        // SAFETY: the entry was just verified to be written by this program, and what is mapped is
        // the verified file itself, in a folder that only this program writes to.
        unsafe { C::open(engine, &entry.path()) }.ok()
    }

    fn keep<C: Code>(&self, code: &C) -> Result<(), String> {
        let draft = self.cache.draft(&self.digest);
        let bytes = code.serialize().map_err(|error| format!("{error:#}"))?;
        let written = std::fs::write(&draft, bytes).map_err(|error| error.to_string());
        let kept = written
            .and_then(|()| self.cache.put(&self.digest, &draft).map_err(|fault| fault.to_string()));
        if kept.is_err() {
            // Whatever was written of it is of no use; it may not even be there.
            drop(std::fs::remove_file(&draft));
        }
        trim(&self.folder, LIMIT);
        kept
    }
}

fn report(fault: &Fault) {
    tracing::debug!(%fault, "compiled commands are not kept");
}

/// Removes the oldest entries until the rest fits.
fn trim(folder: &Path, limit: ByteSize) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let meta = entry.metadata().ok()?;
            Some((meta.modified().ok()?, meta.len(), entry.path()))
        })
        .collect();
    entries.sort();
    let mut held: u64 = entries.iter().map(|(_, size, _)| size).sum();
    for (_, size, path) in entries {
        if held <= limit.0 {
            return;
        }
        // Another run may have been faster.
        drop(std::fs::remove_file(path));
        held -= size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(dir: &Path) -> Kept {
        Kept { folder: dir.join("commands"), key: dir.join("commands.key") }
    }

    #[test]
    fn what_was_kept_is_taken_and_what_was_planted_is_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let calls = crate::engine::Calls::Sequential;
        let engine = crate::engine::compiler(Profile::Command, calls).expect("an engine");
        let wasm = wat::parse_str("(module (func (export \"_start\")))").expect("valid");
        let shelf = Shelf::open(&engine, &kept(dir.path()), &wasm).expect("a shelf");
        assert!(shelf.take::<Module>(&engine).is_none(), "nothing is there yet");
        let module = Module::compile(&engine, &wasm).expect("compiled");
        shelf.keep(&module).expect("kept");
        assert!(shelf.take::<Module>(&engine).is_some());
        let again = Shelf::open(&engine, &kept(dir.path()), &wasm).expect("a shelf");
        for entry in std::fs::read_dir(dir.path().join("commands")).expect("there") {
            let path = entry.expect("listed").path();
            if path.extension().is_some_and(|it| it == "cwasm") {
                let mut bytes = std::fs::read(&path).expect("readable");
                *bytes.last_mut().expect("not empty") ^= 1;
                std::fs::write(&path, bytes).expect("changed");
            }
        }
        assert!(again.take::<Module>(&engine).is_none(), "it was changed");
    }

    #[test]
    fn the_oldest_go_first() {
        let dir = tempfile::tempdir().expect("a folder");
        for (index, name) in ["old", "new"].into_iter().enumerate() {
            let path = dir.path().join(name);
            std::fs::write(&path, [0; 600]).expect("written");
            let time = std::time::UNIX_EPOCH + Duration::from_secs(index as u64 + 1);
            let file = std::fs::File::options().write(true).open(&path).expect("there");
            file.set_modified(time).expect("set");
        }
        trim(dir.path(), ByteSize(1_000));
        assert!(!dir.path().join("old").exists() && dir.path().join("new").exists());
    }
}
