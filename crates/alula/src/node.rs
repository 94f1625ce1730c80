//! Puts a node together: the sandbox with its host, the dispatcher, the gateway and its routes.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alula_capability::Host;
use alula_dispatch::Dispatcher;
use alula_gateway::{Answered, Gateway, Observer, Options, TlsFiles};
use alula_rt::{CancellationToken, TaskKind};
use alula_sandbox_wasm::{Compiler, Profile, WasmSandbox};
use alula_telemetry::lines::Answer;
use alula_telemetry::{GuestLine, GuestLog, Line, Lines};
use alula_types::limits::{GatewayLimits, node};
use alula_types::usage::UsageSink;
use alula_types::{Code, Fault};

use crate::cli::{COMPILE, Listen};
use crate::signals::Signals;

/// Opens the sandbox that keeps its compiled artifacts in a data folder.
pub(crate) fn sandbox(
    data: &Path,
    profile: Profile,
    log: Arc<dyn GuestLog>,
) -> Result<Arc<WasmSandbox>, Fault> {
    let program = std::env::current_exe().map_err(|error| {
        Fault::new(Code::FileRefused, format!("finding this program's own file: {error}"))
    })?;
    WasmSandbox::open(alula_sandbox_wasm::Options {
        cache: data.join("compiled"),
        key: data.join("compiled.key"),
        profile,
        places: node::PLACES,
        compiler: Compiler { program, args: vec![COMPILE.into()] },
        host: host(),
        log,
    })
}

/// How guests are compiled, from the flag `--debug`.
pub(crate) const fn profile(debug: bool) -> Profile {
    if debug { Profile::Debug } else { Profile::Standard }
}

/// The provider of everything that guests may call.
pub(crate) fn host() -> Arc<dyn Host> {
    Arc::new(alula_host::Providers::new(alula_host::Options::default()))
}

/// A log for sandboxes that run nothing.
pub(crate) fn silent() -> Arc<dyn GuestLog> {
    struct Silent;
    impl GuestLog for Silent {
        fn line(&self, _line: GuestLine<'_>) {}
    }
    Arc::new(Silent)
}

/// What a gateway of this program needs to know.
pub(crate) struct Edge {
    /// Where to listen, and how.
    pub(crate) socket: Socket,
    /// The limits of its connections.
    pub(crate) limits: GatewayLimits,
    /// Takes usage records.
    pub(crate) usage: Arc<dyn UsageSink>,
    /// Hears of each answer.
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

/// Binds a gateway without routes.
pub(crate) async fn gateway(edge: Edge, dispatcher: &Arc<Dispatcher>) -> Result<Gateway, Fault> {
    let options = Options {
        listen: edge.socket.address,
        tls: edge.socket.tls,
        limits: edge.limits,
        proxies: Vec::new(),
        usage: edge.usage,
        observer: edge.observer,
    };
    Gateway::bind(options, Arc::clone(dispatcher)).await
}

/// Serves until the signals say otherwise: in order after the first, at once after the second.
/// Guests that go on after their response get a grace period of their own.
pub(crate) fn serve(
    gateway: Gateway,
    sandbox: Arc<WasmSandbox>,
    grace: Duration,
    signals: &Signals,
) -> impl Future<Output = ()> + use<> {
    let signals = signals.clone();
    let shutdown: CancellationToken = signals.end.clone();
    let running = alula_rt::spawn(TaskKind::Accept, async move {
        gateway.run(shutdown).await;
        let guests = sandbox.drain(grace).await;
        if guests > 0 {
            tracing::warn!(guests, "the grace period is over; these guests are cut off");
        }
    });
    async move {
        tokio::select! {
            // A panic in it was logged by the hook; there is nothing left to serve then.
            _ = running => {}
            () = signals.leave.cancelled() => {}
        }
    }
}

/// Where a gateway listens, and how.
#[derive(Clone)]
pub(crate) struct Socket {
    address: SocketAddr,
    tls: Option<TlsFiles>,
}

impl Socket {
    /// What the command line asks for.
    pub(crate) fn of(listen: &Listen) -> Result<Self, Fault> {
        let files = listen.tls_cert.clone().zip(listen.tls_key.clone());
        let tls = files.map(|(certificate, key)| TlsFiles { certificate, key });
        Ok(Self { address: address(&listen.address)?, tls })
    }

    /// The beginning of the URLs it serves, once it is bound.
    pub(crate) const fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// Reads `HOST:PORT`.
fn address(text: &str) -> Result<SocketAddr, Fault> {
    let wrong = |why: String| {
        Fault::new(Code::SocketRefused, format!("`{text}` is not an address to listen on: {why}"))
            .hint("write HOST:PORT, for example 127.0.0.1:8080 or [::1]:0")
    };
    let mut found = text.to_socket_addrs().map_err(|error| wrong(error.to_string()))?;
    found.next().ok_or_else(|| wrong("the name has no address".into()))
}

/// Prints a line for each answer.
pub(crate) struct Printer(pub(crate) Arc<Lines>);

impl Observer for Printer {
    fn answered(&self, answer: &Answered<'_>) {
        self.0.push(Line::Answer(Box::new(Answer {
            invocation: answer.invocation,
            function: answer.function.cloned(),
            method: answer.method.as_str().into(),
            path: answer.path.into(),
            status: answer.status,
            elapsed: answer.elapsed,
            start: answer.start,
            outcome: answer.outcome,
        })));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        assert_eq!(address("127.0.0.1:0").unwrap().port(), 0);
        assert!(address("localhost:8080").unwrap().ip().is_loopback());
        assert!(address("[::1]:80").unwrap().is_ipv6());
        for bad in ["", "8080", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000"] {
            assert_eq!(address(bad).unwrap_err().code, Code::SocketRefused, "{bad}");
        }
    }
}
