//! Tiers: engines side by side that differ in what their guests may do and in how their places are
//! made clean. Which one an artifact runs in follows from the artifact, never from its owner.

use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use alula_rt::clock;
use alula_types::limits::node;
use alula_types::usage::nanos;
use alula_types::{Code, Fault, Settlement};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Engine;

use crate::cache::Cache;
use crate::engine::{self, Calls, Cleaning, Profile, Ticker};
use crate::loaded::Shelf;

/// What decides in which tier an artifact runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) calls: Calls,
    pub(crate) cleaning: Cleaning,
}

/// An engine and what is loaded in it.
pub(crate) struct Tier {
    pub(crate) engine: Engine,
    pub(crate) shelf: Shelf,
}

/// All tiers of a sandbox. Each is made when the first artifact needs it: it reserves address
/// space, not memory.
pub(crate) struct Tiers {
    profile: Profile,
    places: u32,
    /// By [`Calls`], which decides what the machine code looks like.
    caches: [Cache; Calls::ALL.len()],
    /// By [`Calls`], then [`Cleaning`].
    made: [[OnceLock<Tier>; Cleaning::ALL.len()]; Calls::ALL.len()],
    making: Mutex<()>,
}

impl Tiers {
    pub(crate) fn open(
        (folder, key): (&Path, &Path),
        profile: Profile,
        places: u32,
    ) -> Result<Self, Fault> {
        let open = |calls| {
            let engine = engine::compiler(profile, calls).map_err(internal)?;
            Cache::open(folder, key, &engine, profile)
        };
        let caches = [open(Calls::Sequential)?, open(Calls::Concurrent)?];
        Ok(Self { profile, places, caches, made: Default::default(), making: Mutex::default() })
    }

    /// The compiled artifacts of one kind of machine code.
    pub(crate) const fn cache(&self, calls: Calls) -> &Cache {
        &self.caches[calls as usize]
    }

    /// How guests are compiled.
    pub(crate) const fn profile(&self) -> Profile {
        self.profile
    }

    /// How many guests run at once in a tier.
    pub(crate) const fn places(&self) -> u32 {
        self.places
    }

    /// The tier for a kind of artifacts.
    pub(crate) fn tier(&self, kind: Kind, ticker: &Ticker) -> Result<&Tier, Fault> {
        let made = &self.made[kind.calls as usize][kind.cleaning as usize];
        if let Some(tier) = made.get() {
            return Ok(tier);
        }
        // Two may come first at once, and an engine is too much address space to make in vain.
        let _one = self.making.lock();
        if let Some(tier) = made.get() {
            return Ok(tier);
        }
        let engine = engine::runner(self.profile, kind, self.places)?;
        let shelf = Shelf::new(engine.clone(), kind, node::LOADED).map_err(internal)?;
        ticker.add(engine.clone());
        tracing::debug!(?kind, "a tier is made");
        Ok(made.get_or_init(|| Tier { engine, shelf }))
    }
}

/// Who may still enter a tier whose places keep their pages.
pub(crate) struct Room {
    places: Option<Arc<Semaphore>>,
    /// Whether it is worth waiting for a place.
    waits: bool,
    /// How many of those inside wait for something themselves.
    resting: AtomicU32,
    /// How many have left.
    left: AtomicU64,
}

