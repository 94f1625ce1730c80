//! Artifacts in memory: mapped, linked, ready to be instantiated.
//!
//! What has not been used for longest is dropped when the code held exceeds a number of bytes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use alula_rt::clock;
use alula_types::usage::nanos;
use alula_types::{ByteSize, Code, Contract, Digest, Fault};
use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Engine, Module};
use wasmtime_wasi_http::handler::ProxyPre;
use wasmtime_wasi_http::p2::bindings::ProxyPre as P2Pre;
use wasmtime_wasi_http::p3::bindings::ServicePre as P3Pre;

use crate::cache::{Cache, Entry};
use crate::cgi::{self, ModuleGuest};
use crate::engine::Calls;
use crate::guest::Guest;
use crate::interfaces;
use crate::js;
use crate::tier::{Kind, Room};

/// How an artifact is called, with everything that can be looked up beforehand.
pub(crate) enum Entrance {
    /// `wasi:http`, 0.2 or 0.3.
    Http(ProxyPre<Guest>),
    /// `alula:js`.
    Js(js::FunctionPre<Guest>),
    /// `wasi:cli/run`, 0.2 or 0.3.
    Command(InstancePre<Guest>),
    /// A preview 1 command.
    Module(wasmtime::InstancePre<ModuleGuest>),
}

/// An artifact in memory.
pub(crate) struct Loaded {
    pub(crate) entrance: Entrance,
    /// The engine it is loaded in.
    pub(crate) engine: Engine,
    pub(crate) room: Arc<Room>,
    bytes: u64,
    /// Nanoseconds after it was loaded.
    used_ns: AtomicU64,
    since: Instant,
}

impl Loaded {
    /// Notes a use.
    pub(crate) fn touch(&self) {
        self.used_ns.store(nanos(clock::now() - self.since), Relaxed);
    }

    /// When it was used last.
    fn used(&self) -> Instant {
        self.since + Duration::from_nanos(self.used_ns.load(Relaxed))
    }
}

/// Where one revision keeps its artifact while it is in memory.
pub(crate) type Place = ArcSwapOption<Loaded>;

/// Everything in memory.
pub(crate) struct Shelf {
    engine: Engine,
    room: Arc<Room>,
    linker: Linker<Guest>,
    limit: ByteSize,
    held: Mutex<Held>,
}

/// What is in memory, and the places that keep it there.
type Held = HashMap<Digest, (Weak<Loaded>, Vec<Weak<Place>>)>;

impl Shelf {
    pub(crate) fn new(engine: Engine, kind: Kind, limit: ByteSize) -> wasmtime::Result<Self> {
        let linker = linker(&engine, kind.calls)?;
        let room = Room::of(kind.cleaning);
        Ok(Self { engine, room, linker, limit, held: Mutex::default() })
    }

    /// Brings an artifact into memory for a place; shares it when it is there already.
    pub(crate) fn load(
        &self,
        cache: &Cache,
        digest: &Digest,
        module: bool,
        contract: Contract,
        place: &Arc<Place>,
    ) -> Result<Arc<Loaded>, Fault> {
        let there = self.held.lock().get(digest).and_then(|(loaded, _)| loaded.upgrade());
        let loaded = match there {
            Some(loaded) => loaded,
            None => {
                let entry = cache.get(digest)?.ok_or_else(|| {
                    Fault::new(Code::StartFailed, format!("the compiled artifact {digest} is gone"))
                        .hint("build or deploy the function again")
                })?;
                Arc::new(self.open(&entry, module, contract)?)
            }
        };
        loaded.touch();
        place.store(Some(Arc::clone(&loaded)));
        let mut held = self.held.lock();
        let row = held.entry(*digest).or_insert_with(|| (Weak::new(), Vec::new()));
        row.0 = Arc::downgrade(&loaded);
        row.1.retain(|place| place.strong_count() > 0);
        row.1.push(Arc::downgrade(place));
        self.make_room(&mut held, digest);
        Ok(loaded)
    }

