//! The table that finds the target of a request.
//!
//! What a pattern matches and which of two wins is decided in [`alula_manifest::route`]; this is
//! its index. A tree of path pieces per host is walked literal first, then parameter, then rest,
//! which is the order of [`Pattern::precedence`], so the first entry that takes the method is the
//! right one. A lookup visits each node of the tree at most once.

use std::collections::HashMap;
use std::sync::Arc;

use alula_manifest::route::{HostPattern, Pattern, Segment};
use alula_types::{Fault, FunctionName};
use bytes::Bytes;
use http::Method;

use crate::cors::Cors;
use crate::files::StaticDir;

/// One route.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Which requests it takes.
    pub pattern: Pattern,
    /// What answers them.
    pub target: Target,
    /// Which other origins' pages may call it; `None`: their browsers refuse to.
    pub cors: Option<Cors>,
}

/// What answers the requests of a route.
#[derive(Debug, Clone)]
pub enum Target {
    /// A function.
    Function(FunctionName),
    /// The files of a folder.
    Static(StaticDir),
    /// A fault, in place of a function that could not be built.
    Fault(Arc<FaultPage>),
}

/// A fault with a page for browsers.
#[derive(Debug, Clone)]
pub struct FaultPage {
    /// What programs are told.
    pub fault: Fault,
    /// The HTML page that browsers are shown.
    pub html: Bytes,
}

/// All routes of a gateway. Immutable: a change is a new table.
#[derive(Debug, Default)]
pub struct RouteTable {
    exact: HashMap<Box<str>, Node>,
    below: Vec<(HostPattern, Node)>,
    any: Node,
    entries: Vec<Arc<Entry>>,
}

/// The patterns that share the pieces up to here.
#[derive(Debug, Default)]
struct Node {
    /// Sorted by the literal.
    literals: Vec<(Segment, Node)>,
    param: Option<Box<Node>>,
    rest: Vec<Arc<Entry>>,
    here: Vec<Arc<Entry>>,
}

impl RouteTable {
    /// Builds the table. Of two routes that conflict the earlier one wins; the manifest refuses
    /// them.
    pub fn new(entries: Vec<Entry>) -> Self {
        let mut entries: Vec<_> = entries.into_iter().map(Arc::new).collect();
        entries.sort_by(|a, b| a.pattern.precedence(&b.pattern));
        let mut table = Self { entries: entries.clone(), ..Self::default() };
        for entry in entries {
            let root = match entry.pattern.host() {
                HostPattern::Exact(name) => table.exact.entry(name.clone()).or_default(),
                HostPattern::Any => &mut table.any,
                host => below(&mut table.below, host),
            };
            root.insert(entry.clone());
        }
        table
    }

    /// The route that takes a request: its method, its host with or without port, its path without
    /// query.
    pub fn find(&self, method: &Method, authority: &str, path: &str) -> Option<&Arc<Entry>> {
        let path = path.strip_prefix('/')?;
        if !self.exact.is_empty() {
            let host = host_of(authority);
            if let Some(entry) = self.exact.get(&*host).and_then(|node| node.find(method, path)) {
                return Some(entry);
            }
        }
        let below = self.below.iter().filter(|(host, _)| host.matches(authority));
        below.map(|(_, node)| node).chain([&self.any]).find_map(|node| node.find(method, path))
    }

    /// The methods that some route takes at this place, without those that [`RouteTable::find`]
    /// adds. `None` stands for all of them. Empty: there is no such place.
    pub fn methods(&self, authority: &str, path: &str) -> Vec<Option<&str>> {
        let takes = |entry: &&Arc<Entry>| {
            entry.pattern.matches_host(authority) && entry.pattern.matches_path(path)
        };
        self.entries.iter().filter(takes).map(|entry| entry.pattern.method()).collect()
    }

    /// All routes, the most specific first.
    pub fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }
}

impl Entry {
    /// The part of a request's path that `{name...}` matched, as the request wrote it; empty
    /// without one.
    pub fn rest<'a>(&self, path: &'a str) -> &'a str {
        let segments = self.pattern.segments();
        match segments.last() {
            Some(Segment::Rest(_)) => path.splitn(segments.len() + 1, '/').last().unwrap_or(""),
            _ => "",
        }
    }

    fn takes(&self, method: &Method) -> bool {
        self.pattern.matches_method(method.as_str())
    }
}

impl Node {
    /// Entries come in order of precedence, and each list keeps that order.
    fn insert(&mut self, entry: Arc<Entry>) {
        let mut node = self;
        let shared = Arc::clone(&entry);
        for segment in shared.pattern.segments() {
            node = match segment {
                Segment::Rest(_) => return node.rest.push(entry),
                Segment::Param(_) => node.param.get_or_insert_default(),
                Segment::Literal(text) => {
                    let at = match node.position(text) {
                        Ok(at) => at,
                        Err(at) => {
                            node.literals.insert(at, (segment.clone(), Self::default()));
                            at
                        }
                    };
                    &mut node.literals[at].1
                }
            };
        }
        node.here.push(entry);
    }

    fn position(&self, text: &str) -> Result<usize, usize> {
        self.literals.binary_search_by(|(segment, _)| match segment {
            Segment::Literal(literal) => (**literal).cmp(text),
            Segment::Param(_) | Segment::Rest(_) => unreachable!("only literals are inserted"),
        })
    }

    /// `path` is what follows the slash before this node's pieces.
    fn find(&self, method: &Method, path: &str) -> Option<&Arc<Entry>> {
        let (piece, next) = match path.split_once('/') {
            Some((piece, next)) => (piece, Some(next)),
            None => (path, None),
        };
        let param = self.param.as_deref().filter(|_| !piece.is_empty());
        let mut inner = [self.literal(piece), param].into_iter().flatten();
        let found = inner.find_map(|node| match next {
            Some(next) => node.find(method, next),
            None => first(&node.here, method),
        });
        found.or_else(|| first(&self.rest, method))
    }

    fn literal(&self, piece: &str) -> Option<&Self> {
        if piece.contains('%') {
            let mut literals = self.literals.iter();
            return literals
                .find(|(literal, _)| literal.matches_piece(piece))
                .map(|(_, node)| node);
        }
        self.position(piece).ok().map(|at| &self.literals[at].1)
    }
}

fn below<'a>(table: &'a mut Vec<(HostPattern, Node)>, host: &HostPattern) -> &'a mut Node {
    let at = match table.iter().position(|(other, _)| other == host) {
        Some(at) => at,
        None => {
            table.push((host.clone(), Node::default()));
            table.len() - 1
        }
    };
    &mut table[at].1
}

fn first<'a>(entries: &'a [Arc<Entry>], method: &Method) -> Option<&'a Arc<Entry>> {
    entries.iter().find(|entry| entry.takes(method))
}

/// The name in an authority: no port, no dot at the end, lower case.
fn host_of(authority: &str) -> std::borrow::Cow<'_, str> {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        host.to_ascii_lowercase().into()
    } else {
        host.into()
    }
}
