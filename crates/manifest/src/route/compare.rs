//! Which of two patterns is more specific, and which tables of patterns are ambiguous.

use std::cmp::Ordering;
use std::fmt;

use super::{HostPattern, Pattern, Segment};

/// How the requests that one pattern matches lie to those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The same requests.
    Same,
    /// Only requests that the other matches too.
    Narrower,
    /// All requests that the other matches, and more.
    Wider,
    /// Some in common, and each has some of its own.
    Overlapping,
    /// None in common.
    Disjoint,
}

/// Two patterns of a table of which neither wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Index of the earlier one.
    pub first: usize,
    /// Index of the later one.
    pub second: usize,
    /// Whether they match the same requests, not merely some.
    pub same: bool,
    /// A request that both match, such as `GET /a/b`.
    pub example: String,
}

/// All conflicts of a table, ordered by the later pattern. Empty: every request has one best match.
pub fn conflicts(table: &[Pattern]) -> Vec<Conflict> {
    let mut found = Vec::new();
    for (second, later) in table.iter().enumerate() {
        for (first, earlier) in table[..second].iter().enumerate() {
            if let Some(example) = earlier.conflict(later) {
                let same = earlier.relation(later) == Relation::Same;
                found.push(Conflict { first, second, same, example });
            }
        }
    }
    found
}

impl Pattern {
    /// How the requests that it matches lie to those of another.
    pub fn relation(&self, other: &Self) -> Relation {
        let host = self.host().relation(other.host());
        let method = methods(self.method(), other.method());
        host.and(method).and(paths(self.segments(), other.segments()))
    }

    /// A request for which neither of the two wins over the other, if there is one. Symmetric, but
    /// for the words of the example.
    pub fn conflict(&self, other: &Self) -> Option<String> {
        // Of two different hosts the more specific one wins, whatever the paths.
        if self.host() != other.host() {
            return None;
        }
        match self.relation(other) {
            Relation::Same | Relation::Overlapping => Some(common_request(self, other)),
            Relation::Narrower | Relation::Wider | Relation::Disjoint => None,
        }
    }

    /// Orders patterns so that in a table without conflicts the first match is the most specific
    /// one. Patterns that the rules do not rank compare as equal, so a stable sort keeps their
    /// order.
    pub fn precedence(&self, other: &Self) -> Ordering {
        let host = self.host().rank().cmp(&other.host().rank());
        host.then_with(|| {
            let kinds = |pattern: &'_ Self| pattern.segments().iter().map(Segment::rank).collect();
            let (a, b): (Vec<u8>, Vec<u8>) = (kinds(self), kinds(other));
            a.cmp(&b)
        })
        .then_with(|| method_rank(self.method()).cmp(&method_rank(other.method())))
    }
}

impl Relation {
    /// The relation of two products from the relations of their parts.
    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Disjoint, _) | (_, Self::Disjoint) => Self::Disjoint,
            (Self::Same, relation) | (relation, Self::Same) => relation,
            (Self::Narrower, Self::Narrower) => Self::Narrower,
            (Self::Wider, Self::Wider) => Self::Wider,
            _ => Self::Overlapping,
        }
    }
}

impl HostPattern {
    fn relation(&self, other: &Self) -> Relation {
        if self == other {
            return Relation::Same;
        }
        match (self.contains(other), other.contains(self)) {
            (true, _) => Relation::Wider,
            (_, true) => Relation::Narrower,
            _ => Relation::Disjoint,
        }
    }

    fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Below(_), Self::Exact(name)) => self.matches(name),
            (Self::Below(suffix), Self::Below(other)) => other.ends_with(&**suffix),
            _ => false,
        }
    }

    /// Lower wins. A longer suffix is more specific wherever two suffixes match the same name.
    fn rank(&self) -> (u8, std::cmp::Reverse<usize>) {
        match self {
            Self::Exact(_) => (0, std::cmp::Reverse(0)),
            Self::Below(suffix) => (1, std::cmp::Reverse(suffix.len())),
            Self::Any => (2, std::cmp::Reverse(0)),
        }
    }
}

impl Segment {
    const fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Param(_) => 1,
            Self::Rest(_) => 2,
        }
    }

    /// Neither is a rest.
    fn relation(&self, other: &Self) -> Relation {
        match (self, other) {
            (Self::Literal(a), Self::Literal(b)) if a == b => Relation::Same,
            (Self::Literal(_), Self::Literal(_)) => Relation::Disjoint,
            // A parameter takes no empty piece, so a slash at the end is nothing to it.
            (Self::Literal(text), _) | (_, Self::Literal(text)) if text.is_empty() => {
                Relation::Disjoint
            }
            (Self::Literal(_), _) => Relation::Narrower,
            (_, Self::Literal(_)) => Relation::Wider,
            _ => Relation::Same,
        }
    }
}

