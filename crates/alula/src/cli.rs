//! The command line: what can be typed, and how each part is read. Nothing here does anything.

use std::ffi::OsString;
use std::path::PathBuf;

use alula_build::templates;
use alula_sandbox_wasm::command::{Dir, parse_dir};
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// A serverless platform in one binary.
#[derive(Debug, Parser)]
#[command(
    name = "alula",
    version,
    about = "A serverless platform in one binary",
    after_help = TOUR,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// Print JSON for programs instead of text for people
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,

    /// What of Alula's own log to show, for example `info` or `alula_gateway=debug`
    #[arg(long, global = true, value_name = "FILTER", help_heading = "Global options")]
    pub(crate) log: Option<String>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const TOUR: &str = "\
Examples:
  alula new hello --template rust-http    Make a project
  alula dev hello                         Build it, serve it, rebuild it on every save
  alula build hello                       Build it and say what it exports and needs
  alula run --dir .::/data tool.wasm in   Run a command";

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a project from a template
    New(New),
    /// Build an app's functions, check them and compile them ahead of time
    Build(Build),
    /// Build and serve an app, and rebuild it on every save
    Dev(Dev),
    /// Run a WebAssembly command
    Run(Run),
    /// Serve one HTTP component at /
    ServeComponent(ServeComponent),
    /// Print completions for a shell
    Completions(Completions),
}

/// The first argument by which the program runs itself to compile. No part of the command line, so
/// that neither help nor completions offer it.
pub(crate) const COMPILE: &str = "compile-artifact";

/// `alula new`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  alula new hello                           A Rust function in ./hello
  alula new shop/api --template ts-http     A TypeScript function in ./shop/api")]
pub(crate) struct New {
    /// The project's folder; its last part becomes the app's name
    pub(crate) name: PathBuf,

    /// What to start from
    #[arg(
        long,
        short,
        value_name = "TEMPLATE",
        default_value = "rust-http",
        value_parser = PossibleValuesParser::new(templates::names())
    )]
    pub(crate) template: String,
}

/// `alula build`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  alula build                          The app in this folder
  alula build shop --overlay staging   The app in ./shop with [overlay.staging] applied
  alula build --json | jq .functions   The report for programs")]
pub(crate) struct Build {
    /// The folder with `alula.toml`
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,

    /// Apply the values of [overlay.NAME]
    #[arg(long, value_name = "NAME")]
    pub(crate) overlay: Option<String>,
}

/// `alula dev`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  alula dev                            The app in this folder on http://127.0.0.1:8080
  alula dev shop --listen 127.0.0.1:0  Any free port, printed
  alula dev --json                     One JSON object per line: routes, builds, invocations, logs

The functions are given the variables of DIR/.env. Press Ctrl-C to end.")]
pub(crate) struct Dev {
    /// The folder with `alula.toml`
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,

    #[command(flatten)]
    pub(crate) listen: Listen,

    /// Compile guests for finding faults: slower code, and backtraces with source lines
    #[arg(long)]
    pub(crate) debug: bool,

    /// Apply the values of [overlay.NAME]
    #[arg(long, value_name = "NAME")]
    pub(crate) overlay: Option<String>,
}

/// Where a server listens, and how.
#[derive(Debug, Args)]
pub(crate) struct Listen {
    /// Where to listen; port 0 takes any free port
    #[arg(long = "listen", value_name = "HOST:PORT", default_value = DEFAULT_LISTEN)]
    pub(crate) address: String,

    /// Serve HTTPS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The certificate's private key (PEM, unencrypted)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// Nothing listens on a public address unless told to.
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

/// What a single guest may reach. Without any of these: nothing.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// Give the guest an environment variable
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_env)]
    pub(crate) env: Vec<(String, String)>,

    /// Give the guest a folder; `:ro` for reading only
    #[arg(long, value_name = "HOST::GUEST[:ro]", value_parser = parse_dir)]
    pub(crate) dir: Vec<Dir>,

    /// Let the guest make HTTP requests: to `--allow-http=HOST,…`, or anywhere
    #[arg(
        long,
        value_name = "HOST,…",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ANYWHERE,
        value_delimiter = ','
    )]
    pub(crate) allow_http: Vec<String>,

    /// Let the guest use TCP, UDP and DNS: with `--allow-net=HOST:PORT,…`, or anywhere
    #[arg(
        long,
        value_name = "HOST:PORT,…",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ANYWHERE,
        value_delimiter = ','
    )]
    pub(crate) allow_net: Vec<String>,
}

