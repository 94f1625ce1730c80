//! The JSON lines that programs read, version 1. Fields may be added; none changes its meaning.
//!
//! Times are whole microseconds. Every line has `kind`: `log`, `answer`, `usage`, `dropped`, or
//! what the program itself says.

use std::time::Duration;

use alula_types::UsageRecord;
use alula_types::usage::OutcomeClass;
use serde_json::{Value, json};

use crate::guest_log::GuestStream;
use crate::lines::{Answer, Line, Render};

/// Renders for programs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

impl Render for Json {
    fn render(&mut self, line: &Line, out: &mut Vec<u8>) {
        match line {
            Line::Note { json, .. } => out.extend_from_slice(json.as_bytes()),
            Line::Answer(answer) => push(&answered(answer), out),
            Line::Usage(record) => push(&usage(record), out),
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

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

const fn code_of(outcome: OutcomeClass) -> Option<&'static str> {
    match outcome {
        OutcomeClass::Completed => None,
        OutcomeClass::Failed(code) => Some(code.name()),
    }
}

fn answered(answer: &Answer) -> Value {
    json!({
        "kind": "answer",
        "invocation": answer.invocation.to_string(),
        "function": answer.function.as_ref().map(|function| function.as_str()),
        "method": answer.method,
        "path": answer.path,
        "status": answer.status,
        "elapsed_us": micros(answer.elapsed),
        "start": answer.start.as_str(),
        "outcome": answer.outcome.as_str(),
        "code": code_of(answer.outcome),
    })
}

fn usage(record: &UsageRecord) -> Value {
    json!({
        "kind": "usage",
        "invocation": record.invocation.to_string(),
        "function": record.function.as_str(),
        "outcome": record.outcome.as_str(),
        "code": code_of(record.outcome),
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
