//! Tiers: engines side by side that differ in what their guests may do and in how their places are
//! made clean. Which one an artifact runs in follows from the artifact, never from its owner.

use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use alula_rt::clock;
use alula_types::limits::node;
use alula_types::{Code, Fault};
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
        Ok(Self { profile, places, caches, made: Default::default() })
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
        let engine = engine::runner(self.profile, kind, self.places)?;
        let shelf = Shelf::new(engine.clone(), kind, node::LOADED).map_err(internal)?;
        ticker.add(engine.clone());
        tracing::debug!(?kind, "a tier is made");
        // Two may come first at once; one of the tiers is dropped again.
        Ok(made.get_or_init(|| Tier { engine, shelf }))
    }
}

/// Who may still enter a tier whose places keep their pages: what stays in memory when all are gone
/// is bounded by it.
pub(crate) struct Room {
    places: Option<Arc<Semaphore>>,
    /// How many have left.
    left: AtomicU64,
    waits: bool,
}

/// Held by a guest that is in.
pub(crate) struct Entered(Arc<Room>, #[expect(dead_code, reason = "held")] Option<Permit>);

type Permit = OwnedSemaphorePermit;

impl Room {
    pub(crate) fn of(cleaning: Cleaning) -> Arc<Self> {
        let places = cleaning.places().map(|places| Arc::new(Semaphore::new(places as usize)));
        Arc::new(Self { places, left: AtomicU64::new(0), waits: cleaning.waits() })
    }

    /// `None` when there is no place and nobody seems to leave soon.
    pub(crate) async fn enter(self: &Arc<Self>) -> Option<Entered> {
        let Some(places) = &self.places else { return Some(Entered(Arc::clone(self), None)) };
        let permit = match Arc::clone(places).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if self.waits => self.wait(places).await?,
            Err(_) => return None,
        };
        Some(Entered(Arc::clone(self), Some(permit)))
    }

    /// Waits as long as guests keep leaving. Those who compute do; those who wait for something do
    /// not.
    async fn wait(&self, places: &Arc<Semaphore>) -> Option<Permit> {
        let mut permit = pin!(Arc::clone(places).acquire_owned());
        loop {
            let before = self.left.load(Relaxed);
            match clock::timeout(PATIENCE, &mut permit).await {
                Ok(permit) => return permit.ok(),
                Err(_) if self.left.load(Relaxed) == before => return None,
                Err(_) => {}
            }
        }
    }
}

/// A guest that computes is done within so much time, mostly.
const PATIENCE: Duration = Duration::from_millis(20);

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

    #[tokio::test]
    async fn a_tier_that_keeps_pages_takes_so_many_guests_and_no_more() {
        for cleaning in [Cleaning::Copied, Cleaning::LargeCopied] {
            let room = Room::of(cleaning);
            let mut inside = Vec::new();
            for _ in 0..cleaning.places().expect("bounded") {
                inside.push(room.enter().await.expect("room"));
            }
            assert!(room.enter().await.is_none(), "one too many");
            inside.pop();
            assert!(room.enter().await.is_some(), "one has left");
        }
    }

    #[tokio::test]
    async fn who_finds_a_tier_of_large_guests_full_enters_when_one_leaves() {
        let room = Room::of(Cleaning::LargeCopied);
        let mut inside = Vec::new();
        for _ in 0..Cleaning::LargeCopied.places().expect("bounded") {
            inside.push(room.enter().await.expect("room"));
        }
        let mut waiting = pin!(room.enter());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        inside.pop();
        assert!(waiting.await.is_some());
    }

    #[tokio::test]
    async fn a_tier_that_keeps_nothing_turns_nobody_away() {
        let room = Room::of(Cleaning::Released);
        let mut inside = Vec::new();
        for _ in 0..10_000 {
            inside.push(room.enter().await.expect("room"));
        }
    }
}
