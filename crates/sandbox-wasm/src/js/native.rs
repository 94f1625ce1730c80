//! The `native` interface: text, hashes and URLs for an interpreter.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use url::{Url, quirks};

use super::View;
use super::bindings::alula::js::native::{Host, UrlParts};

impl Host for View<'_> {
    fn utf8_encode(&mut self, text: String) -> wasmtime::Result<Vec<u8>> {
        Ok(text.into_bytes())
    }

    fn utf8_decode(&mut self, bytes: Vec<u8>, fatal: bool) -> wasmtime::Result<Option<String>> {
        Ok(match String::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(_) if fatal => None,
            Err(error) => Some(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        })
    }

    fn digest(&mut self, algorithm: String, data: Vec<u8>) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(match algorithm.as_str() {
            "SHA-1" => Some(Sha1::digest(data).to_vec()),
            "SHA-256" => Some(Sha256::digest(data).to_vec()),
            "SHA-384" => Some(Sha384::digest(data).to_vec()),
            "SHA-512" => Some(Sha512::digest(data).to_vec()),
            _ => None,
        })
    }

    fn hmac(
        &mut self,
        algorithm: String,
        key: Vec<u8>,
        data: Vec<u8>,
    ) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(match algorithm.as_str() {
            "SHA-1" => Some(sign::<Hmac<Sha1>>(&key, &data)),
            "SHA-256" => Some(sign::<Hmac<Sha256>>(&key, &data)),
            "SHA-384" => Some(sign::<Hmac<Sha384>>(&key, &data)),
            "SHA-512" => Some(sign::<Hmac<Sha512>>(&key, &data)),
            _ => None,
        })
    }

    fn url_parse(
        &mut self,
        input: String,
        base: Option<String>,
    ) -> wasmtime::Result<Option<UrlParts>> {
        let url = match base {
            None => Url::parse(&input),
            Some(base) => Url::parse(&base).and_then(|base| base.join(&input)),
        };
        Ok(url.ok().as_ref().map(parts))
    }

    fn url_set(
        &mut self,
        href: String,
        property: String,
        value: String,
    ) -> wasmtime::Result<Option<UrlParts>> {
        Ok(Url::parse(&href).ok().map(|mut url| {
            set(&mut url, &property, &value);
            parts(&url)
        }))
    }
}

fn sign<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn parts(url: &Url) -> UrlParts {
    UrlParts {
        href: quirks::href(url).into(),
        origin: quirks::origin(url),
        protocol: quirks::protocol(url).into(),
        username: quirks::username(url).into(),
        password: quirks::password(url).into(),
        host: quirks::host(url).into(),
        hostname: quirks::hostname(url).into(),
        port: quirks::port(url).into(),
        pathname: quirks::pathname(url).into(),
        search: quirks::search(url).into(),
        hash: quirks::hash(url).into(),
    }
}

/// Sets a property as the URL standard's setters do: what does not fit is left as it was.
fn set(url: &mut Url, property: &str, value: &str) {
    let _ = match property {
        "protocol" => quirks::set_protocol(url, value),
        "username" => quirks::set_username(url, value),
        "password" => quirks::set_password(url, value),
        "host" => quirks::set_host(url, value),
        "hostname" => quirks::set_hostname(url, value),
        "port" => quirks::set_port(url, value),
        "pathname" => {
            quirks::set_pathname(url, value);
            Ok(())
        }
        "search" => {
            quirks::set_search(url, value);
            Ok(())
        }
        "hash" => {
            quirks::set_hash(url, value);
            Ok(())
        }
        _ => Ok(()),
    };
}
