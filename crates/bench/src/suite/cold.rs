//! The first request to a function whose artifact is compiled but not loaded.
//!
//! Many functions with the same code and different bytes: each first request loads an artifact of
//! its own. The server is started anew before measuring, so that nothing of the compilation is left
//! in it.

use std::path::Path;
use std::time::Duration;

use alula_rt::clock;
use anyhow::{Result, ensure};

use super::answers;
use crate::apps::{self, Function};
use crate::load::client::Client;
use crate::load::percentile;
use crate::options::Options;
use crate::report::{Bound, Group};
use crate::server::Server;

/// Measures each language that can be built.
pub(crate) async fn cold(options: &Options) -> Result<Vec<Group>> {
    let columns = &["functions", "p50 ms", "p99 ms", "max ms", "second p50 ms"];
    let mut group = Group::new("first request to a compiled function that is not loaded", columns);
    if options.wants("rust") {
        let wasm = apps::rust("examples/hello-rust", "hello_rust.wasm").await?;
        group.rows.push(("rust".to_owned(), first_requests(options, &wasm, 200).await?));
    }
    // Language runtimes take seconds to compile, so fewer of them.
    for (name, example, count) in
        [("javascript", "examples/hello-js", 60), ("python", "examples/hello-python", 15)]
    {
        if !options.wants(name) {
            continue;
        }
        let measured = async {
            let (_folder, wasm) = apps::built(options, example).await?;
            first_requests(options, &wasm, count).await
        };
        match measured.await {
            Ok(figures) => group.rows.push((name.to_owned(), figures)),
            Err(error) => eprintln!("\n{name} was left out: {error:#}"),
        }
    }
    group.check("rust", "p99 ms", Bound::AtMost(3.0));
    Ok(vec![group])
}

async fn first_requests(options: &Options, wasm: &Path, count: usize) -> Result<Vec<f64>> {
    eprintln!("measuring {count} first requests");
    let variants = tempfile::tempdir()?;
    let file = |number: usize| variants.path().join(format!("{number}.wasm"));
    let files: Vec<_> = (0..count).map(file).collect();
    for (number, path) in files.iter().enumerate() {
        apps::variant(wasm, number, path)?;
    }
    let name = |number: usize| format!("f{number}");
    let functions = files.iter().enumerate();
    let functions: Vec<_> =
        functions.map(|(n, wasm)| Function { name: name(n), wasm, settings: "" }).collect();
    let app = apps::app(&functions)?;

    let compiling = Server::start(apps::dev(options, app.path())).await?;
    for number in 0..count {
        answers(&compiling, &format!("/{}", name(number))).await?;
    }
    compiling.stop().await;

    let server = Server::start(apps::dev(options, app.path())).await?;
    // What runs beside the first answers (the build, the watching) is not what is measured.
    clock::sleep(Duration::from_secs(2)).await;
    let mut client = Client::connect(server.address).await?;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for number in 0..count {
        let path = format!("/{}", name(number));
        for latencies in [&mut first, &mut second] {
            let begin = clock::now();
            let status = client.get(&path).await?;
            latencies.push(clock::now() - begin);
            ensure!(status == 200, "{path} answered {status}");
        }
        clock::sleep(Duration::from_millis(5)).await;
    }
    server.stop().await;
    let ms = |latencies: &mut [Duration], part| percentile(latencies, part) / 1e3;
    Ok(vec![
        count as f64,
        ms(&mut first, 0.5),
        ms(&mut first, 0.99),
        ms(&mut first, 1.0),
        ms(&mut second, 0.5),
    ])
}
