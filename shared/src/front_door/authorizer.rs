//! A front door's authorizers, as API Gateway describes them in OpenAPI.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-authorizer.html>

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Name;
use crate::error::Error;
use crate::fields::{read, scalar};

/// API Gateway's longest time for a decision to be kept.
const TTL_SECONDS_MAX: u32 = 3_600;
const HEADER: &str = "method.request.header.";

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authorizer_uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authorizer_credentials: Option<String>,
    #[serde(default, rename = "providerARNs", skip_serializing_if = "Option::is_none")]
    provider_arns: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity_source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity_validation_expression: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "scalar")]
    authorizer_result_ttl_in_seconds: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Token,
    Request,
    CognitoUserPools,
}

/// Checks an authorizer; the error names the field.
pub(super) fn authorizer(name: &Name, given: Value) -> Result<Value, Error> {
    let wrong = |what: String| Error::invalid(format!("Authorizers.{name}: {what}"));
    if !given.is_object() {
        return Err(wrong("it is not an object (API Gateway's x-amazon-apigateway-authorizer)".into()));
    }
    let written: Written =
        read(given).map_err(|error| Error::invalid(format!("Authorizers.{name}.{}", error.message)))?;
    match written.kind {
        Kind::Token | Kind::Request => {
            let uri = written.authorizer_uri.as_deref().ok_or_else(|| wrong("authorizerUri is missing".into()))?;
            if !uri.starts_with("arn:") || !uri.ends_with("/invocations") {
                return Err(wrong(
                    "authorizerUri is not arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/FUNCTION-ARN/invocations"
                        .into(),
                ));
            }
        }
        Kind::CognitoUserPools => {
            let pools = written.provider_arns.as_ref().ok_or_else(|| wrong("providerARNs is missing".into()))?;
            let is_pool = |arn: &String| arn.starts_with("arn:") && arn.contains(":cognito-idp:");
            if pools.is_empty() || !pools.iter().all(is_pool) {
                return Err(wrong("providerARNs is no list of ARNs of user pools".into()));
            }
        }
    }
    if let Some(seconds) = written.authorizer_result_ttl_in_seconds.filter(|seconds| *seconds > TTL_SECONDS_MAX) {
        return Err(wrong(format!("authorizerResultTtlInSeconds: {seconds} is more than {TTL_SECONDS_MAX}")));
    }
    check_identity_source(&written).map_err(|what| wrong(format!("identitySource: {what}")))?;
    serde_json::to_value(written).map_err(|e| wrong(e.to_string()))
}

/// API Gateway takes one header's token for `token` and Cognito, and several places for `request`.
fn check_identity_source(written: &Written) -> Result<(), String> {
    let Some(source) = &written.identity_source else { return Ok(()) };
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if written.kind != Kind::Request {
        return match source.strip_prefix(HEADER).is_some_and(is_name) {
            true => Ok(()),
            false => Err(format!("'{source}' is not one header, such as {HEADER}X-Auth-Token")),
        };
    }
    const PLACES: [&str; 4] = [HEADER, "method.request.querystring.", "context.", "stageVariables."];
    let is_place =
        |one: &str| PLACES.iter().any(|place| one.trim().strip_prefix(place).is_some_and(|rest| !rest.is_empty()));
    match source.split(',').find(|one| !is_place(one)) {
        None => Ok(()),
        Some(one) => Err(format!("'{one}' begins with none of {}", PLACES.join(", "))),
    }
}

/// The header that the authorizer's scheme names, which is where API Gateway looks for the token; a `request` authorizer says
/// that itself, and its scheme says "Unused", as AWS's examples do.
pub fn scheme_header(authorizer: &Value) -> &str {
    if is_of(authorizer, Kind::Request) {
        return "Unused";
    }
    authorizer["identitySource"].as_str().and_then(|source| source.strip_prefix(HEADER)).unwrap_or("Authorization")
}

/// Whether it is a Cognito user pool's.
pub fn is_cognito(authorizer: &Value) -> bool {
    is_of(authorizer, Kind::CognitoUserPools)
}

/// Whether its Lambda function lets API Gateway in by a permission, which names a REST API, and not by a role.
pub fn needs_permission(authorizer: &Value) -> bool {
    !is_cognito(authorizer) && authorizer.get("authorizerCredentials").is_none_or(Value::is_null)
}

/// As the scheme's extension holds it: of a token's header the scheme's own name speaks.
pub fn scheme_extension(authorizer: &Value) -> Value {
    let mut extension = authorizer.clone();
    if let (false, Some(fields)) = (is_of(authorizer, Kind::Request), extension.as_object_mut()) {
        fields.remove("identitySource");
    }
    extension
}

fn is_of(authorizer: &Value, kind: Kind) -> bool {
    serde_json::from_value::<Kind>(authorizer["type"].clone()).is_ok_and(|one| one == kind)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const URI: &str = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:f/invocations";
    const POOL: &str = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_a";

    #[test]
    fn the_scheme_names_the_header_that_the_token_is_in() {
        let header = "method.request.header.X-Auth-Token";
        for (given, name) in [
            (json!({"type": "token", "authorizerUri": URI, "identitySource": header}), "X-Auth-Token"),
            (json!({"type": "token", "authorizerUri": URI}), "Authorization"),
            (json!({"type": "cognito_user_pools", "providerARNs": [POOL], "identitySource": header}), "X-Auth-Token"),
            (json!({"type": "request", "authorizerUri": URI, "identitySource": header}), "Unused"),
        ] {
            let parsed = authorizer(&"a".parse().unwrap(), given.clone()).unwrap();
            assert_eq!(scheme_header(&parsed), name, "{given}");
            assert_eq!(scheme_extension(&parsed).get("identitySource").is_some(), name == "Unused");
        }
    }

    #[test]
    fn an_authorizer_that_api_gateway_would_not_take_is_refused() {
        let token = |field: &str, value: Value| {
            let mut given = json!({"type": "token", "authorizerUri": URI});
            given[field] = value;
            given
        };
        for (given, why) in [
            (json!("x"), "not an object"),
            (json!({"type": "jwt"}), "Authorizers.a.type"),
            (json!({"type": "token"}), "authorizerUri is missing"),
            (json!({"type": "cognito_user_pools"}), "providerARNs is missing"),
            (json!({"type": "cognito_user_pools", "providerARNs": []}), "no list of ARNs"),
            (token("authorizerUri", json!("https://a.example/")), "FUNCTION-ARN/invocations"),
            (token("authorizerResultTtlInSeconds", json!("3601")), "3601 is more than 3600"),
            (token("authorizerResultTtlInSeconds", json!("soon")), "authorizerResultTtlInSeconds: 'soon'"),
            (token("identitySource", json!("method.request.querystring.t")), "is not one header"),
            (token("identitySource", json!("method.request.header.A, method.request.header.B")), "is not one header"),
            (token("enableSimpleResponses", json!(true)), "unknown field `enableSimpleResponses`"),
        ] {
            let error = authorizer(&"a".parse().unwrap(), given).unwrap_err().message;
            assert!(error.contains(why), "{error}");
        }
        let kept = authorizer(&"a".parse().unwrap(), token("authorizerResultTtlInSeconds", json!("300"))).unwrap();
        assert_eq!(kept["authorizerResultTtlInSeconds"], 300);
    }
}
