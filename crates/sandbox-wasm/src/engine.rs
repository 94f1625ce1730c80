//! Engines: how guests are compiled and where their memories come from.
//!
//! The compile process and the server build their engines with the same function, so that what one
//! compiles the other accepts.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use alula_rt::clock;
use alula_types::limits::node;
use alula_types::{ByteSize, Code, Fault};
use parking_lot::Mutex;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::tier::Kind;

/// How guests are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Optimised code, memories from a pool.
    Standard,
    /// Unoptimised code whose backtraces name source lines where the artifact has them; memories on
    /// demand.
    Debug,
    /// Optimised code that cannot be interrupted, for a command that has a process to itself.
    Command,
}

impl Profile {
    /// The name in file names and on command lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Debug => "debug",
            Self::Command => "command",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Standard, Self::Debug, Self::Command]
            .into_iter()
            .find(|profile| profile.as_str() == text)
    }
}

/// Whether code may make and take asynchronous calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calls {
    /// WASI 0.2 and preview 1: an instance runs one call at a time. The engine keeps no account of
    /// tasks then, which each call and each end of an instance would pay for.
    Sequential,
    /// WASI 0.3 and `alula:js`: calls are tasks.
    Concurrent,
}

impl Calls {
    pub(crate) const ALL: [Self; 2] = [Self::Sequential, Self::Concurrent];

    /// The name on the compile process's command line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Concurrent => "concurrent",
        }
    }

    /// Reads a name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|calls| calls.as_str() == text)
    }
}

/// The part of the configuration that decides what machine code looks like.
fn compile_config(profile: Profile, calls: Calls) -> Config {
    let mut config = Config::new();
    config.concurrency_support(calls == Calls::Concurrent);
    config.wasm_component_model_async(calls == Calls::Concurrent);
    config.epoch_interruption(profile != Profile::Command);
    // A stack of 20 frames tells where; more fills the log.
    config.wasm_backtrace_max_frames(NonZeroUsize::new(20));
    match profile {
        Profile::Standard => config.cranelift_opt_level(wasmtime::OptLevel::Speed),
        Profile::Debug => config
            .cranelift_opt_level(wasmtime::OptLevel::None)
            .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Enable),
        // Its stack goes to a person, with the lines of the source where the file has them.
        Profile::Command => config.wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Enable),
    };
    config
}

/// An engine that only compiles.
pub(crate) fn compiler(profile: Profile, calls: Calls) -> wasmtime::Result<Engine> {
    Engine::new(&compile_config(profile, calls))
}

/// An engine that runs guests, and how many at once.
pub(crate) fn runner(profile: Profile, kind: Kind, places: u32) -> Result<Engine, Fault> {
    let failed = |error: wasmtime::Error| Fault::new(Code::Internal, format!("{error:#}"));
    let mut config = compile_config(profile, kind.calls);
    if profile != Profile::Standard {
        return Engine::new(&config).map_err(failed);
    }
    let pool = pool(places, kind.cleaning);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    match Engine::new(&config) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            tracing::warn!(
                error = format!("{error:#}"),
                places,
                "the pool of memories cannot be reserved; memories are made on demand, which is slower"
            );
            Engine::new(&compile_config(profile, kind.calls)).map_err(failed)
        }
    }
}

/// How places are made clean after a guest, which also decides how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cleaning {
    /// Memories of up to [`COPIED`] are wiped by copying, so that their pages stay and the next
    /// guest faults none in. For compiled languages and small script engines.
    Copied,
    /// The same up to [`LARGE_COPIED`], for language runtimes with a heap in their image (CPython).
    LargeCopied,
    /// All pages are given back to the system at once. For guests that were seen to grow, for
    /// instances that live long, and for those that find no place in the tiers above: what pages
    /// stay there is bounded by their few places.
    Released,
}

impl Cleaning {
    pub(crate) const ALL: [Self; 3] = [Self::Copied, Self::LargeCopied, Self::Released];

    /// From here on an image counts as large. CPython's has 16 MiB, QuickJS's less than 2.
    const LARGE_BYTES: u64 = 4 << 20;

    /// For fresh instances with so many memories, of which the largest begins with so many bytes.
    pub(crate) const fn of(memories: u32, initial_memory_bytes: u64) -> Self {
        match initial_memory_bytes {
            _ if memories > COPIED_MEMORIES_MAX => Self::Released,
            Self::LARGE_BYTES.. => Self::LargeCopied,
            _ => Self::Copied,
        }
    }

    /// The most that an instance may hold at its peak for its kind to stay.
    pub(crate) const fn peak_bytes_max(self) -> u64 {
        match self {
            Self::Copied => COPIED.0 * 2,
            Self::LargeCopied => LARGE_COPIED.0 * 2,
            Self::Released => u64::MAX,
        }
    }

    /// Whether waiting for a place is better than one without kept pages: faulting a large heap in
    /// takes longer than most requests do.
    pub(crate) const fn waits(self) -> bool {
        matches!(self, Self::LargeCopied)
    }

    /// How many places keep their pages, and so how many guests may be in the tier at once. `None`
    /// when no place keeps any.
    pub(crate) fn places(self) -> Option<u32> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let cores = u32::try_from(cores).unwrap_or(u32::MAX);
        match self {
            // More guests than cores are alive only while they wait for something.
            Self::Copied => Some(cores.saturating_mul(8)),
            Self::LargeCopied => Some(cores.saturating_mul(2)),
            Self::Released => None,
        }
    }
}

