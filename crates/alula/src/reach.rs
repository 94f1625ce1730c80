//! What the flags `--env`, `--dir`, `--allow-http` and `--allow-net` give a guest.

use alula_policy::{HttpGrants, NetGrants};
use alula_types::{Code, Fault, Grants};

use crate::cli::{ANYWHERE, Reach};

/// Outbound HTTP for a command.
pub(crate) fn http(reach: &Reach) -> Result<HttpGrants, Fault> {
    if is_anywhere(&reach.allow_http) {
        return Ok(HttpGrants::anywhere());
    }
    HttpGrants::compile_hosts(&reach.allow_http).map_err(|why| wrong("--allow-http", &why))
}

/// Raw sockets for a command.
pub(crate) fn net(reach: &Reach) -> Result<Option<NetGrants>, Fault> {
    if is_anywhere(&reach.allow_net) {
        return Ok(Some(NetGrants::anywhere()));
    }
    if reach.allow_net.is_empty() {
        return Ok(None);
    }
    let compiled = NetGrants::compile(&reach.allow_net);
    compiled.map(Some).map_err(|why| wrong("--allow-net", &why.to_string()))
}

/// The grants of a served component, as a manifest would write them.
pub(crate) fn grants(reach: &Reach) -> Grants {
    let http = if is_anywhere(&reach.allow_http) {
        // Every name, and every address that one turns out to have.
        ["*", "*://0.0.0.0/0:*", "*://[::/0]:*"].map(String::from).to_vec()
    } else {
        reach.allow_http.iter().map(|host| origin(host)).collect()
    };
    Grants { http }
}

/// `HOST` stands for every scheme and port, `HOST:PORT` for every scheme.
fn origin(host: &str) -> String {
    let port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    match (host.contains("://"), port) {
        (true, _) => host.to_owned(),
        (false, true) => format!("*://{host}"),
        (false, false) => format!("*://{host}:*"),
    }
}

fn is_anywhere(entries: &[String]) -> bool {
    entries.iter().any(|entry| entry == ANYWHERE)
}

fn wrong(flag: &str, why: &str) -> Fault {
    Fault::new(Code::ManifestValue, format!("`{flag}` cannot be read: {why}"))
        .hint("write hosts separated by commas, or the flag alone for anywhere")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(http: &[&str], net: &[&str]) -> Reach {
        let owned = |list: &[&str]| list.iter().map(|entry| (*entry).to_owned()).collect();
        Reach { env: vec![], dir: vec![], allow_http: owned(http), allow_net: owned(net) }
    }

    #[test]
    fn nothing_is_granted_without_a_flag() {
        assert_eq!(http(&reach(&[], &[])).unwrap(), HttpGrants::default());
        assert_eq!(net(&reach(&[], &[])).unwrap(), None);
        assert!(grants(&reach(&[], &[])).http.is_empty());
    }

    #[test]
    fn a_served_component_reaches_what_a_command_reaches() {
        for (host, origin) in [
            ("a.example", ("https", "a.example", 443)),
            ("a.example:81", ("http", "a.example", 81)),
        ] {
            let reach = reach(&[host], &[]);
            let served = HttpGrants::compile(&grants(&reach).http).unwrap();
            for granted in [http(&reach).unwrap(), served] {
                let (scheme, name, port) = origin;
                assert!(granted.decide(scheme, name, port).is_ok(), "{host}");
                assert!(granted.decide(scheme, "b.example", port).is_err(), "{host}");
            }
        }
    }

    #[test]
    fn anywhere_includes_this_machine() {
        let reach = reach(&[ANYWHERE], &[ANYWHERE]);
        let served = HttpGrants::compile(&grants(&reach).http).unwrap();
        for granted in [http(&reach).unwrap(), served] {
            let address = granted.decide("http", "localhost", 1234).unwrap();
            assert!(address.permits([127, 0, 0, 1].into()));
            assert!(address.permits("::1".parse::<std::net::IpAddr>().unwrap()));
        }
        assert!(net(&reach).unwrap().unwrap().is_anywhere());
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert!(net(&reach(&[], &["nowhere"])).is_err());
        assert!(http(&reach(&["a b"], &[])).is_err());
    }
}
