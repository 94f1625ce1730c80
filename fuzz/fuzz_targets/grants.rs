//! Any lines are grants or refused; without a literal grant nothing leads inside.
#![no_main]

use alula_policy::{HttpGrants, NetGrants};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let lines: Vec<&str> = text.lines().collect();
    let _ = NetGrants::compile(&lines);
    let _ = HttpGrants::compile_hosts(&lines);
    let Ok(grants) = HttpGrants::compile(&lines) else { return };
    // Networks and literal addresses all have a digit or a colon pair; names without digits have
    // none.
    let literal = lines.iter().any(|line| line.contains(|c: char| c.is_ascii_digit() || c == '['));
    if let Ok(address) = grants.decide("http", "a.test", 80) {
        assert!(literal || !address.permits([127, 0, 0, 1].into()));
    }
});
