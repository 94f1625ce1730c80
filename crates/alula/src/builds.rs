//! From an app's functions to checked, compiled artifacts, side by side.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use alula_build::{BuildRequest, Engine, Progress, command, rust_target};
use alula_manifest::{Function, Source};
use alula_rt::clock;
use alula_sandbox::{Installed, Report, Sandbox};
use alula_types::limits::node;
use alula_types::{Code, Fault, FunctionName, Revision};
use futures_util::stream::{FuturesUnordered, Stream};
use tokio::sync::{OnceCell, Semaphore};

use crate::project::Project;

/// A function that can be invoked.
pub(crate) struct Built {
    /// What it is now.
    pub(crate) revision: Arc<Revision>,
    /// It, ready to be invoked.
    pub(crate) installed: Arc<dyn Installed>,
    /// What was found out about the artifact.
    pub(crate) report: Report,
    /// The artifact.
    pub(crate) wasm: Vec<u8>,
    /// How long the author's toolchain took.
    pub(crate) build_time: Duration,
    /// How long checking and compiling ahead of time took.
    pub(crate) compile_time: Duration,
}

/// Makes the progress listener of each function.
pub(crate) trait Audience: Send + Sync {
    /// The listener of one function's build.
    fn listener(&self, function: &FunctionName) -> Box<dyn Progress>;
}

/// What all builds of one round share.
struct Round {
    project: Arc<Project>,
    sandbox: Arc<dyn Sandbox>,
    /// A build is busy with one or two cores; more at once only make each other slow.
    permits: Semaphore,
    /// Functions of one crate or package often share one command; it runs once.
    commands: BTreeMap<String, OnceCell<Result<(), Fault>>>,
    coloured: bool,
}

/// Builds all functions of an app; gives each result as soon as it is there. Dropping the stream
/// ends the tools that run.
pub(crate) fn all(
    project: &Arc<Project>,
    sandbox: &Arc<dyn Sandbox>,
    audience: &Arc<dyn Audience>,
    coloured: bool,
) -> impl Stream<Item = (FunctionName, Result<Built, Fault>)> + Send + use<> {
    let functions = &project.manifest.functions;
    let commands = functions.values().filter_map(|function| function.build.clone());
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
    let round = Arc::new(Round {
        project: Arc::clone(project),
        sandbox: Arc::clone(sandbox),
        permits: Semaphore::new(cores.max(2)),
        commands: commands.map(|command| (command, OnceCell::new())).collect(),
        coloured,
    });
    let builds = FuturesUnordered::new();
    for function in functions.values().cloned() {
        let (round, audience) = (Arc::clone(&round), Arc::clone(audience));
        builds.push(Box::pin(async move {
            let listener = audience.listener(&function.name);
            let built = one(&round, &function, &*listener).await;
            (function.name, built)
        }));
    }
    builds
}

async fn one(round: &Round, function: &Function, says: &dyn Progress) -> Result<Built, Fault> {
    let started = clock::now();
    run_command(round, function, says).await?;
    let path = artifact(round, function, says).await?;
    let build_time = clock::now() - started;
    let wasm = read_artifact(&path, function)?;
    let _permit = round.permits.acquire().await.expect("the semaphore is never closed");
    let compiling = clock::now();
    let (revision, installed, report) = {
        let work = pin!(install(&round.project, &*round.sandbox, function, &wasm));
        announced(work, "compiling ahead of time", says).await?
    };
    let compile_time = clock::now() - compiling;
    Ok(Built { revision, installed, report, wasm, build_time, compile_time })
}

/// Waits for work and says what it is only when it takes long: what was compiled before takes no
/// time.
async fn announced<T>(
    mut work: Pin<&mut impl Future<Output = T>>,
    text: &str,
    says: &dyn Progress,
) -> T {
    if let Ok(done) = clock::timeout(SOON, work.as_mut()).await {
        return done;
    }
    says.step(text);
    work.await
}

/// What ends sooner needs no word.
const SOON: Duration = Duration::from_millis(150);

/// Checks and compiles an artifact (quick when it was before) and makes it a revision of a
/// function.
pub(crate) async fn install(
    project: &Project,
    sandbox: &dyn Sandbox,
    function: &Function,
    wasm: &[u8],
) -> Result<(Arc<Revision>, Arc<dyn Installed>, Report), Fault> {
    let report = sandbox.prepare(wasm).await?;
    let revision = Arc::new(project.revision(function, report.digest));
    let installed = sandbox.install(Arc::clone(&revision))?;
    Ok((revision, installed, report))
}

async fn run_command(round: &Round, function: &Function, says: &dyn Progress) -> Result<(), Fault> {
    let Some(line) = &function.build else { return Ok(()) };
    let once = round.commands.get(line).expect("the round has every function's command");
    let outcome = once.get_or_init(|| async {
        let _permit = round.permits.acquire().await.expect("the semaphore is never closed");
        let dir = &round.project.dir;
        if let Some(target) = rust_target::wanted(line) {
            rust_target::ensure(target, dir, says).await?;
        }
        says.step(line);
        command::shell(line, dir, round.coloured).await.map(|_| ())
    });
    outcome.await.clone()
}

async fn artifact(
    round: &Round,
    function: &Function,
    says: &dyn Progress,
) -> Result<PathBuf, Fault> {
    match &function.source {
        Source::Component(path) => Ok(round.project.dir.join(path)),
        Source::Entry { path, engine } => {
            let request = BuildRequest {
                source: round.project.dir.join(path),
                dir: round.project.dir.clone(),
                out: round.project.build_dir(&function.name),
                engine: match engine {
                    alula_manifest::Engine::QuickJs => Engine::QuickJs,
                    alula_manifest::Engine::StarlingMonkey => Engine::StarlingMonkey,
                },
            };
            let _permit = round.permits.acquire().await.expect("the semaphore is never closed");
            alula_build::build(&request, says).await
        }
    }
}

fn read_artifact(path: &std::path::Path, function: &Function) -> Result<Vec<u8>, Fault> {
    let unreadable = |error: std::io::Error| {
        let detail = format!("the artifact `{}` cannot be read: {error}", path.display());
        let fault = Fault::new(Code::ArtifactUnreadable, detail);
        match function.build {
            Some(_) => fault.hint("the build command did not write it; check `component`"),
            None => fault.hint("check `component`, or add the `build` command that makes it"),
        }
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > node::ARTIFACT.0 {
        let detail = format!("the artifact has {size} bytes; {} are allowed", node::ARTIFACT);
        return Err(Fault::new(Code::ArtifactTooLarge, detail));
    }
    std::fs::read(path).map_err(unreadable)
}
