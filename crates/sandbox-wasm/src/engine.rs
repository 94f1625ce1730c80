//! Engines: how guests are compiled and where their memories come from.
//!
//! One engine per profile and process. The compile process and the server build their engines with
//! the same function, so that what one compiles the other accepts.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use alula_rt::clock;
use alula_types::limits::node;
use alula_types::{ByteSize, Code, Fault};
use parking_lot::Mutex;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How guests are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Optimised code, memories from a pool.
    Standard,
    /// Unoptimised code with debug information, memories on demand.
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

/// How a place in the pool is made clean after a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reset {
    /// The pages are given back to the system, many guests' at once. Safe on every machine.
    #[default]
    Release,
    /// Only the pages the guest wrote are wiped, found by the kernel's `PAGEMAP_SCAN`.
    ///
    /// Faster, but a written page that is swapped out or being moved at that moment is not seen
    /// (wasmtime 48.0.8 asks for present pages only), and the next guest of the same function would
    /// find it. Opt-in for owners who trust their own functions; refused on machines that swap.
    Scan,
}

/// The part of the configuration that decides what machine code looks like.
fn compile_config(profile: Profile) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(profile != Profile::Command);
    // A stack of 20 frames tells where; more fills the log.
    config.wasm_backtrace_max_frames(NonZeroUsize::new(20));
    match profile {
        Profile::Standard => config.cranelift_opt_level(wasmtime::OptLevel::Speed),
        Profile::Debug => config.cranelift_opt_level(wasmtime::OptLevel::None).debug_info(true),
        // Its stack goes to a person, with the lines of the source where the file has them.
        Profile::Command => config.wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Enable),
    };
    config
}

/// An engine that only compiles.
pub(crate) fn compiler(profile: Profile) -> wasmtime::Result<Engine> {
    Engine::new(&compile_config(profile))
}

/// An engine that runs guests, and how many at once.
pub(crate) fn runner(
    profile: Profile,
    places: u32,
    reset: Reset,
    size: Size,
) -> Result<Engine, Fault> {
    let failed = |error: wasmtime::Error| Fault::new(Code::Internal, format!("{error:#}"));
    if profile != Profile::Standard {
        return Engine::new(&compile_config(profile)).map_err(failed);
    }
    let mut config = compile_config(profile);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(places, reset, size)?));
    match Engine::new(&config) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            tracing::warn!(
                error = format!("{error:#}"),
                places,
                "the pool of memories cannot be reserved; memories are made on demand, which is slower"
            );
            Engine::new(&compile_config(profile)).map_err(failed)
        }
    }
}

/// How much memory a new instance begins with, because that decides how its place is best made
/// clean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Size {
    /// Compiled languages and small script engines: few pages are written.
    Small,
    /// Language runtimes with a heap in their image (CPython, SpiderMonkey): thousands of pages
    /// are.
    Large,
}

impl Size {
    /// From here on an image counts as large. CPython's has 16 MiB, QuickJS's less than 2.
    const LARGE_BYTES: u64 = 4 << 20;

    /// The size of an instance whose largest memory begins with this many bytes.
    pub(crate) const fn of(initial_memory_bytes: u64) -> Self {
        if initial_memory_bytes >= Self::LARGE_BYTES { Self::Large } else { Self::Small }
    }
}

/// The pool. Figures behind the settings: `docs/decisions/005-pool.md`.
fn pool(places: u32, reset: Reset, size: Size) -> Result<PoolingAllocationConfig, Fault> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(places);
    pool.total_core_instances(places.saturating_mul(4));
    pool.total_memories(places + places / 2);
    pool.total_tables(places.saturating_mul(2));
    pool.total_stacks(places.saturating_mul(2));
    pool.total_gc_heaps(places);
    pool.max_core_instances_per_component(200);
    pool.max_memories_per_component(32);
    pool.max_tables_per_component(64);
    pool.max_memories_per_module(2);
    pool.max_tables_per_module(4);
    pool.table_elements(100_000);
    pool.max_component_instance_size(10 << 20);
    pool.max_core_instance_size(10 << 20);
    // The store's limiter holds the real limit; this one only sizes the reservation.
    pool.max_memory_size(4 << 30);
    pool.async_stack_keep_resident(STACK_KEPT.0 as usize);
    pool.decommit_batch_size(RELEASED_TOGETHER);
    match size {
        Size::Small => {
            pool.max_unused_warm_slots(100);
            pool.table_keep_resident(TABLE_KEPT.0 as usize);
        }
        Size::Large => {
            pool.max_unused_warm_slots(LARGE_SLOTS);
            pool.table_keep_resident(LARGE_TABLE_KEPT.0 as usize);
            pool.linear_memory_keep_resident(LARGE_KEPT.0 as usize);
        }
    }
    if reset == Reset::Scan && size == Size::Small {
        if swaps() {
            return Err(Fault::new(Code::Internal, "fast reset is refused: this machine swaps")
                .hint("turn swapping off (`swapoff -a`) or leave fast reset out"));
        }
        pool.pagemap_scan(Enabled::Auto);
        pool.linear_memory_keep_resident(SCANNED.0 as usize);
    }
    Ok(pool)
}

/// A large image is copied back whole: giving its pages up costs a fault for each on the next
/// start.
const LARGE_KEPT: ByteSize = ByteSize::mib(64);
/// The same for the tables of a large runtime.
const LARGE_TABLE_KEPT: ByteSize = ByteSize::mib(8);
/// Large places that stay bound to their last function: as many as run at once on a small machine.
const LARGE_SLOTS: u32 = 4;
/// Tables are small and sparse: wiping them costs less than giving them back.
const TABLE_KEPT: ByteSize = ByteSize::kib(64);
/// The part of a stack that guests touch; deeper pages are given back.
const STACK_KEPT: ByteSize = ByteSize::kib(16);
/// Memory that is looked through for written pages.
const SCANNED: ByteSize = ByteSize::mib(64);
/// Giving pages back interrupts every core; doing it for this many guests at once shares the cost.
const RELEASED_TOGETHER: usize = 32;

fn swaps() -> bool {
    let table = std::fs::read_to_string("/proc/swaps").unwrap_or_default();
    table.lines().count() > 1
}

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
