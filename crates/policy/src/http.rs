//! Outbound HTTP: which origins, and which addresses they may turn out to have.
//!
//! # Grammar of a grant
//!
//! `"*"`, or `scheme "://" host [":" port]`, the URL of an origin without a path:
//!
//! - The scheme is `http`, `https`, or `*` for both.
//! - The host is a name, `*.` and a name for everything below it at any depth (not the name
//!   itself), `*` for every host, an address, or a network such as `10.0.0.0/8`. IPv6 stands in
//!   brackets: `[fd00::/8]`.
//! - The port is a number or `*`; without one it is the scheme's own, 80 or 443.
//! - `"*"` alone is every host, scheme and port.
//!
//! # Decision
//!
//! It has two steps, because a name says nothing about where it leads. [`HttpGrants::decide`] looks
//! at the origin and gives an [`Address`] as evidence; [`Address::permits`] then looks at each
//! address that the name turned out to have. Public addresses are permitted. Those that lead inside
//! (loopback, private, link-local and the other special ranges, see [`crate::address`]) are
//! permitted only if a grant for this scheme and port holds the address literally or in a network:
//! `https://*`, a name, even `localhost`, do not. A name still has to be granted by name: a network
//! grants no names.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::address::is_public;

/// The compiled `grants.http` list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpGrants {
    entries: Vec<Entry>,
    /// Private addresses included.
    anywhere: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    scheme: Scheme,
    host: Host,
    port: Port,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    /// The scheme's own.
    Default,
    This(u16),
    Any,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    Name(String),
    /// With its leading dot.
    Below(String),
    Network(IpNet),
}

/// Why a destination is refused; the text names the missing grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied(pub String);

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Denied {}

/// Evidence that an origin is granted: says which addresses it may resolve to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Address {
    anywhere: bool,
    /// The networks that grants for the same scheme and port hold.
    networks: Vec<IpNet>,
}

impl HttpGrants {
    /// Everything, private addresses included (`alula run --allow-http`).
    pub fn anywhere() -> Self {
        Self { entries: Vec::new(), anywhere: true }
    }

    /// Compiles the grants of a manifest; the error names the entry and what is wrong with it.
    pub fn compile<S: AsRef<str>>(entries: &[S]) -> Result<Self, String> {
        let parse = |text: &S| {
            let text = text.as_ref();
            parse(text).map_err(|wrong| format!("the HTTP grant `{text}`: {wrong}"))
        };
        Ok(Self { entries: entries.iter().map(parse).collect::<Result<_, _>>()?, anywhere: false })
    }

    /// Compiles the list of `alula run --allow-http=…`; see [`expand_hosts`].
    pub fn compile_hosts<S: AsRef<str>>(entries: &[S]) -> Result<Self, String> {
        Self::compile(&expand_hosts(entries))
    }

    /// Whether nothing is granted at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && !self.anywhere
    }

    /// Decides about an origin, before any lookup. The host is a name or an address, IPv6 with or
    /// without brackets.
    pub fn decide(&self, scheme: &str, host: &str, port: u16) -> Result<Address, Denied> {
        if self.anywhere {
            return Ok(Address { anywhere: true, networks: Vec::new() });
        }
        let fitting = || self.entries.iter().filter(|entry| entry.takes(scheme, port));
        let name = canonical(host);
        let literal = literal(&name);
        let granted = fitting().any(|entry| match (&entry.host, literal) {
            (Host::Any, _) => true,
            (Host::Network(network), Some(address)) => network.contains(&address),
            (Host::Network(_), None) | (Host::Name(_) | Host::Below(_), Some(_)) => false,
            (Host::Name(granted), None) => *granted == name,
            (Host::Below(suffix), None) => {
                name.len() > suffix.len() && name.ends_with(suffix.as_str())
            }
        });
        if !granted {
            let origin = origin(scheme, host, port);
            return Err(Denied(format!("`{origin}` is not granted; add it to `grants.http`")));
        }
        let networks = fitting().filter_map(|entry| match entry.host {
            Host::Network(network) => Some(network),
            _ => None,
        });
        Ok(Address { anywhere: false, networks: networks.collect() })
    }
}

impl Address {
    /// Decides about an address the granted host turned out to have.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.anywhere
            || is_public(address)
            || self.networks.iter().any(|network| network.contains(&address))
    }

    /// The refusal of an address that is not permitted, in words.
    pub fn denied(&self, host: &str, address: IpAddr) -> Denied {
        Denied(format!(
            "`{host}` leads to {address}, which is not a public address; grant the address itself or \
             its network in `grants.http`"
        ))
    }
}

