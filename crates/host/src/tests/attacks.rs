//! Ways to reach what was not granted, each with its barrier and without.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use alula_capability::{BoxFuture, Refusal};

use super::server::{Server, Speaks};
use super::{caller, get};
use crate::{Barrier, FixedLookup, Lookup, Options, Providers};

fn providers(lookup: Arc<dyn Lookup>, without: Option<Barrier>) -> Providers {
    Providers::new(Options { lookup, without, ..Options::default() })
}

#[tokio::test]
async fn nothing_is_reached_without_a_grant() {
    let server = Server::start(Speaks::Http1).await;
    let lookup = Arc::new(FixedLookup(vec![server.address]));
    let inside = ["http://127.0.0.1:*"];
    for grants in [&[][..], &["https://api.test"], &["http://api.test:81"], &inside] {
        let whole = providers(lookup.clone(), None);
        let refusal = get(&whole, &caller("f", grants), "http://api.test/secret").await;
        assert!(matches!(refusal, Err(Refusal::Denied(_))), "{grants:?}: {refusal:?}");
        assert_eq!((whole.counts().denied, whole.counts().connections), (1, 0));
    }
    assert_eq!(server.connections(), 0);
    let open = providers(lookup, Some(Barrier::OriginCheck));
    let (_, body) =
        get(&open, &caller("f", &[]), "http://api.test/secret").await.expect("the attack");
    assert_eq!(&*body, b"the secret");
}

#[tokio::test]
async fn a_granted_name_does_not_lead_inside() {
    let server = Server::start(Speaks::Http1).await;
    let lookup = Arc::new(FixedLookup(vec![server.address]));
    let attack = async |without| {
        let providers = providers(lookup.clone(), without);
        get(&providers, &caller("f", &["http://api.test", "*"]), "http://api.test/secret").await
    };
    let refusal = attack(None).await;
    assert!(matches!(refusal, Err(Refusal::Denied(_))), "{refusal:?}");
    assert_eq!(server.connections(), 0);
    let (_, body) = attack(Some(Barrier::AddressCheck)).await.expect("the attack");
    assert_eq!(&*body, b"the secret");
}

#[tokio::test]
async fn a_literal_inside_address_needs_a_literal_grant() {
    let server = Server::start(Speaks::Http1).await;
    let port = server.address.port();
    let mapped = format!("http://[::ffff:127.0.0.1]:{port}/secret");
    for uri in [server.uri("/secret"), mapped, format!("http://localhost:{port}/secret")] {
        let lookup = Arc::new(crate::SystemLookup::default());
        let attack = async |without| {
            get(&providers(lookup.clone(), without), &caller("f", &["*"]), &uri).await
        };
        let refusal = attack(None).await;
        assert!(matches!(refusal, Err(Refusal::Denied(_))), "{uri}: {refusal:?}");
        let (_, body) = attack(Some(Barrier::AddressCheck)).await.expect("the attack");
        assert_eq!(&*body, b"the secret", "{uri}");
    }
    let granted = caller("f", &["http://127.0.0.0/8:*"]);
    let providers = providers(Arc::new(crate::SystemLookup::default()), None);
    get(&providers, &granted, &server.uri("/secret")).await.expect("it is granted");
}

#[tokio::test]
async fn of_several_addresses_only_permitted_ones_are_connected_to() {
    let server = Server::start(Speaks::Http1).await;
    let inside = SocketAddr::from(([127, 0, 0, 1], server.address.port()));
    let other = SocketAddr::from(([127, 0, 0, 2], server.address.port()));
    let lookup = Arc::new(FixedLookup(vec![inside, other]));
    // 127.0.0.2 is granted and nobody listens there; 127.0.0.1 would answer.
    let caller = caller("f", &["http://api.test", "http://127.0.0.2"]);
    let refusal = get(&providers(lookup.clone(), None), &caller, "http://api.test/secret").await;
    assert!(matches!(refusal, Err(Refusal::ConnectionRefused(_))), "{refusal:?}");
    assert_eq!(server.connections(), 0);
    let open = providers(lookup, Some(Barrier::AddressCheck));
    get(&open, &caller, "http://api.test/secret").await.expect("the attack");
}

