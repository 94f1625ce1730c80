//! `alula run`: a command gets what the flags give it, and its end is the program's end.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use alula_tests::guests::Guest;
use alula_tests::program::{Finished, command, finish, run};

const COMMANDS: [Guest; 3] = [Guest::Command, Guest::CommandP1, Guest::CommandP3];

fn alula(flags: &[&str], guest: Guest, args: &[&str]) -> Command {
    let path = guest.path();
    let path = path.to_str().expect("the repository's path is text");
    command([&["run"], flags, &[path], args].concat())
}

fn ran(flags: &[&str], guest: Guest, args: &[&str]) -> Finished {
    finish(&mut alula(flags, guest, args))
}

/// A guest that passes on what it reads, with all its streams in our hands.
fn piped(guest: Guest) -> Child {
    let mut cat = alula(&[], guest, &["cat"]);
    cat.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    cat.spawn().expect("the program starts")
}

#[track_caller]
fn check(ran: &Finished, code: i32, stdout: &str) {
    assert_eq!((ran.code(), ran.stdout.as_str()), (code, stdout), "{ran:?}");
}

#[test]
fn a_command_gets_its_arguments_and_its_variables_and_no_others() {
    for guest in COMMANDS {
        let ran = ran(&["--env", "A=b", "--env", "C=d=e"], guest, &["show", "--flag", "x y", ""]);
        let told: Vec<&str> = ran.stdout.lines().skip(1).collect();
        let expected = ["arg show", "arg --flag", "arg x y", "arg ", "env A=b", "env C=d=e"];
        assert_eq!((ran.code(), told.as_slice()), (0, expected.as_slice()), "{guest:?}: {ran:?}");
        let name = ran.stdout.lines().next().unwrap_or_default();
        assert!(name.ends_with(".wasm"), "the first argument is the program: {name}");
    }
}

#[test]
fn the_exit_code_is_the_guests() {
    for guest in COMMANDS {
        check(&ran(&[], guest, &["exit", "0"]), 0, "");
    }
    check(&ran(&[], Guest::CommandP1, &["exit", "7"]), 7, "");
    check(&ran(&[], Guest::CommandP3, &["exit", "7"]), 7, "");
    check(&ran(&[], Guest::CommandP3, &["fail"]), 1, "");
    // WASI 0.2 knows success and failure only.
    check(&ran(&[], Guest::Command, &["exit", "7"]), 1, "");
}

#[test]
fn a_crash_is_134_with_a_message() {
    for guest in COMMANDS {
        let ran = ran(&[], guest, &["panic"]);
        assert_eq!((ran.code(), ran.stdout.as_str()), (134, ""), "{guest:?}: {ran:?}");
        assert!(ran.stderr.contains("the command panics"), "{guest:?}: {ran:?}");
        assert!(ran.stderr.contains("unreachable"), "{guest:?}: {ran:?}");
    }
}

#[test]
fn the_streams_are_passed_through() {
    let input: Vec<u8> = (0..200_000_u32).flat_map(|n| format!("{n}\n").into_bytes()).collect();
    for guest in COMMANDS {
        let mut child = piped(guest);
        let mut stdin = child.stdin.take().expect("it is piped");
        let theirs = input.clone();
        let writing = std::thread::spawn(move || stdin.write_all(&theirs));
        let output = child.wait_with_output().expect("it ends");
        writing.join().expect("no panic").expect("the guest reads everything");
        assert!(output.status.success(), "{guest:?}: {output:?}");
        assert!(output.stdout == input, "{guest:?}: {} bytes", output.stdout.len());
        if guest != Guest::CommandP3 {
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(told, format!("{} bytes\n", input.len()), "{guest:?}");
        }
    }
}