impl Entry {
    fn takes(&self, scheme: &str, port: u16) -> bool {
        let own = match (self.scheme, scheme) {
            (Scheme::Http | Scheme::Both, "http") => 80,
            (Scheme::Https | Scheme::Both, "https") => 443,
            _ => return false,
        };
        match self.port {
            Port::Default => port == own,
            Port::This(granted) => port == granted,
            Port::Any => true,
        }
    }
}

/// The hosts of a command line as grants of a manifest: `HOST` is every port and scheme,
/// `HOST:PORT` every scheme, and a grant stays as it is. `localhost` stands for the loopback
/// addresses as well: whoever types it means them.
pub fn expand_hosts<S: AsRef<str>>(entries: &[S]) -> Vec<String> {
    let mut grants = Vec::new();
    for text in entries.iter().map(AsRef::as_ref) {
        if text == "*" || text.contains("://") {
            grants.push(text.to_owned());
            continue;
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (text, "*"),
        };
        grants.push(format!("*://{host}:{port}"));
        if host.eq_ignore_ascii_case("localhost") {
            grants.extend(["127.0.0.0/8", "[::1]"].map(|inside| format!("*://{inside}:{port}")));
        }
    }
    grants
}

fn origin(scheme: &str, host: &str, port: u16) -> String {
    match (scheme, port) {
        ("http", 80) | ("https", 443) => format!("{scheme}://{host}"),
        _ => format!("{scheme}://{host}:{port}"),
    }
}

/// A name as it is compared: lower case, without the dot of the root.
fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok().map(|address: IpAddr| address.to_canonical())
}

fn parse(text: &str) -> Result<Entry, &'static str> {
    if text == "*" {
        return Ok(Entry { scheme: Scheme::Both, host: Host::Any, port: Port::Any });
    }
    let (scheme, rest) = text.split_once("://").ok_or("write it like `https://api.example.com`")?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        "*" => Scheme::Both,
        _ => return Err("the scheme is http, https, or * for both"),
    };
    if rest.contains(['@', '?', '#']) {
        return Err("an origin has a host and perhaps a port, nothing else");
    }
    let (host, port) = match rest.rsplit_once(':') {
        // A colon within brackets belongs to the address.
        Some((host, port)) if !port.ends_with(']') => (host, parse_port(port)?),
        _ => (rest, Port::Default),
    };
    Ok(Entry { scheme, host: parse_host(host)?, port })
}

fn parse_port(text: &str) -> Result<Port, &'static str> {
    match (text, text.parse()) {
        ("*", _) => Ok(Port::Any),
        (_, Ok(port @ 1..)) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(Port::This(port)),
        _ => Err("the port is a number from 1 to 65535 or `*`"),
    }
}

fn parse_host(text: &str) -> Result<Host, &'static str> {
    if text == "*" {
        return Ok(Host::Any);
    }
    if let Some(rest) = text.strip_prefix('[') {
        let inner = rest.strip_suffix(']').ok_or("the bracket is not closed")?;
        return match network(inner)? {
            Some(network @ IpNet::V6(_)) => Ok(Host::Network(network)),
            _ => Err("an IPv6 address or network stands in the brackets"),
        };
    }
    match network(text)? {
        Some(IpNet::V6(_)) => return Err("put IPv6 in brackets"),
        Some(network) => return Ok(Host::Network(network)),
        None => {}
    }
    if text.contains('/') {
        return Err("an origin has no path, and a network looks like 10.0.0.0/8");
    }
    let name = canonical(text);
    let (name, below) = match name.strip_prefix("*.") {
        Some(name) => (name, true),
        None => (name.as_str(), false),
    };
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(inner);
    if name.len() > 253 || !name.split('.').all(label) {
        return Err("the host is a name, `*.` and a name, an address, a network, or `*`");
    }
    Ok(if below { Host::Below(format!(".{name}")) } else { Host::Name(name.to_owned()) })
}

