//! Does a request match a pattern, and what are its parameters?

use std::borrow::Cow;
use std::fmt;

use super::{HostPattern, Pattern, Segment};

/// The parameters of a matched path, in the order of the pattern, decoded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl<'a> Params<'a> {
    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| *other == name).map(|(_, value)| &**value)
    }

    /// All names with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &str)> {
        self.0.iter().map(|(name, value)| (*name, &**value))
    }

    /// Whether the pattern has no parameters.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Pattern {
    /// Whether it takes this method. A pattern for `GET` takes `HEAD` too.
    pub fn matches_method(&self, method: &str) -> bool {
        match self.method() {
            None => true,
            Some("GET") => matches!(method, "GET" | "HEAD"),
            Some(own) => own == method,
        }
    }

    /// Whether it takes this host: the value of `host` or `:authority`, whose port is ignored.
    pub fn matches_host(&self, authority: &str) -> bool {
        self.host().matches(authority)
    }

    /// Whether it takes this path (without the query). Allocates only for literals that were
    /// encoded.
    pub fn matches_path(&self, path: &str) -> bool {
        self.walk(path, |_, _| ())
    }

    /// Matches a path (without the query) and gives its parameters.
    pub fn match_path<'a>(&'a self, path: &'a str) -> Option<Params<'a>> {
        let mut params = Vec::new();
        let matched = self.walk(path, |segment, text| match segment {
            Segment::Literal(_) => {}
            Segment::Param(name) => params.push((&**name, decode(text))),
            Segment::Rest(name) => params.push((&**name, decode_rest(text))),
        });
        matched.then_some(Params(params))
    }

    fn walk<'a>(&'a self, path: &'a str, mut visit: impl FnMut(&'a Segment, &'a str)) -> bool {
        let mut remaining = path.strip_prefix('/');
        for segment in self.segments() {
            let Some(text) = remaining else { return false };
            if let Segment::Rest(_) = segment {
                visit(segment, text);
                return true;
            }
            let (piece, rest) = match text.split_once('/') {
                Some((piece, rest)) => (piece, Some(rest)),
                None => (text, None),
            };
            if !segment.matches_piece(piece) {
                return false;
            }
            visit(segment, piece);
            remaining = rest;
        }
        remaining.is_none()
    }
}

impl Segment {
    /// Whether it takes one piece of a request's path, as the request wrote it.
    pub fn matches_piece(&self, piece: &str) -> bool {
        match self {
            Self::Literal(literal) if piece.contains('%') => *decode(piece) == **literal,
            Self::Literal(literal) => piece == &**literal,
            Self::Param(_) => !piece.is_empty(),
            Self::Rest(_) => true,
        }
    }
}

impl HostPattern {
    /// Whether it takes this host: the value of `host` or `:authority`, whose port is ignored.
    pub fn matches(&self, authority: &str) -> bool {
        let host = without_port(authority);
        match self {
            Self::Any => true,
            Self::Exact(name) => host.eq_ignore_ascii_case(name),
            Self::Below(suffix) => {
                let (host, suffix) = (host.as_bytes(), suffix.as_bytes());
                host.len() > suffix.len()
                    && host[host.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
            }
        }
    }
}

/// The host of an authority: no port, and no dot at the end, which only says that the name is
/// complete.
fn without_port(authority: &str) -> &str {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host)
}

/// Decodes one piece of a request's path; the rules are in the parent module.
fn decode(piece: &str) -> Cow<'_, str> {
    if !piece.contains('%') {
        return Cow::Borrowed(piece);
    }
    match String::from_utf8(decode_bytes(piece, true)) {
        Ok(text) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(piece),
    }
}

/// Decodes all that `{name...}` matched: piece by piece, keeping encoded slashes encoded.
fn decode_rest(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let pieces = text.split('/').map(|piece| match String::from_utf8(decode_bytes(piece, false)) {
        Ok(text) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(piece),
    });
    Cow::Owned(pieces.collect::<Vec<_>>().join("/"))
}

