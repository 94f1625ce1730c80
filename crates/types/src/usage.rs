//! What one invocation cost: counted while it runs, recorded exactly once when its last holder lets
//! go.
//!
//! The gateway and the sandbox share one [`Settlement`]. Whatever happens (answer, error,
//! disconnect, panic) both drop their share, and the last drop makes the record: no path can forget
//! it or do it twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::error::{Class, Code};
use crate::id::{FunctionName, InvocationId};

/// How the place for an invocation came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Start {
    /// Nothing ran: refused before a place was found.
    None = 0,
    /// The artifact had to be loaded first.
    Cold = 1,
    /// A new instance of a loaded artifact.
    Fresh = 2,
    /// An instance that served before.
    Warm = 3,
}

impl Start {
    /// The word used in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Cold => "cold",
            Self::Fresh => "fresh",
            Self::Warm => "warm",
        }
    }
}

/// How an invocation ended, for the meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutcomeClass {
    /// The function answered.
    Completed,
    /// It ended with an error of this code.
    Failed(Code),
}

impl OutcomeClass {
    /// The word used in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed(Code::Cancelled) => "cancelled",
            Self::Failed(code) => match code.row().class {
                Class::User => "failed",
                other => other.as_str(),
            },
        }
    }
}

/// What one invocation cost.
#[derive(Debug, Clone)]
pub struct UsageRecord {
    /// Which invocation.
    pub invocation: InvocationId,
    /// Which function.
    pub function: FunctionName,
    /// How it ended.
    pub outcome: OutcomeClass,
    /// The HTTP status sent, 0 when there was none.
    pub status: u16,
    /// How its place came to be.
    pub start: Start,
    /// From the request head to the last byte and the end of the guest's work.
    pub wall: Duration,
    /// Time the guest's own code ran.
    pub cpu: Duration,
    /// Time spent waiting for a place.
    pub queue: Duration,
    /// Time spent loading the artifact.
    pub load: Duration,
    /// Time spent making the instance.
    pub instantiate: Duration,
    /// From the request head to the response head.
    pub first_byte: Duration,
    /// Largest memory held at once, in bytes.
    pub memory_peak_bytes: u64,
    /// Memory held integrated over time, in MiB·ms.
    pub memory_mib_ms: u64,
    /// Request body bytes read by the function.
    pub bytes_in: u64,
    /// Response body bytes taken from the function.
    pub bytes_out: u64,
}

/// Takes finished records. Called on the thread that ended the invocation: must be fast and never
/// wait.
pub trait UsageSink: Send + Sync {
    /// Takes one record.
    fn record(&self, record: UsageRecord);
}

/// The running account of one invocation. Times are kept in nanoseconds.
pub struct Settlement {
    /// Which invocation.
    pub invocation: InvocationId,
    /// Which function.
    pub function: FunctionName,
    /// When the request head had been read.
    pub started: Instant,
    now: fn() -> Instant,
    sink: Arc<dyn UsageSink>,
    start: AtomicU8,
    failure: AtomicU16,
    status: AtomicU16,
    /// Time the guest's own code ran, in nanoseconds.
    pub cpu_ns: AtomicU64,
    /// Time spent waiting for a place, in nanoseconds.
    pub queue_ns: AtomicU64,
    /// Time spent loading the artifact, in nanoseconds.
    pub load_ns: AtomicU64,
    /// Time spent making the instance, in nanoseconds.
    pub instantiate_ns: AtomicU64,
    /// Time to the response head, in nanoseconds.
    pub first_byte_ns: AtomicU64,
    /// Largest memory held at once, in bytes.
    pub memory_peak_bytes: AtomicU64,
    /// Memory held integrated over time, in MiB·ms.
    pub memory_mib_ms: AtomicU64,
    /// Request body bytes read by the function.
    pub bytes_in: AtomicU64,
    /// Response body bytes taken from the function.
    pub bytes_out: AtomicU64,
}

const NO_FAILURE: u16 = u16::MAX;

impl Settlement {
    /// Opens the account of an invocation that begins now.
    pub fn open(
        invocation: InvocationId,
        function: FunctionName,
        now: fn() -> Instant,
        sink: Arc<dyn UsageSink>,
    ) -> Arc<Self> {
        Arc::new(Self {
            invocation,
            function,
            started: now(),
            now,
            sink,
            start: AtomicU8::new(Start::None as u8),
            failure: AtomicU16::new(NO_FAILURE),
            status: AtomicU16::new(0),
            cpu_ns: AtomicU64::new(0),
            queue_ns: AtomicU64::new(0),
            load_ns: AtomicU64::new(0),
            instantiate_ns: AtomicU64::new(0),
            first_byte_ns: AtomicU64::new(0),
            memory_peak_bytes: AtomicU64::new(0),
            memory_mib_ms: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
        })
    }

    /// Notes how the place came to be.
    pub fn started_as(&self, start: Start) {
        self.start.store(start as u8, Relaxed);
    }

    /// Notes a failure; the first one stays.
    pub fn failed(&self, code: Code) {
        // A later failure is a consequence of the first.
        let _ = self.failure.compare_exchange(NO_FAILURE, code as u16, Relaxed, Relaxed);
    }

    /// Notes the HTTP status and the time to the response head.
    pub fn answered(&self, status: u16) {
        self.status.store(status, Relaxed);
        let elapsed = (self.now)().saturating_duration_since(self.started);
        self.first_byte_ns.store(nanos(elapsed), Relaxed);
    }

    /// How the invocation stands now.
    pub fn outcome(&self) -> OutcomeClass {
        let failure = self.failure.load(Relaxed);
        match crate::error::TABLE.get(usize::from(failure)) {
            Some(row) => OutcomeClass::Failed(row.code),
            None => OutcomeClass::Completed,
        }
    }

    /// How the place came to be.
    pub fn start(&self) -> Start {
        match self.start.load(Relaxed) {
            1 => Start::Cold,
            2 => Start::Fresh,
            3 => Start::Warm,
            _ => Start::None,
        }
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        let time = |ns: &AtomicU64| Duration::from_nanos(ns.load(Relaxed));
        self.sink.record(UsageRecord {
            invocation: self.invocation,
            function: self.function.clone(),
            outcome: self.outcome(),
            status: self.status.load(Relaxed),
            start: self.start(),
            wall: (self.now)().saturating_duration_since(self.started),
            cpu: time(&self.cpu_ns),
            queue: time(&self.queue_ns),
            load: time(&self.load_ns),
            instantiate: time(&self.instantiate_ns),
            first_byte: time(&self.first_byte_ns),
            memory_peak_bytes: self.memory_peak_bytes.load(Relaxed),
            memory_mib_ms: self.memory_mib_ms.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
        });
    }
}

impl std::fmt::Debug for Settlement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settlement").field("invocation", &self.invocation).finish_non_exhaustive()
    }
}

/// A duration in nanoseconds, saturating after 584 years.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
