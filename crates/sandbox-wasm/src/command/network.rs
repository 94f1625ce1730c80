//! Raw sockets within their grants: which addresses a guest may use and which names it may look up.
//!
//! The decision is made about the very address that is then used. A grant by name covers the
//! addresses that the name has: those the guest was told by its own lookup, and those found when it
//! connects to an address it got elsewhere.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use alula_policy::NetGrants;
use alula_policy::net::canonical;
use parking_lot::Mutex;
use wasmtime::component::{Accessor, HasData, Linker, Resource};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup as p2;
use wasmtime_wasi::p2::bindings::sockets::network::{
    self as p2_network, ErrorCode, IpAddress, Network as Instance,
};
use wasmtime_wasi::p2::{DynPollable, SocketError};
use wasmtime_wasi::p3::bindings::sockets::{ip_name_lookup as p3, types as p3_types};
use wasmtime_wasi::sockets::{SocketAddrUse, WasiSockets, WasiSocketsCtxView, WasiSocketsView};

/// Addresses and peers remembered; a guest that meets more asks again or is not answered.
const REMEMBERED: usize = 4_096;

/// The grants of one command and what it has learnt under them.
pub(crate) struct Network {
    grants: NetGrants,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The names whose lookup gave an address.
    names: HashMap<IpAddr, Vec<Arc<str>>>,
    /// Whether the guest bound a granted local port for datagrams, as a server does.
    serves_udp: bool,
    /// Who sent the server a datagram and may be answered.
    peers: HashSet<SocketAddr>,
    /// The names of running lookups, by the handle of their stream.
    lookups: HashMap<u32, Arc<str>>,
}

/// Gives the guest what the grants say: nothing, everything, or what is checked call by call.
pub(crate) fn grant(wasi: &mut WasiCtxBuilder, grants: Option<&NetGrants>) -> Option<Arc<Network>> {
    let grants = grants?;
    wasi.allow_tcp(true).allow_udp(true).allow_ip_name_lookup(true);
    if grants.is_anywhere() {
        wasi.inherit_network();
        return None;
    }
    let network = Arc::new(Network { grants: grants.clone(), seen: Mutex::default() });
    let checker = Arc::clone(&network);
    wasi.socket_addr_check(move |address, usage| {
        let network = Arc::clone(&checker);
        Box::pin(async move { network.permits(address, usage).await })
    });
    Some(network)
}

impl Network {
    async fn permits(&self, address: SocketAddr, usage: SocketAddrUse) -> bool {
        match usage {
            // The system picks the port when one connects; listening on it is asked about
            // separately.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind if address.port() == 0 => true,
            // Whoever may listen may be called.
            SocketAddrUse::TcpAccept => true,
            SocketAddrUse::TcpBind | SocketAddrUse::TcpListen | SocketAddrUse::TcpConnect => {
                self.granted(address).await
            }
            SocketAddrUse::UdpBind => {
                let granted = self.granted(address).await;
                self.seen.lock().serves_udp |= granted;
                granted
            }
            SocketAddrUse::UdpSend => self.is_peer(address) || self.granted(address).await,
            SocketAddrUse::UdpReceive => self.admit_peer(address) || self.granted(address).await,
        }
    }

    async fn granted(&self, address: SocketAddr) -> bool {
        if self.known(address) {
            return true;
        }
        let names: Vec<String> = self.grants.names(address.port()).map(str::to_owned).collect();
        for name in names {
            // A name that has no address now grants none.
            if let Ok(found) = tokio::net::lookup_host((name.as_str(), 0)).await {
                self.learn(&name, found.map(|it| it.ip()));
            }
        }
        self.known(address)
    }

    fn known(&self, address: SocketAddr) -> bool {
        let seen = self.seen.lock();
        let names = seen.names.get(&address.ip().to_canonical());
        self.grants.permits(address, |is| names.is_some_and(|them| them.iter().any(|it| is(it))))
    }

    fn learn(&self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        let name: Arc<str> = canonical(name).into();
        let mut seen = self.seen.lock();
        for address in addresses {
            let address = address.to_canonical();
            if seen.names.len() >= REMEMBERED && !seen.names.contains_key(&address) {
                return;
            }
            let names = seen.names.entry(address).or_default();
            if !names.contains(&name) && names.len() < REMEMBERED {
                names.push(Arc::clone(&name));
            }
        }
    }

