//! Who has which path: the claims below one first segment, and whether another route would be in somebody's way.
//!
//! Two paths whose requests never coincide are in nobody's way, and such requests begin with the same segment or with a
//! variable. A path that begins with a variable (or is the root) only the platform's operators may have: it is a fallback,
//! which every team's own paths come before, so it is held against its like and against nobody else.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Cors, Method, Methods, RoutePath, RouteSpec};
use crate::error::Error;
use crate::types::AccountId;

/// A route's claim on its path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Whose it is.
    pub owner: AccountId,
    /// What the owner calls the route.
    pub name: String,
    /// The path, as the owner wrote it.
    pub path: RoutePath,
    /// The methods.
    pub methods: Methods,
    /// What the path answers to OPTIONS for browsers, if the route asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
}

impl Claim {
    /// Why this claim keeps `other` from being made, if it does.
    ///
    /// Among routes of one owner only the very same place is taken. Between owners it is every request that could be
    /// meant by both, whatever the methods: a path beside a greedy one would take the other's traffic. API Gateway chooses a
    /// resource together with its method, so this is stricter than it needs; whose a request is, the paths alone then say.
    fn obstructs(&self, other: &Claim) -> Option<&'static str> {
        let is_same_path = self.path.is_same_place(&other.path);
        let is_same_owner = self.owner == other.owner;
        match (is_same_path, is_same_owner) {
            (true, true) if self.methods.share_one_with(&other.methods) => Some("it is the same method and path"),
            (true, false) if self.methods.overlap(&other.methods) => Some("it is the same method and path"),
            (true, _) if self.takes_options_of(other) || other.takes_options_of(self) => {
                Some("both say what the path answers to OPTIONS, and not the same")
            }
            (false, true) if self.path.siblings_clash(&other.path) => {
                Some("API Gateway takes no {proxy+} beside another variable")
            }
            (true, _) | (_, true) => None,
            (false, false) if self.path.overlaps(&other.path) => Some("requests could be meant by either"),
            (false, false) => None,
        }
    }
}

impl Claim {
    fn takes_options_of(&self, other: &Claim) -> bool {
        let Some(cors) = &self.cors else { return false };
        let names_options = other.methods.iter().any(|method| method == Method::Options);
        names_options || other.cors.as_ref().is_some_and(|others| others != cors)
    }
}

/// Whether what the platform team has itself on a REST API keeps a route off it: it is everybody's to respect. A fallback at
/// the root, which only operators may have, stands beside everything: every other path comes before it.
pub fn is_platforms(path: &RoutePath, methods: &Methods, spec: &RouteSpec) -> bool {
    if path.is_same_place(&spec.path) {
        let is_options = spec.cors.is_some() && methods.iter().any(|method| method == Method::Options);
        return is_options || methods.overlap(&spec.methods);
    }
    let is_beside_fallback = (path.first() == "*") != (spec.path.first() == "*");
    !is_beside_fallback && (path.overlaps(&spec.path) || path.siblings_clash(&spec.path))
}

/// The claims below one first segment, by route id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Claims(pub BTreeMap<String, Claim>);

impl Claims {
    /// Adds or changes a route's claim, unless another route is in its way.
    pub fn claim(&mut self, route_id: &str, claim: Claim) -> Result<(), Error> {
        let others = self.0.iter().filter(|(id, _)| *id != route_id).map(|(_, other)| other);
        for other in others {
            if let Some(why) = other.obstructs(&claim) {
                return Err(taken(&claim, other, why));
            }
        }
        self.0.insert(route_id.to_owned(), claim);
        Ok(())
    }

    /// How many routes an account has here.
    pub fn count(&self, owner: &AccountId) -> usize {
        self.0.values().filter(|claim| claim.owner == *owner).count()
    }

    /// The resources that API Gateway keeps for all of them, by whose they are (the first one's who needs it).
    pub fn resources(&self) -> BTreeMap<AccountId, usize> {
        let mut seen = BTreeSet::new();
        let mut counts = BTreeMap::new();
        for claim in self.0.values() {
            let new = claim.path.resources().filter(|resource| seen.insert(resource.clone())).count();
            *counts.entry(claim.owner.clone()).or_default() += new;
        }
        counts
    }
}

/// The error that names the owner, the path and the reason.
pub fn taken(claim: &Claim, other: &Claim, why: &str) -> Error {
    Error::conflict(format!(
        "Path: {} {} is in the way of {} {}, which is account {}'s route '{}': {why}. Choose another path, or have that \
         route removed first",
        claim.methods, claim.path, other.methods, other.path, other.owner, other.name
    ))
}

