//! A command: shows what it was given, or does what its first argument says.
//!
//! Built twice: for `wasm32-wasip2` it is a component that exports `wasi:cli/run` 0.2, for
//! `wasm32-wasip1` a core module of preview 1.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let rest = args.get(2..).unwrap_or_default();
    let argument = |index: usize| rest.get(index).map_or("", String::as_str);
    match args.get(1).map(String::as_str).unwrap_or("show") {
        "show" => show(&args),
        "cat" => cat(),
        "stderr" => eprintln!("{}", argument(0)),
        "exit" => return ExitCode::from(argument(0).parse().unwrap_or(1)),
        "panic" => panic!("the command panics"),
        "trap" => core::arch::wasm32::unreachable(),
        "spin" => loop {
            std::hint::black_box(());
        },
        "read" => return report(std::fs::read_to_string(argument(0))),
        "write" => return report(std::fs::write(argument(0), argument(1)).map(|()| "written\n")),
        "list" => return report(list(argument(0))),
        "connect" => return report(connect(argument(0))),
        "sleep" => std::thread::sleep(std::time::Duration::from_millis(
            argument(0).parse().unwrap_or_default(),
        )),
        other => {
            eprintln!("no such thing to do: {other}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn show(args: &[String]) {
    for arg in args {
        println!("arg {arg}");
    }
    for (key, value) in std::env::vars() {
        println!("env {key}={value}");
    }
}

/// Standard input to standard output, and how much it was to standard error.
fn cat() {
    let (mut from, mut to) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut piece = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        let size = from.read(&mut piece).expect("standard input can be read");
        if size == 0 {
            break;
        }
        to.write_all(&piece[..size]).expect("standard output can be written");
        length += size;
    }
    to.flush().expect("standard output can be written");
    eprintln!("{length} bytes");
}

fn list(dir: &str) -> std::io::Result<String> {
    let names: std::io::Result<Vec<_>> = std::fs::read_dir(dir)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect();
    let mut names = names?;
    names.sort();
    Ok(names.iter().map(|name| format!("{name}\n")).collect())
}

fn connect(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"ping")?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned() + "\n")
}

fn report(result: std::io::Result<impl AsRef<str>>) -> ExitCode {
    match result {
        Ok(text) => {
            print!("{}", text.as_ref());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