    /// Drops what has not been used for longest until the rest fits. Guests that run keep theirs
    /// alive.
    fn make_room(&self, held: &mut Held, keep: &Digest) {
        held.retain(|_, (loaded, _)| loaded.strong_count() > 0);
        let mut rows: Vec<(Instant, u64, Digest)> = held
            .iter()
            .filter_map(|(digest, (loaded, _))| {
                let loaded = loaded.upgrade()?;
                Some((loaded.used(), loaded.bytes, *digest))
            })
            .collect();
        let mut sum: u64 = rows.iter().map(|(_, bytes, _)| bytes).sum();
        rows.sort_unstable();
        for (_, bytes, digest) in rows {
            if sum <= self.limit.0 {
                break;
            }
            if digest == *keep {
                continue;
            }
            sum -= bytes;
            if let Some((_, places)) = held.remove(&digest) {
                places.iter().filter_map(Weak::upgrade).for_each(|place| place.store(None));
            }
        }
    }

    /// Maps a component only to look at its type.
    pub(crate) fn component(&self, entry: &Entry) -> Result<Component, Fault> {
        map_component(&self.engine, entry)
    }

    /// Links a component; the error is the engine's own words about the first import that does not
    /// fit.
    pub(crate) fn link(&self, component: &Component) -> wasmtime::Result<InstancePre<Guest>> {
        self.linker.instantiate_pre(component)
    }

    fn open(&self, entry: &Entry, module: bool, contract: Contract) -> Result<Loaded, Fault> {
        let failed = |error: wasmtime::Error| {
            Fault::new(Code::StartFailed, format!("linking the artifact: {error:#}"))
        };
        let entrance = if module {
            let module = map_module(&self.engine, entry)?;
            let linker = cgi::module_linker(&self.engine).map_err(failed)?;
            Entrance::Module(linker.instantiate_pre(&module).map_err(failed)?)
        } else {
            let component = self.component(entry)?;
            component.initialize_copy_on_write_image().map_err(failed)?;
            let pre = self.link(&component).map_err(failed)?;
            entrance(pre, contract).map_err(failed)?
        };
        Ok(Loaded {
            entrance,
            engine: self.engine.clone(),
            room: Arc::clone(&self.room),
            bytes: entry.size,
            used_ns: AtomicU64::new(0),
            since: clock::now(),
        })
    }
}

fn entrance(pre: InstancePre<Guest>, contract: Contract) -> wasmtime::Result<Entrance> {
    Ok(match contract {
        Contract::AlulaJs => Entrance::Js(js::FunctionPre::new(pre)?),
        Contract::WasiCli => Entrance::Command(pre),
        Contract::WasiHttp => Entrance::Http(match P3Pre::new(pre.clone()) {
            Ok(pre) => ProxyPre::P3(pre),
            Err(_) => ProxyPre::P2(P2Pre::new(pre)?),
        }),
    })
}

/// Everything a served guest may import.
fn linker(engine: &Engine, calls: Calls) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = interfaces::linker(engine, calls)?;
    if calls == Calls::Concurrent {
        js::link(&mut linker)?;
    }
    Ok(linker)
}

#[expect(unsafe_code, reason = "mapping machine code is what this module is for")]
fn map_component(engine: &Engine, entry: &Entry) -> Result<Component, Fault> {
    // SAFETY: an `Entry` is machine code that this server compiled and authenticated, and the path
    // leads to the very file that was checked.
    unsafe { Component::deserialize_file(engine, entry.path()) }.map_err(unmapped)
}

#[expect(unsafe_code, reason = "mapping machine code is what this module is for")]
fn map_module(engine: &Engine, entry: &Entry) -> Result<Module, Fault> {
    // SAFETY: as for components.
    unsafe { Module::deserialize_file(engine, entry.path()) }.map_err(unmapped)
}

fn unmapped(error: wasmtime::Error) -> Fault {
    Fault::new(Code::StartFailed, format!("loading the compiled artifact: {error:#}"))
}
