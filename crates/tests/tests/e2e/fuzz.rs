//! A slice of fuzzing that every run takes: damaged artifacts are refused or run, and never more.

use alula_tests::app::App;
use alula_tests::guests::Guest;
use alula_tests::program::run;
use fastrand::Rng;

/// Artifacts in one app, so that one process sees them all.
const CASES: usize = 120;

#[test]
fn damaged_artifacts_never_crash_the_build() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = Rng::with_seed(seed);
    let seeds = [Guest::Embedded, Guest::OddImport, Guest::CommandP1, Guest::NoExport];
    let seeds = seeds.map(Guest::bytes);

    let app = App::new("[app]\nname = 'damaged'\n");
    let mut manifest = "[app]\nname = 'damaged'\n".to_owned();
    for case in 0..CASES {
        let whole = &seeds[random.usize(..seeds.len())];
        app.write(&format!("f{case}.wasm"), damage(whole, &mut random));
        manifest.push_str(&format!("[functions.f{case}]\ncomponent = 'f{case}.wasm'\n"));
    }
    app.write("alula.toml", manifest);

    let built = run(["build".as_ref(), app.dir().as_os_str()]);
    assert!([0, 1].contains(&built.code()), "seed {seed}: {built:?}");
    assert!(!built.stderr.contains("panicked"), "seed {seed}: {built:?}");
    assert!(!built.stderr.contains("ALULA-E0901"), "seed {seed}: {built:?}");
}

/// Bytes with one kind of damage.
fn damage(whole: &[u8], random: &mut Rng) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    match random.u8(..6) {
        // Cut off.
        0 => bytes.truncate(random.usize(..whole.len())),
        // Bits flipped in the head, where sections and their lengths are.
        1 => (0..4).for_each(|_| flip(&mut bytes[..200], random)),
        // Bits flipped anywhere.
        2 => (0..20).for_each(|_| flip(&mut bytes, random)),
        // A stretch lost.
        3 => {
            let from = random.usize(8..whole.len());
            bytes.drain(from..(from + random.usize(1..64)).min(whole.len()));
        }
        // A length that promises four gigabytes.
        4 => bytes.splice(9..10, [0xff, 0xff, 0xff, 0xff, 0x0f]).for_each(drop),
        // Noise behind a proper beginning.
        _ => bytes[8..].iter_mut().for_each(|byte| *byte = random.u8(..)),
    }
    bytes
}

fn flip(bytes: &mut [u8], random: &mut Rng) {
    let at = random.usize(..bytes.len());
    bytes[at] ^= 1 << random.u8(..8);
}
