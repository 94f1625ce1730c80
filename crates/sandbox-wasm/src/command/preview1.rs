//! Preview 1 for core modules: the engine's functions, and two of our own where it departs from the
//! specification.

use wasmtime::{AsContextMut as _, Caller, Engine, Extern, Linker};
use wasmtime_wasi::p1::{WasiP1Ctx, wasi_snapshot_preview1 as functions};
use wasmtime_wasi::{I32Exit, p0, p1};
use wiggle::GuestMemory;

use super::state::ModuleState;

/// The released name, and that of the snapshot before it, whose old programs are still around.
const SNAPSHOTS: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// All functions under both names.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<ModuleState>> {
    let wasi: fn(&mut ModuleState) -> &mut WasiP1Ctx = |state| &mut state.wasi;
    let mut linker = Linker::new(engine);
    p1::add_to_linker_async(&mut linker, wasi)?;
    p0::add_to_linker_async(&mut linker, wasi)?;
    linker.allow_shadowing(true);
    for snapshot in SNAPSHOTS {
        // An exit code is a `u32`; the engine refuses those from 126 on.
        linker.func_wrap(snapshot, "proc_exit", |status: i32| -> wasmtime::Result<()> {
            Err(I32Exit(status).into())
        })?;
        linker.func_wrap_async(
            snapshot,
            "path_remove_directory",
            |caller: Caller<'_, ModuleState>, (fd, path, length): (i32, i32, i32)| {
                Box::new(remove_directory(caller, fd, path, length))
            },
        )?;
    }
    linker.allow_shadowing(false);
    Ok(linker)
}

/// A path to a directory may end in slashes (POSIX, `rmdir`); the engine takes what stands before
/// them for the parent.
async fn remove_directory(
    mut caller: Caller<'_, ModuleState>,
    fd: i32,
    path: i32,
    length: i32,
) -> wasmtime::Result<i32> {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        wasmtime::bail!("the module exports no memory");
    };
    let fuel = caller.as_context_mut().hostcall_fuel();
    let (bytes, state) = memory.data_and_store_mut(&mut caller);
    functions::WasiSnapshotPreview1::set_hostcall_fuel(&mut state.wasi, fuel);
    let length = without_slashes(bytes, path, length);
    let mut memory = GuestMemory::Unshared(bytes);
    functions::path_remove_directory(&mut state.wasi, &mut memory, fd, path, length).await
}

/// The length of a path without the slashes at its end. A path that lies outside of the memory, or
/// has nothing else, is left to be refused.
fn without_slashes(memory: &[u8], path: i32, length: i32) -> i32 {
    let (start, size) = (path.cast_unsigned() as usize, length.cast_unsigned() as usize);
    let Some(text) = memory.get(start..).and_then(|rest| rest.get(..size)) else { return length };
    let kept = text.iter().rposition(|byte| *byte != b'/').map_or(size, |last| last + 1);
    i32::try_from(kept).unwrap_or(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slashes_at_the_end_are_left_out() {
        for (text, kept) in
            [("a", 1), ("a/", 1), ("a//", 1), ("a/b/", 3), ("/", 1), ("//", 2), ("", 0)]
        {
            let length = i32::try_from(text.len()).expect("short");
            assert_eq!(without_slashes(text.as_bytes(), 0, length), kept, "{text}");
        }
        assert_eq!(without_slashes(b"a/", 1, 5), 5, "outside of the memory");
        assert_eq!(without_slashes(b"a/", -1, -1), -1, "outside of the memory");
    }
}
