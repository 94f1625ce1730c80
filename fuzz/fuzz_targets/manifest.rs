//! Any bytes are read as a manifest or refused, and every refusal can be shown.
#![no_main]

use alula_manifest::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for overlay in [None, Some("x")] {
        if let Err(problems) = Manifest::parse(text, "alula.toml", overlay) {
            assert!(!problems.to_string().is_empty());
        }
    }
    let _ = alula_config::dot_env::parse(text);
});
