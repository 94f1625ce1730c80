//! `alula dev`: serves the last good artifacts at once, builds beside it, and swaps what was built.
//!
//! One loop owns everything that changes. It waits for a build to end, for files to change, or for
//! a signal, and handles one at a time. At most one round of builds runs; whatever changes
//! meanwhile starts one more after it.

mod changes;
mod page;
mod session;
mod watch;

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;

use alula_telemetry::bounded_file::BoundedFile;
use alula_telemetry::terminal::Human;
use alula_telemetry::wire::Json;
use alula_telemetry::{Lines, lines};
use alula_types::{Code, Fault, FunctionName};
use futures_util::{Stream, StreamExt as _};

use crate::builds::Built;
use crate::cli::Dev;
use crate::node::{self, Socket};
use crate::project::{DotEnv, Project};
use crate::signals::Signals;
use crate::terminal::Terminal;
use changes::{Changed, Changes, Seen};
use session::Session;
use watch::{Scope, Watch};

/// The results of a round of builds, as they come.
type Round = Pin<Box<dyn Stream<Item = (FunctionName, Result<Built, Fault>)> + Send>>;

/// Bytes of each of the two files of usage records.
const USAGE_FILE: u64 = 16 << 20;

/// Serves an app until a signal ends it.
pub(crate) async fn run(options: &Dev, signals: &Signals, terminal: Terminal) -> Result<(), Fault> {
    let overlay = options.overlay.as_deref();
    let socket = Socket::of(&options.listen)?;
    let project = Project::load(&options.dir, overlay, DotEnv::Read)?;
    std::fs::create_dir_all(project.data()).map_err(|error| unwritable(&project, &error))?;
    let (lines, writer) = printer(terminal);
    let (usage, usage_writer) = usage_file(&project)?;
    let profile = node::profile(options.debug);
    let session = match node::sandbox(&project.data(), profile, Arc::clone(&lines) as _) {
        Ok(sandbox) => Session::open(project, sandbox, socket, terminal, &lines, usage).await,
        Err(fault) => Err(fault),
    };
    let ended = match session {
        Ok((session, gateway)) => {
            let serving = node::serve(gateway, session.sandbox(), session::GRACE, signals);
            Looping { session, options, seen: Seen::default() }.until_end(signals).await;
            serving.await;
            Ok(())
        }
        Err(fault) => Err(fault),
    };
    usage_writer.finish().await;
    writer.finish().await;
    ended
}

fn printer(terminal: Terminal) -> (Arc<Lines>, lines::Writer) {
    if terminal.json {
        Lines::start(std::io::stdout(), Json)
    } else {
        Lines::start(std::io::stdout(), Human { colour: terminal.out_colour })
    }
}

fn usage_file(project: &Project) -> Result<(Arc<Lines>, lines::Writer), Fault> {
    let path = project.data().join("usage.jsonl");
    let file = BoundedFile::open(&path, USAGE_FILE).map_err(|error| unwritable(project, &error))?;
    Ok(Lines::start(file, Json))
}

fn unwritable(project: &Project, error: &std::io::Error) -> Fault {
    let data = project.data();
    Fault::new(Code::FileRefused, format!("`{}` cannot be written to: {error}", data.display()))
}

/// The loop's own values.
struct Looping<'a> {
    session: Session,
    options: &'a Dev,
    seen: Seen,
}

impl Looping<'_> {
    async fn until_end(mut self, signals: &Signals) {
        let changes = Changes::default();
        let mut watch = self.watch(&changes);
        let mut round: Option<Round> = Some(self.session.build());
        let mut again = false;
        loop {
            tokio::select! {
                () = signals.end.cancelled() => break,
                built = next(&mut round) => match built {
                    Some((function, built)) => self.session.take(&function, built),
                    None => {
                        self.session.round_ended();
                        round = std::mem::take(&mut again).then(|| self.session.build());
                    }
                },
                changed = changes.next() => {
                    if self.matters(changed, watch.as_mut()) {
                        again = round.is_some();
                        round = round.or_else(|| Some(self.session.build()));
                    }
                }
            }
        }
        // Dropping the round ends the tools that run.
        drop(round);
        self.session.say_ending();
    }

    fn watch(&mut self, changes: &Changes) -> Option<Watch> {
        let scope = self.scope();
        let started = Watch::start(scope, changes.clone());
        started.inspect_err(|fault| self.session.say_fault(None, fault)).ok()
    }

    fn scope(&self) -> Scope {
        let project = self.session.project();
        Scope::of(&project.dir, &project.manifest)
    }

    /// Whether a change asks for a new build. Takes over a changed manifest.
    fn matters(&mut self, changed: Changed, watch: Option<&mut Watch>) -> bool {
        match changed {
            Changed::Paths(paths) => {
                if self.seen.differing(paths).is_empty() {
                    return false;
                }
            }
            Changed::Much => {}
        }
        let overlay = self.options.overlay.as_deref();
        match Project::load(&self.options.dir, overlay, DotEnv::Read) {
            Ok(project) => self.session.set_project(project),
            Err(fault) => {
                // Whatever was good before goes on serving.
                self.session.say_fault(None, &fault);
                return false;
            }
        }
        if let Some(watch) = watch {
            watch.set_scope(self.scope());
            watch.refresh();
        }
        true
    }
}

/// The next result of a round; `None` once when it has ended; waits for ever when there is none.
async fn next(round: &mut Option<Round>) -> Option<(FunctionName, Result<Built, Fault>)> {
    match round {
        Some(results) => results.next().await,
        None => pending().await,
    }
}
