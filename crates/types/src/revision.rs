//! What runs: an artifact with its configuration and its grants, immutable.

use std::fmt;
use std::sync::Arc;

use crate::id::{Digest, FunctionName};
use crate::limits::{Limits, WarmLimits};

/// The name of one revision of one function.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RevisionId(pub Arc<str>);

impl fmt::Display for RevisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RevisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Whether an instance may serve more than one invocation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Reuse {
    /// A new instance for each invocation.
    #[default]
    Fresh,
    /// An instance serves one invocation after another until a limit retires it.
    Warm(WarmLimits),
}

/// The calling convention a function was written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Contract {
    /// `wasi:http/incoming-handler@0.2` or `wasi:http/handler@0.3`.
    WasiHttp,
    /// `wasi:cli/run`, or a preview 1 command: CGI over standard input and output.
    WasiCli,
    /// The small world for script engines, `alula:js`.
    AlulaJs,
}

impl Contract {
    /// The name used in manifests and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WasiHttp => "wasi-http",
            Self::WasiCli => "wasi-cli",
            Self::AlulaJs => "alula-js",
        }
    }
}

/// What a function may reach, as its manifest says it. Compiled and decided by `alula-policy`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// Origins for outbound HTTP: `https://api.example.com`, `http://10.0.0.0/8:8080`,
    /// `https://*.example.com`.
    pub http: Vec<String>,
}

/// One immutable version of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The revision's own name.
    pub id: RevisionId,
    /// The function it is a version of.
    pub function: FunctionName,
    /// The bytes it runs.
    pub artifact: Digest,
    /// The calling convention, when the manifest fixes it; else what the artifact exports.
    pub contract: Option<Contract>,
    /// Whether instances are reused.
    pub reuse: Reuse,
    /// Its limits.
    pub limits: Limits,
    /// The environment it is given, and nothing else.
    pub env: Vec<(String, String)>,
    /// What it may reach.
    pub grants: Grants,
}
