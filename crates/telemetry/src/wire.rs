//! The JSON lines that programs read, version 1. Fields may be added; none changes its meaning.
//!
//! Times are whole microseconds. Every line has `kind`: `log`, `invocation`, `dropped`, or what the
//! program itself says.

use alula_types::UsageRecord;
use alula_types::usage::OutcomeClass;
use serde_json::{Value, json};

use crate::guest_log::GuestStream;
use crate::lines::{Line, Render};

/// Renders for programs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

/// Renders the records of ended invocations for programs and nothing else.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonUsage;

impl Render for Json {
    fn render(&mut self, line: &Line, out: &mut Vec<u8>) {
        match line {
            Line::Note { json, .. } => out.extend_from_slice(json.as_bytes()),
            Line::Usage(record) => push(&invocation(record), out),
            Line::Dropped(count) => push(&json!({ "kind": "dropped", "lines": count }), out),
            Line::Guest { function, invocation, stream, text } => push(
                &json!({
                    "kind": "log",
                    "function": function.as_str(),
                    "invocation": invocation.to_string(),
                    "stream": stream_name(*stream),
                    "text": text,
                }),
                out,
            ),
        }
        out.push(b'\n');
    }
}

impl Render for JsonUsage {
    fn render(&mut self, line: &Line, out: &mut Vec<u8>) {
        if matches!(line, Line::Usage(_) | Line::Dropped(_)) {
            Json.render(line, out);
        }
    }
}

fn push(value: &Value, out: &mut Vec<u8>) {
    // Writing into memory does not fail, and a `Value` has no key that JSON cannot hold.
    let _ = serde_json::to_writer(out, value);
}

const fn stream_name(stream: GuestStream) -> &'static str {
    match stream {
        GuestStream::Stdout => "stdout",
        GuestStream::Stderr => "stderr",
        GuestStream::Host => "host",
    }
}

fn invocation(record: &UsageRecord) -> Value {
    let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let code = match record.outcome {
        OutcomeClass::Completed => None,
        OutcomeClass::Failed(code) => Some(code.name()),
    };
    json!({
        "kind": "invocation",
        "invocation": record.invocation.to_string(),
        "function": record.function.as_str(),
        "method": record.request.as_ref().map(|request| request.method.as_str()),
        "path": record.request.as_ref().map(|request| request.target.path()),
        "outcome": record.outcome.as_str(),
        "code": code,
        "status": (record.status != 0).then_some(record.status),
        "start": record.start.as_str(),
        "wall_us": micros(record.wall),
        "cpu_us": micros(record.cpu),
        "queue_us": micros(record.queue),
        "load_us": micros(record.load),
        "instantiate_us": micros(record.instantiate),
        "first_byte_us": micros(record.first_byte),
        "memory_peak_bytes": record.memory_peak_bytes,
        "memory_mib_ms": record.memory_mib_ms,
        "bytes_in": record.bytes_in,
        "bytes_out": record.bytes_out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alula_types::{FunctionName, InvocationId};

    #[test]
    fn a_log_line_is_one_json_object_whatever_the_guest_wrote() {
        let line = Line::Guest {
            function: FunctionName::parse("f").unwrap(),
            invocation: InvocationId::from_parts(1, 1),
            stream: GuestStream::Stderr,
            text: "\"quoted\" \x1b[2J\u{2028}".into(),
        };
        let mut out = Vec::new();
        Json.render(&line, &mut out);
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
        let value: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["text"], "\"quoted\" \x1b[2J\u{2028}");
        assert_eq!(value["stream"], "stderr");
    }
}
