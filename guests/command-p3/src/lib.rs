//! A command for `wasi:cli/run` 0.3: shows what it was given, or does what its first argument says.

use futures_util::join;
use wasip3::cli::{environment, exit, stdin, stdout};
use wasip3::wit_bindgen::rt::async_support::{StreamReader, StreamResult};
use wasip3::wit_stream;

struct Command;

wasip3::cli::command::export!(Command);

impl wasip3::exports::cli::run::Guest for Command {
    async fn run() -> Result<(), ()> {
        let args = environment::get_arguments();
        match args.get(1).map(String::as_str).unwrap_or("show") {
            "show" => print(&show(&args)).await,
            "cat" => {
                let (input, _) = stdin::read_via_stream();
                print(&String::from_utf8_lossy(&collect(input).await)).await;
            }
            "exit" => {
                let code = args.get(2).and_then(|code| code.parse().ok()).unwrap_or(1);
                exit::exit_with_code(code);
            }
            "fail" => return Err(()),
            "panic" => panic!("the command panics"),
            "read" => {
                let path = args.get(2).map(String::as_str).unwrap_or_default();
                let Ok(text) = std::fs::read_to_string(path) else { return Err(()) };
                print(&text).await;
            }
            _ => return Err(()),
        }
        Ok(())
    }
}

fn show(args: &[String]) -> String {
    let args = args.iter().map(|arg| format!("arg {arg}\n"));
    let env = environment::get_environment().into_iter();
    args.chain(env.map(|(key, value)| format!("env {key}={value}\n"))).collect()
}

async fn print(text: &str) {
    let (mut writer, reader) = wit_stream::new();
    let bytes = text.as_bytes().to_vec();
    let (written, ()) = join!(async { stdout::write_via_stream(reader).await }, async move {
        writer.write_all(bytes).await;
    });
    written.expect("standard output can be written");
}

async fn collect(mut input: StreamReader<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let (result, piece) = input.read(Vec::with_capacity(64 << 10)).await;
        bytes.extend(piece);
        if !matches!(result, StreamResult::Complete(_)) {
            return bytes;
        }
    }
}
