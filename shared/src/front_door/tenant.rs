//! `Custom::Tenant`: an account, and what it may put on the front door.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Backend, Name, RoutePath, RouteSpec, Segment};
use crate::error::Error;
use crate::fields::{read, scalar};
use crate::types::{AccountId, HostName};

/// Where nothing is said.
const ROUTES_MAX: u32 = 100;

/// An account and its grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// The account.
    pub account: AccountId,
    /// What its paths begin with, in whole segments. None of them has a variable.
    pub prefixes: BTreeSet<RoutePath>,
    /// The hosts that its `Http` backends may name.
    pub backend_hosts: BTreeSet<HostName>,
    /// The VPC links that they may go through; all but the private APIs' one where nothing is said.
    pub links: Option<BTreeSet<Name>>,
    /// The usage plans of the central account that it may subscribe to, by id or name; those for front doors where nothing
    /// is said.
    #[serde(default)]
    pub usage_plans: Option<BTreeSet<String>>,
    /// How many routes it may have.
    pub routes_max: u32,
    /// Whether it may send its requests to Foregate's event bus.
    #[serde(default)]
    pub events: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Written {
    account_id: AccountId,
    prefixes: BTreeSet<RoutePath>,
    #[serde(default)]
    backend_hosts: BTreeSet<HostName>,
    links: Option<BTreeSet<Name>>,
    usage_plans: Option<BTreeSet<String>>,
    #[serde(default, deserialize_with = "scalar")]
    max_routes: Option<u32>,
    #[serde(default, deserialize_with = "scalar")]
    events: Option<bool>,
}

impl Tenant {
    /// Reads a spec; the error names the field.
    pub fn parse(spec: Value) -> Result<Self, Error> {
        let Written { account_id: account, prefixes, backend_hosts, links, usage_plans, max_routes, events } =
            read(spec)?;
        if prefixes.is_empty() {
            return Err(Error::invalid("Prefixes: name at least one, such as /cats"));
        }
        for prefix in &prefixes {
            if prefix.segments().is_empty() {
                return Err(Error::invalid(
                    "Prefixes: '/' would be the whole front door: name what is the account's own",
                ));
            }
            if prefix.segments().iter().any(|one| !matches!(one, Segment::Literal(_))) {
                return Err(Error::invalid(format!(
                    "Prefixes: '{prefix}' has a variable: write whole segments of text"
                )));
            }
        }
        let backend_hosts = backend_hosts.iter().map(|host| host.as_str().to_ascii_lowercase().parse());
        let backend_hosts =
            backend_hosts.collect::<Result<_, _>>().map_err(|e| Error::invalid(format!("BackendHosts: {e}")))?;
        let routes_max = max_routes.unwrap_or(ROUTES_MAX);
        Ok(Self {
            account,
            prefixes,
            backend_hosts,
            links,
            usage_plans,
            routes_max,
            events: events.unwrap_or_default(),
        })
    }

    /// Whether the account may have this route on a front door whose private APIs are behind `private_link`; that a
    /// private API is its own is for AWS to say.
    pub fn admit(&self, spec: &RouteSpec, private_link: Option<&Name>) -> Result<(), Error> {
        let Self { account, prefixes, backend_hosts, links, usage_plans: _, routes_max: _, events: _ } = self;
        if !prefixes.iter().any(|prefix| spec.path.is_below(prefix)) {
            return Err(Error::forbidden(format!(
                "Path: account {account} may register paths under {}, and {} is not: ask your platform team for it",
                listed(prefixes),
                spec.path
            )));
        }
        let Backend::Http { link, url, .. } = &spec.backend else {
            return Ok(());
        };
        if private_link == Some(link) {
            return Err(Error::forbidden(format!(
                "Backend.Http.Link: {link} leads to every account's private APIs: name yours as a PrivateApi backend"
            )));
        }
        if links.as_ref().is_some_and(|links| !links.contains(link)) {
            return Err(Error::forbidden(format!(
                "Backend.Http.Link: account {account} may not use {link}: ask your platform team for it (Links)"
            )));
        }
        if !backend_hosts.iter().any(|host| host.as_str() == url.host()) {
            return Err(Error::forbidden(format!(
                "Backend.Http.Url: account {account} may send requests to {}, and {} is not one of them: ask your platform \
                 team for it (BackendHosts)",
                if backend_hosts.is_empty() { "no host".to_owned() } else { listed(backend_hosts) },
                url.host()
            )));
        }
        Ok(())
    }

    /// The first segments of all that it may register.
    pub fn first_segments(&self) -> BTreeSet<&str> {
        self.prefixes.iter().map(RoutePath::first).collect()
    }
}

fn listed<T: ToString>(all: &BTreeSet<T>) -> String {
    all.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::ErrorType;

    fn tenant() -> Tenant {
        let spec = json!({
            "AccountId": "111122223333", "Prefixes": ["/cats", "/owners/v1"], "BackendHosts": ["NLB.example.com"],
            "MaxRoutes": "7",
        });
        Tenant::parse(spec).unwrap()
    }

    #[test]
    fn a_grant_is_whole_segments_of_text() {
        assert_eq!((tenant().routes_max, tenant().events), (7, false));
        for (prefixes, why) in [
            (json!([]), "name at least one"),
            (json!(["/"]), "the whole front door"),
            (json!(["/cats/{id}"]), "has a variable"),
            (json!(["cats"]), "begins with a slash"),
        ] {
            let error = Tenant::parse(json!({"AccountId": "111122223333", "Prefixes": prefixes})).unwrap_err();
            assert!(error.message.contains(why), "{error}");
        }
    }

    #[test]
    fn a_tenant_stays_below_its_prefixes_and_with_its_hosts() {
        let private = "private-apis".parse().unwrap();
        let api = json!({"PrivateApi": {"RestApiId": "a1b2c3d4e5", "StageName": "live"}});
        let http = |link: &str, host: &str| json!({"Http": {"Link": link, "Url": format!("http://{host}/x")}});
        for (path, backend, why) in [
            ("/cats/{id}", api.clone(), ""),
            ("/owners/v1", api.clone(), ""),
            ("/owners", api.clone(), "may register paths under /cats, /owners/v1, and /owners is not"),
            ("/catsanddogs", api.clone(), "and /catsanddogs is not"),
            ("/{proxy+}", api, "and /{proxy+} is not"),
            ("/cats", http("gate", "nlb.EXAMPLE.com"), ""),
            ("/cats", http("gate", "other.example.com"), "and other.example.com is not one of them"),
            ("/cats", http("private-apis", "nlb.example.com"), "every account's private APIs"),
        ] {
            let spec = RouteSpec::parse(json!({"Path": path, "Auth": "NONE", "Backend": backend})).unwrap();
            match tenant().admit(&spec, Some(&private)) {
                Ok(()) => assert_eq!(why, "", "{path}"),
                Err(error) => {
                    assert_eq!(error.error_type, ErrorType::Forbidden);
                    assert!(!why.is_empty() && error.message.contains(why), "{path}: {error}");
                }
            }
        }
        let mut narrow = tenant();
        narrow.links = Some(BTreeSet::new());
        let spec = json!({"Path": "/cats", "Auth": "NONE", "Backend": http("gate", "nlb.example.com")});
        assert!(narrow.admit(&RouteSpec::parse(spec).unwrap(), None).unwrap_err().message.contains("may not use gate"));
    }
}