/// An address or a network; bits beyond its length are a mistake of the author.
fn network(text: &str) -> Result<Option<IpNet>, &'static str> {
    if let Ok(address) = IpAddr::from_str(text) {
        return Ok(Some(address.to_canonical().into()));
    }
    match IpNet::from_str(text) {
        Ok(network) if network.trunc() == network => Ok(Some(network)),
        Ok(_) => Err("the network's address has bits beyond its length, as in 10.0.0.1/8"),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether the grants let through an origin that leads to an address.
    #[track_caller]
    fn check(grants: &[&str], url: &str, leads_to: &str, want: bool) {
        let compiled = HttpGrants::compile(grants).expect("valid grants");
        assert_eq!(ask(&compiled, url, leads_to), want, "{grants:?} for {url} at {leads_to}");
    }

    fn ask(grants: &HttpGrants, url: &str, leads_to: &str) -> bool {
        let (scheme, rest) = url.split_once("://").expect("a scheme");
        let (host, port) = rest.rsplit_once(':').expect("a port");
        match grants.decide(scheme, host, port.parse().expect("a port")) {
            Ok(address) => address.permits(leads_to.parse().expect("an address")),
            Err(_) => false,
        }
    }

    const PUBLIC: &str = "93.184.215.14";

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let api = ["https://api.example.com"];
        check(&api, "https://api.example.com:443", PUBLIC, true);
        check(&api, "https://API.Example.com.:443", PUBLIC, true);
        check(&api, "http://api.example.com:80", PUBLIC, false);
        check(&api, "http://api.example.com:443", PUBLIC, false);
        check(&api, "https://api.example.com:8443", PUBLIC, false);
        check(&api, "https://example.com:443", PUBLIC, false);
        check(&api, "https://x.api.example.com:443", PUBLIC, false);
        check(&api, "https://93.184.215.14:443", PUBLIC, false);
        check(&["https://a.b:8443"], "https://a.b:8443", PUBLIC, true);
        check(&["https://a.b:8443"], "https://a.b:443", PUBLIC, false);
        check(&["https://a.b:*"], "https://a.b:1", PUBLIC, true);
        check(&["*://a.b"], "http://a.b:80", PUBLIC, true);
        check(&["*://a.b"], "https://a.b:443", PUBLIC, true);
        check(&["*://a.b"], "http://a.b:443", PUBLIC, false);
        check(&["*"], "ftp://a.b:21", PUBLIC, false);
        check(&[], "https://a.b:443", PUBLIC, false);
    }

    #[test]
    fn wildcards_take_what_is_below() {
        let below = ["http://*.example.com"];
        check(&below, "http://a.example.com:80", PUBLIC, true);
        check(&below, "http://b.a.example.com:80", PUBLIC, true);
        check(&below, "http://example.com:80", PUBLIC, false);
        check(&below, "http://.example.com:80", PUBLIC, false);
        check(&below, "http://evilexample.com:80", PUBLIC, false);
        check(&["https://*"], "https://anything.test:443", PUBLIC, true);
        check(&["https://*"], "https://93.184.215.14:443", PUBLIC, true);
        check(&["https://*"], "https://[2606:4700::1]:443", "2606:4700::1", true);
        check(&["https://*"], "https://anything.test:8443", PUBLIC, false);
        check(&["*"], "http://anything.test:8080", PUBLIC, true);
    }

    #[test]
    fn a_name_that_leads_inside_needs_a_literal_grant_beside_its_own() {
        for inside in
            ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:10.1.2.3", "fe80::1"]
        {
            for grants in [["http://db.test:80"], ["http://*:80"], ["*"], ["http://*.test"]] {
                check(&grants, "http://db.test:80", inside, false);
            }
        }
        let both = ["http://db.test", "http://10.0.0.0/8"];
        check(&both, "http://db.test:80", "10.1.2.3", true);
        check(&both, "http://db.test:80", "::ffff:10.1.2.3", true);
        check(&both, "http://db.test:80", "11.1.2.3", true);
        check(&both, "http://db.test:80", "172.16.0.1", false);
        check(&["http://db.test", "http://10.0.0.0/8:81"], "http://db.test:80", "10.1.2.3", false);
        check(&["http://db.test", "https://10.0.0.0/8:80"], "http://db.test:80", "10.1.2.3", false);
        check(&["http://localhost"], "http://localhost:80", "127.0.0.1", false);
        check(&["http://localhost", "http://127.0.0.1"], "http://localhost:80", "127.0.0.1", true);
        // A network grants no names.
        check(&["http://10.0.0.0/8"], "http://db.test:80", "10.1.2.3", false);
    }

    #[test]
    fn literal_addresses_match_networks() {
        let net = ["http://10.0.0.0/8:8080", "http://[fd00::/8]:80", "http://192.0.2.7"];
        check(&net, "http://10.1.2.3:8080", "10.1.2.3", true);
        check(&net, "http://10.1.2.3:80", "10.1.2.3", false);
        check(&net, "http://11.1.2.3:8080", "11.1.2.3", false);
        check(&net, "http://[fd00::1]:80", "fd00::1", true);
        check(&net, "http://[::ffff:10.1.2.3]:8080", "10.1.2.3", true);
        check(&net, "http://192.0.2.7:80", "192.0.2.7", true);
        check(&net, "http://192.0.2.8:80", "192.0.2.8", false);
        // The evidence for one address is no evidence for another one that leads inside.
        check(&net, "http://10.1.2.3:8080", "127.0.0.1", false);
    }

    #[test]
    fn anywhere_is_anywhere() {
        let grants = HttpGrants::anywhere();
        assert!(ask(&grants, "http://localhost:1", "127.0.0.1") && !grants.is_empty());
        assert!(HttpGrants::default().is_empty());
    }

    #[test]
    fn hosts_of_the_command_line_take_every_port_unless_they_name_one() {
        let grants = HttpGrants::compile_hosts(&[
            "a.b",
            "c.d:81",
            "127.0.0.1",
            "[::1]",
            "[::2]:5",
            "http://e.f",
        ])
        .expect("valid");
        for (url, leads_to, want) in [
            ("http://a.b:80", PUBLIC, true),
            ("https://a.b:9999", PUBLIC, true),
            ("https://c.d:81", PUBLIC, true),
            ("http://c.d:80", PUBLIC, false),
            ("http://127.0.0.1:8080", "127.0.0.1", true),
            ("http://a.b:8080", "127.0.0.1", true),
            ("http://[::1]:8080", "::1", true),
            ("http://[::2]:5", "::2", true),
            ("http://[::2]:6", "::2", false),
            ("http://e.f:80", PUBLIC, true),
            ("http://e.f:81", PUBLIC, false),
        ] {
            assert_eq!(ask(&grants, url, leads_to), want, "{url} at {leads_to}");
        }
        let local = HttpGrants::compile_hosts(&["localhost:81"]).expect("valid");
        assert!(ask(&local, "http://localhost:81", "127.0.0.1"));
        assert!(ask(&local, "http://localhost:81", "::1"));
        assert!(!ask(&local, "http://localhost:82", "127.0.0.1"));
        assert!(!ask(&local, "http://localhost:81", "10.0.0.1"));
        assert!(HttpGrants::compile_hosts(&["*"]).is_ok());
        assert!(HttpGrants::compile_hosts(&["a.b:"]).is_err());
        assert!(HttpGrants::compile_hosts(&[""]).is_err());
    }

    #[test]
    fn grants_that_mean_nothing_are_refused_by_name() {
        for (text, want) in [
            ("", "write it like"),
            ("example.com", "write it like"),
            ("ftp://a.b", "scheme"),
            ("HTTP://a.b", "scheme"),
            ("http://", "the host is"),
            ("http://a.b/", "no path"),
            ("http://a.b/x", "no path"),
            ("http://a.b:80/x", "port"),
            ("http://a.b:0", "port"),
            ("http://a.b:+80", "port"),
            ("http://a.b:65536", "port"),
            ("http://a.b:", "port"),
            ("http://u@a.b", "nothing else"),
            ("http://a.b?x", "nothing else"),
            ("http://a..b", "the host is"),
            ("http://*.*.b", "the host is"),
            ("http://a*.b", "the host is"),
            ("http://a b", "the host is"),
            ("http://10.0.0.1/8", "bits beyond"),
            ("http://10.0.0.0/33", "no path"),
            ("http://::1", "the host is"),
            ("http://[::1", "not closed"),
            ("http://[10.0.0.1]", "IPv6"),
            ("http://[a.b]", "IPv6"),
        ] {
            let error = HttpGrants::compile(&[text]).expect_err(text);
            assert!(error.contains(want) && error.contains(&format!("`{text}`")), "{error}");
        }
    }

    #[test]
    fn a_refusal_names_the_grant_that_is_missing() {
        let grants = HttpGrants::compile(&["https://a.b"]).expect("valid");
        let text = |scheme, host, port| grants.decide(scheme, host, port).expect_err("refused").0;
        assert!(text("https", "c.d", 443).contains("`https://c.d` is not granted"));
        assert!(text("http", "c.d", 81).contains("`http://c.d:81`"));
        let address = grants.decide("https", "a.b", 443).expect("granted");
        let denied = address.denied("a.b", "127.0.0.1".parse().expect("an address"));
        assert!(denied.0.contains("127.0.0.1") && denied.0.contains("grants.http"));
    }

    proptest! {
        #[test]
        fn any_text_is_compiled_or_refused_without_a_panic(grant in ".*", host in ".*", port: u16) {
            let grants = HttpGrants::compile(&[&grant]).unwrap_or_default();
            let _ = HttpGrants::compile_hosts(&[grant]);
            let _ = grants.decide("http", &host, port);
        }

        #[test]
        fn without_a_network_no_grant_leads_inside(
            host in "(\\*|(\\*\\.)?[a-z]{1,5}\\.[a-z]{2})", port in "(|:\\*|:80)", asked in "[a-z.]{1,9}",
            inside in prop_oneof![
                any::<u32>().prop_map(|low| {
                    let [_, a, b, c] = low.to_be_bytes();
                    IpAddr::from([10, a, b, c])
                }),
                any::<u8>().prop_map(|low| IpAddr::from([169, 254, 169, low])),
                any::<u16>().prop_map(|low| IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, low])),
            ],
        ) {
            let grants = HttpGrants::compile(&[format!("http://{host}{port}"), "*".into()]).unwrap();
            let address = grants.decide("http", &asked, 80).expect("`*` grants every origin");
            prop_assert!(!address.permits(inside));
        }
    }
}