fn decode_bytes(piece: &str, slashes: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(piece.len());
    let mut rest = piece.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = if *first == b'%' { tail.first_chunk().and_then(hex_pair) } else { None };
        match escape {
            Some(byte) if byte != b'/' || slashes => {
                out.push(byte);
                rest = &tail[2..];
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

fn hex_pair(digits: &[u8; 2]) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(digit(digits[0])? << 4 | digit(digits[1])?)
}

/// Decodes a literal of a pattern, in which a broken `%` is a mistake.
pub(super) fn decode_strictly(piece: &str) -> Option<String> {
    let whole = |(at, _): (usize, _)| {
        let digits = piece.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !piece.match_indices('%').all(whole) {
        return None;
    }
    String::from_utf8(decode_bytes(piece, true)).ok()
}

/// Writes a literal so that it is read back as itself.
pub(super) fn encode(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    text.chars().try_for_each(|c| {
        let plain = !(c.is_control() || c.is_whitespace() || "?#\\\"<>^`|*{}%/".contains(c));
        if plain {
            return write!(f, "{c}");
        }
        let mut buffer = [0; 4];
        c.encode_utf8(&mut buffer).bytes().try_for_each(|byte| write!(f, "%{byte:02X}"))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, path: &str, want: Option<&[(&str, &str)]>) {
        let pattern = Pattern::parse(pattern).expect("a valid pattern");
        let got = pattern.match_path(path);
        let got: Option<Vec<_>> = got.as_ref().map(|params| params.iter().collect());
        assert_eq!(got.as_deref(), want, "{pattern} on {path}");
        assert_eq!(pattern.matches_path(path), want.is_some(), "{pattern} on {path}");
    }

    #[test]
    fn paths_match_segment_by_segment() {
        check("/", "/", Some(&[]));
        check("/", "", None);
        check("/", "/a", None);
        check("/", "*", None);
        check("/a", "/a", Some(&[]));
        check("/a", "/a/", None);
        check("/a/", "/a", None);
        check("/a/", "/a/", Some(&[]));
        check("/a", "/A", None);
        check("/a", "a", None);
        check("/{x}", "/", None);
        check("/{x}", "/1", Some(&[("x", "1")]));
        check("/{x}", "/1/", None);
        check("/{x}/", "/1/", Some(&[("x", "1")]));
        check("/{x}/b", "//b", None);
        check("/{x}/b", "/a/b", Some(&[("x", "a")]));
        check("/{x...}", "/", Some(&[("x", "")]));
        check("/{x...}", "/a//b/", Some(&[("x", "a//b/")]));
        check("/a/{x...}", "/a", None);
        check("/a/{x...}", "/a/", Some(&[("x", "")]));
        check("/{a}/{b}/{c...}", "/1/2/3/4", Some(&[("a", "1"), ("b", "2"), ("c", "3/4")]));
    }

    #[test]
    fn pieces_are_decoded_after_the_path_is_cut() {
        check("/a b".replace(' ', "%20").as_str(), "/a%20b", Some(&[]));
        check("/a", "/%61", Some(&[]));
        check("/a/b", "/a%2Fb", None);
        check("/{x}", "/a%2Fb", Some(&[("x", "a/b")]));
        check("/{x}", "/a%2fb%20c", Some(&[("x", "a/b c")]));
        check("/{x...}", "/a%2Fb/c%20d", Some(&[("x", "a%2Fb/c d")]));
        check("/{x}", "/100%", Some(&[("x", "100%")]));
        check("/{x}", "/%4", Some(&[("x", "%4")]));
        check("/{x}", "/%zz", Some(&[("x", "%zz")]));
        check("/{x}", "/%+1", Some(&[("x", "%+1")]));
        check("/{x}", "/%ff%41", Some(&[("x", "%ff%41")]));
        check("/{x}", "/%C3%A4", Some(&[("x", "ä")]));
        check("/{x}", "/%00", Some(&[("x", "\0")]));
        check("/{x...}", "/../%2e%2e/x", Some(&[("x", "../../x")]));
    }

    #[test]
    fn hosts_match_without_port_and_case() {
        for (pattern, authority, want) in [
            ("/", "anything:1", true),
            ("a.b/", "a.b", true),
            ("a.b/", "A.B:8080", true),
            ("a.b/", "a.b.", true),
            ("a.b/", "x.a.b", false),
            ("a.b/", "", false),
            ("*.a.b/", "a.b", false),
            ("*.a.b/", "x.a.b:1", true),
            ("*.a.b/", "y.x.A.b", true),
            ("*.a.b/", "xa.b", false),
            ("*.a.b/", ".a.b", false),
            ("[::1]/", "[::1]:80", true),
            ("[::1]/", "[::1]", true),
            ("127.0.0.1/", "127.0.0.1:8080", true),
        ] {
            let parsed = Pattern::parse(pattern).expect("a valid pattern");
            assert_eq!(parsed.matches_host(authority), want, "{pattern} on {authority}");
        }
    }

    #[test]
    fn get_takes_head() {
        let takes = |pattern: &str, method| {
            Pattern::parse(pattern).expect("a valid pattern").matches_method(method)
        };
        assert!(takes("GET /", "GET") && takes("GET /", "HEAD") && takes("/", "BREW"));
        assert!(!takes("GET /", "POST") && !takes("HEAD /", "GET") && !takes("GET /", "get"));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_without_a_panic(text in ".*") {
            if let Ok(pattern) = Pattern::parse(&text) {
                let again = Pattern::parse(&pattern.to_string());
                prop_assert_eq!(again, Ok(pattern));
            }
        }

        #[test]
        fn printed_literals_are_read_back(literal in "[^{}]{1,8}") {
            let segment = Segment::Literal(literal.as_str().into());
            prop_assume!(literal != "." && literal != "..");
            let pattern = Pattern::parse(&format!("/{segment}")).expect("what was printed");
            prop_assert_eq!(pattern.segments(), std::slice::from_ref(&segment));
        }

        #[test]
        fn any_path_is_matched_without_a_panic(path in ".*") {
            let pattern = Pattern::parse("/{a}/{rest...}").expect("a valid pattern");
            prop_assert_eq!(pattern.match_path(&path).is_some(), pattern.matches_path(&path));
        }

        #[test]
        fn a_path_made_from_a_pattern_matches_it(
            parts in proptest::collection::vec((0..3_u8, "[a-zäß%/ ]{1,6}"), 1..6),
        ) {
            let mut pattern = String::new();
            let mut path = String::new();
            let mut want = Vec::new();
            for (index, (kind, text)) in parts.iter().enumerate() {
                let encoded = Segment::Literal(text.as_str().into()).to_string();
                path.push('/');
                path.push_str(&encoded);
                if *kind == 0 {
                    pattern.push('/');
                    pattern.push_str(&encoded);
                } else {
                    pattern.push_str(&format!("/{{p{index}}}"));
                    want.push(text.clone());
                }
            }
            let pattern = Pattern::parse(&pattern).expect("a valid pattern");
            let params = pattern.match_path(&path).expect("the path was made from it");
            let got: Vec<String> = params.iter().map(|(_, value)| value.to_owned()).collect();
            prop_assert_eq!(got, want);
        }
    }
}
