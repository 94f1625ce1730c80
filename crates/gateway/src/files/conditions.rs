//! Requests that depend on what the client already has (RFC 9110, section 13).

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{
    HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
};

use super::resolve::Opened;
use super::whole_seconds;

/// What tells two states of a file apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Validators {
    pub(super) etag: String,
    pub(super) modified: Option<SystemTime>,
}

/// Whether a request goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precondition {
    Holds,
    NotModified,
    Failed,
}

impl Validators {
    /// The validators of a file as it was opened, at `now`.
    ///
    /// A file that changed just now may change again within the clock's grain and keep its length;
    /// its etag is weak, so that no two states of it are ever joined by ranges.
    pub(super) fn new(opened: &Opened, now: SystemTime) -> Self {
        let since_epoch =
            opened.modified.and_then(|t| t.duration_since(SystemTime::UNIX_EPOCH).ok());
        let nanos = since_epoch.unwrap_or_default().as_nanos();
        let settled = opened.modified.is_some_and(|modified| {
            now.duration_since(modified).is_ok_and(|age| age > Duration::from_secs(2))
        });
        let weak = if settled { "" } else { "W/" };
        let coding = opened.coding.map_or("", |coding| coding.suffix);
        let etag = format!("{weak}\"{nanos:x}-{:x}{coding}\"", opened.length);
        Self { etag, modified: opened.modified.and_then(whole_seconds) }
    }
}

/// Decides in the order of section 13.2.2.
pub(super) fn check(headers: &HeaderMap, validators: &Validators) -> Precondition {
    if headers.contains_key(IF_MATCH) {
        if !list(headers, IF_MATCH).any(|tag| tag == "*" || strong(tag, &validators.etag)) {
            return Precondition::Failed;
        }
    } else if let (Some(since), Some(modified)) =
        (date(headers, IF_UNMODIFIED_SINCE), validators.modified)
        && modified > since
    {
        return Precondition::Failed;
    }
    if headers.contains_key(IF_NONE_MATCH) {
        if list(headers, IF_NONE_MATCH).any(|tag| tag == "*" || weak(tag, &validators.etag)) {
            return Precondition::NotModified;
        }
    } else if let (Some(since), Some(modified)) =
        (date(headers, IF_MODIFIED_SINCE), validators.modified)
        && modified <= since
    {
        return Precondition::NotModified;
    }
    Precondition::Holds
}

/// Whether `if-range` lets a range be answered with a part (section 13.1.5).
pub(super) fn range_applies(headers: &HeaderMap, validators: &Validators) -> bool {
    let Some(value) = headers.get(IF_RANGE) else { return true };
    let Ok(value) = value.to_str() else { return false };
    if value.starts_with('"') || value.starts_with("W/") {
        return strong(value, &validators.etag);
    }
    let settled = !validators.etag.starts_with("W/");
    settled && httpdate::parse_http_date(value).ok().is_some_and(|d| Some(d) == validators.modified)
}

/// Commas are allowed inside a tag, but no tag of ours has one.
fn list(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

fn strong(a: &str, b: &str) -> bool {
    a == b && !a.starts_with("W/")
}

fn weak(a: &str, b: &str) -> bool {
    a.strip_prefix("W/").unwrap_or(a) == b.strip_prefix("W/").unwrap_or(b)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const OLD: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const NEW: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, v)| (name.clone(), HeaderValue::from_static(v))).collect()
    }

    fn validators(etag: &str) -> Validators {
        let modified = httpdate::parse_http_date(SAME).ok();
        Validators { etag: etag.into(), modified }
    }

    #[test]
    fn conditions_are_decided_in_order() {
        use Precondition::{Failed, Holds, NotModified};
        for (fields, want) in [
            (vec![], Holds),
            (vec![(IF_NONE_MATCH, "\"a\"")], NotModified),
            (vec![(IF_NONE_MATCH, "W/\"a\"")], NotModified),
            (vec![(IF_NONE_MATCH, "\"b\", \"a\"")], NotModified),
            (vec![(IF_NONE_MATCH, "*")], NotModified),
            (vec![(IF_NONE_MATCH, "\"b\"")], Holds),
            (vec![(IF_NONE_MATCH, "\"b\""), (IF_MODIFIED_SINCE, NEW)], Holds),
            (vec![(IF_MODIFIED_SINCE, OLD)], Holds),
            (vec![(IF_MODIFIED_SINCE, SAME)], NotModified),
            (vec![(IF_MODIFIED_SINCE, NEW)], NotModified),
            (vec![(IF_MODIFIED_SINCE, "yesterday")], Holds),
            (vec![(IF_MATCH, "\"a\"")], Holds),
            (vec![(IF_MATCH, "W/\"a\"")], Failed),
            (vec![(IF_MATCH, "*")], Holds),
            (vec![(IF_MATCH, "\"b\"")], Failed),
            (vec![(IF_MATCH, "\"a\""), (IF_UNMODIFIED_SINCE, OLD)], Holds),
            (vec![(IF_UNMODIFIED_SINCE, OLD)], Failed),
            (vec![(IF_UNMODIFIED_SINCE, SAME)], Holds),
        ] {
            assert_eq!(check(&headers(&fields), &validators("\"a\"")), want, "{fields:?}");
        }
    }

    #[test]
    fn a_range_needs_a_strong_validator() {
        for (value, etag, want) in [
            ("\"a\"", "\"a\"", true),
            ("\"b\"", "\"a\"", false),
            ("W/\"a\"", "W/\"a\"", false),
            (SAME, "\"a\"", true),
            (SAME, "W/\"a\"", false),
            (NEW, "\"a\"", false),
            ("nonsense", "\"a\"", false),
        ] {
            let got = range_applies(&headers(&[(IF_RANGE, value)]), &validators(etag));
            assert_eq!(got, want, "{value} of {etag}");
        }
        assert!(range_applies(&HeaderMap::new(), &validators("W/\"a\"")));
    }
}
