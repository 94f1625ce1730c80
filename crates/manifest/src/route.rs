//! Routes: `"METHOD host/path/{param}/{rest...}"`, what they match and which of two wins.
//!
//! # Grammar
//!
//! `[METHOD " "] [host] "/" segment *("/" segment)`
//!
//! - The method is an upper-case token; `*`, or none, takes every method. `GET` takes `HEAD` too.
//! - The host is a name (`example.com`), an address, or `*.` and a name for everything below it, at
//!   any depth but not the name itself. It has no port: a request's port is ignored. No host takes
//!   every host.
//! - A segment is literal text, `{name}` for one segment that is not empty, or, at the end only,
//!   `{name...}` for all that follows, which may be empty. `/a/{rest...}` matches `/a/` but not
//!   `/a`.
//! - A slash at the end is part of the path: `/a/` and `/a` are two routes.
//!
//! # Percent-encoding
//!
//! A request's path is cut at its slashes first and each piece is decoded then, so `%2F` never
//! separates. A `%` that no two hexadecimal digits follow stands for itself, and a piece that does
//! not decode to UTF-8 stays as it was written. In the value of `{name...}` an encoded slash stays
//! `%2F`, because a decoded one could not be told from a separator. Dot segments are not resolved
//! here: whoever reads the request head refuses or resolves them before.
//!
//! # Which one wins
//!
//! The more specific host first: an exact one, then the longer of two `*.` ones, then none. Within
//! one host the pattern that matches only requests that the other matches too. Two patterns of one
//! host that overlap while neither is contained in the other, or that match the same requests,
//! conflict, and a table of routes must not hold both. [`Pattern::precedence`] sorts any table
//! without conflicts so that the first match is the right one.

mod compare;
mod matching;

use std::fmt;

pub use compare::{Conflict, Relation, conflicts};
pub use matching::Params;

/// Longest text of a pattern, in bytes.
pub const MAX_LEN: usize = 2_048;
/// Most segments of a pattern.
pub const MAX_SEGMENTS: usize = 64;

/// One parsed route. Two are equal when they match the same requests and name their parameters
/// alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    method: Option<Box<str>>,
    host: HostPattern,
    segments: Box<[Segment]>,
}

/// Which hosts a pattern takes. Names are in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// Exactly this name or address; an IPv6 address keeps its brackets.
    Exact(Box<str>),
    /// Every name that ends with this, which starts with a dot.
    Below(Box<str>),
    /// Every host.
    Any,
}

/// One piece of a pattern's path, between two slashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// This text, decoded. Empty only at the end, where the path ends with a slash.
    Literal(Box<str>),
    /// One piece that is not empty.
    Param(Box<str>),
    /// Everything that follows; only at the end.
    Rest(Box<str>),
}

/// Why a text is not a route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no path.
    #[error("the route `{0}` has no path; a path begins with `/`")]
    NoPath(String),
    /// The text or the path is too long.
    #[error("the route is too long; {MAX_LEN} bytes and {MAX_SEGMENTS} segments are allowed")]
    TooLong,
    /// The method is not an upper-case token.
    #[error("`{0}` is not a method; methods are upper-case words such as GET, or `*` for any")]
    Method(String),
    /// The host is not a name.
    #[error("`{0}` is not a host; write a name such as `example.com`, or `*.example.com`, no port")]
    Host(String),
    /// Two slashes follow each other.
    #[error("the route has an empty segment; remove one of the two slashes in `{0}`")]
    EmptySegment(String),
    /// A dot segment can never match.
    #[error("the route has the segment `{0}`, which no request keeps")]
    DotSegment(String),
    /// A brace is not at the edge of its segment.
    #[error("`{0}`: a parameter fills its whole segment, like `/{{name}}/`")]
    PartialParam(String),
    /// The name of a parameter is not an identifier.
    #[error("`{{{0}}}`: a parameter's name has letters, digits and `_` and starts with no digit")]
    ParamName(String),
    /// Two parameters share a name.
    #[error("the parameter `{0}` appears twice in the route")]
    DuplicateParam(String),
    /// `{name...}` is not at the end.
    #[error("`{{{0}...}}` takes everything that follows and must be the last segment")]
    RestNotLast(String),
    /// A literal has a character that a path cannot hold.
    #[error("the segment `{0}` has `{1}`, which a path cannot hold")]
    Character(String, char),
    /// A literal's percent-encoding is broken.
    #[error("the segment `{0}` has a `%` that is not followed by two hexadecimal digits of UTF-8")]
    Encoding(String),
}

