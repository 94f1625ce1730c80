//! Every default limit, with its reason. Nothing else in the project makes up a number of this
//! kind.

use std::time::Duration;

use crate::units::ByteSize;

/// The limits of one function. A manifest may change each within the node's own bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Sum of all memories of an instance.
    pub memory: ByteSize,
    /// Elements of all tables of an instance together.
    pub table_elements: u32,
    /// Core instances in one component instance.
    pub instances: u32,
    /// Wall time from the request head to the last byte.
    pub timeout: Duration,
    /// Time the guest's own code may run.
    pub cpu: Duration,
    /// Bytes that a guest may pass in one host call.
    pub host_call: ByteSize,
    /// Handles that a guest may hold at once.
    pub handles: u32,
    /// Log bytes per second; more are dropped and counted.
    pub log_rate: ByteSize,
    /// Bytes of a request body.
    pub body: ByteSize,
    /// Bytes of a response body.
    pub response: ByteSize,
    /// Invocations at the same time.
    pub instances_max: u32,
    /// Requests that may wait for a place.
    pub queue: u32,
    /// How long one may wait.
    pub queue_wait: Duration,
    /// How long a guest may go on after its response has been sent.
    pub after_response: Duration,
    /// Outbound connections at the same time.
    pub outbound: u32,
}

impl Limits {
    /// What a function gets when its manifest says nothing.
    pub const DEFAULT: Self = Self {
        // Fits CPython and its libraries; 150 such instances fit the smallest machine we aim at.
        memory: ByteSize::mib(128),
        // A debug build of a large language runtime needs some ten thousand.
        table_elements: 100_000,
        // The most composed components seen have a few dozen core instances.
        instances: 200,
        // What people expect of a web request; jobs get their own.
        timeout: Duration::from_secs(30),
        // A third of the timeout: a request that computes for longer belongs into a job.
        cpu: Duration::from_secs(10),
        // Enough for one large write, small enough that a thousand guests cannot exhaust the host.
        host_call: ByteSize::mib(16),
        // A guest that holds more leaks them.
        handles: 10_000,
        // 64 KiB a second is some 600 lines; more hides what matters.
        log_rate: ByteSize::kib(64),
        // Bodies stream, so this only stops the endless ones.
        body: ByteSize::mib(1_024),
        response: ByteSize::mib(1_024),
        // Half of the engine's places, so that one function cannot take all.
        instances_max: 500,
        // Two turns of all places: longer queues only add waiting to a lost race.
        queue: 1_000,
        // A client that waits longer has usually given up.
        queue_wait: Duration::from_secs(5),
        // Enough to write a log line or send an event; longer work belongs into a queue.
        after_response: Duration::from_secs(30),
        // A page that fetches more at once starves its neighbours.
        outbound: 64,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// When a reused (`reuse = "warm"`) instance is retired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarmLimits {
    /// Requests one instance serves.
    pub requests: u32,
    /// How old it may get.
    pub age: Duration,
    /// How long it may lie idle.
    pub idle: Duration,
}

impl WarmLimits {
    /// What a warm function gets when its manifest says nothing.
    pub const DEFAULT: Self = Self {
        // Bounds what a slow leak can hold, and costs a thousandth of a start per request.
        requests: 1_000,
        // An hour bounds how long a corrupted state can live.
        age: Duration::from_secs(3_600),
        // Longer than the gaps of an active client, short enough to give memory back.
        idle: Duration::from_secs(10),
    };
}

impl Default for WarmLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The limits of one node, whatever runs on it.
pub mod node {
    use super::{ByteSize, Duration};

    /// Places in the engine's pool. One reserves about 6 GiB of address space, of which 47 bits
    /// hold 20,000.
    pub const PLACES: u32 = 1_000;
    /// Bytes of one artifact.
    pub const ARTIFACT: ByteSize = ByteSize::mib(256);
    /// Machine code kept loaded; the least recently used is dropped first.
    pub const LOADED: ByteSize = ByteSize::mib(1_024);
    /// CPU time to compile one artifact; the largest language runtime takes about 10 s, and some
    /// 40 s with a compiler that checks itself.
    pub const COMPILE_CPU: Duration = Duration::from_secs(240);
    /// Wall time to compile one artifact: the compiler runs only when nobody else wants to.
    pub const COMPILE_TIME: Duration = Duration::from_secs(900);
    /// Memory to compile one artifact; the largest language runtime takes about 0.4 GiB.
    pub const COMPILE_MEMORY: ByteSize = ByteSize::mib(4_096);
    /// How often a running guest is asked to let others run.
    pub const EPOCH_TICK: Duration = Duration::from_millis(1);
}

/// The limits of the gateway's connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayLimits {
    /// Bytes of a request head.
    pub head: ByteSize,
    /// Header fields of a request.
    pub headers: u32,
    /// Time to receive a request head.
    pub head_timeout: Duration,
    /// Longest pause between two pieces of a request body.
    pub body_timeout: Duration,
    /// How long a connection may lie idle.
    pub idle: Duration,
    /// Connections at the same time.
    pub connections: u32,
    /// Streams at the same time on one HTTP/2 connection.
    pub streams: u32,
    /// Longest time a client may leave the response unread.
    pub write_timeout: Duration,
    /// How long running requests may take to end at shutdown.
    pub grace: Duration,
}

impl GatewayLimits {
    /// What a gateway gets when its configuration says nothing.
    pub const DEFAULT: Self = Self {
        // What the common servers and proxies accept.
        head: ByteSize::kib(64),
        headers: 100,
        // A client that needs longer is broken or hostile.
        head_timeout: Duration::from_secs(10),
        body_timeout: Duration::from_secs(30),
        // Longer than the keep-alive of common load balancers, so that they close first.
        idle: Duration::from_secs(75),
        // Each costs about 20 KiB and a file descriptor.
        connections: 10_000,
        // The recommendation of RFC 9113 section 6.5.2 is at least 100.
        streams: 250,
        write_timeout: Duration::from_secs(60),
        grace: Duration::from_secs(30),
    };
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What the gateway does by the piece; no configuration changes these.
pub mod edge {
    use super::{ByteSize, Duration};

    /// Bytes of a response that wait in one connection before its body is asked for more.
    ///
    /// Two rounds of a loopback socket's buffer: more only adds memory per slow client.
    pub const WRITE_BUFFER: ByteSize = ByteSize::kib(128);
    /// Bytes of a static file read at once; a page fault's worth of work per hop to a blocking
    /// thread.
    pub const FILE_CHUNK: ByteSize = ByteSize::kib(128);
    /// How long what a refused client still sends is read and thrown away, because closing at once
    /// would reset the connection and lose the refusal on its way.
    pub const LINGER: Duration = Duration::from_secs(1);
    /// Bytes thrown away in that time.
    pub const LINGER_BYTES: ByteSize = ByteSize::mib(1);
    /// Pause of the accepting loop when the system has no more sockets to give.
    pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
}
