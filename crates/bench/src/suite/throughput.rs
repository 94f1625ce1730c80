//! Requests per second and latency of small functions, fresh and warm, by language.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::answers;
use crate::apps;
use crate::contenders::{self, Contender, Wasmtime};
use crate::load::{Sample, closed_loop, median};
use crate::options::Options;
use crate::report::{Bound, Group};

const RATE: &str = "req/s";
const SINGLE_P50: &str = "c=1 p50 µs";
const COLUMNS: &[&str] =
    &[RATE, "× raw", "× wasmtime", "p50 µs", "p99 µs", SINGLE_P50, "errors", "RSS MiB"];

/// Every language that can be built.
pub(crate) async fn throughput(options: &Options) -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    for name in ["rust", "rust-p3", "js", "python"] {
        if !options.wants(name) {
            continue;
        }
        let group = match name {
            "rust" => rust(options).await,
            "rust-p3" => rust_p3(options).await,
            "js" => js(options).await,
            _ => python(options).await,
        };
        match group {
            Ok(group) => groups.push(group),
            // One language that cannot be built must not cost the figures of the others.
            Err(error) => eprintln!("\n{name} was left out: {error:#}"),
        }
    }
    Ok(groups)
}

async fn rust(options: &Options) -> Result<Group> {
    let wasm = apps::rust("examples/hello-rust", "hello_rust.wasm").await?;
    let mut contenders = own(options, &wasm).await?;
    for how in [Wasmtime::Fresh, Wasmtime::FreshBest, Wasmtime::Reused] {
        contenders.extend(contenders::wasmtime(options, &wasm, how).await?);
    }
    let mut group = measure(options, "rust wasi:http 0.2 hello", contenders).await?;
    group.check_ratio(("alula fresh", "wasmtime serve"), RATE, Bound::AtLeast(2.0));
    group.check_ratio(("alula fresh", "wasmtime serve, best flags"), RATE, Bound::AtLeast(1.0));
    group.check_ratio(("alula fresh", "wasmtime serve, best flags"), RATE, Bound::Aim(1.15));
    group.check_ratio(("alula fresh", "wasmtime serve"), SINGLE_P50, Bound::AtMost(0.8));
    group.check_ratio(("alula warm", "raw hyper"), RATE, Bound::AtLeast(0.85));
    Ok(group)
}

async fn rust_p3(options: &Options) -> Result<Group> {
    let wasm = apps::rust("examples/hello-rust-p3", "hello_rust_p3.wasm").await?;
    let old = apps::rust("examples/hello-rust", "hello_rust.wasm").await?;
    let mut contenders = own(options, &wasm).await?;
    for how in [Wasmtime::Fresh, Wasmtime::FreshBest, Wasmtime::Reused] {
        contenders.extend(contenders::wasmtime(options, &wasm, how).await?);
    }
    // The 0.2 rows of the same run: 0.3 is to be no slower.
    for (name, warm) in [("alula fresh, 0.2", false), ("alula warm, 0.2", true)] {
        contenders.push(Contender { name, ..contenders::alula(options, &old, warm).await? });
    }
    let mut group = measure(options, "rust wasi:http 0.3 hello", contenders).await?;
    group.check_ratio(("alula fresh", "alula fresh, 0.2"), RATE, Bound::Aim(1.0));
    group.check_ratio(("alula warm", "alula warm, 0.2"), RATE, Bound::Aim(1.0));
    Ok(group)
}

async fn js(options: &Options) -> Result<Group> {
    let (_folder, wasm) = apps::built(options, "examples/hello-js").await?;
    let config = tempfile::tempdir()?;
    let mut contenders = own(options, &wasm).await?;
    contenders.extend(contenders::workerd(options, config.path()).await?);
    let mut group = measure(options, "javascript hello", contenders).await?;
    group.check("alula fresh", RATE, Bound::AtLeast(4_000.0));
    group.check("alula warm", RATE, Bound::AtLeast(20_000.0));
    Ok(group)
}

async fn python(options: &Options) -> Result<Group> {
    let (_folder, wasm) = apps::built(options, "examples/hello-python").await?;
    let contenders = own(options, &wasm).await?;
    let mut group = measure(options, "python hello", contenders).await?;
    group.check("alula fresh", RATE, Bound::AtLeast(600.0));
    group.check("alula warm", RATE, Bound::AtLeast(10_000.0));
    Ok(group)
}

/// What stands in every group: the practical limit, and Alula fresh and warm.
async fn own(options: &Options, wasm: &Path) -> Result<Vec<Contender>> {
    Ok(vec![
        contenders::raw_hyper().await?,
        contenders::alula(options, wasm, false).await?,
        contenders::alula(options, wasm, true).await?,
    ])
}

/// Measures contenders in turns, so that what the machine does meanwhile falls on all alike.
async fn measure(options: &Options, name: &str, contenders: Vec<Contender>) -> Result<Group> {
    eprintln!("measuring {name}: {} contenders, {} rounds", contenders.len(), options.rounds);
    for Contender { server, path, .. } in &contenders {
        answers(server, path).await?;
        closed_loop(options, server, path, options.connections, Duration::from_secs(1)).await?;
    }
    let mut loaded: Vec<Vec<Sample>> = contenders.iter().map(|_| Vec::new()).collect();
    let mut single = loaded.clone();
    for _ in 0..options.rounds {
        for (index, Contender { server, path, .. }) in contenders.iter().enumerate() {
            let many = options.connections;
            loaded[index].push(closed_loop(options, server, path, many, options.round).await?);
            let time = (options.round / 2).max(Duration::from_secs(1));
            single[index].push(closed_loop(options, server, path, 1, time).await?);
        }
    }
    let mut group = Group::new(name, COLUMNS);
    let rate = |index: usize| median(loaded[index].iter().map(|sample| sample.rate));
    let named = |name: &str| contenders.iter().position(|one| one.name == name).map(rate);
    let (raw, peer) = (named("raw hyper"), named("wasmtime serve"));
    for (index, Contender { name, server, .. }) in contenders.iter().enumerate() {
        let (many, one) = (&loaded[index], &single[index]);
        let errors: u64 = many.iter().chain(one).map(|sample| sample.errors).sum();
        let figures = vec![
            rate(index),
            rate(index) / raw.unwrap_or(f64::NAN),
            rate(index) / peer.unwrap_or(f64::NAN),
            median(many.iter().map(|sample| sample.p50)),
            median(many.iter().map(|sample| sample.p99)),
            median(one.iter().map(|sample| sample.p50)),
            errors as f64,
            crate::machine::resident_mib(server.pid()),
        ];
        group.rows.push(((*name).to_owned(), figures));
    }
    for Contender { server, .. } in contenders {
        server.stop().await;
    }
    Ok(group)
}
