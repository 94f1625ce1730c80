//! W3C Trace Context (<https://www.w3.org/TR/trace-context/>, version 00).

/// One hop of a distributed trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace, never zero.
    pub trace_id: u128,
    /// This hop's span, never zero.
    pub span_id: u64,
    /// Whether the caller records the trace.
    pub sampled: bool,
}

impl TraceContext {
    /// Length of a version-00 header value, in bytes.
    pub const HEADER_LEN: usize = 55;

    /// Reads a `traceparent` value. Versions above 00 are read as 00, as section 4.3 asks; version
    /// ff and malformed values are refused, and the caller then starts a new trace.
    pub fn parse(value: &str) -> Option<Self> {
        let bytes = value.as_bytes();
        let version = hex_u128(bytes.get(..2)?)?;
        let long_enough = match version {
            0 => bytes.len() == Self::HEADER_LEN,
            0xff => false,
            _ => bytes.len() == Self::HEADER_LEN || bytes.get(Self::HEADER_LEN) == Some(&b'-'),
        };
        let dashes = bytes.get(2) == Some(&b'-')
            && bytes.get(35) == Some(&b'-')
            && bytes.get(52) == Some(&b'-');
        if !long_enough || !dashes {
            return None;
        }
        let trace_id = hex_u128(&bytes[3..35])?;
        let span_id = u64::try_from(hex_u128(&bytes[36..52])?).ok()?;
        let flags = hex_u128(&bytes[53..55])?;
        let valid = trace_id != 0 && span_id != 0;
        valid.then_some(Self { trace_id, span_id, sampled: flags & 1 == 1 })
    }

    /// The next hop of the same trace.
    pub const fn child(self, span_id: u64) -> Self {
        Self { span_id, ..self }
    }

    /// The header value for this hop, without allocating.
    pub fn to_header(self) -> [u8; Self::HEADER_LEN] {
        let mut out = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&mut out[3..35], self.trace_id);
        write_hex(&mut out[36..52], u128::from(self.span_id));
        out[54] = if self.sampled { b'1' } else { b'0' };
        out
    }
}

fn write_hex(out: &mut [u8], mut value: u128) {
    for digit in out.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

fn hex_u128(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_round_trip() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = TraceContext::parse(text).expect("valid");
        assert_eq!(trace.to_header().as_slice(), text.as_bytes());
        assert_eq!(trace.child(7).trace_id, trace.trace_id);
    }

    #[test]
    fn malformed_headers_are_refused() {
        for text in [
            "",
            "00",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(TraceContext::parse(text), None, "{text}");
        }
        let future = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert!(TraceContext::parse(future).is_some());
    }
}
