//! Requests that guests make: only where a grant leads, by the address and not by the name.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Barrier, OnceLock};

use alula_tests::app::{App, Dev};
use alula_tests::guests::Guest;
use alula_tests::http::Answer;

/// The server whom guests ask, and an app with one function for each kind of grant.
struct Peer {
    address: SocketAddr,
    dev: Dev,
    _app: App,
}

fn peer() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let together = Arc::new(Barrier::new(2));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let together = Arc::clone(&together);
                std::thread::spawn(move || answer(stream, &together));
            }
        });
        let app = App::new(&manifest(address.port()))
            .guest("http.wasm", Guest::Http)
            .guest("p3.wasm", Guest::HttpP3);
        let dev = app.dev();
        Peer { address, dev, _app: app }
    })
}

/// Answers by path; `/together` only when two ask for it at the same time.
fn answer(stream: TcpStream, together: &Barrier) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    let _ = reader.read_line(&mut line);
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {}
    let answer = match path.as_str() {
        "/moved" => "302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        "/together" => {
            together.wait();
            "200 OK\r\ncontent-length: 8\r\n\r\ntogether"
        }
        _ => "200 OK\r\ncontent-length: 4\r\n\r\npong",
    };
    let _ = reader.get_mut().write_all(format!("HTTP/1.1 {answer}").as_bytes());
}

fn manifest(port: u16) -> String {
    let grants = [
        ("literal", format!("http://127.0.0.1:{port}")),
        ("network", format!("http://127.0.0.0/8:{port}")),
        ("named", format!("http://localhost:{port}")),
        ("elsewhere", "http://127.0.0.1:1".to_owned()),
        ("nothing", String::new()),
    ];
    let mut text = "[app]\nname = 'outbound'\n".to_owned();
    for (name, origin) in &grants {
        for (suffix, file) in [("", "http.wasm"), ("-p3", "p3.wasm")] {
            let list = if origin.is_empty() { String::new() } else { format!("'{origin}'") };
            text.push_str(&format!(
                "[functions.{name}{suffix}]\ncomponent = '{file}'\ngrants = {{ http = [{list}] }}\n\
                 [[triggers.http]]\nroute = '/{name}{suffix}'\nfunction = '{name}{suffix}'\n"
            ));
        }
    }
    text
}

fn fetch(function: &str, path: &str) -> Answer {
    let url = format!("http://{}{path}", peer().address);
    peer().dev.get(&format!("/{function}?do=fetch&url={url}"))
}

#[test]
fn a_granted_address_is_reached() {
    for function in ["literal", "literal-p3", "network", "network-p3"] {
        assert_eq!(fetch(function, "/ping").text(), "200 pong\n", "{function}");
    }
}

#[test]
fn nothing_is_reached_without_a_grant() {
    for function in ["nothing", "nothing-p3", "elsewhere", "elsewhere-p3"] {
        let told = fetch(function, "/ping").text();
        assert!(told.starts_with("error ") && told.contains("Denied"), "{function}: {told}");
    }
}

#[test]
fn a_granted_name_does_not_lead_to_a_private_address() {
    let port = peer().address.port();
    for function in ["named", "named-p3"] {
        let url = format!("http://localhost:{port}/ping");
        let told = peer().dev.get(&format!("/{function}?do=fetch&url={url}")).text();
        // Refused or, where the machine has no such name, not found: never answered.
        assert!(told.starts_with("error "), "{function}: {told}");
    }
    // The address behind the name is the barrier: granted itself, it answers.
    assert_eq!(fetch("literal", "/ping").text(), "200 pong\n");
}

#[test]
fn redirects_are_the_guests_own() {
    for function in ["literal", "literal-p3"] {
        assert_eq!(fetch(function, "/moved").text(), "302 \n", "{function}");
    }
}

#[test]
fn two_requests_of_one_invocation_overlap() {
    let url = format!("http://{}/together", peer().address);
    for function in ["literal", "literal-p3"] {
        let path = format!("/{function}?do=fetch-two&url={url}&other={url}");
        let told = peer().dev.get(&path).text();
        assert_eq!(told, "200 together\n200 together\n", "{function}");
    }
}
