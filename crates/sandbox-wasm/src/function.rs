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
use wasmtime::Engine;

use crate::Core;
use crate::engine::Size;
use crate::guest::Shared;
use crate::loaded::{Loaded, Place};
use crate::pulse::Pulse;
use crate::respond::{Watched, respond};
use crate::run::{Answer, Live, run};

/// A revision in this process.
pub(crate) struct Function {
    pub(crate) shared: Shared,
    pub(crate) engine: Engine,
    pub(crate) core: Arc<Core>,
    pub(crate) contract: Contract,
    /// A preview 1 module rather than a component.
    pub(crate) module: bool,
    size: Size,
    place: Arc<Place>,
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
        size: Size,
    ) -> Result<Self, Fault> {
        Ok(Self {
            shared,
            engine: core.tier(size)?.engine.clone(),
            core,
            contract,
            module,
            size,
            place: Arc::default(),
            loading: tokio::sync::Mutex::new(()),
            idle: Mutex::default(),
            retired: AtomicBool::new(false),
        })
    }

    /// The artifact in memory, loaded now when it is not there. One load at a time.
    async fn loaded(
        self: &Arc<Self>,
        settlement: &alula_types::Settlement,
    ) -> Result<Arc<Loaded>, Fault> {
        if let Some(loaded) = self.place.load_full() {
            return Ok(loaded);
        }
        let since = clock::now();
        let _one = self.loading.lock().await;
        let loaded = match self.place.load_full() {
            Some(loaded) => loaded,
            None => {
                let function = Arc::clone(self);
                let load = move || function.load();
                let loading = alula_rt::spawn_blocking(alula_rt::TaskKind::Guest, load);
                loading.await.map_err(|_| Fault::plain(Code::Internal))??
            }
        };
        settlement.load_ns.store(nanos(clock::now() - since), Relaxed);
        settlement.started_as(Start::Cold);
        Ok(loaded)
    }

    fn load(&self) -> Result<Arc<Loaded>, Fault> {
        let digest = &self.shared.revision.artifact;
        let core = &self.core;
        let tier = core.tier(self.size)?;
        tier.shelf.load(&core.cache, digest, self.module, self.contract, &self.place)
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

    /// Keeps an instance whose invocation ended well, unless a limit retires it.
    pub(crate) fn keep(&self, live: Live) {
        let Reuse::Warm(limits) = &self.shared.revision.reuse else { return };
        let spent = live.served >= limits.requests || self.retired.load(Relaxed);
        if !spent && !live.store.data().memory.refused.memory {
            self.idle.lock().push((live, clock::now()));
        }
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