#[test]
fn a_reader_that_has_enough_ends_the_command_in_peace() {
    let mut child = alula(&[], Guest::Command, &["cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let writing = std::thread::spawn(move || while stdin.write_all(&[b'x'; 4096]).is_ok() {});
    let mut stdout = child.stdout.take().expect("it is piped");
    stdout.read_exact(&mut [0; 4096]).expect("the guest passes on what it reads");
    drop(stdout);
    child.wait().expect("it ends although there is more to read");
    writing.join().expect("the writer was let go");
}

#[test]
fn folders_are_there_when_given_and_read_only_when_told() {
    let folder = alula_testkit::folder();
    std::fs::create_dir(folder.path().join("inner")).unwrap();
    std::fs::write(folder.path().join("in.txt"), "content\n").unwrap();
    let host = folder.path().to_str().unwrap();
    for guest in [Guest::Command, Guest::CommandP1] {
        let given = format!("{host}::/data");
        check(&ran(&["--dir", &given], guest, &["read", "/data/in.txt"]), 0, "content\n");
        check(&ran(&["--dir", &given], guest, &["list", "/data"]), 0, "in.txt\ninner\n");
        check(&ran(&["--dir", &given], guest, &["write", "/data/out.txt", "new"]), 0, "written\n");
        assert_eq!(std::fs::read_to_string(folder.path().join("out.txt")).unwrap(), "new");
        std::fs::remove_file(folder.path().join("out.txt")).unwrap();

        let given = format!("{host}::/data:ro");
        check(&ran(&["--dir", &given], guest, &["read", "/data/in.txt"]), 0, "content\n");
        check(&ran(&["--dir", &given], guest, &["write", "/data/out.txt", "new"]), 1, "");
        assert!(!folder.path().join("out.txt").exists(), "{guest:?} wrote where it may only read");
        check(&ran(&[], guest, &["read", "/data/in.txt"]), 1, "");
    }
    let given = format!("{host}::/data:ro");
    check(&ran(&["--dir", &given], Guest::CommandP3, &["read", "/data/in.txt"]), 0, "content\n");
}

#[test]
fn no_path_leads_out_of_a_folder() {
    let folder = alula_testkit::folder();
    std::fs::create_dir(folder.path().join("given")).unwrap();
    std::fs::write(folder.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink("../secret", folder.path().join("given/link")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("given/absolute")).unwrap();
    std::os::unix::fs::symlink("inside", folder.path().join("given/allowed")).unwrap();
    std::fs::write(folder.path().join("given/inside"), "inside").unwrap();
    let given = format!("{}::/data", folder.path().join("given").display());
    for guest in [Guest::Command, Guest::CommandP1] {
        for path in ["/data/../secret", "/data/link", "/data/absolute", "/etc/passwd", "../secret"]
        {
            let ran = ran(&["--dir", &given], guest, &["read", path]);
            assert_eq!((ran.code(), ran.stdout.as_str()), (1, ""), "{guest:?} {path}: {ran:?}");
        }
        // A link that stays inside works: the barrier is the folder, not the link.
        check(&ran(&["--dir", &given], guest, &["read", "/data/allowed"]), 0, "inside");
    }
}

#[test]
fn the_network_is_there_when_it_is_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut ping = [0; 4];
            if stream.read_exact(&mut ping).is_ok() && &ping == b"ping" {
                let _ = stream.write_all(b"pong");
            }
        }
    });
    let connect = |flags: &[&str]| ran(flags, Guest::Command, &["connect", &address]);
    check(&connect(&[]), 1, "");
    check(&connect(&["--allow-net"]), 0, "pong\n");
    check(&connect(&[&format!("--allow-net={address}")]), 0, "pong\n");
    check(&connect(&["--allow-net=127.0.0.1:1"]), 1, "");
    check(&connect(&["--allow-http"]), 1, "");
}

#[test]
fn what_cannot_be_run_is_told_without_a_crash() {
    let missing = run(["run", "/no/such/file.wasm"]);
    assert_eq!(missing.code(), 1, "{missing:?}");
    assert!(missing.stderr.contains("ALULA-E0201"), "{missing:?}");
    let server = ran(&[], Guest::NoExport, &[]);
    assert_eq!(server.code(), 1, "{server:?}");
    assert!(server.stderr.contains("ALULA-E0205"), "{server:?}");
    let odd = run(["run"]);
    assert_eq!(odd.code(), 2, "{odd:?}");
}

#[test]
fn an_interrupted_command_ends_with_130() {
    for guest in [Guest::Command, Guest::CommandP1] {
        let mut child = piped(guest);
        // What comes back shows that the guest runs and waits for more.
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(b"x\n").expect("the guest reads");
        let mut stdout = child.stdout.take().expect("it is piped");
        stdout.read_exact(&mut [0; 2]).expect("the guest passes on what it reads");
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(sent.expect("`kill` starts").success());
        let output = child.wait_with_output().expect("it ends although there may be more to read");
        let left = Finished {
            status: output.status,
            stdout: String::new(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert_eq!((left.code(), left.stderr.as_str()), (130, ""), "{guest:?}: {left:?}");
        drop(stdin);
    }
}
