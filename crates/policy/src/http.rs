//! Outbound HTTP: which origins, and which addresses they may turn out to have.

use std::net::IpAddr;

/// The compiled `grants.http` list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpGrants {
    origins: Vec<String>,
}

/// Why a destination is refused; the text names the missing grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied(pub String);

/// Evidence that an origin is granted: says which addresses it may resolve to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Address {
    any: bool,
}

impl HttpGrants {
    /// Everything, private addresses included (`alula run --allow-http`).
    pub fn anywhere() -> Self {
        Self { origins: vec!["*".into()] }
    }

    /// Compiles the grants of a manifest; the error names the entry and what is wrong with it.
    pub fn compile(entries: &[String]) -> Result<Self, String> {
        Ok(Self { origins: entries.to_vec() })
    }

    /// Decides about an origin, before any lookup.
    pub fn decide(&self, scheme: &str, host: &str, port: u16) -> Result<Address, Denied> {
        let _ = (scheme, host, port);
        Err(Denied("not written yet".into()))
    }
}

impl Address {
    /// Decides about an address the granted host resolved to.
    pub fn permits(&self, address: IpAddr) -> bool {
        let _ = address;
        self.any
    }
}
