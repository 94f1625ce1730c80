//! The program: reads the command line, starts the runtime, runs one command, returns its exit
//! code.
//!
//! This is the composition root: the only crate that names adapters. [`node`] puts a node together;
//! each command has a module of its name.

mod build;
mod builds;
mod cli;
mod dev;
mod new;
mod node;
mod project;
mod reach;
mod routes;
mod run;
mod serve_component;
mod settings;
mod signals;
mod terminal;
mod wire;

use std::ffi::OsString;
use std::process::ExitCode;

use alula_telemetry::own_log;
use alula_types::{Code, Fault};
use clap::{CommandFactory as _, Parser as _};

use cli::{Cli, Command, Completions};
use terminal::Terminal;

/// The command failed.
const FAILED: u8 = 1;
/// The command line was wrong. The parser uses the same.
const USAGE: u8 = 2;
/// A second signal ended a program that was ending: what a shell reports after SIGINT.
const LEFT: u8 = 130;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    // Before anything else: the compile process starts often and must be small.
    if args.get(1).is_some_and(|arg| arg == cli::COMPILE) {
        return alula_sandbox_wasm::compile::child_main(&args[2..]);
    }
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and the version come this way too; a closed pipe is nobody's concern.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE));
        }
    };
    let plain = settings::plain();
    let terminal = Terminal::look(cli.json, plain);
    let style = match cli.json {
        true => own_log::Style::Json,
        false => own_log::Style::Human { colour: terminal.err_colour },
    };
    let filter = cli.log.or_else(settings::log_filter);
    if let Err(why) = own_log::start(filter.as_deref(), style) {
        terminal.say(&format!("error: {why}"));
        return ExitCode::from(USAGE);
    }
    match execute(cli.command, terminal) {
        Ok(code) => ExitCode::from(code),
        Err(fault) => {
            terminal.fault(&fault);
            ExitCode::from(FAILED)
        }
    }
}

fn execute(command: Command, terminal: Terminal) -> Result<u8, Fault> {
    match command {
        Command::New(options) => new::run(&options, terminal).map(|()| 0),
        Command::Completions(options) => Ok(completions(&options)),
        Command::Build(options) => {
            let good = on_runtime(build::run(&options, terminal))?;
            Ok(if good { 0 } else { FAILED })
        }
        Command::Run(options) => on_runtime(run::run(options)),
        Command::Dev(options) => on_runtime(async {
            let signals = listen()?;
            tokio::select! {
                ended = dev::run(&options, &signals, terminal) => ended.map(|()| 0),
                () = signals.leave.cancelled() => Ok(LEFT),
            }
        }),
        Command::ServeComponent(options) => on_runtime(async {
            let signals = listen()?;
            tokio::select! {
                ended = serve_component::run(&options, &signals, terminal) => ended.map(|()| 0),
                () = signals.leave.cancelled() => Ok(LEFT),
            }
        }),
    }
}

fn listen() -> Result<signals::Signals, Fault> {
    signals::listen().map_err(|error| {
        Fault::new(Code::Internal, format!("listening for signals is not possible: {error}"))
    })
}

/// Runs a command on the runtime that accepts connections. Guests that stay busy get threads of
/// their own from the sandbox, so one thread per core is enough here.
fn on_runtime<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("alula")
        .enable_all()
        .build()
        .map_err(|error| Fault::new(Code::Internal, format!("starting threads: {error}")))?;
    let ended = runtime.block_on(work);
    // A reader that stopped reading, or a guest that never ends, must not keep the process.
    runtime.shutdown_background();
    ended
}

fn completions(options: &Completions) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "alula", &mut script);
    // A closed pipe is nobody's concern.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), &script);
    0
}
