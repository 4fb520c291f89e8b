//! Whether the front door's endpoints can reach a route's private API, and nobody else's can: held against the API's resource
//! policy before the route is claimed. Pure. What can't be told is refused like what is wrong: a route that is published and
//! does not work, or that the whole world can go round, is found out too late.

use serde_json::Value;
use shared::error::Error;
use shared::front_door::{Backend, Method, RouteSpec};
use shared::policy::{self, Principal, Request, Verdict};
use shared::types::{AccountId, VpcEndpointId, partition_of};

/// Where an API is.
pub struct Place<'a> {
    /// Its account.
    pub account: &'a AccountId,
    /// Its region.
    pub region: &'a str,
}

/// Refuses a private API that one of the `endpoints` can't reach by every method of the route, or that others can.
pub fn check(
    spec: &RouteSpec,
    place: &Place<'_>,
    policy: Option<&Value>,
    endpoints: impl IntoIterator<Item = VpcEndpointId>,
) -> Result<(), Error> {
    let Backend::PrivateApi { rest_api_id, stage_name, .. } = &spec.backend else {
        return Ok(());
    };
    let wrong = |what: String| {
        Error::invalid(format!("Backend.PrivateApi.RestApiId: the resource policy of {rest_api_id} {what}"))
    };
    let Some(policy) = policy else {
        return Err(wrong(
            "is missing, and without one nobody reaches a private API: let in the front door's endpoint".into(),
        ));
    };
    let endpoints: Vec<String> = endpoints.into_iter().map(|one| one.to_string()).collect();
    let ours = endpoints.iter().cloned().collect();
    let partition = partition_of(place.region);
    let path = sample(spec);
    let methods = spec.methods.iter().flat_map(|method| match method {
        Method::Any => Method::all_by_name().collect(),
        one => vec![one],
    });
    for method in methods {
        let resource = format!(
            "arn:{partition}:execute-api:{}:{}:{rest_api_id}/{stage_name}/{}{path}",
            place.region,
            place.account,
            method.as_str()
        );
        // API Gateway sends what comes through a VPC link unsigned.
        let request = |vpc_endpoint: &str| Request {
            principal: Principal::Anonymous,
            resource: resource.clone(),
            vpc_endpoint: vpc_endpoint.to_owned(),
            vpc: None,
        };
        for endpoint in &endpoints {
            match policy::evaluate(policy, &request(endpoint)) {
                Verdict::Allow => {}
                Verdict::Deny(why) => {
                    return Err(wrong(format!(
                        "keeps out the front door's endpoint {endpoint} ({} {path}): {why}",
                        method.as_str()
                    )));
                }
                Verdict::Indeterminate(why) => {
                    return Err(wrong(format!(
                        "does not say clearly whether the front door's endpoint {endpoint} may {} {path}: {why}",
                        method.as_str()
                    )));
                }
            }
        }
        // The same whichever of ours asks.
        if policy::others(policy, &request(""), &ours).contains("*") {
            return Err(wrong(format!(
                "lets in every VPC endpoint of every account ({} {path}): deny those whose aws:SourceVpce is not {}",
                method.as_str(),
                endpoints.join(" or ")
            )));
        }
    }
    Ok(())
}

/// A path that a request of the route's could have on the backend's side.
fn sample(spec: &RouteSpec) -> String {
    let text = match spec.backend_text() {
        "" => spec.path.to_string(),
        text => text.to_owned(),
    };
    let part = |segment: &str| if segment.starts_with('{') { "x".to_owned() } else { segment.to_owned() };
    text.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_private_api_has_to_let_in_our_endpoint_and_not_everybodys() {
        let statement = |effect: &str, resource: &str, condition: Value| json!({"Effect": effect, "Principal": "*", "Action": "execute-api:Invoke", "Resource": resource, "Condition": condition});
        let only = |endpoint: &str| {
            let deny = json!({"StringNotEquals": {"aws:SourceVpce": endpoint}});
            json!({"Statement": [statement("Allow", "execute-api:/*", json!({})), statement("Deny", "execute-api:/*", deny)]})
        };
        let narrow = |resource: &str| {
            let ours = json!({"StringEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}});
            json!({"Statement": [statement("Allow", resource, ours)]})
        };
        for (methods, policy, expected) in [
            (json!(["GET"]), Some(only("vpce-1a2b3c4d")), ""),
            (json!("ANY"), Some(only("vpce-1a2b3c4d")), ""),
            (json!(["GET"]), None, "is missing"),
            (
                json!(["GET"]),
                Some(only("vpce-9a2b3c4d")),
                "keeps out the front door's endpoint vpce-1a2b3c4d (GET /of/x)",
            ),
            (
                json!(["GET"]),
                Some(json!({"Statement": [statement("Allow", "execute-api:/*", json!({}))]})),
                "lets in every VPC endpoint of every account",
            ),
            (json!(["GET"]), Some(narrow("execute-api:/v1/GET/of/*")), ""),
            (json!(["GET", "PUT"]), Some(narrow("execute-api:/v1/GET/of/*")), "(PUT /of/x): no statement allows it"),
            (json!("ANY"), Some(narrow("execute-api:/v1/GET/of/*")), "keeps out"),
            (
                json!(["GET"]),
                Some(
                    json!({"Statement": [statement("Allow", "*", json!({"StringEquals": {"aws:PrincipalTag/x": "y"}}))]}),
                ),
                "keeps out",
            ),
        ] {
            let backend = json!({"PrivateApi": {"RestApiId": "a1b2c3d4e5", "StageName": "v1", "Path": "/of/{id}"}});
            let spec = json!({"Path": "/cats/{id}", "Methods": methods, "Auth": "NONE", "Backend": backend});
            let spec = RouteSpec::parse(spec).unwrap();
            let account = "111122223333".parse().unwrap();
            let place = Place { account: &account, region: "eu-west-1" };
            let endpoints = ["vpce-1a2b3c4d".parse().unwrap()];
            let said =
                check(&spec, &place, policy.as_ref(), endpoints).err().map(|error| error.message).unwrap_or_default();
            assert!(
                said.contains(expected) && (said.is_empty() == expected.is_empty()),
                "{methods} {policy:?}: {said}"
            );
        }
    }
}
