//! Any output of a command is a response, and none of it is lost.
#![no_main]

use alula_contract::cgi::HeadReader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|output: &[u8]| {
    let mut reader = HeadReader::default();
    let mut pieces = output.chunks(7);
    let response = loop {
        let Some(piece) = pieces.next() else { break reader.finish() };
        if let Some(response) = reader.push(piece) {
            break response;
        }
    };
    let mut body = response.first.to_vec();
    pieces.for_each(|piece| body.extend_from_slice(piece));
    assert!(output.ends_with(&body));
    assert!(response.had_head || body == output);
});
