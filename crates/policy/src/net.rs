//! Raw sockets: which hosts and ports a guest may reach or listen on, and which names it may look
//! up.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

/// The compiled list of `HOST:PORT` entries.
///
/// `HOST` is a name, `*.` and a domain for its subdomains, an address, a network such as
/// `10.0.0.0/8`, or `*`; IPv6 stands in brackets. `PORT` is a number or `*`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetGrants {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    host: Host,
    /// `None` is any port.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    Name(String),
    /// With its leading dot.
    Subdomain(String),
    Network(IpNet),
}

/// Why an entry was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetError(String);

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NetError {}

impl NetGrants {
    /// Every address and port, private and loopback ones included.
    pub fn anywhere() -> Self {
        Self { entries: vec![Entry { host: Host::Any, port: None }] }
    }

    /// Compiles a list; the error names the entry and what is wrong with it.
    pub fn compile<S: AsRef<str>>(entries: &[S]) -> Result<Self, NetError> {
        let entries = entries.iter().map(|text| parse(text.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { entries })
    }

    /// Whether everything is granted, so that no check is needed.
    pub fn is_anywhere(&self) -> bool {
        self.entries.iter().any(|entry| entry.host == Host::Any && entry.port.is_none())
    }

    /// Decides about an address. `named` says whether a name's lookup gave this address.
    pub fn permits(
        &self,
        address: SocketAddr,
        named: impl Fn(&dyn Fn(&str) -> bool) -> bool,
    ) -> bool {
        let ip = address.ip().to_canonical();
        self.entries.iter().filter(|entry| entry.takes(address.port())).any(|entry| {
            match &entry.host {
                Host::Any => true,
                Host::Network(network) => network.contains(&ip),
                host @ (Host::Name(_) | Host::Subdomain(_)) => named(&|name| host.matches(name)),
            }
        })
    }

    /// Decides about looking up a name. An address written as a name needs no lookup and is always
    /// permitted.
    pub fn permits_lookup(&self, name: &str) -> bool {
        let name = canonical(name);
        literal(&name).is_some() || self.entries.iter().any(|entry| entry.host.matches(&name))
    }

    /// The exact names granted for a port: whoever connects to an address may mean one of these.
    pub fn names(&self, port: u16) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(move |entry| entry.takes(port)).filter_map(|entry| match &entry
            .host
        {
            Host::Name(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

impl Entry {
    fn takes(&self, port: u16) -> bool {
        self.port.is_none_or(|granted| granted == port)
    }
}

impl Host {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Name(granted) => granted == name,
            Self::Subdomain(domain) => name.len() > domain.len() && name.ends_with(domain.as_str()),
            Self::Network(_) => false,
        }
    }
}

/// A name as it is compared: lower case, without the dot of the root.
pub fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn literal(name: &str) -> Option<IpAddr> {
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    bare.parse().ok()
}

fn parse(text: &str) -> Result<Entry, NetError> {
    let wrong = |what: &str| NetError(format!("`{text}`: {what}"));
    let (host, port) =
        text.rsplit_once(':').ok_or_else(|| wrong("give a port, or `:*` for any"))?;
    let port = match port {
        "*" => None,
        number => match number.parse() {
            Ok(port @ 1..) => Some(port),
            _ => return Err(wrong("the port is a number from 1 to 65535 or `*`")),
        },
    };
    Ok(Entry { host: parse_host(host).map_err(wrong)?, port })
}

fn parse_host(host: &str) -> Result<Host, &'static str> {
    if host == "*" {
        return Ok(Host::Any);
    }
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or("the bracket is not closed")?;
        return network(inner).ok_or("an IPv6 address or network stands in the brackets");
    }
    if let Some(network) = network(host) {
        return match network {
            Host::Network(IpNet::V6(_)) => Err("put IPv6 in brackets"),
            network => Ok(network),
        };
    }
    let (name, wild) = match host.strip_prefix("*.") {
        Some(domain) => (domain, true),
        None => (host, false),
    };
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let name = canonical(name);
    if name.is_empty() || name.len() > 253 || !name.bytes().all(inner) || name.contains("..") {
        return Err("the host is a name, `*.` and a domain, an address, a network or `*`");
    }
    Ok(if wild { Host::Subdomain(format!(".{name}")) } else { Host::Name(name) })
}

fn network(text: &str) -> Option<Host> {
    let network =
        IpNet::from_str(text).ok().or_else(|| IpAddr::from_str(text).ok().map(Into::into));
    network.map(Host::Network)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what a list permits for an address that was found by looking up `name`.
    fn permits(list: &[&str], address: &str, name: &str) -> bool {
        let grants = NetGrants::compile(list).expect("a valid list");
        grants.permits(address.parse().expect("an address"), |is| is(name))
    }

    #[test]
    fn an_address_must_match_host_and_port() {
        let list = ["10.0.0.0/8:5432", "[fd00::/8]:53", "192.0.2.1:*", "db.test:80", "*.a.test:9"];
        for (address, name, expected) in [
            ("10.1.2.3:5432", "", true),
            ("10.1.2.3:5433", "", false),
            ("11.1.2.3:5432", "", false),
            ("[::ffff:10.1.2.3]:5432", "", true),
            ("[fd00::1]:53", "", true),
            ("192.0.2.1:1", "", true),
            ("203.0.113.7:80", "db.test", true),
            ("203.0.113.7:80", "other.test", false),
            ("203.0.113.7:81", "db.test", false),
            ("203.0.113.7:9", "x.a.test", true),
            ("203.0.113.7:9", "a.test", false),
            ("203.0.113.7:9", "xa.test", false),
        ] {
            assert_eq!(permits(&list, address, name), expected, "{address} {name}");
        }
        assert!(permits(&["*:443"], "203.0.113.7:443", ""));
        assert!(!permits(&["*:443"], "203.0.113.7:444", ""));
    }

    #[test]
    fn names_are_looked_up_only_when_granted() {
        let grants = NetGrants::compile(&["DB.test:80", "*.a.test:9"]).expect("valid");
        for (name, expected) in [
            ("db.test", true),
            ("db.TEST.", true),
            ("x.a.test", true),
            ("a.test", false),
            ("evil.test", false),
            ("127.0.0.1", true),
            ("::1", true),
        ] {
            assert_eq!(grants.permits_lookup(name), expected, "{name}");
        }
        assert!(NetGrants::anywhere().permits_lookup("any.test"));
        assert!(NetGrants::anywhere().is_anywhere() && !grants.is_anywhere());
        assert_eq!(grants.names(80).collect::<Vec<_>>(), ["db.test"]);
    }

    #[test]
    fn entries_that_mean_nothing_are_refused() {
        for text in [
            "",
            "host",
            "host:",
            "host:0",
            "host:99999",
            ":80",
            "::1:80",
            "[::1:80",
            "a..b:1",
            "a b:1",
        ] {
            assert!(NetGrants::compile(&[text]).is_err(), "{text}");
        }
    }
}
