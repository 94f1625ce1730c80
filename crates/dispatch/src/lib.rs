//! Admission: which revision takes an invocation, and whether there is room for it.
//!
//! A function has places of its own and the node has places for all. Who finds none waits in the
//! function's bounded queue and is refused when the queue is full or the wait too long. A place is
//! held until the guest's last work ends, not merely until its response head.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use alula_rt::clock;
use alula_sandbox::{BoxFuture, Installed};
use alula_types::usage::nanos;
use alula_types::{Code, Fault, FunctionName, Invocation, Outcome, Place, Revision, Settlement};
use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A revision that takes invocations, with its room.
pub struct Function {
    /// What is served.
    pub revision: Arc<Revision>,
    installed: Arc<dyn Installed>,
    places: Arc<Semaphore>,
    waiting: AtomicU32,
}

/// All functions of a node.
pub struct Dispatcher {
    node: Arc<Semaphore>,
    functions: ArcSwap<HashMap<FunctionName, Arc<Function>>>,
}

impl Dispatcher {
    /// A dispatcher for a node with this many places.
    pub fn new(places: u32) -> Arc<Self> {
        Arc::new(Self {
            node: Arc::new(Semaphore::new(places as usize)),
            functions: ArcSwap::default(),
        })
    }

    /// Lets a revision take its function's invocations from now on. Those running on the one before
    /// it finish there.
    pub fn install(&self, revision: Arc<Revision>, installed: Arc<dyn Installed>) {
        let function = Arc::new(Function {
            places: Arc::new(Semaphore::new(revision.limits.instances_max as usize)),
            waiting: AtomicU32::new(0),
            installed,
            revision,
        });
        let name = function.revision.function.clone();
        let before = self.functions.rcu(|table| {
            let mut table = HashMap::clone(table);
            table.insert(name.clone(), Arc::clone(&function));
            table
        });
        if let Some(before) = before.get(&name) {
            before.installed.retire();
        }
    }

    /// Takes a function away. Invocations that run finish.
    pub fn remove(&self, name: &FunctionName) {
        let before = self.functions.rcu(|table| {
            let mut table = HashMap::clone(table);
            table.remove(name);
            table
        });
        if let Some(before) = before.get(name) {
            before.installed.retire();
        }
    }

    /// The revision that takes a function's invocations now.
    pub fn function(&self, name: &FunctionName) -> Option<Arc<Function>> {
        self.functions.load().get(name).cloned()
    }
}

impl Function {
    /// Admits an invocation and runs it.
    ///
    /// Resolves with the response head; dropping the future or the outcome's body cancels the
    /// invocation. Whoever answers notes an error in the invocation's settlement. Where there is a
    /// place, as nearly always, nothing is put around the sandbox's own future.
    pub fn dispatch(
        self: &Arc<Self>,
        node: &Dispatcher,
        mut invocation: Invocation,
    ) -> BoxFuture<'static, Result<Outcome, Fault>> {
        match self.try_admit(node) {
            Some(place) => {
                invocation.place = place;
                self.installed.invoke(invocation)
            }
            None => Box::pin(Arc::clone(self).dispatch_later(Arc::clone(&node.node), invocation)),
        }
    }

    async fn dispatch_later(
        self: Arc<Self>,
        node: Arc<Semaphore>,
        mut invocation: Invocation,
    ) -> Result<Outcome, Fault> {
        let settlement = Arc::clone(&invocation.settlement);
        invocation.place = self.wait(node, invocation.deadline, &settlement).await?;
        self.installed.invoke(invocation).await
    }

    fn try_admit(&self, node: &Dispatcher) -> Option<Place> {
        let own = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let shared = Arc::clone(&node.node).try_acquire_owned().ok()?;
        Some(Place::holding(own, shared))
    }

    async fn wait(
        &self,
        node: Arc<Semaphore>,
        deadline: Instant,
        settlement: &Settlement,
    ) -> Result<Place, Fault> {
        let limits = &self.revision.limits;
        let name = &self.revision.function;
        let _waiting = self.enter_queue().ok_or_else(|| {
            Fault::new(Code::QueueFull, format!("{} requests wait for `{name}`", limits.queue))
                .retry_after(RETRY_AFTER)
        })?;
        let since = clock::now();
        let until = deadline.min(since + limits.queue_wait);
        let place = clock::until(until, self.acquire(node)).await;
        settlement.queue_ns.store(nanos(clock::now() - since), Relaxed);
        let (own, shared) = place.map_err(|_| {
            let waited = limits.queue_wait.as_millis();
            Fault::new(Code::QueueTimedOut, format!("no place for `{name}` within {waited} ms"))
                .retry_after(RETRY_AFTER)
        })?;
        Ok(Place::holding(own, shared))
    }

    fn enter_queue(&self) -> Option<Waiting<'_>> {
        let waiting = Waiting(&self.waiting);
        let before = self.waiting.fetch_add(1, Relaxed);
        (before < self.revision.limits.queue).then_some(waiting)
    }

    async fn acquire(&self, node: Arc<Semaphore>) -> (OwnedSemaphorePermit, OwnedSemaphorePermit) {
        const OPEN: &str = "the semaphores are never closed";
        let own = Arc::clone(&self.places).acquire_owned().await.expect(OPEN);
        let shared = node.acquire_owned().await.expect(OPEN);
        (own, shared)
    }
}

/// A second is long enough for a place to become free and short enough for a person.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// One request in the queue; leaves it on drop.
struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
