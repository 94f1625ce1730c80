//! A revision that can be invoked: its artifact, its idle instances, its log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alula_rt::clock;
use alula_sandbox::{BoxFuture, Installed};
use alula_types::revision::Reuse;
use alula_types::usage::{Start, nanos};
use alula_types::{Code, Contract, Fault, Invocation, InvocationId, Outcome, RevisionId};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::Core;
use crate::engine::Cleaning;
use crate::guest::Shared;
use crate::loaded::{Loaded, Place};
use crate::pulse::Pulse;
use crate::respond::{Watched, respond};
use crate::run::{Answer, Live, run};
use crate::tier::Kind;

/// A revision in this process.
pub(crate) struct Function {
    pub(crate) shared: Shared,
    pub(crate) core: Arc<Core>,
    pub(crate) contract: Contract,
    /// A preview 1 module rather than a component.
    pub(crate) module: bool,
    kind: Kind,
    /// Its instances were seen to grow beyond what its tier is for.
    grown: AtomicBool,
    place: Arc<Place>,
    /// For instances that find the function's own tier full.
    overflow: Arc<Place>,
    loading: tokio::sync::Mutex<()>,
    idle: Mutex<Vec<(Live, Instant)>>,
    retired: AtomicBool,
}

impl Function {
    pub(crate) fn new(
        core: Arc<Core>,
        shared: Shared,
        contract: Contract,
        module: bool,
        kind: Kind,
    ) -> Self {
        Self {
            shared,
            core,
            contract,
            module,
            kind,
            grown: AtomicBool::new(false),
            place: Arc::default(),
            overflow: Arc::default(),
            loading: tokio::sync::Mutex::new(()),
            idle: Mutex::default(),
            retired: AtomicBool::new(false),
        }
    }

    /// The artifact in memory, loaded now when it is not there. One load at a time.
    async fn loaded(
        self: &Arc<Self>,
        settlement: &alula_types::Settlement,
    ) -> Result<Arc<Loaded>, Fault> {
        match self.place.load_full() {
            Some(loaded) => Ok(loaded),
            None => self.load_at(Home::Own, settlement).await,
        }
    }

    /// The same in the tier that has room for all.
    pub(crate) async fn overflow(
        self: &Arc<Self>,
        settlement: &alula_types::Settlement,
    ) -> Result<Arc<Loaded>, Fault> {
        let loaded = match self.overflow.load_full() {
            Some(loaded) => loaded,
            None => self.load_at(Home::Overflow, settlement).await?,
        };
        loaded.touch();
        Ok(loaded)
    }

    async fn load_at(
        self: &Arc<Self>,
        home: Home,
        settlement: &alula_types::Settlement,
    ) -> Result<Arc<Loaded>, Fault> {
        let since = clock::now();
        let _one = self.loading.lock().await;
        let loaded = match self.place_at(home).load_full() {
            Some(loaded) => loaded,
            None => {
                let function = Arc::clone(self);
                let load = move || function.load(home);
                let loading = alula_rt::spawn_blocking(alula_rt::TaskKind::Guest, load);
                loading.await.map_err(|_| Fault::plain(Code::Internal))??
            }
        };
        settlement.load_ns.fetch_add(nanos(clock::now() - since), Relaxed);
        settlement.started_as(Start::Cold);
        Ok(loaded)
    }

    fn load(&self, home: Home) -> Result<Arc<Loaded>, Fault> {
        let digest = &self.shared.revision.artifact;
        let kind = self.kind_at(home);
        let cache = self.core.tiers.cache(kind.calls);
        let shelf = &self.core.tier(kind)?.shelf;
        let place = self.place_at(home);
        let loaded = shelf.load(cache, digest, self.module, self.contract, place)?;
        if self.kind_at(home) != kind {
            // It was seen to grow meanwhile: this one is for the invocation that waits for it.
            place.store(None);
        }
        Ok(loaded)
    }

