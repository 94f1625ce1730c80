//! Builds one source file without a manifest: `cargo run -p alula-build --example build_source --
//! app.py out`.

use std::path::PathBuf;

use alula_build::{BuildRequest, Engine, Progress, build};

struct Steps;

impl Progress for Steps {
    fn step(&self, text: &str) {
        eprintln!("{text}");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(source), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("give a source file and a folder for the output".into());
    };
    let source = source.canonicalize()?;
    let dir = source.parent().unwrap_or(&source).to_owned();
    std::fs::create_dir_all(&out)?;
    let request = BuildRequest { source, dir, out: out.canonicalize()?, engine: Engine::default() };
    match build(&request, &Steps).await {
        Ok(component) => println!("{}", component.display()),
        Err(fault) => return Err(format!("{fault}\nhint: {}", fault.advice()).into()),
    }
    Ok(())
}