/// Held by a guest that is in.
pub(crate) struct Entered(Arc<Room>, #[expect(dead_code, reason = "held")] Option<Permit>);

type Permit = OwnedSemaphorePermit;

impl Room {
    pub(crate) fn of(cleaning: Cleaning) -> Arc<Self> {
        let places = cleaning.places().map(|places| Arc::new(Semaphore::new(places as usize)));
        let (resting, left) = (AtomicU32::new(0), AtomicU64::new(0));
        Arc::new(Self { places, waits: cleaning.waits(), resting, left })
    }

    /// Whether it is worth waiting for a place in it.
    pub(crate) const fn waits(&self) -> bool {
        self.waits
    }

    /// Whether it can be full.
    pub(crate) const fn is_bounded(&self) -> bool {
        self.places.is_some()
    }

    /// `None` when there is no place and none is to be had soon.
    pub(crate) async fn enter(self: &Arc<Self>, settlement: &Settlement) -> Option<Entered> {
        let Some(places) = &self.places else { return Some(Entered(Arc::clone(self), None)) };
        let permit = match Arc::clone(places).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if self.waits => {
                let since = clock::now();
                let permit = self.wait(places).await;
                settlement.queue_ns.fetch_add(nanos(clock::now() - since), Relaxed);
                permit?
            }
            Err(_) => return None,
        };
        Some(Entered(Arc::clone(self), Some(permit)))
    }

    /// Waits as long as those inside compute and keep leaving: the processor is what is short
    /// then. One that waits for something itself holds a place without need of it.
    async fn wait(&self, places: &Arc<Semaphore>) -> Option<Permit> {
        let mut permit = pin!(Arc::clone(places).acquire_owned());
        for _ in 0..TURNS {
            if self.resting.load(Relaxed) > 0 {
                return None;
            }
            let before = self.left.load(Relaxed);
            match clock::timeout(PATIENCE, &mut permit).await {
                Ok(permit) => return permit.ok(),
                Err(_) if self.left.load(Relaxed) == before => return None,
                Err(_) => {}
            }
        }
        None
    }

    /// Notes that one of those inside waits for something, or does so no more.
    pub(crate) fn rest(&self, begins: bool) {
        if begins {
            self.resting.fetch_add(1, Relaxed);
        } else {
            self.resting.fetch_sub(1, Relaxed);
        }
    }
}

/// A guest that computes is done within so much time, mostly.
const PATIENCE: Duration = Duration::from_millis(20);
/// Nobody waits longer than so many times that.
const TURNS: u32 = 25;

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.left.fetch_add(1, Relaxed);
    }
}

fn internal(error: wasmtime::Error) -> Fault {
    Fault::new(Code::Internal, format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alula_types::{FunctionName, InvocationId};
    use futures_util::poll;

    struct Nowhere;

    impl alula_types::usage::UsageSink for Nowhere {
        fn record(&self, _record: alula_types::UsageRecord) {}
    }

    fn settlement() -> Arc<Settlement> {
        let name = FunctionName::parse("f").expect("a name");
        Settlement::open(InvocationId::from_parts(1, 1), name, clock::now, Arc::new(Nowhere))
    }

    async fn filled(cleaning: Cleaning) -> (Arc<Room>, Vec<Entered>) {
        let room = Room::of(cleaning);
        let mut inside = Vec::new();
        for _ in 0..cleaning.places().expect("bounded") {
            inside.push(room.enter(&settlement()).await.expect("room"));
        }
        (room, inside)
    }

    #[tokio::test]
    async fn a_tier_that_keeps_pages_takes_so_many_guests_and_no_more() {
        for cleaning in [Cleaning::Copied, Cleaning::LargeCopied] {
            let (room, mut inside) = filled(cleaning).await;
            assert!(room.enter(&settlement()).await.is_none(), "one too many");
            inside.pop();
            assert!(room.enter(&settlement()).await.is_some(), "one has left");
        }
    }

    #[tokio::test]
    async fn who_finds_a_tier_of_large_guests_full_enters_when_one_leaves() {
        let (room, mut inside) = filled(Cleaning::LargeCopied).await;
        let account = settlement();
        let mut waiting = pin!(room.enter(&account));
        assert!(poll!(&mut waiting).is_pending());
        inside.pop();
        assert!(waiting.await.is_some());
        assert!(account.queue_ns.load(Relaxed) > 0, "the wait is metered");
    }

    #[tokio::test]
    async fn nobody_waits_for_those_who_wait_themselves() {
        let (room, _inside) = filled(Cleaning::LargeCopied).await;
        room.rest(true);
        let account = settlement();
        assert!(poll!(pin!(room.enter(&account))).is_ready());
        room.rest(false);
        assert!(poll!(pin!(room.enter(&account))).is_pending());
    }

    #[tokio::test]
    async fn a_tier_that_keeps_nothing_turns_nobody_away() {
        let room = Room::of(Cleaning::Released);
        let mut inside = Vec::new();
        for _ in 0..10_000 {
            inside.push(room.enter(&settlement()).await.expect("room"));
        }
    }
}
