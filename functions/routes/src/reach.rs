//! Whether a route's private API has what the route wants of it, and whether the front door's endpoints can reach that, and nobody
//! else's can: held against the API's resource policy and what its stage serves before the route is claimed. Pure. What can't be
//! told is refused like what is wrong: a route that is published and does not work, or that the whole world can go round, is
//! found out too late.

use std::collections::BTreeSet;

use serde_json::Value;
use shared::error::Error;
use shared::front_door::{Backend, Method, RouteSpec};
use shared::openapi::{self, Auth};
use shared::policy::{self, Principal, Request, Verdict};
use shared::types::{AccountId, RestApiId, StageName, VpcEndpointId};

use crate::served::{self, Shape};

/// A private API, as far as a route is held against it.
pub struct Api<'a> {
    /// Its account.
    pub account: &'a AccountId,
    /// Its region.
    pub region: &'a str,
    /// Its resource policy.
    pub policy: Option<&'a Value>,
    /// The methods that the route's stage shows; nothing where it has no such stage.
    pub stage: Option<&'a [openapi::Method]>,
}

/// Refuses a private API that one of the `endpoints` can't reach by every method of the route, that others can reach and nobody is
/// asked who they are, or that does not serve the route.
pub fn check(spec: &RouteSpec, api: &Api<'_>, endpoints: impl IntoIterator<Item = VpcEndpointId>) -> Result<(), Error> {
    let Backend::PrivateApi { rest_api_id, stage_name, .. } = &spec.backend else {
        return Ok(());
    };
    let ours: BTreeSet<String> = endpoints.into_iter().map(|one| one.to_string()).collect();
    let asked = Asked { spec, id: rest_api_id, stage: stage_name, api, ours };
    let further = asked.further()?;
    let Some(stage) = api.stage else {
        return Err(Error::invalid(format!(
            "Backend.PrivateApi.StageName: {rest_api_id} has no stage '{stage_name}': deploy the API first, or name one of \
             its stages"
        )));
    };
    asked.is_served(stage)?;
    asked.is_guarded(stage, &further)
}

/// A route that is held against its API.
struct Asked<'a> {
    spec: &'a RouteSpec,
    id: &'a RestApiId,
    stage: &'a StageName,
    api: &'a Api<'a>,
    ours: BTreeSet<String>,
}

impl Asked<'_> {
    /// Which endpoints besides ours the policy lets in, for each method that a request may have. Refuses a policy that is not
    /// there, or that keeps ours out, or lets all others in.
    fn further(&self) -> Result<Vec<(Method, BTreeSet<String>)>, Error> {
        let Some(policy) = self.api.policy else {
            return Err(self.wrong_policy(
                "is missing, and without one nobody reaches a private API: let in the front door's endpoint",
            ));
        };
        let path = policy::sample_path(&served::path_of(self.spec));
        let verbs = self.spec.methods.iter().flat_map(served::verbs);
        verbs.map(|verb| Ok((verb, self.further_by(policy, verb, &path)?))).collect()
    }

    fn further_by(&self, policy: &Value, verb: Method, path: &str) -> Result<BTreeSet<String>, Error> {
        let method = verb.as_str();
        for endpoint in &self.ours {
            match policy::evaluate(policy, &self.request(endpoint, method, path)) {
                Verdict::Allow => {}
                Verdict::Deny(why) => {
                    return Err(self.wrong_policy(&format!(
                        "keeps out the front door's endpoint {endpoint} ({method} {path}): {why}"
                    )));
                }
                Verdict::Indeterminate(why) => {
                    return Err(self.wrong_policy(&format!(
                        "does not say clearly whether the front door's endpoint {endpoint} may {method} {path}: {why}"
                    )));
                }
            }
        }
        // The same whichever of ours asks.
        let others = policy::others(policy, &self.request("", method, path), &self.ours);
        match others.contains("*") {
            true => Err(self.wrong_policy(&format!(
                "lets in every VPC endpoint of every account ({method} {path}): deny those whose aws:SourceVpce is not {}",
                named(&self.ours, "or")
            ))),
            false => Ok(others),
        }
    }

    /// A request of the front door's. API Gateway sends what comes through a VPC link unsigned.
    fn request(&self, endpoint: &str, method: &str, path: &str) -> Request {
        let Api { account, region, .. } = self.api;
        Request {
            principal: Principal::Anonymous,
            resource: policy::method_arn(account, region, self.id, self.stage.as_str(), method, path),
            vpc_endpoint: endpoint.to_owned(),
            vpc: None,
        }
    }

    /// Refuses a route one of whose methods the stage has nothing for.
    fn is_served(&self, stage: &[openapi::Method]) -> Result<(), Error> {
        let route = Shape::of_route(self.spec);
        for method in self.spec.methods.iter() {
            if let Some(instead) = served::missing(stage, &route, method) {
                return Err(Error::invalid(format!(
                    "Backend.PrivateApi.Path: stage '{}' of {} has no {} {}: {instead}",
                    self.stage,
                    self.id,
                    method.as_str(),
                    served::path_of(self.spec)
                )));
            }
        }
        Ok(())
    }

    /// Refuses a route behind which the endpoints of others come in too and nobody is asked who they are. A mock answers by
    /// itself: nothing is behind it, as behind the OPTIONS of CORS.
    fn is_guarded(&self, stage: &[openapi::Method], further: &[(Method, BTreeSet<String>)]) -> Result<(), Error> {
        let route = Shape::of_route(self.spec);
        for (verb, others) in further.iter().filter(|(_, others)| !others.is_empty()) {
            let reached = served::reached(stage, &route, *verb);
            if let Some(open) = reached.into_iter().find(|one| one.auth == Auth::None && !one.is_mock) {
                return Err(self.wrong_policy(&format!(
                    "lets in {} besides the front door's endpoint, and {} {} of stage '{}' asks nobody who they are: let in {} \
                     alone, or have that method ask for authorization",
                    named(others, "and"),
                    open.method,
                    open.path,
                    self.stage,
                    named(&self.ours, "and")
                )));
            }
        }
        Ok(())
    }

    fn wrong_policy(&self, what: &str) -> Error {
        Error::invalid(format!("Backend.PrivateApi.RestApiId: the resource policy of {} {what}", self.id))
    }
}

