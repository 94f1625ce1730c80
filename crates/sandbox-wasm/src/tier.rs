//! Tiers: engines side by side that differ in what their guests may do and in how their places are
//! made clean. Which one an artifact runs in follows from the artifact, never from its owner.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use alula_types::limits::node;
use alula_types::{Code, Fault};
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
        // Two may come first at once; one of the tiers is dropped again.
        Ok(made.get_or_init(|| Tier { engine, shelf }))
    }
}

/// How many guests may still enter a tier whose places keep their pages: what stays in memory when
/// they are gone is bounded by it.
pub(crate) struct Room(Option<AtomicU32>);

/// Held by a guest that is in.
pub(crate) struct Entered(Arc<Room>);

impl Room {
    pub(crate) fn of(cleaning: Cleaning) -> Arc<Self> {
        Arc::new(Self(cleaning.places().map(AtomicU32::new)))
    }

    /// `None` when it is full.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Entered> {
        if let Some(left) = &self.0 {
            left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).ok()?;
        }
        Some(Entered(Arc::clone(self)))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(left) = &self.0.0 {
            left.fetch_add(1, Relaxed);
        }
    }
}

fn internal(error: wasmtime::Error) -> Fault {
    Fault::new(Code::Internal, format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_that_keeps_pages_takes_so_many_guests_and_no_more() {
        let room = Room::of(Cleaning::LargeCopied);
        let all = Cleaning::LargeCopied.places().expect("bounded");
        let mut inside: Vec<_> = (0..all).map(|_| room.enter().expect("room")).collect();
        assert!(room.enter().is_none(), "one too many");
        inside.pop();
        assert!(room.enter().is_some(), "one has left");
    }

    #[test]
    fn a_tier_that_keeps_nothing_turns_nobody_away() {
        let room = Room::of(Cleaning::Released);
        let inside: Vec<_> = (0..10_000).map_while(|_| room.enter()).collect();
        assert_eq!(inside.len(), 10_000);
    }
}