    fn is_peer(&self, address: SocketAddr) -> bool {
        self.seen.lock().peers.contains(&address)
    }

    fn admit_peer(&self, address: SocketAddr) -> bool {
        let mut seen = self.seen.lock();
        if seen.serves_udp && seen.peers.len() < REMEMBERED {
            seen.peers.insert(address);
        }
        seen.serves_udp
    }
}

/// The state of a guest whose sockets are checked.
pub(crate) trait Networked: WasiSocketsView + 'static {
    /// What checks them; `None` when everything or nothing is granted.
    fn network(&self) -> Option<Arc<Network>>;
}

/// Puts the checked lookups of WASI 0.2 in the place of the engine's.
pub(crate) fn link_two<T: Networked>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    p2::add_to_linker::<T, Lookups>(linker, view)
}

/// The same for WASI 0.3.
pub(crate) fn link_three<T: Networked>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    p3::add_to_linker::<T, Lookups>(linker, view)
}

struct Lookups;

impl HasData for Lookups {
    type Data<'a> = View<'a>;
}

struct View<'a> {
    network: Option<Arc<Network>>,
    sockets: WasiSocketsCtxView<'a>,
}

fn view<T: Networked>(state: &mut T) -> View<'_> {
    View { network: state.network(), sockets: state.sockets() }
}

impl p2::Host for View<'_> {
    fn resolve_addresses(
        &mut self,
        instance: Resource<Instance>,
        name: String,
    ) -> Result<Resource<p2::ResolveAddressStream>, SocketError> {
        if let Some(network) = &self.network
            && !network.grants.permits_lookup(&name)
        {
            return Err(ErrorCode::AccessDenied.into());
        }
        let stream = p2::Host::resolve_addresses(&mut self.sockets, instance, name.clone())?;
        if let Some(network) = &self.network {
            network.seen.lock().lookups.insert(stream.rep(), name.into());
        }
        Ok(stream)
    }
}

impl p2_network::Host for View<'_> {
    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        p2_network::Host::network_error_code(&mut self.sockets, error)
    }

    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        p2_network::Host::convert_error_code(&mut self.sockets, error)
    }
}

impl p2_network::HostNetwork for View<'_> {
    fn drop(&mut self, instance: Resource<Instance>) -> wasmtime::Result<()> {
        p2_network::HostNetwork::drop(&mut self.sockets, instance)
    }
}

impl p2::HostResolveAddressStream for View<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<p2::ResolveAddressStream>,
    ) -> Result<Option<IpAddress>, SocketError> {
        let rep = stream.rep();
        let found = p2::HostResolveAddressStream::resolve_next_address(&mut self.sockets, stream)?;
        if let (Some(network), Some(address)) = (&self.network, found) {
            let name = network.seen.lock().lookups.get(&rep).cloned();
            if let Some(name) = name {
                network.learn(&name, [ip(address)]);
            }
        }
        Ok(found)
    }

    fn subscribe(
        &mut self,
        stream: Resource<p2::ResolveAddressStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        p2::HostResolveAddressStream::subscribe(&mut self.sockets, stream)
    }

    fn drop(&mut self, stream: Resource<p2::ResolveAddressStream>) -> wasmtime::Result<()> {
        if let Some(network) = &self.network {
            network.seen.lock().lookups.remove(&stream.rep());
        }
        p2::HostResolveAddressStream::drop(&mut self.sockets, stream)
    }
}

fn ip(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4((a, b, c, d)) => IpAddr::from([a, b, c, d]),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => IpAddr::from([a, b, c, d, e, f, g, h]),
    }
}

impl p3::Host for View<'_> {}

impl<T: Networked> p3::HostWithStore<T> for Lookups {
    async fn resolve_addresses(
        store: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<Vec<p3_types::IpAddress>, p3::ErrorCode>> {
        let network = store.with(|mut access| access.get().network);
        if let Some(network) = &network
            && !network.grants.permits_lookup(&name)
        {
            return Ok(Err(p3::ErrorCode::AccessDenied));
        }
        let sockets = store.with_getter::<WasiSockets>(|state| state.sockets());
        let found = p3::HostWithStore::resolve_addresses(&sockets, name.clone()).await?;
        if let (Some(network), Ok(addresses)) = (network, &found) {
            network.learn(&name, addresses.iter().copied().map(IpAddr::from));
        }
        Ok(found)
    }
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
