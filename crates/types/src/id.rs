//! Identifiers: each kind its own type, each printable and parseable.

use std::fmt;
use std::sync::Arc;

/// One logical call. 128 bits: 48 of milliseconds since 1970, then randomness, so that ids sort by
/// time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InvocationId(u128);

impl InvocationId {
    /// Builds an id from a wall-clock time in milliseconds and 80 random bits.
    pub const fn from_parts(unix_ms: u64, random: u128) -> Self {
        Self(((unix_ms as u128) << 80) | (random & ((1 << 80) - 1)))
    }

    /// The id as a number.
    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

impl InvocationId {
    /// The 32 lower-case hexadecimal digits, without allocating.
    pub fn to_hex(self) -> [u8; 32] {
        let mut out = [0_u8; 32];
        for (pair, byte) in out.chunks_exact_mut(2).zip(self.0.to_be_bytes()) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        out
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A function's name within its app: lower-case letters, digits and inner hyphens, 1 to 63 bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionName(Arc<str>);

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameError;

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a name has 1 to 63 lower-case letters, digits or hyphens and starts with a letter",
        )
    }
}

impl std::error::Error for NameError {}

impl FunctionName {
    /// Checks and keeps a name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let ok = (1..=63).contains(&text.len())
            && text.as_bytes()[0].is_ascii_lowercase()
            && text.bytes().all(inner)
            && !text.ends_with('-');
        if ok { Ok(Self(text.into())) } else { Err(NameError) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The SHA-256 digest that names immutable bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["a", "checkout", "a-1", &"x".repeat(63)] {
            assert!(FunctionName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "1a", "a-", "-a", "a_b", "a.b", "é", &"x".repeat(64)] {
            assert!(FunctionName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_sort_by_time_and_print_as_hex() {
        let early = InvocationId::from_parts(1, u128::MAX);
        let late = InvocationId::from_parts(2, 0);
        assert!(early < late);
        assert_eq!(late.to_string().as_bytes(), late.to_hex());
    }
}
