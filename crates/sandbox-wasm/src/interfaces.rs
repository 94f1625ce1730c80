//! The interfaces of WASI as every guest may import them: the engine's, with some entries of ours
//! in their place. What a guest reaches with them is decided call by call.

use wasmtime::Engine;
use wasmtime::component::Linker;
use wasmtime_wasi::{WasiView, p2, p3};
use wasmtime_wasi_http::WasiHttpView;

use crate::client;
use crate::command::network::{self, Networked};
use crate::engine::Calls;

/// A linker with all of them, to which a caller may add and in which it may replace.
pub(crate) fn linker<T>(engine: &Engine, calls: Calls) -> wasmtime::Result<Linker<T>>
where
    T: WasiView + WasiHttpView + Networked,
{
    let mut linker = Linker::new(engine);
    linker.allow_shadowing(true);
    p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    network::link_two(&mut linker)?;
    client::link_two(&mut linker)?;
    if calls == Calls::Concurrent {
        p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
        network::link_three(&mut linker)?;
        client::link_three(&mut linker)?;
    }
    Ok(linker)
}
