//! Letting pages of other origins call a route (the Fetch standard, section 3.2).

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// What a route allows pages of other origins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cors {
    /// Whose pages.
    pub origins: Origins,
    /// The methods they may use; empty: the one that the route takes, as it is asked for.
    pub methods: Vec<String>,
    /// The request fields they may set; `None`: any.
    pub headers: Option<Vec<String>>,
    /// The response fields they may read, beside those that are always readable.
    pub expose: Vec<String>,
    /// Whether cookies and other credentials are sent along.
    pub credentials: bool,
    /// How long a browser may remember the answer to a preflight; `None`: its own default (5 s).
    pub max_age: Option<Duration>,
}

/// A set of origins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origins {
    /// Every page.
    #[default]
    Any,
    /// Pages of these origins, written like `https://example.com`, without a slash at the end.
    Only(Vec<String>),
}

impl Cors {
    /// Adds the fields of an answer to a request from a page of `origin`. Those that the function
    /// set itself are replaced: the manifest decides.
    pub(crate) fn answer(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        for name in [
            ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            ACCESS_CONTROL_EXPOSE_HEADERS,
        ] {
            headers.remove(name);
        }
        if self.allow(origin, headers) {
            list(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &self.expose);
        }
    }

    /// Answers a browser that asks whether it may send a request.
    pub(crate) fn preflight(&self, request: &HeaderMap) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let asked = [ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_REQUEST_HEADERS];
        for name in asked {
            headers.append(VARY, HeaderValue::from(name));
        }
        if !self.allow(request.get(ORIGIN), &mut headers) {
            return headers;
        }
        if self.methods.is_empty() {
            copy(
                request,
                ACCESS_CONTROL_REQUEST_METHOD,
                &mut headers,
                ACCESS_CONTROL_ALLOW_METHODS,
            );
        } else {
            list(&mut headers, ACCESS_CONTROL_ALLOW_METHODS, &self.methods);
        }
        match &self.headers {
            None => copy(
                request,
                ACCESS_CONTROL_REQUEST_HEADERS,
                &mut headers,
                ACCESS_CONTROL_ALLOW_HEADERS,
            ),
            Some(names) => list(&mut headers, ACCESS_CONTROL_ALLOW_HEADERS, names),
        }
        if let Some(age) = self.max_age {
            headers.insert(ACCESS_CONTROL_MAX_AGE, age.as_secs().into());
        }
        headers
    }

    /// Names the origin if it is allowed.
    fn allow(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) -> bool {
        let anyone = self.origins == Origins::Any && !self.credentials;
        if !anyone {
            // The answer differs by origin, also where there is none.
            headers.append(VARY, HeaderValue::from(ORIGIN));
        }
        let Some(origin) = origin else { return false };
        let allowed = match &self.origins {
            Origins::Any => true,
            Origins::Only(origins) => origins.iter().any(|o| o.as_bytes() == origin.as_bytes()),
        };
        if allowed {
            let named = if anyone { HeaderValue::from_static("*") } else { origin.clone() };
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, named);
            if self.credentials {
                let yes = HeaderValue::from_static("true");
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
            }
        }
        allowed
    }
}

/// The method that a preflight asks about; `None`: it is no preflight.
pub(crate) fn asked_method(method: &Method, headers: &HeaderMap) -> Option<Method> {
    if method != Method::OPTIONS || !headers.contains_key(ORIGIN) {
        return None;
    }
    Method::from_bytes(headers.get(ACCESS_CONTROL_REQUEST_METHOD)?.as_bytes()).ok()
}

fn list(headers: &mut HeaderMap, name: HeaderName, values: &[String]) {
    if let Ok(value) = HeaderValue::try_from(values.join(", "))
        && !value.is_empty()
    {
        headers.insert(name, value);
    }
}

fn copy(from: &HeaderMap, asked: HeaderName, to: &mut HeaderMap, allowed: HeaderName) {
    if let Some(value) = from.get(asked) {
        to.insert(allowed, value.clone());
    }
}
