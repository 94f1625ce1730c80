//! Cases for what a command may do with sockets.

use super::*;

fn network(list: &[&str]) -> Network {
    let grants = NetGrants::compile(list).expect("a valid list");
    Network { grants, seen: Mutex::default() }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[tokio::test]
async fn a_name_covers_the_addresses_its_lookup_gave() {
    let network = network(&["db.invalid:80"]);
    let (good, other) = (address("192.0.2.1:80"), address("192.0.2.1:81"));
    assert!(!network.permits(good, SocketAddrUse::TcpConnect).await);
    network.learn("DB.invalid.", [good.ip()]);
    assert!(network.permits(good, SocketAddrUse::TcpConnect).await);
    assert!(!network.permits(other, SocketAddrUse::TcpConnect).await);
}

#[tokio::test]
async fn a_granted_name_is_looked_up_when_its_address_is_used() {
    let network = network(&["localhost:80"]);
    assert!(network.permits(address("127.0.0.1:80"), SocketAddrUse::TcpConnect).await);
    assert!(!network.permits(address("127.0.0.2:80"), SocketAddrUse::TcpConnect).await);
}

#[tokio::test]
async fn listening_needs_a_grant_for_the_local_address() {
    let network = network(&["127.0.0.1:8080", "192.0.2.1:443"]);
    for (text, usage, expected) in [
        ("0.0.0.0:0", SocketAddrUse::TcpBind, true),
        ("127.0.0.1:8080", SocketAddrUse::TcpBind, true),
        ("127.0.0.1:8080", SocketAddrUse::TcpListen, true),
        ("127.0.0.1:8081", SocketAddrUse::TcpBind, false),
        ("127.0.0.1:39999", SocketAddrUse::TcpListen, false),
        ("0.0.0.0:8080", SocketAddrUse::TcpListen, false),
        ("203.0.113.9:5000", SocketAddrUse::TcpAccept, true),
    ] {
        assert_eq!(network.permits(address(text), usage).await, expected, "{text} {usage:?}");
    }
}

#[tokio::test]
async fn a_datagram_server_hears_everybody_and_answers_only_who_asked() {
    let network = network(&["127.0.0.1:5300"]);
    let (client, stranger) = (address("203.0.113.9:4000"), address("203.0.113.9:4001"));
    assert!(!network.permits(client, SocketAddrUse::UdpReceive).await, "it serves nothing yet");
    assert!(network.permits(address("127.0.0.1:5300"), SocketAddrUse::UdpBind).await);
    assert!(network.permits(client, SocketAddrUse::UdpReceive).await);
    assert!(network.permits(client, SocketAddrUse::UdpSend).await);
    assert!(!network.permits(stranger, SocketAddrUse::UdpSend).await);
}