impl Pattern {
    /// Reads a route; the module's documentation has the grammar.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_LEN {
            return Err(Error::TooLong);
        }
        let (method, target) = match text.split_once(' ') {
            Some((method, target)) if !method.starts_with('/') => {
                (parse_method(method)?, target.trim_start_matches(' '))
            }
            _ => (None, text),
        };
        let Some(slash) = target.find('/') else {
            return Err(Error::NoPath(text.to_owned()));
        };
        let (host, path) = target.split_at(slash);
        Ok(Self { method, host: parse_host(host)?, segments: parse_path(path)? })
    }

    /// The method it takes, `None` for all.
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// The hosts it takes.
    pub const fn host(&self) -> &HostPattern {
        &self.host
    }

    /// The pieces of its path, at least one.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = &self.method {
            write!(f, "{method} ")?;
        }
        match &self.host {
            HostPattern::Exact(host) => f.write_str(host)?,
            HostPattern::Below(suffix) => write!(f, "*{suffix}")?,
            HostPattern::Any => {}
        }
        self.segments.iter().try_for_each(|segment| write!(f, "/{segment}"))
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => matching::encode(text, f),
            Self::Param(name) => write!(f, "{{{name}}}"),
            Self::Rest(name) => write!(f, "{{{name}...}}"),
        }
    }
}

impl std::str::FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

fn parse_method(text: &str) -> Result<Option<Box<str>>, Error> {
    let valid = !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    match text {
        "*" => Ok(None),
        _ if valid => Ok(Some(text.into())),
        _ => Err(Error::Method(text.to_owned())),
    }
}

fn parse_host(text: &str) -> Result<HostPattern, Error> {
    let bad = || Error::Host(text.to_owned());
    if text.is_empty() {
        return Ok(HostPattern::Any);
    }
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: std::net::Ipv6Addr = address.parse().map_err(|_| bad())?;
        return Ok(HostPattern::Exact(format!("[{address}]").into()));
    }
    let lower = text.to_ascii_lowercase();
    let name = lower.strip_prefix("*.").unwrap_or(&lower);
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if name.len() > 253 || !name.split('.').all(label) {
        return Err(bad());
    }
    Ok(match lower.strip_prefix('*') {
        Some(suffix) => HostPattern::Below(suffix.into()),
        None => HostPattern::Exact(lower.into()),
    })
}

fn parse_path(path: &str) -> Result<Box<[Segment]>, Error> {
    let pieces: Vec<&str> = path.split('/').skip(1).collect();
    if pieces.len() > MAX_SEGMENTS {
        return Err(Error::TooLong);
    }
    let mut segments = Vec::with_capacity(pieces.len());
    for (index, piece) in pieces.iter().enumerate() {
        let last = index + 1 == pieces.len();
        if piece.is_empty() && !last {
            return Err(Error::EmptySegment(path.to_owned()));
        }
        let segment = parse_segment(piece)?;
        if let Segment::Rest(name) = &segment
            && !last
        {
            return Err(Error::RestNotLast(name.to_string()));
        }
        if let Some(name) = segment.param()
            && segments.iter().filter_map(Segment::param).any(|other| other == name)
        {
            return Err(Error::DuplicateParam(name.to_owned()));
        }
        segments.push(segment);
    }
    Ok(segments.into())
}

