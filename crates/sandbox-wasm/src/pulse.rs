//! The life signs of one run: how long it may go on, how much CPU it took, whether it is still
//! wanted.
//!
//! Shared by the guest's store (whose epoch callback asks), the future that polls the run, and the
//! response body (whose end or early drop changes what the run may still do).

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use alula_rt::clock;
use alula_types::usage::nanos;
use alula_types::{Code, Fault, Settlement};
use futures_util::task::AtomicWaker;
use rustix::time::{ClockId, clock_gettime};

use crate::stop::Stop;
use crate::tier::Room;

/// The life signs of one run.
pub(crate) struct Pulse {
    pub(crate) settlement: Arc<Settlement>,
    began: Instant,
    /// Nanoseconds after `began` at which the run must end.
    deadline_ns: AtomicU64,
    /// CPU time of the run before the poll that is under way.
    cpu_before_ns: AtomicU64,
    /// The thread's CPU clock when the poll under way began.
    poll_began_ns: AtomicU64,
    cpu_budget_ns: u64,
    busy: AtomicBool,
    phase: AtomicU8,
    /// Why the run ended, once it did for a reason of its own.
    end: OnceLock<Fault>,
    waker: AtomicWaker,
    /// The room that the guest is in, if it matters to others whether it waits for something.
    room: OnceLock<Arc<Room>>,
    /// The guest gave up its thread in the midst of its work.
    yielded: AtomicBool,
    resting: AtomicBool,
}

const ANSWERING: u8 = 0;
const ANSWERED: u8 = 1;
const UNWANTED: u8 = 2;

/// A run that takes longer than this in one go leaves the threads that do the input and output.
const BUSY_AFTER: Duration = Duration::from_millis(1);

impl Pulse {
    pub(crate) fn new(settlement: Arc<Settlement>, deadline: Instant, cpu: Duration) -> Arc<Self> {
        let began = clock::now();
        Arc::new(Self {
            settlement,
            began,
            deadline_ns: AtomicU64::new(nanos(deadline.saturating_duration_since(began))),
            cpu_before_ns: AtomicU64::new(0),
            poll_began_ns: AtomicU64::new(0),
            cpu_budget_ns: nanos(cpu),
            busy: AtomicBool::new(false),
            phase: AtomicU8::new(ANSWERING),
            end: OnceLock::new(),
            waker: AtomicWaker::new(),
            room: OnceLock::new(),
            yielded: AtomicBool::new(false),
            resting: AtomicBool::new(false),
        })
    }

    /// When the run must have ended.
    pub(crate) fn deadline(&self) -> Instant {
        self.began + Duration::from_nanos(self.deadline_ns.load(Relaxed))
    }

    /// The waker of whoever polls the run.
    pub(crate) const fn waker(&self) -> &AtomicWaker {
        &self.waker
    }

    /// The response has been sent: what the guest still does is bounded anew.
    pub(crate) fn answered(&self, after_response: Duration) {
        if self.phase.compare_exchange(ANSWERING, ANSWERED, Relaxed, Relaxed).is_ok() {
            let until = clock::now() - self.began + after_response;
            self.deadline_ns.store(nanos(until), Relaxed);
            self.waker.wake();
        }
    }

    /// Nobody waits for the response any more: the run ends.
    pub(crate) fn unwanted(&self) {
        if self.phase.compare_exchange(ANSWERING, UNWANTED, Relaxed, Relaxed).is_ok() {
            self.settlement.failed(Code::Cancelled);
            self.waker.wake();
        }
    }

    /// Whether nobody waits for the response any more.
    pub(crate) fn is_unwanted(&self) -> bool {
        self.phase.load(Relaxed) == UNWANTED
    }

    /// Notes why the run ended; the first reason stays.
    pub(crate) fn ended(&self, fault: Fault) {
        self.settlement.failed(fault.code);
        // A second reason is a consequence of the first.
        drop(self.end.set(fault));
    }

    /// Why the run ended, when it was for a reason of its own.
    pub(crate) fn end(&self) -> Option<&Fault> {
        self.end.get()
    }

    /// Notes in which room the guest is.
    pub(crate) fn entered(&self, room: &Arc<Room>) {
        if room.waits() {
            // A guest enters one room only.
            let _ = self.room.set(Arc::clone(room));
        }
    }

    /// Notes that the guest is not done: it waits for something, unless it only gave up its thread.
    pub(crate) fn pending(&self) {
        if let Some(room) = self.room.get()
            && !self.yielded.swap(false, Relaxed)
            && !self.resting.swap(true, Relaxed)
        {
            room.rest(true);
        }
    }

    fn rested(&self) {
        if let Some(room) = self.room.get()
            && self.resting.swap(false, Relaxed)
        {
            room.rest(false);
        }
    }

    /// Notes that a poll of the run begins on this thread.
    pub(crate) fn poll_begins(&self) {
        self.rested();
        self.poll_began_ns.store(thread_cpu_ns(), Relaxed);
    }

    /// Notes that the poll ended.
    pub(crate) fn poll_ends(&self) {
        let used = self.cpu_ns();
        self.cpu_before_ns.store(used, Relaxed);
        self.settlement.cpu_ns.store(used, Relaxed);
    }

    fn cpu_ns(&self) -> u64 {
        let polled = thread_cpu_ns().saturating_sub(self.poll_began_ns.load(Relaxed));
        self.cpu_before_ns.load(Relaxed) + polled
    }

    /// Whether the guest has to stop, asked from within its own run at each epoch.
    pub(crate) fn check(&self) -> Result<(), Stop> {
        self.yielded.store(true, Relaxed);
        let used = self.cpu_ns();
        let in_one_go = used - self.cpu_before_ns.load(Relaxed);
        if in_one_go >= nanos(BUSY_AFTER) {
            self.busy.store(true, Relaxed);
        }
        if used > self.cpu_budget_ns {
            return Err(Stop::Cpu);
        }
        if clock::now() >= self.deadline() { Err(self.overdue()) } else { Ok(()) }
    }

    /// Which stop a passed deadline is.
    pub(crate) fn overdue(&self) -> Stop {
        match self.phase.load(Relaxed) {
            ANSWERED => Stop::AfterResponse,
            _ => Stop::Deadline,
        }
    }

    /// Whether the run is one that computes for long; asking forgets it.
    pub(crate) fn take_busy(&self) -> bool {
        self.busy.load(Relaxed) && self.busy.swap(false, Relaxed)
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.rested();
    }
}

/// CPU time of this thread: unlike the wall clock it does not count what others ran meanwhile.
fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
