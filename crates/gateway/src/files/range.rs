//! One range of bytes (RFC 9110, section 14).

use http::HeaderValue;

/// What a `range` field asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Everything: no range, several, another unit, or one that makes no sense.
    Whole,
    /// The bytes from `start` up to, not including, `end`.
    Part {
        /// First byte.
        start: u64,
        /// First byte that is not wanted.
        end: u64,
    },
    /// Nothing that is there.
    Outside,
}

/// Reads the field for a file of `length` bytes.
pub(super) fn parse(value: &HeaderValue, length: u64) -> Asked {
    let range = value.to_str().ok().and_then(|text| text.trim().strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|range| range.split_once('-')) else {
        return Asked::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    match (number(first), number(last)) {
        (Some(_), Some(_)) if first.is_empty() && last.is_empty() => Asked::Whole,
        (Some(_), Some(suffix)) if first.is_empty() => {
            if suffix == 0 || length == 0 {
                return Asked::Outside;
            }
            Asked::Part { start: length.saturating_sub(suffix), end: length }
        }
        (Some(start), Some(_)) if last.is_empty() && start < length => {
            Asked::Part { start, end: length }
        }
        (Some(start), Some(last_byte)) if !last.is_empty() && last_byte < start => Asked::Whole,
        (Some(start), Some(last_byte)) if !last.is_empty() && start < length => {
            Asked::Part { start, end: last_byte.saturating_add(1).min(length) }
        }
        (Some(_), Some(_)) => Asked::Outside,
        _ => Asked::Whole,
    }
}

/// A number; nothing at all counts as 0, and one too large to count as the largest.
fn number(digits: &str) -> Option<u64> {
    let valid = digits.bytes().all(|b| b.is_ascii_digit());
    valid.then(|| if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u64::MAX) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_read() {
        let part = |start, end| Asked::Part { start, end };
        for (text, want) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=0-9", part(0, 10)),
            ("bytes=0-99", part(0, 10)),
            ("bytes=3-", part(3, 10)),
            ("bytes=-3", part(7, 10)),
            ("bytes=-30", part(0, 10)),
            ("bytes=9-9", part(9, 10)),
            ("bytes=10-", Asked::Outside),
            ("bytes=10-20", Asked::Outside),
            ("bytes=-0", Asked::Outside),
            ("bytes=99999999999999999999-", Asked::Outside),
            ("bytes=0-99999999999999999999", part(0, 10)),
            ("bytes=5-4", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("bytes=", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("bytes=0-1,3-4", Asked::Whole),
            ("bytes=--1", Asked::Whole),
            ("lines=0-1", Asked::Whole),
            ("", Asked::Whole),
        ] {
            assert_eq!(parse(&HeaderValue::from_static(text), 10), want, "{text}");
        }
        assert_eq!(parse(&HeaderValue::from_static("bytes=0-"), 0), Asked::Outside);
        assert_eq!(parse(&HeaderValue::from_static("bytes=-1"), 0), Asked::Outside);
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_file(
            text in "bytes=[0-9]{0,3}-[0-9]{0,3}",
            length in 0..300_u64,
        ) {
            let value = HeaderValue::from_str(&text).unwrap();
            if let Asked::Part { start, end } = parse(&value, length) {
                prop_assert!(start < end && end <= length, "{text} of {length}");
            }
        }
    }
}