fn named(endpoints: &BTreeSet<String>, word: &str) -> String {
    let names: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    names.join(&format!(" {word} "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OURS: &str = "vpce-1a2b3c4d";

    fn statement(effect: &str, resource: &str, condition: Value) -> Value {
        json!({"Effect": effect, "Principal": "*", "Action": "execute-api:Invoke", "Resource": resource, "Condition": condition})
    }

    /// A policy that keeps out all other endpoints.
    fn only(endpoints: &[&str]) -> Value {
        let deny = json!({"StringNotEquals": {"aws:SourceVpce": endpoints}});
        json!({"Statement": [statement("Allow", "execute-api:/*", json!({})), statement("Deny", "execute-api:/*", deny)]})
    }

    fn method(method: &str, path: &str, auth: Auth) -> openapi::Method {
        openapi::Method { method: method.into(), path: path.into(), auth, ..openapi::Method::default() }
    }

    /// What is said to a route of these methods, to `/of/{id}` of the stage.
    fn said(methods: &Value, policy: Option<&Value>, stage: Option<&[openapi::Method]>) -> String {
        let backend = json!({"PrivateApi": {"RestApiId": "a1b2c3d4e5", "StageName": "v1", "Path": "/of/{id}"}});
        let spec = json!({"Path": "/cats/{id}", "Methods": methods, "Auth": "NONE", "Backend": backend});
        let spec = RouteSpec::parse(spec).unwrap();
        let account = "111122223333".parse().unwrap();
        let api = Api { account: &account, region: "eu-west-1", policy, stage };
        check(&spec, &api, [OURS.parse().unwrap()]).err().map(|error| error.message).unwrap_or_default()
    }

    #[test]
    fn a_private_api_has_to_let_in_our_endpoint_and_not_everybodys() {
        let narrow = |resource: &str| {
            let ours = json!({"StringEquals": {"aws:SourceVpce": OURS}});
            json!({"Statement": [statement("Allow", resource, ours)]})
        };
        let all = |condition: Value| json!({"Statement": [statement("Allow", "execute-api:/*", condition)]});
        for (methods, policy, expected) in [
            (json!(["GET"]), Some(only(&[OURS])), ""),
            (json!("ANY"), Some(only(&[OURS])), ""),
            (json!(["GET"]), None, "is missing"),
            (
                json!(["GET"]),
                Some(only(&["vpce-9a2b3c4d"])),
                "keeps out the front door's endpoint vpce-1a2b3c4d (GET /of/x)",
            ),
            (json!(["GET"]), Some(all(json!({}))), "lets in every VPC endpoint of every account"),
            (json!(["GET"]), Some(narrow("execute-api:/v1/GET/of/*")), ""),
            (json!(["GET", "PUT"]), Some(narrow("execute-api:/v1/GET/of/*")), "(PUT /of/x): no statement allows it"),
            (json!("ANY"), Some(narrow("execute-api:/v1/GET/of/*")), "keeps out"),
            (json!(["GET"]), Some(all(json!({"StringEquals": {"aws:PrincipalTag/x": "y"}}))), "keeps out"),
        ] {
            let said = said(&methods, policy.as_ref(), Some(&[method("ANY", "/of/{id}", Auth::None)]));
            assert!(
                said.contains(expected) && (said.is_empty() == expected.is_empty()),
                "{methods} {policy:?}: {said}"
            );
        }
    }

    #[test]
    fn its_stage_has_to_be_there_and_to_serve_every_method_of_the_route() {
        let stage = [method("GET", "/of/{theirs}", Auth::None), method("POST", "/of/{theirs}", Auth::None)];
        for (methods, stage, expected) in [
            (json!(["GET"]), Some(&stage[..]), ""),
            (json!(["GET", "POST"]), Some(&stage), ""),
            (json!("ANY"), Some(&stage), ""),
            (
                json!(["GET"]),
                None,
                "Backend.PrivateApi.StageName: a1b2c3d4e5 has no stage 'v1': deploy the API first, or name one of its stages",
            ),
            (
                json!(["GET", "PUT"]),
                Some(&stage),
                "Backend.PrivateApi.Path: stage 'v1' of a1b2c3d4e5 has no PUT /of/{id}: it has GET, POST there",
            ),
            (
                json!("ANY"),
                Some(&[]),
                "Backend.PrivateApi.Path: stage 'v1' of a1b2c3d4e5 has no ANY /of/{id}: it has no methods at all",
            ),
        ] {
            assert_eq!(said(&methods, Some(&only(&[OURS])), stage), expected, "{methods} {stage:?}");
        }
    }

    #[test]
    fn where_the_endpoints_of_others_come_in_what_they_reach_asks_who_they_are() {
        let theirs = "vpce-9a2b3c4d";
        let mock = |verb: &str| openapi::Method { is_mock: true, ..method(verb, "/of/{id}", Auth::None) };
        let get = |auth: Auth| method("GET", "/of/{id}", auth);
        let refusal = "lets in vpce-9a2b3c4d besides the front door's endpoint, and GET /of/{id} of stage 'v1' asks nobody who \
                       they are: let in vpce-1a2b3c4d alone";
        let cases = [
            (json!(["GET"]), &[OURS][..], vec![get(Auth::None)], ""),
            (json!(["GET"]), &[OURS, theirs], vec![get(Auth::None)], refusal),
            (json!(["GET"]), &[OURS, theirs], vec![get(Auth::Iam)], ""),
            (json!(["GET"]), &[OURS, theirs], vec![get(Auth::Authorizer)], ""),
            (json!("ANY"), &[OURS, theirs], vec![get(Auth::Iam), mock("OPTIONS")], ""),
            (json!("ANY"), &[OURS, theirs], vec![get(Auth::None), mock("OPTIONS")], refusal),
            // What the route does not get to is nobody's business here.
            (json!(["GET"]), &[OURS, theirs], vec![get(Auth::Iam), method("POST", "/of/{id}", Auth::None)], ""),
            (json!(["GET"]), &[OURS, theirs], vec![get(Auth::Iam), method("ANY", "/{proxy+}", Auth::None)], ""),
            (json!(["GET"]), &[OURS, theirs], vec![get(Auth::Iam), method("GET", "/of/me", Auth::None)], "GET /of/me"),
        ];
        for (methods, endpoints, stage, expected) in cases {
            let said = said(&methods, Some(&only(endpoints)), Some(&stage));
            assert!(
                said.contains(expected) && (said.is_empty() == expected.is_empty()),
                "{methods} {endpoints:?} {stage:?}: {said}"
            );
        }
    }
}