/// The error about what the platform team has there itself.
pub fn taken_by_platform(spec: &RouteSpec, path: &RoutePath, methods: &Methods) -> Error {
    Error::conflict(format!(
        "Path: {} {} is in the way of {methods} {path}, which is the platform team's own. Choose another path",
        spec.methods, spec.path
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claim(owner: &str, route: &str) -> Claim {
        let (methods, path) = route.split_once(' ').unwrap();
        Claim {
            owner: owner.repeat(12).parse().unwrap(),
            name: route.into(),
            path: path.parse().unwrap(),
            methods: serde_json::from_value(json!(methods.split(',').collect::<Vec<_>>())).unwrap(),
            cors: None,
        }
    }

    #[test]
    fn a_route_is_in_the_way_of_what_it_could_take_requests_from() {
        for (first, second, between_owners, of_one_owner) in [
            ("GET /users/{id}", "GET /users/{userId}", true, true),
            ("GET /users/{id}", "POST /users/{userId}", false, false),
            ("ANY /users/{id}", "GET /users/{userId}", true, false),
            ("GET /users/{id}", "GET /users/{uuid}/orders", false, false),
            ("GET /users/{id}", "POST /users/me", true, false),
            ("ANY /users/{proxy+}", "GET /users/me", true, false),
            ("ANY /users/{proxy+}", "GET /users", false, false),
            ("GET /users/{id}", "GET /users/{proxy+}", true, true),
            ("GET /users/{id}/x", "GET /users/{proxy+}", true, true),
            ("GET /users/{id}/x", "GET /users/{id}/{proxy+}", true, false),
            ("GET /users/a", "GET /users/b", false, false),
            ("GET /users/a", "GET /users/A", false, false),
        ] {
            for (other, expected) in [("2", between_owners), ("1", of_one_owner)] {
                let mut claims = Claims::default();
                claims.claim("a", claim("1", first)).unwrap();
                let before = claims.clone();
                let result = claims.claim("b", claim(other, second));
                assert_eq!(result.is_err(), expected, "{first}, {second} of {other}");
                assert!(result.is_ok() || claims == before, "a refused claim changes nothing");
            }
        }
    }

    #[test]
    fn one_path_has_one_answer_to_browsers() {
        let with = |route: &str, origin: Option<&str>| {
            let origin = origin.map(|origin| json!({"AllowOrigins": [origin]}));
            let backend = json!({"PrivateApi": {"RestApiId": "a1b2c3d4e5", "StageName": "live"}});
            let spec = json!({"Path": "/x", "Auth": "NONE", "Backend": backend, "Cors": origin});
            Claim { cors: RouteSpec::parse(spec).unwrap().cors, ..claim("1", route) }
        };
        for (first, second, is_taken) in [
            (with("GET /users", Some("*")), with("POST /users", Some("*")), false),
            (with("GET /users", Some("*")), with("POST /users", None), false),
            (with("GET /users", Some("*")), with("POST /users", Some("https://a.example")), true),
            (with("GET /users", Some("*")), with("OPTIONS /users", None), true),
            (with("OPTIONS /users", None), with("GET /users", Some("*")), true),
            (with("GET /users", Some("*")), with("OPTIONS /users/b", None), false),
        ] {
            let mut claims = Claims::default();
            claims.claim("a", first.clone()).unwrap();
            assert_eq!(claims.claim("b", second.clone()).is_err(), is_taken, "{first:?}, {second:?}");
        }
    }

    #[test]
    fn the_error_names_the_owner_the_path_and_the_reason() {
        let mut claims = Claims::default();
        claims.claim("a", claim("1", "ANY /users/{proxy+}")).unwrap();
        let error = claims.claim("b", claim("2", "GET /users/me")).unwrap_err();
        assert!(error.message.starts_with(
            "Path: GET /users/me is in the way of ANY /users/{proxy+}, which is account 111111111111's route 'ANY \
             /users/{proxy+}': requests could be meant by either."
        ));
    }

    #[test]
    fn a_route_is_never_in_its_own_way_and_resources_are_counted_once() {
        let mut claims = Claims::default();
        claims.claim("a", claim("1", "GET /users/{id}")).unwrap();
        claims.claim("a", claim("1", "GET,PUT /users/{id}")).unwrap();
        claims.claim("b", claim("2", "GET /users/{uuid}/orders")).unwrap();
        let counts: Vec<usize> = claims.resources().into_values().collect();
        assert_eq!(counts, [2, 1]);
        assert_eq!(claims.count(&"1".repeat(12).parse().unwrap()), 1);
    }
}
