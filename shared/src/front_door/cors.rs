//! Cross-origin requests to a route: what API Gateway answers a browser that asks beforehand (the preflight, an OPTIONS
//! request without credentials). The answers to the requests themselves are the backend's, with their own
//! `Access-Control-Allow-Origin`: a proxy integration passes them on as they are.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-cors.html>

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::fields::scalar;

/// Browsers keep a preflight's answer for a day at most.
const MAX_AGE_SECONDS_MAX: u32 = 86_400;
/// They stand in a mapping template.
const ORIGINS_MAX: usize = 32;

crate::checked_string!(
    /// A page's origin, or `*` for all of them. An app on a phone has a scheme of its own (`capacitor://localhost`).
    /// <https://url.spec.whatwg.org/#concept-url-scheme>
    CorsOrigin,
    "an origin such as https://app.example.com or capacitor://localhost (a scheme and a host, in lower case), or *",
    |s| {
        let is_scheme = |scheme: &str| {
            scheme.starts_with(|c: char| c.is_ascii_lowercase())
                && scheme.len() <= 32
                && scheme
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.'))
        };
        let is_host = |rest: &str| {
            !rest.is_empty()
                && rest.len() <= 255
                && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':'))
        };
        s == "*" || s.split_once("://").is_some_and(|(scheme, host)| is_scheme(scheme) && is_host(host))
    }
);

crate::checked_string!(
    /// The name of a header that a page may send, or `*` for all but `Authorization`, which a browser wants by its name.
    /// <https://fetch.spec.whatwg.org/#cors-preflight-fetch>
    CorsHeader,
    "a header's name of letters, digits, dashes and underscores, or *",
    |s| {
        let is_name = s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        s == "*" || (1..=128).contains(&s.len()) && is_name
    }
);

/// Who may ask from another origin, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cors {
    /// The pages' origins.
    pub origins: BTreeSet<CorsOrigin>,
    /// The headers that a request may have.
    pub headers: BTreeSet<CorsHeader>,
    /// Whether cookies and the like may come along.
    pub credentials: bool,
    /// How long a browser may keep the answer.
    pub max_age_seconds: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct WrittenCors {
    allow_origins: BTreeSet<CorsOrigin>,
    #[serde(default)]
    allow_headers: BTreeSet<CorsHeader>,
    #[serde(default, deserialize_with = "scalar")]
    allow_credentials: Option<bool>,
    #[serde(default, deserialize_with = "scalar")]
    max_age_seconds: Option<u32>,
}

impl TryFrom<WrittenCors> for Cors {
    type Error = Error;
    fn try_from(written: WrittenCors) -> Result<Self, Error> {
        let WrittenCors { allow_origins: origins, allow_headers: headers, allow_credentials, max_age_seconds } =
            written;
        let credentials = allow_credentials.unwrap_or(false);
        let is_all = origins.iter().any(|origin| origin.as_str() == "*");
        if origins.is_empty() || origins.len() > ORIGINS_MAX {
            return Err(Error::invalid(format!("Cors.AllowOrigins: give 1 to {ORIGINS_MAX}, not {}", origins.len())));
        }
        if is_all && (origins.len() > 1 || credentials) {
            return Err(Error::invalid(
                "Cors.AllowOrigins: * stands alone, and browsers take it only without AllowCredentials",
            ));
        }
        if credentials && headers.iter().any(|name| name.as_str() == "*") {
            return Err(Error::invalid(
                "Cors.AllowHeaders: browsers take * only without AllowCredentials: name the headers",
            ));
        }
        if let Some(seconds) = max_age_seconds.filter(|seconds| *seconds > MAX_AGE_SECONDS_MAX) {
            return Err(Error::invalid(format!("Cors.MaxAgeSeconds: {seconds} is more than {MAX_AGE_SECONDS_MAX}")));
        }
        Ok(Self { origins, headers, credentials, max_age_seconds })
    }
}
