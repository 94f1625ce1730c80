//! `cargo xtask`: the checks, tests, measurements and generated pages of the project.
//!
//! It builds in seconds, because it is the first thing a contributor and the continuous integration
//! run: it knows the table of errors and `cargo metadata`, and everything else it starts as a
//! process.
#![expect(clippy::disallowed_methods, reason = "automation runs outside the runtime it checks")]

mod errors_page;
mod process;
mod repo;
mod slow;
mod source;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

Commands:
  test [--fast] [FILTER]...     all checks and tests; --fast leaves out clippy and doc tests
  tidy                          the project's own style checks
  errors                        write docs/errors.md from the table of errors
  bench [SUITE] [OPTION]...     measure, next to peers (`cargo xtask bench --help`)
  fuzz [--seconds N]            property tests with many cases, and cargo-fuzz where it is installed
  soak [--seconds N]            hours of load in minutes: errors, leaks and drift

Examples:
  cargo xtask test
  cargo xtask test routes       only tests whose name contains `routes`
  cargo xtask bench http --seconds 3
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let done = match command.as_str() {
        "test" => test::run(&rest),
        "tidy" => tidy::run(),
        "errors" => errors_page::write(),
        "bench" => slow::bench(&rest),
        "fuzz" => slow::fuzz(&rest),
        "soak" => slow::soak(&rest),
        "" | "help" | "-h" | "--help" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprint!("xtask: there is no command `{other}`\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