#[tokio::test]
async fn a_redirect_inside_is_checked_when_it_is_followed() {
    let outside = Server::start(Speaks::Http1).await;
    let lookup: Arc<dyn Lookup> = Arc::new(FixedLookup(vec![outside.address]));
    // The first origin is granted as a public one would be; the redirect leads to another port.
    let grants = ["http://api.test", "http://127.0.0.1:80"];
    let whole = providers(Arc::clone(&lookup), None);
    let (status, _) =
        get(&whole, &caller("f", &grants), "http://api.test/redirect").await.expect("a redirect");
    assert_eq!(status, 302, "it is the guest's to follow");
    let refusal = get(&whole, &caller("f", &grants), &outside.uri("/secret")).await;
    assert!(matches!(refusal, Err(Refusal::Denied(_))), "{refusal:?}");
    let both = [&grants[..], &["http://127.0.0.1:*"]].concat();
    let (_, body) =
        get(&whole, &caller("f", &both), &outside.uri("/secret")).await.expect("granted");
    assert_eq!(&*body, b"the secret", "what stood in the way was the missing grant");
}

/// Answers with a permitted address first and with another one from then on.
struct Rebinding {
    first: SocketAddr,
    then: SocketAddr,
    asked: AtomicUsize,
}

impl Lookup for Rebinding {
    fn lookup(&self, _name: &str, _port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        let answer = match self.asked.fetch_add(1, SeqCst) {
            0 => self.first,
            _ => self.then,
        };
        Box::pin(std::future::ready(Ok(vec![answer])))
    }
}

#[tokio::test]
async fn a_name_cannot_change_its_address_between_check_and_use() {
    let server = Server::start(Speaks::Http1).await;
    let rebinding = || {
        Arc::new(Rebinding {
            first: SocketAddr::from(([127, 0, 0, 2], server.address.port())),
            then: server.address,
            asked: AtomicUsize::new(0),
        })
    };
    let caller = caller("f", &["http://api.test", "http://127.0.0.2"]);
    let lookup = rebinding();
    let whole = providers(lookup.clone(), None);
    let refusal = get(&whole, &caller, "http://api.test/secret").await;
    assert!(matches!(refusal, Err(Refusal::ConnectionRefused(_))), "{refusal:?}");
    assert_eq!(lookup.asked.load(SeqCst), 1, "one lookup, whose answer is checked and used");
    // The next request gets the other answer, which is not permitted.
    let refusal = get(&whole, &caller, "http://api.test/secret").await;
    assert!(matches!(refusal, Err(Refusal::Denied(_))), "{refusal:?}");
    assert_eq!(server.connections(), 0);
    let open = providers(rebinding(), Some(Barrier::SameAddress));
    let (_, body) = get(&open, &caller, "http://api.test/secret").await.expect("the attack");
    assert_eq!(&*body, b"the secret");
}

#[tokio::test]
async fn a_kept_connection_is_of_no_use_to_another_function_or_without_its_grant() {
    let server = Server::start(Speaks::Http1).await;
    let lookup = Arc::new(FixedLookup(vec![server.address]));
    let attack = async |without| {
        let providers = providers(lookup.clone(), without);
        let granted = caller("f", &["http://api.test", "http://127.0.0.1"]);
        get(&providers, &granted, "http://api.test/secret").await.expect("it is granted");
        get(&providers, &granted, "http://api.test/secret").await.expect("it is granted");
        get(&providers, &caller("g", &["http://api.test", "http://127.0.0.1"]), "http://api.test/")
            .await
            .expect("it is granted");
        (providers.counts().connections, providers)
    };
    let (connections, whole) = attack(None).await;
    assert_eq!(connections, 2, "one for each function");
    let (connections, _) = attack(Some(Barrier::OwnPool)).await;
    assert_eq!(connections, 1, "without pools of their own they share");
    // The same function after its grant was taken away.
    let refusal = get(&whole, &caller("f", &["http://api.test"]), "http://api.test/secret").await;
    assert!(matches!(refusal, Err(Refusal::Denied(_))), "{refusal:?}");
}