/// The pool. Figures behind the settings: `docs/decisions/005-pool.md`.
fn pool(places: u32, cleaning: Cleaning) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    let kept_places = cleaning.places();
    let places = match cleaning {
        Cleaning::Copied => kept_places.unwrap_or(places).max(SHARDED),
        Cleaning::LargeCopied | Cleaning::Released => kept_places.unwrap_or(places),
    };
    // A counter of guests stands in front of the pools that keep pages. What a component may have
    // is multiplied by it, so that nothing runs dry in the midst of making an instance.
    let total = |most: u32, without: u32| kept_places.map_or(without, |kept| kept * most);
    pool.total_component_instances(places);
    pool.total_core_instances(total(CORE_INSTANCES_MAX, places.saturating_mul(4)));
    pool.total_memories(total(COPIED_MEMORIES_MAX, places + places / 2).max(places));
    pool.total_tables(total(TABLES_MAX, places.saturating_mul(2)));
    // A component may have several: one for each of its tasks that wait.
    pool.total_stacks(places.saturating_mul(2).max(256));
    pool.total_gc_heaps(places);
    pool.max_core_instances_per_component(CORE_INSTANCES_MAX);
    pool.max_memories_per_component(32);
    pool.max_tables_per_component(TABLES_MAX);
    pool.max_memories_per_module(2);
    pool.max_tables_per_module(4);
    pool.table_elements(100_000);
    pool.max_component_instance_size(10 << 20);
    pool.max_core_instance_size(10 << 20);
    // The store's limiter holds the real limit; this one only sizes the reservation.
    pool.max_memory_size(4 << 30);
    // Places that wait to be given back together keep their pages meanwhile, and a place that was
    // just cleaned is warm in the processor's cache.
    pool.decommit_batch_size(1);
    let kept = match cleaning {
        Cleaning::Copied => COPIED,
        Cleaning::LargeCopied => LARGE_COPIED,
        Cleaning::Released => return pool,
    };
    pool.max_unused_warm_slots(kept_places.unwrap_or(0));
    pool.linear_memory_keep_resident(kept.0 as usize);
    pool.table_keep_resident(TABLE_COPIED.0 as usize);
    pool
}

/// Core instances of one component; CPython's has 15.
const CORE_INSTANCES_MAX: u32 = 200;
/// Tables of one component.
const TABLES_MAX: u32 = 64;
/// Memories of a component in a tier that keeps pages; nearly all have one.
const COPIED_MEMORIES_MAX: u32 = 4;
/// From so many places on the engine divides them among the threads, so that a thread finds the
/// place again that it has just cleaned, still in its processor's cache.
const SHARDED: u32 = 128;
/// Covers QuickJS's heap and the stack of a Rust guest, which is the first MiB of its memory.
const COPIED: ByteSize = ByteSize::mib(3);
/// Covers CPython's heap with what a request adds to it.
const LARGE_COPIED: ByteSize = ByteSize::mib(64);
/// Covers CPython's tables; only what a table has is wiped.
const TABLE_COPIED: ByteSize = ByteSize::mib(8);

/// Advances the engines' epochs while guests run, so that none keeps a thread for itself.
///
/// The thread sleeps when nothing has run for a second: an idle server costs nothing.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
    join: Option<JoinHandle<()>>,
}

struct Shared {
    engines: Mutex<Vec<Engine>>,
    running: AtomicUsize,
    parked: AtomicBool,
    stop: AtomicBool,
}

/// Held while a guest's code may run.
pub(crate) struct Running(Arc<Shared>);

const LINGER: Duration = Duration::from_secs(1);

impl Ticker {
    pub(crate) fn start() -> Result<Self, Fault> {
        let shared = Arc::new(Shared {
            engines: Mutex::default(),
            running: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let inner = Arc::clone(&shared);
        let join = std::thread::Builder::new()
            .name("epoch".into())
            .spawn(move || tick(&inner))
            .map_err(|error| Fault::new(Code::Internal, format!("starting a thread: {error}")))?;
        Ok(Self { shared, thread: join.thread().clone(), join: Some(join) })
    }

    /// Advances this engine's epoch too from now on.
    pub(crate) fn add(&self, engine: Engine) {
        self.shared.engines.lock().push(engine);
    }

    /// How many guests run, work after the response included.
    pub(crate) fn count(&self) -> usize {
        self.shared.running.load(Ordering::SeqCst)
    }

    /// Ticks until the guard is dropped.
    pub(crate) fn running(&self) -> Running {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(Arc::clone(&self.shared))
    }
}

fn tick(shared: &Shared) {
    let mut idle_since: Option<Instant> = None;
    while !shared.stop.load(Ordering::SeqCst) {
        if shared.running.load(Ordering::SeqCst) > 0 {
            idle_since = None;
        } else if clock::now() - *idle_since.get_or_insert_with(clock::now) >= LINGER {
            // Say so first and look again after: a guest that starts between the two wakes us.
            shared.parked.store(true, Ordering::SeqCst);
            if shared.running.load(Ordering::SeqCst) == 0 && !shared.stop.load(Ordering::SeqCst) {
                std::thread::park();
            }
            shared.parked.store(false, Ordering::SeqCst);
            idle_since = None;
        }
        std::thread::park_timeout(node::EPOCH_TICK);
        shared.engines.lock().iter().for_each(Engine::increment_epoch);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.thread.unpark();
        if let Some(join) = self.join.take() {
            // A ticker that panicked has nothing left to stop.
            drop(join.join());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
