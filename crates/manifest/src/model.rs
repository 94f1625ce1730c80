//! A manifest as values.

use std::collections::BTreeMap;
use std::time::Duration;

use alula_types::{Contract, Digest, FunctionName, Grants, Limits, Reuse, Revision, RevisionId};
use sha2::{Digest as _, Sha256};

use crate::route::Pattern;

/// One app: functions and what invokes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The app itself.
    pub app: App,
    /// Its functions by name.
    pub functions: BTreeMap<FunctionName, Function>,
    /// Its routes in the order of the manifest; no two conflict.
    pub http: Vec<HttpTrigger>,
    /// The names of the overlays it defines, sorted.
    pub overlays: Vec<String>,
}

/// `[app]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// The app's name; the same rule as for functions.
    pub name: String,
}

/// One function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: FunctionName,
    /// Where its artifact comes from.
    pub source: Source,
    /// A shell command that `alula build` runs in the app's folder, before anything else.
    pub build: Option<String>,
    /// Globs and folders, relative to the manifest, that `alula dev` watches beside the app's
    /// folder.
    pub watch: Vec<String>,
    /// The calling convention; `None` lets the artifact's exports decide.
    pub contract: Option<Contract>,
    /// Whether instances are reused.
    pub reuse: Reuse,
    /// Its limits; `instances.max` is `instances_max` in here.
    pub limits: Limits,
    /// How many instances are kept.
    pub instances: Instances,
    /// The environment it is given.
    pub env: BTreeMap<String, String>,
    /// What it may reach.
    pub grants: Grants,
    /// Where it begins in the manifest, from 1.
    pub line: u32,
}

/// Where a function's artifact comes from. Paths are relative to the manifest's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A WebAssembly file that `build`, or someone else, makes.
    Component(String),
    /// A source file that Alula builds itself.
    Entry {
        /// The file: `.js`, `.ts`, `.py`, `.c` and their variants.
        path: String,
        /// Which engine runs it, where there is a choice.
        engine: Engine,
    },
}

/// Which engine runs JavaScript and TypeScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// Small, quick to build, can be reused.
    #[default]
    QuickJs,
    /// The whole web platform; one request per instance.
    StarlingMonkey,
}

/// How many instances are kept; the most is `limits.instances_max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Instances {
    /// Kept even when idle.
    pub min: u32,
    /// Started before the first request.
    pub provisioned: u32,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTrigger {
    /// Which requests it takes.
    pub pattern: Pattern,
    /// The route as it was written.
    pub route: String,
    /// What answers them.
    pub target: Target,
    /// Which other origins' pages may call it.
    pub cors: Option<Cors>,
    /// Where it stands in the manifest, from 1.
    pub line: u32,
}

/// What answers a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A function of the app.
    Function(FunctionName),
    /// The files of a folder, relative to the manifest's folder. The pattern ends with `{name...}`,
    /// whose value is the path below the folder.
    Static(String),
}

/// Cross-origin requests (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Which origins may read the answer.
    pub origins: Origins,
    /// Methods a preflight allows. Default: GET, HEAD, POST.
    pub methods: Vec<String>,
    /// Request headers a preflight allows. Default: none but the safelisted ones.
    pub headers: Names,
    /// Response headers a page may read. Default: none but the safelisted ones.
    pub expose: Names,
    /// Whether cookies and credentials may be sent. Never with [`Origins::Any`]. Default: no.
    pub credentials: bool,
    /// How long a browser may keep a preflight's answer. Default: 10 minutes.
    pub max_age: Duration,
}

/// Which origins may read an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// `*`.
    Any,
    /// These, compared byte by byte: scheme, host in lower case, and port unless it is the default.
    Listed(Vec<String>),
}

/// A list of header names, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// `*`.
    Any,
    /// These.
    Listed(Vec<String>),
}

impl Function {
    /// The revision that this function and an artifact make.
    ///
    /// `more_env` is added to the environment of the manifest and wins over it; `alula dev` gives
    /// the content of `.env`. The id is made from everything else in the revision: equal content
    /// has equal ids within one version of Alula.
    pub fn revision<'a>(
        &self,
        artifact: Digest,
        more_env: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Revision {
        let mut env = self.env.clone();
        env.extend(more_env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        let mut revision = Revision {
            id: RevisionId("".into()),
            function: self.name.clone(),
            artifact,
            contract: self.contract,
            reuse: self.reuse.clone(),
            limits: self.limits.clone(),
            env: env.into_iter().collect(),
            grants: self.grants.clone(),
        };
        // The debug form has every field by construction, so none can be forgotten here.
        let hash = Sha256::digest(format!("{revision:?}"));
        let short: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        revision.id = RevisionId(format!("{}-{short}", self.name).into());
        revision
    }
}

impl Manifest {
    /// The routes that lead to a function.
    pub fn routes_of<'a>(
        &'a self,
        function: &'a FunctionName,
    ) -> impl Iterator<Item = &'a HttpTrigger> {
        let leads = move |trigger: &&HttpTrigger| match &trigger.target {
            Target::Function(name) => name == function,
            Target::Static(_) => false,
        };
        self.http.iter().filter(leads)
    }
}