/// What `--allow-http` and `--allow-net` stand for without a value.
pub(crate) const ANYWHERE: &str = "*";

/// `alula run`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  alula run hello.wasm                         Nothing but standard input and output
  alula run --dir data::/in:ro sum.wasm /in/a  A folder to read
  alula run --allow-http=api.example.com:443 fetch.wasm

The exit code is the guest's own; a crash is 134.")]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) reach: Reach,

    /// The component or module, and what follows is the guest's
    #[arg(
        required = true,
        num_args = 1..,
        trailing_var_arg = true,
        value_names = ["FILE", "ARGS"]
    )]
    pub(crate) command: Vec<OsString>,
}

/// `alula serve-component`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  alula serve-component hello.wasm
  alula serve-component --listen 127.0.0.1:0 --env GREETING=hi hello.wasm

The first line on standard error is `Serving http://HOST:PORT/`.")]
pub(crate) struct ServeComponent {
    #[command(flatten)]
    pub(crate) listen: Listen,

    /// Compile guests for finding faults: slower code, and backtraces with source lines
    #[arg(long)]
    pub(crate) debug: bool,

    #[command(flatten)]
    pub(crate) reach: Reach,

    /// Keep an instance for further requests instead of making one for each
    #[arg(long)]
    pub(crate) reuse: bool,

    /// The component
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// `alula completions`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  alula completions bash > ~/.local/share/bash-completion/completions/alula
  alula completions fish > ~/.config/fish/completions/alula.fish")]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

fn parse_env(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("write NAME=VALUE".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from([&["alula"], args].concat())
    }

    fn run(args: &[&str]) -> Run {
        match parse(&[&["run"], args].concat()).unwrap().command {
            Command::Run(run) => run,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_consistent_and_every_command_has_an_example() {
        let mut cli = Cli::command();
        cli.clone().debug_assert();
        for command in cli.get_subcommands_mut().filter(|command| !command.is_hide_set()) {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Examples:\n  alula "), "{help}");
        }
    }

    #[test]
    fn a_certificate_needs_its_key() {
        for args in [["dev", "--tls-cert", "a"], ["dev", "--tls-key", "a"]] {
            let error = parse(&args).unwrap_err().to_string();
            assert!(error.contains("--tls-"), "{error}");
        }
        let both = ["serve-component", "--tls-cert", "a", "--tls-key", "b", "c.wasm"];
        parse(&both).unwrap();
    }

    #[test]
    fn what_follows_the_file_is_the_guests() {
        let run = run(&["--env", "A=b", "tool.wasm", "--json", "-x", "--", "in"]);
        assert_eq!(run.reach.env, [("A".into(), "b".into())]);
        assert_eq!(run.command, ["tool.wasm", "--json", "-x", "--", "in"]);
        assert!(parse(&["run"]).is_err());
        assert!(parse(&["run", "--no-such-flag", "tool.wasm"]).is_err());
    }

    #[test]
    fn reach_without_a_value_is_anywhere_and_never_takes_the_file() {
        let anywhere = run(&["--allow-http", "--allow-net", "tool.wasm"]);
        assert_eq!(anywhere.reach.allow_http, [ANYWHERE]);
        assert_eq!(anywhere.reach.allow_net, [ANYWHERE]);
        assert_eq!(anywhere.command, ["tool.wasm"]);
        let some = run(&["--allow-http=a.example,b.example", "--allow-net=[::1]:80", "tool.wasm"]);
        assert_eq!(some.reach.allow_http, ["a.example", "b.example"]);
        assert_eq!(some.reach.allow_net, ["[::1]:80"]);
        assert!(run(&["tool.wasm"]).reach.allow_http.is_empty());
    }

    #[test]
    fn variables_need_a_name_and_an_equals_sign() {
        assert_eq!(parse_env("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert_eq!(parse_env("A="), Ok(("A".into(), String::new())));
        for bad in ["", "A", "=b"] {
            assert!(parse_env(bad).is_err(), "{bad}");
        }
    }
}