fn parse_segment(piece: &str) -> Result<Segment, Error> {
    let inner = piece.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    match inner {
        Some(inner) if !inner.contains(['{', '}']) => {
            let (name, rest) = match inner.strip_suffix("...") {
                Some(name) => (name, true),
                None => (inner, false),
            };
            let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
            if !first || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Err(Error::ParamName(inner.to_owned()));
            }
            Ok(if rest { Segment::Rest(name.into()) } else { Segment::Param(name.into()) })
        }
        _ if piece.contains(['{', '}']) => Err(Error::PartialParam(piece.to_owned())),
        _ => parse_literal(piece),
    }
}

fn parse_literal(piece: &str) -> Result<Segment, Error> {
    let bad = |c: &char| c.is_control() || c.is_whitespace() || "?#\\\"<>^`|*".contains(*c);
    if let Some(c) = piece.chars().find(bad) {
        return Err(Error::Character(piece.to_owned(), c));
    }
    let decoded = matching::decode_strictly(piece).ok_or(Error::Encoding(piece.to_owned()))?;
    if matches!(&*decoded, "." | "..") {
        return Err(Error::DotSegment(piece.to_owned()));
    }
    Ok(Segment::Literal(decoded.into()))
}

impl Segment {
    /// The name of the parameter, if it is one.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Param(name) | Self::Rest(name) => Some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Pattern {
        Pattern::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn a_route_prints_as_it_was_written() {
        for text in [
            "/",
            "GET /",
            "GET /a/{b}/{c...}",
            "POST example.com/a/",
            "*.example.com/{x}",
            "[::1]/x",
            "GET 127.0.0.1/",
            "/a%20b/%2F",
            "PROPFIND /a-b_c.d~e",
        ] {
            assert_eq!(parse(text).to_string(), text);
        }
        assert_eq!(parse("* /a"), parse("/a"));
        assert_eq!(parse("GET   /a"), parse("GET /a"));
        assert_eq!(parse("EXAMPLE.com/a"), parse("example.com/a"));
        assert_eq!(parse("/ä"), parse("/%C3%A4"));
        assert_eq!(parse("/ä").to_string(), "/ä");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, want) in [
            ("", "has no path"),
            ("GET", "has no path"),
            ("GET ", "has no path"),
            ("example.com", "has no path"),
            ("get /a", "upper-case"),
            ("G3T /a", "not a method"),
            (" /a", "not a method"),
            ("GET exa mple.com/a", "not a host"),
            ("example.com:80/a", "no port"),
            ("*example.com/a", "not a host"),
            ("a.*.com/a", "not a host"),
            ("http://example.com/a", "not a host"),
            ("[::zz]/a", "not a host"),
            ("/a//b", "empty segment"),
            ("//", "empty segment"),
            ("/a/../b", "`..`"),
            ("/a/%2e/b", "`%2e`"),
            ("/a{b}", "whole segment"),
            ("/{a}b", "whole segment"),
            ("/{a}{b}", "whole segment"),
            ("/{", "whole segment"),
            ("/{}", "parameter's name"),
            ("/{...}", "parameter's name"),
            ("/{1a}", "parameter's name"),
            ("/{a-b}", "parameter's name"),
            ("/{a..}", "parameter's name"),
            ("/{a}/{a}", "appears twice"),
            ("/{a}/{a...}", "appears twice"),
            ("/{a...}/b", "last segment"),
            ("/{a...}/", "last segment"),
            ("/a?b", "`?`"),
            ("/a b", "a path cannot hold"),
            ("/a*", "`*`"),
            ("/%zz", "`%`"),
            ("/%ff", "`%`"),
            (&format!("/{}", "a".repeat(MAX_LEN)), "too long"),
            (&"/a".repeat(MAX_SEGMENTS + 1), "too long"),
        ] {
            match Pattern::parse(text) {
                Ok(pattern) => panic!("{text} was taken as {pattern}"),
                Err(error) => {
                    assert!(error.to_string().contains(want), "{text}: {error}, wanted {want}");
                }
            }
        }
    }
}