    const fn place_at(&self, home: Home) -> &Arc<Place> {
        match home {
            Home::Own => &self.place,
            Home::Overflow => &self.overflow,
        }
    }

    fn kind_at(&self, home: Home) -> Kind {
        let released = home == Home::Overflow || self.grown.load(Relaxed);
        let cleaning = if released { Cleaning::Released } else { self.kind.cleaning };
        Kind { cleaning, ..self.kind }
    }

    /// Notes what an instance held at its peak: the next ones may belong into another tier.
    pub(crate) fn held(&self, peak_bytes: u64) {
        if peak_bytes > self.kind.cleaning.peak_bytes_max() && !self.grown.swap(true, Relaxed) {
            // Loaded anew by whoever comes next; those that run keep what they have.
            self.place.store(None);
        }
    }

    /// Takes an idle instance that may serve another invocation.
    pub(crate) fn take(&self) -> Option<Live> {
        let Reuse::Warm(limits) = &self.shared.revision.reuse else { return None };
        let now = clock::now();
        let mut idle = self.idle.lock();
        // The one used last has the warmest memory; older ones get the chance to age out.
        while let Some((live, since)) = idle.pop() {
            if now - since < limits.idle && now - live.born < limits.age {
                return Some(live);
            }
        }
        None
    }

    /// Keeps an instance whose invocation ended well, or returns it when a limit retires it.
    pub(crate) fn keep(&self, live: Live) -> Option<Live> {
        let Reuse::Warm(limits) = &self.shared.revision.reuse else { return Some(live) };
        let spent = live.served >= limits.requests || self.retired.load(Relaxed);
        if spent || live.store.data().memory.refused.memory {
            return Some(live);
        }
        self.idle.lock().push((live, clock::now()));
        None
    }

    /// Retires instances that have been idle for too long. Returns whether any are left.
    pub(crate) fn sweep(&self) {
        let Reuse::Warm(limits) = &self.shared.revision.reuse else { return };
        let now = clock::now();
        let old: Vec<_> = {
            let mut idle = self.idle.lock();
            let keep = |(live, since): &(Live, Instant)| {
                now - *since < limits.idle && now - live.born < limits.age
            };
            let (kept, old) = std::mem::take(&mut *idle).into_iter().partition(keep);
            *idle = kept;
            old
        };
        drop(old);
    }

    /// Tells the function's own log what ended an invocation, with the guest's backtrace.
    pub(crate) fn report(&self, invocation: InvocationId, fault: &Fault, error: &wasmtime::Error) {
        let log = &self.shared.log;
        log.host(invocation, &fault.to_string());
        for cause in error.chain() {
            log.host(invocation, &cause.to_string());
        }
    }
}

/// Which tier of a function's two is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Home {
    /// The one that suits its artifact.
    Own,
    /// The one with room for all.
    Overflow,
}

/// What `Installed` is implemented on: the function behind a shared reference.
pub(crate) struct Handle(pub(crate) Arc<Function>);

impl Installed for Handle {
    fn id(&self) -> &RevisionId {
        &self.0.shared.revision.id
    }

    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Result<Outcome, Fault>> {
        Box::pin(invoke(Arc::clone(&self.0), invocation))
    }

    fn retire(&self) {
        self.0.retired.store(true, Relaxed);
        let idle = std::mem::take(&mut *self.0.idle.lock());
        drop(idle);
    }
}

async fn invoke(function: Arc<Function>, invocation: Invocation) -> Result<Outcome, Fault> {
    let loaded = function.loaded(&invocation.settlement).await?;
    loaded.touch();
    let settlement = Arc::clone(&invocation.settlement);
    let cpu = function.shared.revision.limits.cpu;
    let pulse = Pulse::new(settlement, invocation.deadline, cpu);
    let running = function.core.ticker.running();
    let (answer, answered) = Answer::channel();
    let run = run(Arc::clone(&function), loaded, invocation, Arc::clone(&pulse), running, answer);
    respond(&function, Watched::new(run, pulse), answered).await
}

/// How often idle instances are looked at.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(1);