fn method_rank(method: Option<&str>) -> u8 {
    match method {
        Some("GET") => 1,
        Some(_) => 0,
        None => 2,
    }
}

fn methods(a: Option<&str>, b: Option<&str>) -> Relation {
    match (a, b) {
        _ if a == b => Relation::Same,
        (None, _) | (Some("GET"), Some("HEAD")) => Relation::Wider,
        (_, None) | (Some("HEAD"), Some("GET")) => Relation::Narrower,
        _ => Relation::Disjoint,
    }
}

fn paths(a: &[Segment], b: &[Segment]) -> Relation {
    match (a, b) {
        ([], []) | ([Segment::Rest(_)], [Segment::Rest(_)]) => Relation::Same,
        ([], _) | (_, []) => Relation::Disjoint,
        // What follows a slash is at least one piece, and a rest takes any number of any pieces.
        ([Segment::Rest(_)], _) => Relation::Wider,
        (_, [Segment::Rest(_)]) => Relation::Narrower,
        ([first, a @ ..], [other, b @ ..]) => first.relation(other).and(paths(a, b)),
    }
}

/// A request that two overlapping patterns of one host both match.
fn common_request(a: &Pattern, b: &Pattern) -> String {
    struct Path<'a>(Vec<&'a Segment>);
    impl fmt::Display for Path<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.iter().try_for_each(|segment| match segment {
                Segment::Literal(_) => write!(f, "/{segment}"),
                Segment::Param(name) => write!(f, "/{name}"),
                Segment::Rest(_) => f.write_str("/"),
            })
        }
    }
    let longest = a.segments().len().max(b.segments().len());
    let narrowest = (0..longest).filter_map(|index| {
        let pair = [a.segments().get(index), b.segments().get(index)];
        pair.into_iter().flatten().min_by_key(|segment| segment.rank())
    });
    let method = match (a.method(), b.method()) {
        (Some("GET"), Some(method)) => method,
        (Some(method), _) | (None, Some(method)) => method,
        (None, None) => "GET",
    };
    let host = match a.host() {
        HostPattern::Exact(name) => name.to_string(),
        HostPattern::Below(suffix) => format!("any{suffix}"),
        HostPattern::Any => String::new(),
    };
    format!("{method} {host}{}", Path(narrowest.collect()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn parse(text: &str) -> Pattern {
        Pattern::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[track_caller]
    fn check(a: &str, b: &str, want: Relation) {
        let mirrored = match want {
            Relation::Narrower => Relation::Wider,
            Relation::Wider => Relation::Narrower,
            same => same,
        };
        assert_eq!(parse(a).relation(&parse(b)), want, "{a} to {b}");
        assert_eq!(parse(b).relation(&parse(a)), mirrored, "{b} to {a}");
    }

    #[test]
    fn narrower_is_more_specific() {
        check("/a", "/{x}", Relation::Narrower);
        check("/{x}", "/{y...}", Relation::Narrower);
        check("/a/", "/a/{y...}", Relation::Narrower);
        check("/a/{x...}", "/{y...}", Relation::Narrower);
        check("/{x}", "/{y}", Relation::Same);
        check("/{x...}", "/{y...}", Relation::Same);
        check("/a", "/a/", Relation::Disjoint);
        check("/{x}", "/", Relation::Disjoint);
        check("/a/{x}", "/a/", Relation::Disjoint);
        check("/a/{x...}", "/a", Relation::Disjoint);
        check("/a/{x}", "/{y}/b", Relation::Overlapping);
        check("/a/{x...}", "/{y}/b", Relation::Overlapping);
        check("/a/{x}", "/{y}/c/d", Relation::Disjoint);
        check("GET /a", "/a", Relation::Narrower);
        check("HEAD /a", "GET /a", Relation::Narrower);
        check("GET /a", "POST /a", Relation::Disjoint);
        check("GET /{x}", "/a", Relation::Overlapping);
        check("h.com/a", "/a", Relation::Narrower);
        check("h.com/{x}", "/a", Relation::Overlapping);
        check("a.h.com/", "*.h.com/", Relation::Narrower);
        check("*.a.h.com/", "*.h.com/", Relation::Narrower);
        check("h.com/", "*.h.com/", Relation::Disjoint);
    }

    #[test]
    fn a_conflict_names_a_request_that_both_match() {
        for (a, b, want) in [
            ("/a/{x}", "/{y}/b", Some("GET /a/b")),
            ("GET /{x}", "/a", Some("GET /a")),
            ("GET /{x}", "HEAD /{y}", None),
            ("GET /a", "GET /a", Some("GET /a")),
            ("POST /{a}", "POST /{b}", Some("POST /a")),
            ("h.com/{x}", "/a", None),
            ("*.h.com/{x}", "*.h.com/{y}", Some("GET any.h.com/x")),
            ("GET /a", "POST /a", None),
            ("/a/{x...}", "/{y}/b/{z}", Some("GET /a/b/z")),
            ("/a/{x...}", "/{y}/{z...}", None),
            ("HEAD /a/{x}", "GET /{y}/b", Some("HEAD /a/b")),
        ] {
            let (a, b) = (parse(a), parse(b));
            assert_eq!(a.conflict(&b).as_deref(), want, "{a} and {b}");
            assert_eq!(b.conflict(&a).is_some(), want.is_some(), "{b} and {a}");
        }
    }

    #[test]
    fn a_table_reports_every_pair() {
        let table: Vec<_> = ["/a", "/{x}", "/a", "/b", "/{y}"].map(parse).into();
        let pairs: Vec<_> = conflicts(&table).iter().map(|c| (c.first, c.second, c.same)).collect();
        assert_eq!(pairs, [(0, 2, true), (1, 4, true)]);
    }

    const METHODS: [&str; 4] = ["", "GET ", "HEAD ", "POST "];

    /// Every pattern of up to three segments over a small alphabet.
    fn small_patterns() -> Vec<Pattern> {
        let mut paths = vec![String::new()];
        let mut all = Vec::new();
        for depth in 0..3 {
            let mut longer = Vec::new();
            for path in &paths {
                for last in ["", "{rest...}"] {
                    all.push(format!("{path}/{last}"));
                }
                for inner in ["a", "b", &format!("{{x{depth}}}")] {
                    all.push(format!("{path}/{inner}"));
                    longer.push(format!("{path}/{inner}"));
                }
            }
            paths = longer;
        }
        let with_method = |path: String| METHODS.map(|method| parse(&format!("{method}{path}")));
        all.into_iter().flat_map(with_method).collect()
    }

    /// Every request of up to four pieces over a slightly larger alphabet.
    fn small_requests() -> Vec<(&'static str, String)> {
        let mut paths = vec![String::new()];
        let mut all = Vec::new();
        for _ in 0..4 {
            paths = paths
                .iter()
                .flat_map(|path| ["", "a", "b", "c"].map(|piece| format!("{path}/{piece}")))
                .collect();
            all.extend(paths.iter().cloned());
        }
        let methods = ["GET", "HEAD", "POST", "PUT"];
        all.iter().flat_map(|path| methods.map(|method| (method, path.clone()))).collect()
    }

    fn by_counting(a: &BTreeSet<usize>, b: &BTreeSet<usize>) -> Relation {
        match (a.is_subset(b), b.is_subset(a), a.is_disjoint(b)) {
            (true, true, _) => Relation::Same,
            (true, ..) => Relation::Narrower,
            (_, true, _) => Relation::Wider,
            (.., true) => Relation::Disjoint,
            _ => Relation::Overlapping,
        }
    }

    #[test]
    fn relations_agree_with_counting_the_requests() {
        let patterns = small_patterns();
        let requests = small_requests();
        let matched: Vec<BTreeSet<usize>> = patterns
            .iter()
            .map(|pattern| {
                let takes = |(method, path): &(&str, String)| {
                    pattern.matches_method(method) && pattern.matches_path(path)
                };
                (0..requests.len()).filter(|index| takes(&requests[*index])).collect()
            })
            .collect();
        for (i, a) in patterns.iter().enumerate() {
            for (j, b) in patterns.iter().enumerate() {
                let want = by_counting(&matched[i], &matched[j]);
                assert_eq!(a.relation(b), want, "{a} to {b}");
                let order = a.precedence(b);
                match want {
                    Relation::Narrower => assert_eq!(order, Ordering::Less, "{a} before {b}"),
                    Relation::Wider => assert_eq!(order, Ordering::Greater, "{a} after {b}"),
                    _ => assert_eq!(order, b.precedence(a).reverse(), "{a} and {b}"),
                }
            }
        }
    }

    #[test]
    fn of_two_hosts_that_match_the_more_specific_comes_first() {
        let names = ["a.b", "x.a.b", "y.x.a.b", "b", "x.b", "q"];
        let hosts = ["", "a.b", "x.a.b", "*.a.b", "*.b", "*.x.a.b", "q"];
        for a in hosts {
            for b in hosts {
                let (a, b) = (parse(&format!("{a}/")), parse(&format!("{b}/")));
                let takes = |pattern: &Pattern| -> BTreeSet<usize> {
                    (0..names.len()).filter(|i| pattern.matches_host(names[*i])).collect()
                };
                let (of_a, of_b) = (takes(&a), takes(&b));
                if !of_a.is_disjoint(&of_b) && a != b {
                    let narrower = of_a.len() < of_b.len();
                    assert_eq!(a.precedence(&b) == Ordering::Less, narrower, "{a} and {b}");
                    assert!(a.conflict(&b).is_none(), "{a} and {b}");
                }
            }
        }
    }
}
