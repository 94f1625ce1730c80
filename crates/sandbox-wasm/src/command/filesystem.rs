//! Files for components: the engine's functions, and one of our own where it departs from the
//! rules.
//!
//! A path to a directory may end in slashes (POSIX, `rmdir`, to which `wasi:filesystem` refers);
//! the engine takes what stands before them for the parent and refuses to remove the rest.

use wasmtime::component::{Accessor, Linker, Resource};
use wasmtime_wasi::TrappableError;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::filesystem::types as p2;
use wasmtime_wasi::p3::bindings::filesystem::types as p3;

use super::state::State;

/// The engine's one definition for each version; it serves all that are compatible.
const TYPES: [&str; 2] = ["wasi:filesystem/types@0.2.12", "wasi:filesystem/types@0.3.0"];
const REMOVE: &str = "[method]descriptor.remove-directory-at";

/// Puts our function of WASI 0.2 in the place of the engine's.
pub(super) fn link_two(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(TYPES[0])?.func_wrap_async(REMOVE, |mut store, (fd, path)| {
        Box::new(async move { Ok((remove_two(store.data_mut(), fd, path).await?,)) })
    })
}

/// The same for WASI 0.3.
pub(super) fn link_three(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(TYPES[1])?.func_wrap_concurrent(REMOVE, |store, (fd, path)| {
        Box::pin(async move { Ok((remove_three(store, fd, path).await?,)) })
    })
}

async fn remove_two(
    state: &mut State,
    fd: Resource<Descriptor>,
    path: String,
) -> wasmtime::Result<Result<(), p2::ErrorCode>> {
    let path = without_slashes(path);
    let removed = p2::HostDescriptor::remove_directory_at(&mut state.filesystem(), fd, path).await;
    removed.map_or_else(|error| error.downcast().map(Err), |()| Ok(Ok(())))
}

async fn remove_three(
    store: &Accessor<State>,
    fd: Resource<Descriptor>,
    path: String,
) -> wasmtime::Result<Result<(), p3::ErrorCode>> {
    let files = store.with_getter::<WasiFilesystem>(|state| state.filesystem());
    let path = without_slashes(path);
    let removed: Result<(), TrappableError<p3::ErrorCode>> =
        p3::HostDescriptorWithStore::remove_directory_at(&files, fd, path).await;
    removed.map_or_else(|error| error.downcast().map(Err), |()| Ok(Ok(())))
}

/// A path without the slashes at its end; one that has nothing else is left to be refused.
fn without_slashes(mut path: String) -> String {
    let kept = path.trim_end_matches('/').len();
    if kept > 0 {
        path.truncate(kept);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::Engine;

    #[test]
    fn only_slashes_at_the_end_are_left_out() {
        for (path, kept) in [("a", "a"), ("a//", "a"), ("a/b/", "a/b"), ("//", "//"), ("", "")] {
            assert_eq!(without_slashes(path.into()), kept, "{path}");
        }
    }

    #[test]
    fn our_functions_stand_in_the_place_of_the_engines() {
        let mut linker = Linker::<State>::new(&Engine::default());
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("linked");
        wasmtime_wasi::p3::add_to_linker(&mut linker).expect("linked");
        for name in TYPES {
            let twice =
                linker.instance(name).expect("an instance").func_wrap(REMOVE, |_, (): ()| Ok(()));
            assert!(twice.is_err(), "the engine has {name} under another version");
        }
        linker.allow_shadowing(true);
        link_two(&mut linker).and_then(|()| link_three(&mut linker)).expect("shadowed");
    }
}
