//! Any two lines are routes or refused; how they lie to each other is the same from both sides.
#![no_main]

use alula_manifest::Pattern;
use alula_manifest::route::Relation;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else { return };
    let path = lines.next().unwrap_or("/");
    let (Ok(a), Ok(b)) = (Pattern::parse(first), Pattern::parse(second)) else { return };
    assert_eq!(Pattern::parse(&a.to_string()).as_ref(), Ok(&a));
    let mirrored = match a.relation(&b) {
        Relation::Narrower => Relation::Wider,
        Relation::Wider => Relation::Narrower,
        same => same,
    };
    assert_eq!(b.relation(&a), mirrored);
    assert_eq!(a.conflict(&b).is_some(), b.conflict(&a).is_some());
    assert_eq!(a.match_path(path).is_some(), a.matches_path(path));
});
