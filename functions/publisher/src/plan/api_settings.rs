//! What a REST API has of settings of its own: those that an import in `Mode: Overwrite` resets, and those that say who may
//! call.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use shared::front_door::records::ApiSettings;
use shared::rest_api::{Patch, RestApi};

const SECURITY_POLICY: &str = "x-amazon-apigateway-security-policy";
const ACCESS_MODE: &str = "x-amazon-apigateway-endpoint-access-mode";

/// What the REST API has of them now.
pub fn api_settings(api: &RestApi) -> ApiSettings {
    ApiSettings {
        disable_execute_api_endpoint: api.disable_execute_api_endpoint,
        vpc_endpoint_ids: api.vpc_endpoint_ids.iter().cloned().collect(),
        ip_address_type: api.ip_address_type.clone(),
        security_policy: api.security_policy.clone(),
        endpoint_access_mode: api.endpoint_access_mode.clone(),
    }
}

/// What sets them again after an import. What the base definition names itself is as it says.
/// <https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html>
pub fn patches(had: &ApiSettings, base_definition: &Map<String, Value>, api: &RestApi) -> Vec<Patch> {
    let ApiSettings {
        disable_execute_api_endpoint,
        vpc_endpoint_ids,
        ip_address_type,
        security_policy,
        endpoint_access_mode,
    } = had;
    let named = |key: &str, had: &Option<String>| {
        base_definition.get(key).and_then(Value::as_str).map(str::to_owned).or_else(|| had.clone())
    };
    let mut patches = Vec::new();
    if *disable_execute_api_endpoint != api.disable_execute_api_endpoint {
        let value = disable_execute_api_endpoint.to_string();
        patches.push(Patch::Replace("/disableExecuteApiEndpoint".to_owned(), value));
    }
    for (path, wanted, there) in [
        ("/endpointConfiguration/ipAddressType", ip_address_type.clone(), &api.ip_address_type),
        ("/securityPolicy", named(SECURITY_POLICY, security_policy), &api.security_policy),
        ("/endpointAccessMode", named(ACCESS_MODE, endpoint_access_mode), &api.endpoint_access_mode),
    ] {
        if let Some(value) = wanted.filter(|value| there.as_ref() != Some(value)) {
            patches.push(Patch::Replace(path.to_owned(), value));
        }
    }
    let missing = vpc_endpoint_ids.iter().filter(|id| !api.vpc_endpoint_ids.contains(id));
    patches.extend(missing.map(|id| Patch::Add("/endpointConfiguration/vpcEndpointIds".to_owned(), id.clone())));
    patches
}

/// How the REST API differs from the document in who may call it, a line each.
pub fn differences(document: &Value, api: &RestApi) -> Vec<String> {
    let mut lines = Vec::new();
    // API Gateway writes resources out in full, so statements are held by what they do and on which conditions.
    let statements = |policy: &Value| -> BTreeMap<String, usize> {
        let one = policy["Statement"].is_object().then(|| &policy["Statement"]);
        let all = policy["Statement"].as_array().into_iter().flatten().chain(one);
        let conditions = |one: &Value| -> BTreeSet<String> {
            let operators = one["Condition"].as_object().into_iter().flatten();
            operators.map(|(operator, _)| operator.clone()).collect()
        };
        all.fold(BTreeMap::new(), |mut counts, one| {
            *counts.entry(format!("{} {:?}", one["Effect"], conditions(one))).or_default() += 1;
            counts
        })
    };
    if let Some(policy) = document.get("x-amazon-apigateway-policy") {
        match &api.policy {
            None => lines.push("~ the resource policy is missing".to_owned()),
            Some(there) if statements(there) != statements(policy) => {
                lines.push("~ the resource policy has other statements than were published".to_owned());
            }
            Some(_) => {}
        }
    }
    let source = api.api_key_source.as_deref().unwrap_or("HEADER");
    if let Some(wanted) = document["x-amazon-apigateway-api-key-source"].as_str().filter(|wanted| *wanted != source) {
        lines.push(format!("~ API keys come from {source}, and were published to come from {wanted}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_import_resets_nothing_for_good() {
        let had = RestApi {
            disable_execute_api_endpoint: true,
            vpc_endpoint_ids: vec!["vpce-1".into(), "vpce-2".into()],
            ip_address_type: Some("dualstack".into()),
            security_policy: Some("TLS_1_2".into()),
            endpoint_access_mode: Some("STRICT".into()),
            ..RestApi::default()
        };
        let none = Map::new();
        assert_eq!(patches(&api_settings(&had), &none, &had), []);
        let reset = RestApi {
            vpc_endpoint_ids: vec!["vpce-2".into()],
            ip_address_type: Some("ipv4".into()),
            security_policy: Some("TLS_1_0".into()),
            ..RestApi::default()
        };
        let replace = |path: &str, value: &str| Patch::Replace(path.into(), value.into());
        let mut expected = vec![
            replace("/disableExecuteApiEndpoint", "true"),
            replace("/endpointConfiguration/ipAddressType", "dualstack"),
            replace("/securityPolicy", "TLS_1_2"),
            replace("/endpointAccessMode", "STRICT"),
            Patch::Add("/endpointConfiguration/vpcEndpointIds".into(), "vpce-1".into()),
        ];
        assert_eq!(patches(&api_settings(&had), &none, &reset), expected);
        // The base definition's word counts for more.
        let base = Map::from_iter([(SECURITY_POLICY.to_owned(), json!("TLS_1_0"))]);
        expected.remove(2);
        assert_eq!(patches(&api_settings(&had), &base, &reset), expected);
        assert_eq!(patches(&ApiSettings::default(), &none, &reset), []);
    }

    #[test]
    fn a_policy_that_an_import_has_lost_is_a_difference() {
        let deny = json!({"Effect": "Deny", "Principal": "*", "Resource": "execute-api:/*",
            "Condition": {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}});
        let allow = json!({"Effect": "Allow", "Principal": "*", "Resource": "execute-api:/*"});
        let mut expanded = deny.clone();
        expanded["Resource"] = json!("arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/*");
        let document = json!({"x-amazon-apigateway-policy": {"Statement": [deny, allow]}});
        for (policy, expected) in [
            (None, vec!["~ the resource policy is missing"]),
            (Some(json!({"Statement": [allow, expanded]})), vec![]),
            (
                Some(json!({"Statement": [allow]})),
                vec!["~ the resource policy has other statements than were published"],
            ),
            (Some(json!({"Statement": allow})), vec!["~ the resource policy has other statements than were published"]),
        ] {
            assert_eq!(differences(&document, &RestApi { policy, ..RestApi::default() }), expected);
        }
        assert_eq!(differences(&json!({}), &RestApi::default()), Vec::<String>::new());
        let from_authorizer = json!({"x-amazon-apigateway-api-key-source": "AUTHORIZER"});
        assert_eq!(differences(&from_authorizer, &RestApi::default()).len(), 1);
    }
}
